/*
 * http_server.h - a server that does to each request what its script says, in a thread of the test; and a
 * client that waits on http_fd() alone
 */
#ifndef RINGSIDE_TEST_HTTP_SERVER_H
#define RINGSIDE_TEST_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/http.h"
#include "unit.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define HELLO                                                                                                \
    {                                                                                                        \
        "POST", "/api?x=y", "", "hello", 5, NULL, NULL                                                       \
    }
#define AT(place) ((struct http_endpoint){.url = (place)})

#define SERVER_REQUESTS_MAX 16
#define SERVER_REQUEST_MAX  (64 << 20)
#define WAIT_MS             30000 /* only a test that fails waits that long */

/* ---- the server ---- */

enum server_act {
    SERVER_ANSWER, /* and wait for the next request on the connection */
    SERVER_ANSWER_AND_CLOSE,
    SERVER_ANSWER_AND_HANG, /* until the client leaves */
    SERVER_ANSWER_AND_DRIP, /* a byte each 10 ms */
    SERVER_RESET,           /* of the connection, without an answer */
};

struct server_step {
    enum server_act act;
    const char *text; /* NULL: nothing */
    size_t repeat;    /* sends the last KiB of x that often behind the text; 0: not */
};

struct server {
    int listener, stop;
    pthread_t thread;
    char url[64];
    unsigned port;
    const struct server_step *step;
    size_t steps;
    useconds_t pause_us; /* after each 64 KiB that were read */
    size_t read_max;     /* of one request; then hangs; 0: all */
    /* For the test to look at when the server has stopped. */
    struct buf request[SERVER_REQUESTS_MAX];
    size_t requests, connections;
};

/* False when the server is to stop. */
static inline bool server_wait(const struct server *s, int fd)
{
    struct pollfd p[2] = {{.fd = s->stop, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

    if (poll(p, 2, -1) < 0)
        return false;
    return !(p[0].revents & POLLIN);
}

static inline size_t server_content_length(const struct buf *b, size_t head)
{
    static const char name[] = "\r\nContent-Length:";

    for (size_t i = 0; i + sizeof(name) < head; i++)
        if (strncasecmp(b->data + i, name, sizeof(name) - 1) == 0)
            return strtoul(b->data + i + sizeof(name) - 1, NULL, 10);
    return 0;
}

static inline bool server_has_all(const struct buf *b)
{
    const char *end = b->len ? memmem(b->data, b->len, "\r\n\r\n", 4) : NULL;
    size_t head;

    if (!end)
        return false;
    head = (size_t)(end - b->data) + 4;
    return b->len >= head + server_content_length(b, head);
}

static inline void server_hang(const struct server *s, int fd)
{
    struct pollfd p[2] = {{.fd = s->stop, .events = POLLIN}, {.fd = fd, .events = POLLRDHUP}};

    poll(p, 2, -1);
}

static inline bool server_read(struct server *s, int fd, struct buf *b)
{
    static char chunk[65536];

    while (!server_has_all(b)) {
        ssize_t n;

        if (s->read_max && b->len >= s->read_max) {
            server_hang(s, fd);
            return false;
        }
        if (!server_wait(s, fd) || (n = recv(fd, chunk, sizeof(chunk), 0)) <= 0)
            return false;
        buf_add(b, chunk, (size_t)n);
        if (s->pause_us)
            usleep(s->pause_us);
    }
    return true;
}

static inline bool server_send(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* False when the connection is to be closed. */
static inline bool server_act(const struct server *s, int fd, const struct server_step *step)
{
    struct linger reset = {.l_onoff = 1};
    char filler[1024];
    bool going = !step->text || server_send(fd, step->text, strlen(step->text));

    memset(filler, 'x', sizeof(filler));
    for (size_t i = 0; going && i < step->repeat; i++)
        going = server_send(fd, filler, sizeof(filler));
    while (going && step->act == SERVER_ANSWER_AND_DRIP)
        going = usleep(10000) == 0 && server_send(fd, "x", 1);
    if (step->act == SERVER_ANSWER_AND_HANG)
        server_hang(s, fd);
    if (step->act == SERVER_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return going && step->act == SERVER_ANSWER;
}

static inline void *server_run(void *ctx)
{
    struct server *s = ctx;

    while (s->requests < s->steps && server_wait(s, s->listener)) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            break;
        s->connections++;
        while (s->requests < s->steps && server_read(s, fd, &s->request[s->requests])) {
            __atomic_add_fetch(&s->requests, 1, __ATOMIC_RELEASE);
            if (!server_act(s, fd, &s->step[s->requests - 1]))
                break;
        }
        close(fd);
    }
    return NULL;
}

static inline void server_begin(struct server *s, int family, const struct server_step *step, size_t steps)
{
    assert_true(steps <= SERVER_REQUESTS_MAX);
    memset(s, 0, sizeof(*s));
    s->step = step;
    s->steps = steps;
    s->stop = eventfd(0, EFD_CLOEXEC);
    s->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->stop >= 0 && s->listener >= 0);
    for (size_t i = 0; i < SERVER_REQUESTS_MAX; i++)
        buf_init(&s->request[i], SERVER_REQUEST_MAX);
}

static inline void server_listen(struct server *s)
{
    assert_int_equal(listen(s->listener, 8), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, server_run, s), 0);
}

/* step is borrowed. The server ends when all steps are done, or by server_stop(). */
static inline void server_bind(struct server *s, const struct server_step *step, size_t steps)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    server_begin(s, AF_INET, step, steps);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u", s->port);
}

