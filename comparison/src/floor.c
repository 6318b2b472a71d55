/* The least that echo/1's frames cost: epoll, one buffer, no state but a partial frame. Answers ECHO with a stamped
   REPLY. It has no numbers to check, limits, deadlines or end, and is not a server to use. Prints its port. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE (256 * 1024)
static uint8_t in[SIZE], out[2 * SIZE];

/* What is kept between reads: a partial frame, and answers that could not be written. */
struct connection {
    int fd, greeted;
    uint8_t *partial, *waiting;
    size_t partial_size, waiting_size;
};

static void keep(uint8_t **to, size_t *size, const uint8_t *from, size_t count) {
    *to = realloc(*to, *size + count);
    memcpy(*to + *size, from, count);
    *size += count;
}

static uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return htobe64((uint64_t)at.tv_sec * 1000000000u + at.tv_nsec);
}

static void put(struct connection *c, const uint8_t *from, size_t count) {
    if (!c->waiting_size) {
        ssize_t sent = write(c->fd, from, count);
        if (sent > 0) from += sent, count -= sent;
    }
    if (count) keep(&c->waiting, &c->waiting_size, from, count);
}

static size_t answer(struct connection *c, size_t count) {
    size_t at = 0, filled = 0;
    uint64_t stamp = now();
    if (!c->greeted && count >= 8) {
        c->greeted = 1, at = 8;
        memcpy(out, "\x89" "echo\r\n\x01", 8), filled = 8;
    }
    while (c->greeted && count - at >= 20) {
        size_t size = (in[at] << 16 | in[at + 1] << 8 | in[at + 2]) - 8;
        if (count - at < 20 + size) break;
        if (filled + 36 + size > sizeof out) put(c, out, filled), filled = 0;
        uint8_t *head = out + filled;
        size_t body = size + 24;
        head[0] = body >> 16, head[1] = body >> 8, head[2] = body, head[3] = 2;
        memcpy(head + 4, in + at + 4, 16);
        memcpy(head + 20, &stamp, 8), memcpy(head + 28, &stamp, 8);
        memcpy(head + 36, in + at + 20, size);
        filled += 36 + size, at += 20 + size;
    }
    if (filled) put(c, out, filled);
    return at;
}

static int serve(struct connection *c) {
    if (c->waiting_size) {
        ssize_t sent = write(c->fd, c->waiting, c->waiting_size);
        if (sent < 0) return errno == EAGAIN;
        memmove(c->waiting, c->waiting + sent, c->waiting_size -= sent);
        if (c->waiting_size) return 1;
        free(c->waiting), c->waiting = NULL;
    }
    for (;;) {
        size_t kept = c->partial_size;
        memcpy(in, c->partial, kept);
        ssize_t count = read(c->fd, in + kept, SIZE - kept);
        if (count < 0) return errno == EAGAIN;
        if (count == 0) return 0;
        free(c->partial), c->partial = NULL, c->partial_size = 0;
        size_t used = answer(c, kept + count);
        if (used < kept + count) keep(&c->partial, &c->partial_size, in + used, kept + count - used);
        if (c->waiting_size || kept + count < SIZE) return 1;
    }
}

int main(void) {
    int one = 1, unsent = 256 * 1024, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    if (bind(listener, (void *)&address, size) || listen(listener, 4096)) return 1;
    /* Connections inherit them. */
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port)), fflush(stdout);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            if (c) {
                if (!serve(c)) close(c->fd), free(c->partial), free(c->waiting), free(c);
                continue;
            }
            for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                c = calloc(1, sizeof *c), c->fd = fd;
                event.events = EPOLLIN | EPOLLOUT | EPOLLET, event.data.ptr = c;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
