/*
 * test_http_calls.c - calls that take long, are cancelled, or begin in the middle of another one's end
 */
#include "unit.h"

#include <dlfcn.h>
#include <netdb.h>

#include "http_server.h"

/*
 * Names that end in .hang are asked of a server that does not answer before the test says so: libcurl is
 * loaded after the program, so it takes the program's function.
 */
static int hang_fd = -1;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    struct pollfd p = {.fd = hang_fd, .events = POLLIN};

    memcpy(&real, &found, sizeof(real));
    if (strstr(node, ".hang")) {
        poll(&p, 1, -1);
        return EAI_AGAIN;
    }
    return real(node, service, hints, out);
}

TEST(http__does_not_wait_for_a_name_server_that_hangs)
{
    struct http_endpoint endpoint = {.url = "http://name.hang", .timeout_ms = 150};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct result r, cancelled;
    struct http_call *call;

    hang_fd = eventfd(0, EFD_CLOEXEC);
    client_send(h, &endpoint, &request, &r); /* would wait for ever */
    assert_string_equal(r.error, "timed out");
    endpoint.timeout_ms = 0;
    endpoint.connect_timeout_ms = 150;
    client_send(h, &endpoint, &request, &r);
    assert_string_equal(r.error, "timed out");
    endpoint.connect_timeout_ms = 0;
    call = client_start(h, &endpoint, &request, &cancelled);
    client_step(h);
    http_cancel(h, call);
    client_start(h, &endpoint, &request, &cancelled);
    client_step(h);
    http_free(h);
    assert_int_equal(cancelled.calls, 0);
    eventfd_write(hang_fd, 1); /* the threads end; the descriptor stays for them */
}

TEST(http__says_that_a_name_is_not_known)
{
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct result r;

    hang_fd = eventfd(1, EFD_CLOEXEC);
    client_send(h, &AT("http://name.hang"), &request, &r);
    assert_string_equal(r.error, "Could not resolve host: name.hang");
    http_free(h);
}

/* A machine that stands still makes one try late, hardly each of three; a client that waits too long is late
 * each time. */
static void once_in_time(bool (*try)(const void *ctx), const void *ctx)
{
    int tries = 3;

    while (!try(ctx))
        if (--tries == 0)
            fail_msg("late each time");
}

struct hang {
    const char *text;
    uint32_t timeout_ms;
};

static bool gives_up_in_time(const void *ctx)
{
    const struct hang *hang = ctx;
    struct server_step step = {SERVER_ANSWER_AND_HANG, hang->text, 0};
    struct http_endpoint endpoint = {.timeout_ms = hang->timeout_ms};
    uint64_t began = clock_mono_ns(), took_ms;
    struct server s;
    struct result r;

    exchange(&step, &endpoint, &r, &s);
    took_ms = (clock_mono_ns() - began) / NSEC_PER_MSEC;
    assert_int_equal(r.status, 0);
    assert_string_equal(r.error, "timed out");
    assert_true(took_ms >= hang->timeout_ms);
    server_release(&s);
    return took_ms < MAX_OF(2 * hang->timeout_ms, 4000); /* what was sent is no reason to wait */
}

TEST(http__gives_up_on_a_server_that_hangs)
{
    once_in_time(gives_up_in_time, &(struct hang){NULL, 150});
    once_in_time(gives_up_in_time, &(struct hang){"HTTP/1.1 200 OK\r\nContent-Ty", 2000});
}

static bool gives_up_on_a_body_in_time(const void *ctx)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    size_t n = 32 << 20; /* more than the socket's buffers hold */
    FREE_PTR char *body = base_calloc(1, n);
    struct http_request request = {"POST", "/", "", body, n, NULL, NULL};
    struct http_endpoint endpoint = {.timeout_ms = 500};
    struct http *h = client_new();
    uint64_t began = clock_mono_ns();
    struct server s;
    struct result r;

    (void)ctx;
    server_bind(&s, &step, 1);
    s.read_max = 1 << 20;
    server_listen(&s);
    endpoint.url = s.url;
    client_send(h, &endpoint, &request, &r);
    http_free(h);
    server_stop(&s);
    assert_string_equal(r.error, "timed out");
    server_release(&s);
    return clock_mono_ns() - began < 4500 * NSEC_PER_MSEC; /* the second look; the last is at 5 s */
}

TEST(http__gives_up_on_a_body_that_does_not_move)
{
    once_in_time(gives_up_on_a_body_in_time, NULL);
}

TEST(http__gives_a_body_that_moves_more_than_the_time_limit)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    size_t n = 16 << 20; /* more than the socket's buffers hold */
    FREE_PTR char *body = base_calloc(1, n);
    struct http_request request = {"POST", "/", "", body, n, NULL, NULL};
    struct http_endpoint endpoint = {.timeout_ms = 1000};
    struct http *h = client_new();
    uint64_t began = clock_mono_ns();
    struct server s;
    struct result r;

    server_bind(&s, &step, 1);
    s.pause_us = 8000; /* for each of at least 256 reads */
    server_listen(&s);
    endpoint.url = s.url;
    client_send(h, &endpoint, &request, &r);
    http_free(h);
    server_stop(&s);
    assert_int_equal(r.status, 200);
    assert_true(clock_mono_ns() - began > 1500 * NSEC_PER_MSEC);
    server_release(&s);
}

