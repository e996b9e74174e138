/* serve/listen.c: from "address:port" to a socket that listens. */
#include "serve/server_internal.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

/* host:port, [host]:port, *:port. */
static ride_status split(const char *listen_at, char *host, size_t host_bytes_max, char *port, size_t port_bytes_max,
                         ride_error *err) {
    const char *colon = strrchr(listen_at, ':');
    const char *from = listen_at, *to = colon;
    bool brackets = colon != NULL && listen_at[0] == '[' && colon > listen_at + 1 && colon[-1] == ']';
    if (brackets) {
        from++;
        to--;
    }
    size_t host_bytes = colon != NULL ? (size_t)(to - from) : 0, port_bytes = colon != NULL ? strlen(colon + 1) : 0;
    bool good = colon != NULL && host_bytes > 0 && host_bytes < host_bytes_max && port_bytes > 0 &&
                port_bytes < port_bytes_max && strspn(colon + 1, "0123456789") == port_bytes &&
                (brackets || memchr(from, ':', host_bytes) == NULL);
    if (!good) {
        ride_fail(err, RIDE_E_CONFIG, "\"%s\" is no address and port", listen_at);
        ride_error_advice(err, "write 127.0.0.1:8080, [::1]:8080 or *:8080");
        return RIDE_E_CONFIG;
    }
    memcpy(host, from, host_bytes);
    host[host_bytes] = '\0';
    memcpy(port, colon + 1, port_bytes + 1);
    return RIDE_OK;
}

static int open_one(const struct addrinfo *at, bool all) {
    if (at == NULL) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    const int one = 1, zero = 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at->ai_family == AF_INET6) (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, all ? &zero : &one, sizeof one);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

ride_status serve_listen(const char *listen_at, int *out, char *address, size_t address_bytes_max, uint32_t *port_out,
                         ride_error *err) {
    char host[256], port[8], name[64];
    ride_status st = split(listen_at, host, sizeof host, port, sizeof port, err);
    if (st != RIDE_OK) return st;
    bool all = strcmp(host, "*") == 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    int failed = getaddrinfo(all ? "::" : host, port, &hints, &list);
    if (failed == 0 && all && list != NULL) { /* a machine without IPv6 has no "::" */
        int fd = open_one(list, true);
        if (fd >= 0) *out = fd;
        else if (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) {
            freeaddrinfo(list);
            list = NULL;
            failed = getaddrinfo("0.0.0.0", port, &hints, &list);
            fd = failed == 0 ? open_one(list, false) : -1;
        }
        *out = fd;
    } else if (failed == 0) {
        *out = open_one(list, false);
    }
    int saved = errno;
    if (list != NULL) freeaddrinfo(list);
    if (failed != 0) return ride_fail(err, RIDE_E_CONFIG, "cannot listen on %s: %s", listen_at, gai_strerror(failed));
    if (*out < 0) {
        ride_fail(err, RIDE_E_UNAVAILABLE, "cannot listen on %s: %s", listen_at, strerror(saved));
        if (saved == EADDRINUSE) ride_error_advice(err, "another process has this port");
        if (saved == EACCES) ride_error_advice(err, "ports below 1024 are the system's");
        return RIDE_E_UNAVAILABLE;
    }
    struct sockaddr_storage real = {0};
    socklen_t real_bytes = sizeof real;
    if (getsockname(*out, (struct sockaddr *)&real, &real_bytes) != 0 ||
        getnameinfo((struct sockaddr *)&real, real_bytes, name, sizeof name, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        close(*out);
        return ride_fail(err, RIDE_E_IO, "cannot tell what %s became: %s", listen_at, strerror(errno));
    }
    snprintf(address, address_bytes_max, real.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", name, port);
    *port_out = 0;
    for (const char *digit = port; *digit != '\0'; digit++) *port_out = *port_out * 10 + (uint32_t)(*digit - '0');
    return RIDE_OK;
}
