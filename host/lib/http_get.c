/* lib/http_get.c: connects, asks with `Connection: close`, reads to the end, and takes the answer apart. */
#include "lib/http_get.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_BYTES = 256, PORT_BYTES = 8 };

typedef struct exchange {
    const char *address;
    uint64_t until_ns;
    int fd;
    char *text;
    size_t bytes, room;
    ride_error *err;
} exchange;

static uint64_t now_ns(void) { return ride_clock_now_ns(ride_clock_real()); }

static ride_status split(const char *address, char *host, char *port, ride_error *err) {
    if (strncmp(address, "http://", 7) == 0) address += 7;
    size_t bytes = strcspn(address, "/"), host_bytes = 0;
    if (address[bytes] == '/' && address[bytes + 1] != '\0') bytes = 0; /* a path is not ours to take */
    const char *colon = NULL;
    for (size_t i = 0; i < bytes; i++)
        if (address[i] == ':') colon = address + i;
    if (colon != NULL) host_bytes = (size_t)(colon - address);
    size_t port_bytes = colon != NULL ? bytes - host_bytes - 1 : 0;
    bool bracketed = host_bytes > 2 && address[0] == '[' && address[host_bytes - 1] == ']';
    if (host_bytes == 0 || host_bytes >= HOST_BYTES || port_bytes == 0 || port_bytes >= PORT_BYTES ||
        strspn(colon + 1, "0123456789") < port_bytes || (!bracketed && memchr(address, ':', host_bytes) != NULL))
        return ride_fail(err, RIDE_E_USAGE, "this is no HOST:PORT: `%s`", address);
    if (bracketed) address++, host_bytes -= 2;
    memcpy(host, address, host_bytes);
    host[host_bytes] = '\0';
    memcpy(port, colon + 1, port_bytes);
    port[port_bytes] = '\0';
    return RIDE_OK;
}