TEST(http__cancels_without_telling)
{
    static const struct server_step hang = {SERVER_ANSWER_AND_HANG, NULL, 0}, ok = {SERVER_ANSWER, OK, 0};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct pollfd p = {.fd = http_fd(h), .events = POLLIN};
    struct result cancelled, r;
    struct http_call *call;
    struct server silent, s;

    server_start(&silent, &hang, 1);
    server_start(&s, &ok, 1);
    http_cancel(h, client_start(h, &AT(silent.url), &request, &cancelled)); /* not even begun */
    call = client_start(h, &AT(silent.url), &request, &cancelled);
    while (!server_requests(&silent)) /* arrived, but not answered */
        if (poll(&p, 1, 1) == 1)
            http_step(h);
    http_cancel(h, call);
    client_send(h, &AT(s.url), &request, &r);
    assert_int_equal(r.status, 200);
    client_start(h, &AT(silent.url), &request, &cancelled);
    http_free(h);
    server_stop(&silent);
    server_stop(&s);
    assert_int_equal(cancelled.calls, 0);
    server_release(&silent);
    server_release(&s);
}

/* ---- calls from within done ---- */

struct chain {
    struct http *h;
    struct http_endpoint endpoint;
    struct http_call *other;
    unsigned told, left;
};

static void chain_next(void *ctx, const struct http_reply *reply);

static void chain_start(struct chain *c)
{
    struct http_request request = HELLO;

    request.done = chain_next;
    request.ctx = c;
    assert_non_null(http_start(c->h, &c->endpoint, &request, NULL));
}

static void chain_next(void *ctx, const struct http_reply *reply)
{
    struct chain *c = ctx;

    (void)reply;
    c->told++;
    if (c->other)
        http_cancel(c->h, c->other);
    c->other = NULL;
    if (c->left && c->left--)
        chain_start(c);
}

TEST(http__starts_and_cancels_from_within_done)
{
    static const struct server_step steps[] = {
        {SERVER_ANSWER, OK, 0}, {SERVER_ANSWER, OK, 0}, {SERVER_ANSWER, OK, 0}};
    struct http_request request = HELLO;
    struct chain c = {.left = 2};
    struct server s, silent;
    struct result other;

    c.h = client_new();
    server_start(&s, steps, ARRAY_LEN(steps));
    server_start(&silent, &(struct server_step){SERVER_ANSWER_AND_HANG, NULL, 0}, 1);
    c.endpoint.url = s.url;
    chain_start(&c);
    c.other = client_start(c.h, &AT(silent.url), &request, &other);
    while (c.told < 3)
        client_step(c.h);
    http_free(c.h);
    server_stop(&s);
    server_stop(&silent);
    assert_int_equal(other.calls, 0);
    assert_int_equal(s.requests, 3);
    assert_int_equal(s.connections, 1);
    server_release(&s);
    server_release(&silent);
}

TEST(http__has_many_calls_under_way)
{
    static const struct server_step hang = {SERVER_ANSWER_AND_HANG, NULL, 0}, ok = {SERVER_ANSWER, OK, 0};
    struct http_endpoint late = {.timeout_ms = 150};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct server silent, fine[8];
    struct result r[8], timed_out;

    server_start(&silent, &hang, 1);
    late.url = silent.url;
    client_start(h, &late, &request, &timed_out);
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        server_start(&fine[i], &ok, 1);
        client_start(h, &AT(fine[i].url), &request, &r[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        while (!r[i].calls)
            client_step(h);
        assert_int_equal(r[i].status, 200);
        assert_int_equal(r[i].calls, 1);
    }
    while (!timed_out.calls)
        client_step(h);
    assert_string_equal(timed_out.error, "timed out");
    http_free(h);
    server_stop(&silent);
    server_release(&silent);
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        server_stop(&fine[i]);
        server_release(&fine[i]);
    }
}

/* The head must be there within the time limit. */
static bool takes_a_head_in_time(const void *ctx)
{
    static const struct server_step step = {SERVER_ANSWER_AND_DRIP, "HTTP/1.1 200 OK\r\n\r\n", 0};
    struct server s;
    struct result r;

    exchange(&step, ctx, &r, &s);
    assert_true(r.body_bytes < HTTP_REPLY_MAX);
    server_release(&s);
    return r.status == 200;
}

/* A server that says a little now and then does not hold a call for longer than its time. */
TEST(http__is_not_held_by_a_reply_that_drips)
{
    static const struct server_step step = {SERVER_ANSWER_AND_DRIP, "HTTP/1.1 200 OK\r\n", 0};
    static const struct http_endpoint endpoint = {.timeout_ms = 300};
    struct server s;
    struct result r;

    exchange(&step, &endpoint, &r, &s);
    assert_int_equal(r.status, 0);
    assert_string_equal(r.error, "timed out");
    server_release(&s);
    once_in_time(takes_a_head_in_time, &endpoint);
}

/* Nothing happens: nothing is readable, so a caller that waits sleeps. */
TEST(http__is_quiet_when_there_is_nothing_to_do)
{
    static const struct server_step step = {SERVER_ANSWER, OK, 0};
    struct http_request request = HELLO;
    struct http *h = client_new();
    struct pollfd p = {.fd = http_fd(h), .events = POLLIN};
    struct server s;
    struct result r;

    assert_int_equal(poll(&p, 1, 0), 0);
    server_start(&s, &step, 1);
    client_send(h, &AT(s.url), &request, &r);
    server_stop(&s);            /* closes the connection that is kept */
    while (poll(&p, 1, 0) == 1) /* what libcurl still has to tidy up; would not end if it were for ever */
        http_step(h);
    http_free(h);
    server_release(&s);
}
