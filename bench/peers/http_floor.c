/* bench/peers/http_floor.c: what libmicrohttpd costs alone: its own epoll thread, every request's body read and dropped, the same
 * empty answer to all. The floor under RIDE's HTTP.
 *
 *     cc -O3 -o /tmp/http_floor bench/peers/http_floor.c -lmicrohttpd
 *
 * Prints "listens PORT" and serves until SIGTERM. For bench/bench_http_load.c. */
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct MHD_Response *empty;

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_bytes, void **request) {
    static int seen;
    (void)context, (void)url, (void)method, (void)version, (void)data;
    if (*request == NULL) {
        *request = &seen;
        return MHD_YES;
    }
    if (*data_bytes != 0) {
        *data_bytes = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, 200, empty);
}

int main(void) {
    sigset_t end;
    int number;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    empty = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL, MHD_OPTION_END);
    if (daemon == NULL) return 1;
    printf("listens %u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&end, &number);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(empty);
    return 0;
}