/* Waits for the socket; false when the time is over. */
static bool wait_for(const exchange *x, short events) {
    for (;;) {
        uint64_t now = now_ns();
        if (now >= x->until_ns) return false;
        struct pollfd one = {.fd = x->fd, .events = events};
        int ready = poll(&one, 1, (int)((x->until_ns - now) / 1000000) + 1);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

/* 0, or the errno of the failure. */
static int connect_one(exchange *x, const struct addrinfo *info) {
    int failed = 0;
    socklen_t failed_bytes = sizeof failed;
    x->fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    if (x->fd < 0) return errno;
    if (connect(x->fd, info->ai_addr, info->ai_addrlen) != 0) {
        failed = errno;
        if (failed == EINPROGRESS) {
            failed = ETIMEDOUT;
            if (wait_for(x, POLLOUT) && getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &failed, &failed_bytes) != 0)
                failed = errno;
        }
    }
    if (failed != 0) {
        close(x->fd);
        x->fd = -1;
    }
    return failed;
}

static ride_status connect_any(exchange *x, const char *host, const char *port) {
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo(host, port, &wanted, &found);
    if (wrong != 0) return ride_fail(x->err, RIDE_E_UNAVAILABLE, "no address of %s: %s", host, gai_strerror(wrong));
    int failed = 0;
    for (const struct addrinfo *info = found; info != NULL && x->fd < 0; info = info->ai_next)
        failed = connect_one(x, info);
    freeaddrinfo(found);
    if (x->fd >= 0) return RIDE_OK;
    if (failed == ECONNREFUSED) return ride_fail(x->err, RIDE_E_UNAVAILABLE, "nothing listens at %s", x->address);
    return ride_fail(x->err, RIDE_E_UNAVAILABLE, "no connection to %s: %s", x->address, strerror(failed));
}

static ride_status late(const exchange *x) {
    return ride_fail(x->err, RIDE_E_UNAVAILABLE, "no answer from %s in time", x->address);
}

static ride_status send_all(const exchange *x, const char *text, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = send(x->fd, text, bytes, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            if (!wait_for(x, POLLOUT)) return late(x);
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ride_fail(x->err, RIDE_E_UNAVAILABLE, "%s hung up: %s", x->address, strerror(errno));
        text += n;
        bytes -= (size_t)n;
    }
    return RIDE_OK;
}

static ride_status receive_all(exchange *x) {
    for (;;) {
        if (x->room - x->bytes < 4096) {
            if (x->room >= RIDE_HTTP_GET_BYTES_MAX)
                return ride_fail(x->err, RIDE_E_DATA, "the answer of %s has over %d MiB", x->address,
                                 RIDE_HTTP_GET_BYTES_MAX >> 20);
            size_t room = x->room == 0 ? 1 << 16 : x->room * 2;
            char *text = realloc(x->text, room);
            if (text == NULL) return ride_fail(x->err, RIDE_E_MEMORY, "no memory for an answer of %zu bytes", room);
            x->text = text;
            x->room = room;
        }
        ssize_t n = recv(x->fd, x->text + x->bytes, x->room - x->bytes - 1, 0);
        if (n > 0) {
            x->bytes += (size_t)n;
        } else if (n == 0) {
            x->text[x->bytes] = '\0';
            return RIDE_OK;
        } else if (errno == EAGAIN) {
            if (!wait_for(x, POLLIN)) return late(x);
        } else if (errno != EINTR) {
            return ride_fail(x->err, RIDE_E_UNAVAILABLE, "%s hung up: %s", x->address, strerror(errno));
        }
    }
}

/* The value of a header line between head and its end, NULL when there is none. */
static const char *header(const char *head, const char *end, const char *name) {
    size_t name_bytes = strlen(name);
    for (const char *at = strstr(head, "\r\n"); at != NULL && at < end; at = strstr(at, "\r\n")) {
        at += 2;
        if (strncasecmp(at, name, name_bytes) != 0 || at[name_bytes] != ':') continue;
        at += name_bytes + 1;
        return at + strspn(at, " \t");
    }
    return NULL;
}

/* Puts the chunks together in place. false: they are not well-formed, or end early. */
static bool join_chunks(char *body, size_t bytes, size_t *joined) {
    size_t at = 0, to = 0;
    for (;;) {
        char *end;
        if (at >= bytes || strspn(body + at, "0123456789abcdefABCDEF") == 0) return false;
        unsigned long long chunk = strtoull(body + at, &end, 16);
        end = strstr(end, "\r\n"); /* behind extensions */
        if (end == NULL) return false;
        at = (size_t)(end - body) + 2;
        if (chunk == 0) break;
        if (at > bytes || chunk > bytes - at || bytes - at - chunk < 2) return false;
        memmove(body + to, body + at, chunk);
        to += chunk;
        at += chunk + 2;
    }
    *joined = to;
    return true;
}

static ride_status take_apart(exchange *x, ride_http_answer *answer) {
    char *end = strstr(x->text, "\r\n\r\n");
    if (strncmp(x->text, "HTTP/1.", 7) != 0 || x->text[8] != ' ' || end == NULL ||
        strspn(x->text + 9, "0123456789") != 3)
        return ride_fail(x->err, RIDE_E_DATA, "what listens at %s does not speak HTTP", x->address);
    const char *length = header(x->text, end, "Content-Length"), *coding = header(x->text, end, "Transfer-Encoding");
    char *body = end + 4;
    size_t bytes = x->bytes - (size_t)(body - x->text);
    bool whole = true;
    answer->code = atoi(x->text + 9);
    if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) {
        whole = join_chunks(body, bytes, &bytes);
    } else if (length != NULL) {
        unsigned long long told = strtoull(length, NULL, 10);
        whole = told <= bytes;
        if (whole) bytes = (size_t)told;
    }
    if (!whole) return ride_fail(x->err, RIDE_E_DATA, "the answer of %s is cut short", x->address);
    memmove(x->text, body, bytes);
    x->text[bytes] = '\0';
    answer->body = x->text;
    answer->body_bytes = bytes;
    x->text = NULL;
    return RIDE_OK;
}

ride_status ride_http_get(const char *address, const char *path, uint64_t timeout_ns, ride_http_answer *answer,
                          ride_error *err) {
    exchange x = {.address = address, .until_ns = now_ns() + timeout_ns, .fd = -1, .err = err};
    char host[HOST_BYTES], port[PORT_BYTES], request[1024];
    RIDE_TRY(split(address, host, port, err));
    bool v6 = strchr(host, ':') != NULL;
    int bytes =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: ride\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                 path, v6 ? "[" : "", host, v6 ? "]" : "", port);
    if (bytes < 0 || (size_t)bytes >= sizeof request) return ride_fail(err, RIDE_E_USAGE, "the path is too long");
    ride_status st = connect_any(&x, host, port);
    if (st == RIDE_OK) st = send_all(&x, request, (size_t)bytes);
    if (st == RIDE_OK) st = receive_all(&x);
    if (st == RIDE_OK) st = take_apart(&x, answer);
    if (x.fd >= 0) close(x.fd);
    free(x.text);
    return st;
}