static inline void server_start(struct server *s, const struct server_step *step, size_t steps)
{
    server_bind(s, step, steps);
    server_listen(s);
}

static inline void server_start_unix(struct server *s, const char *path, const struct server_step *step,
                                     size_t steps)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    server_begin(s, AF_UNIX, step, steps);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    server_listen(s);
}

/* For a test to wait for while the server runs. */
static inline size_t server_requests(const struct server *s)
{
    return __atomic_load_n(&s->requests, __ATOMIC_ACQUIRE);
}

static inline void server_stop(struct server *s)
{
    assert_int_equal(eventfd_write(s->stop, 1), 0);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
    close(s->stop);
}

static inline void server_release(struct server *s)
{
    for (size_t i = 0; i < SERVER_REQUESTS_MAX; i++)
        buf_release(&s->request[i]);
}

/* ---- what a request was ---- */

static inline size_t request_head(const struct buf *b)
{
    const char *end = b->len ? memmem(b->data, b->len, "\r\n\r\n", 4) : NULL;

    assert_non_null(end);
    return (size_t)(end - b->data) + 4;
}

/* Whether line is one of the head's. */
static inline bool request_has(const struct buf *b, const char *line)
{
    size_t n = strlen(line);
    const char *p = b->data, *end = b->data + request_head(b);

    while (p < end) {
        const char *next = memmem(p, (size_t)(end - p), "\r\n", 2);

        if ((size_t)(next - p) == n && memcmp(p, line, n) == 0)
            return true;
        p = next + 2;
    }
    return false;
}

static inline size_t request_lines(const struct buf *b)
{
    size_t n = 0, head = request_head(b) - 2;

    for (size_t i = 0; i < head; i++)
        n += b->data[i] == '\n';
    return n;
}

/* ---- the client ---- */

struct result {
    unsigned calls;
    int status;
    char error[400], content_type[200];
    int64_t retry_after_ms;
    char body[HTTP_REPLY_MAX];
    size_t body_bytes;
};

static inline void result_take(void *ctx, const struct http_reply *reply)
{
    struct result *r = ctx;

    r->calls++;
    r->status = reply->status;
    r->retry_after_ms = reply->retry_after_ms;
    r->body_bytes = reply->body_bytes;
    assert_true(strlen(reply->error) < sizeof(r->error));
    assert_true(strlen(reply->content_type) < sizeof(r->content_type));
    assert_true(reply->body_bytes <= sizeof(r->body));
    assert_true((reply->status == 0) == (reply->error[0] != '\0'));
    strcpy(r->error, reply->error);
    strcpy(r->content_type, reply->content_type);
    if (reply->body_bytes)
        memcpy(r->body, reply->body, reply->body_bytes);
}

static inline struct http *client_new(void)
{
    static const char *const variables[] = {"http_proxy",   "https_proxy",  "HTTPS_PROXY", "all_proxy",
                                            "ALL_PROXY",    "no_proxy",     "NO_PROXY",    "HTTP_PROXY",
                                            "SSL_CERT_DIR", "SSL_CERT_FILE"};
    struct err e = {0};
    struct http *h;

    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        unsetenv(variables[i]);
    h = http_new("ringside/test", &e);
    if (!h)
        print_error("%s\n", e.text);
    assert_non_null(h);
    return h;
}

/* Steps once, when the descriptor says so. */
static inline void client_step(struct http *h)
{
    struct pollfd p = {.fd = http_fd(h), .events = POLLIN};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    http_step(h);
}

static inline struct http_call *client_start(struct http *h, const struct http_endpoint *endpoint,
                                             const struct http_request *request, struct result *r)
{
    struct http_request told = *request;
    struct err e = {0};
    struct http_call *call;

    memset(r, 0, sizeof(*r));
    told.done = result_take;
    told.ctx = r;
    call = http_start(h, endpoint, &told, &e);
    if (!call)
        print_error("%s\n", e.text);
    assert_non_null(call);
    assert_int_equal(r->calls, 0);
    return call;
}

static inline void client_send(struct http *h, const struct http_endpoint *endpoint,
                               const struct http_request *request, struct result *r)
{
    client_start(h, endpoint, request, r);
    while (!r->calls)
        client_step(h);
    assert_int_equal(r->calls, 1);
}

/* One request to a server with one step. */
static inline void exchange(const struct server_step *step, const struct http_endpoint *how, struct result *r,
                            struct server *s)
{
    struct http_request request = HELLO;
    struct http_endpoint endpoint = *how;
    struct http *h = client_new();

    server_start(s, step, 1);
    endpoint.url = s->url;
    client_send(h, &endpoint, &request, r);
    http_free(h);
    server_stop(s);
}

#endif
