/*
 * test_deliver.c - lanes, back-off and the end, over a transport that answers what a test says
 *
 * The functions of http.h are this file's: what is started is noted, and an answer comes with the next step.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/deliver.h"
#include "ringside/http.h"
#include "ringside/profile.h"
#include "ringside/stats.h"
#include "ringside/target.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define CALLS_MAX  64
#define PATIENCE_S 20

struct http_call {
    char url[128], path[200];
    http_done *done;
    void *ctx;
    uint64_t started_ns;
    int answer; /* 0: none yet; -1: no connection */
    int64_t retry_after_ms;
    bool gone; /* answered or cancelled */
};

struct http {
    int event_fd;
    struct http_call call[CALLS_MAX];
    uint32_t calls;
};

static struct http transport;
static bool unusable; /* no call can be started: a certificate is not there */
static int always;    /* what every call is answered from now on; 0: nothing */

struct http *http_new(const char *agent, struct err *e)
{
    (void)e;
    assert_string_equal(agent, "ringside/test");
    memset(&transport, 0, sizeof(transport));
    transport.event_fd = eventfd(0, EFD_NONBLOCK);
    return &transport;
}

void http_free(struct http *h)
{
    if (h)
        close(h->event_fd);
}

int http_fd(const struct http *h)
{
    return h->event_fd;
}

static void wake(void)
{
    assert_int_equal(eventfd_write(transport.event_fd, 1), 0);
}

struct http_call *http_start(struct http *h, const struct http_endpoint *endpoint,
                             const struct http_request *request, struct err *e)
{
    struct http_call *c = &h->call[h->calls];

    if (unusable) {
        err_set(e, ENOENT, "certificate /x.pem");
        return NULL;
    }
    h->calls++;
    assert_true(h->calls < CALLS_MAX);
    snprintf(c->url, sizeof(c->url), "%s", endpoint->url);
    snprintf(c->path, sizeof(c->path), "%s", request->path);
    c->done = request->done;
    c->ctx = request->ctx;
    c->started_ns = clock_mono_ns();
    c->answer = always;
    c->retry_after_ms = -1;
    if (always)
        wake();
    return c;
}

void http_cancel(struct http *h, struct http_call *call)
{
    (void)h;
    call->gone = true;
}

void http_step(struct http *h)
{
    eventfd_t count;

    eventfd_read(h->event_fd, &count);
    for (uint32_t i = 0, n = h->calls; i < n; i++) {
        struct http_call *c = &h->call[i];
        struct http_reply reply = {
            .status = MAX_OF(c->answer, 0),
            .error = c->answer < 0 ? "connection refused" : "",
            .retry_after_ms = c->retry_after_ms,
            .content_type = "text/plain",
            .body = "so it says",
            .body_bytes = 10,
        };

        if (c->gone || !c->answer)
            continue;
        c->gone = true;
        c->done(c->ctx, &reply);
    }
}

static void answer(uint32_t call, int status, int64_t retry_after_ms)
{
    assert_true(call < transport.calls);
    transport.call[call].answer = status;
    transport.call[call].retry_after_ms = retry_after_ms;
    wake();
}

/* ---- a run ---- */

struct run {
    struct target *target[2];
    struct stats *stats;
    struct deliver *deliver;
    char folder[64];
    struct target_identity who;
    struct deliver_config config;
};

static struct target *make_target(const char *url)
{
    struct target_config config = {.url = url};
    struct err e;
    struct target *t = target_new(&config, &e);

    if (!t)
        fail_msg("%s", e.text);
    return t;
}

static void run_open(struct run *r)
{
    struct err e;

    always = 0;
    r->deliver = deliver_open(&r->config, &e);
    if (!r->deliver)
        fail_msg("%s", e.text);
}

static void run_begin(struct run *r, uint32_t targets, bool on_disk)
{
    memset(r, 0, sizeof(*r));
    snprintf(r->folder, sizeof(r->folder), "%s/ringside-test-deliver-XXXXXX", unit_tmp());
    assert_non_null(mkdtemp(r->folder));
    r->target[0] = make_target("put+http://first/{number}");
    r->target[1] = make_target("put+http://second/{number}");
    r->stats = stats_new();
    r->who = (struct target_identity){
        .service = "shop", .runtime_id = "id", .host = "h", .profiler_version = "0", .pid = 1};
    r->config = (struct deliver_config){
        .target = r->target,
        .targets = targets,
        .who = &r->who,
        .spool_folder = on_disk ? r->folder : NULL,
        .spool_bytes_max = 1 << 20,
        .spool_age_max_ns = 3600 * NSEC_PER_SEC,
        .memory_bytes_max = 1 << 20,
        .agent = "ringside/test",
        .stats = r->stats,
    };
    run_open(r);
}

static void run_end(struct run *r)
{
    char command[100];

    deliver_close(r->deliver);
    target_free(r->target[0]);
    target_free(r->target[1]);
    stats_free(r->stats);
    snprintf(command, sizeof(command), "rm -rf %s", r->folder);
    assert_int_equal(system(command), 0);
}

static void put_profile(struct run *r)
{
    static const int64_t values[] = {1, 10};
    struct profile p;

    profile_init(&p);
    profile_add_type(&p, "samples", "count");
    profile_add_type(&p, "cpu", "nanoseconds");
    p.period_type = p.type[1];
    p.period = 10;
    p.time_wall_ns = clock_wall_ns();
    p.duration_ns = NSEC_PER_SEC;
    profile_add_location(&p, &(struct profile_location){.function = profile_add_function(&p, "f", "f")});
    profile_add_sample(&p, profile_add_frame(&p, 0, 1), PROFILE_NO_LABELS, values);
    assert_int_equal(deliver_profile(r->deliver, &p), 0);
    profile_release(&p);
}

/* Nothing but the descriptor says when there is something to do. */
static void step_until(struct run *r, uint32_t calls)
{
    struct pollfd ready = {.fd = deliver_fd(r->deliver), .events = POLLIN};

    while (transport.calls < calls) {
        if (poll(&ready, 1, PATIENCE_S * 1000) <= 0)
            fail_msg("%u calls instead of %u", transport.calls, calls);
        deliver_step(r->deliver);
    }
}

static void step(struct run *r)
{
    deliver_step(r->deliver);
}

static uint64_t counted(const struct run *r, enum stats_id id)
{
    return stats_get(r->stats, id);
}

/* ---- */

TEST(deliver__sends_one_at_a_time_and_in_order)
{
    struct run r;

    run_begin(&r, 1, true);
    for (int i = 0; i < 3; i++)
        put_profile(&r);
    assert_int_equal(transport.calls, 1);
    for (uint32_t i = 0; i < 3; i++) {
        char path[16];

        snprintf(path, sizeof(path), "/%04u", i + 1);
        assert_string_equal(transport.call[i].path, path);
        answer(i, 200, -1);
        step(&r);
    }
    assert_int_equal(transport.calls, 3);
    assert_int_equal(counted(&r, STATS_UPLOADS_DELIVERED), 3);
    assert_int_equal(deliver_flush(r.deliver, 1000, NULL), 0);
    run_end(&r);
}

TEST(deliver__tries_again_with_the_same_until_it_is_taken)
{
    /* The waits of its own accord double: they are left to the first two. */
    static const struct {
        int status, retry_after_ms;
    } answers[] = {{-1, -1}, {500, -1}, {503, 100}, {429, 100}, {408, 100}, {200, -1}};
    struct run r;
    uint64_t answered_ns = 0, least_ms = 0;

    run_begin(&r, 1, true);
    put_profile(&r);
    put_profile(&r);
    for (uint32_t i = 0; i < ARRAY_LEN(answers); i++) {
        step_until(&r, i + 1);
        assert_string_equal(transport.call[i].path, "/0001");
        if (i) /* not at once */
            assert_true(transport.call[i].started_ns - answered_ns >= least_ms * NSEC_PER_MSEC);
        least_ms = (uint64_t)MAX_OF(answers[i].retry_after_ms, 50);
        answered_ns = clock_mono_ns();
        answer(i, answers[i].status, answers[i].retry_after_ms);
        step(&r);
    }
    step_until(&r, 7);
    assert_string_equal(transport.call[6].path, "/0002");
    assert_int_equal(counted(&r, STATS_UPLOADS_RETRIED), 5);
    run_end(&r);
}

TEST(deliver__drops_what_is_refused_for_good_and_goes_on)
{
    struct run r;

    run_begin(&r, 1, true);
    put_profile(&r);
    put_profile(&r);
    answer(0, 403, -1);
    step(&r);
    assert_int_equal(transport.calls, 2);
    assert_string_equal(transport.call[1].path, "/0002");
    assert_int_equal(counted(&r, STATS_UPLOADS_REFUSED), 1);
    run_end(&r);
}

TEST(deliver__a_target_that_is_down_does_not_delay_another)
{
    struct run r;

    run_begin(&r, 2, true);
    put_profile(&r);
    assert_int_equal(transport.calls, 2);
    assert_string_equal(transport.call[0].url, "http://first:80");
    for (uint32_t i = 1; i < 5; i++) { /* the first never answers */
        answer(i, 200, -1);
        step(&r);
        put_profile(&r);
        assert_int_equal(transport.calls, i + 2);
        assert_string_equal(transport.call[i + 1].url, "http://second:80");
    }
    run_end(&r);
}

TEST(deliver__waits_as_long_as_the_server_asks)
{
    struct run r;
    uint64_t answered_ns;

    run_begin(&r, 1, true);
    put_profile(&r);
    answer(0, 429, 700);
    answered_ns = clock_mono_ns();
    step(&r);
    put_profile(&r); /* no reason to send */
    step_until(&r, 2);
    assert_true(transport.call[1].started_ns - answered_ns >= 700 * NSEC_PER_MSEC);
    run_end(&r);
}

TEST(deliver__the_end_does_not_wait_for_who_asked_for_more_time_than_there_is)
{
    struct run r;
    uint64_t began_ns;

    run_begin(&r, 1, true);
    put_profile(&r);
    answer(0, 503, 3600 * 1000);
    step(&r);
    began_ns = clock_mono_ns();
    assert_int_equal(deliver_flush(r.deliver, 300 * 1000, NULL), 1);
    assert_int_equal(transport.calls, 1);
    assert_true(clock_mono_ns() - began_ns < 100 * NSEC_PER_SEC);
    run_end(&r);
}

TEST(deliver__the_end_sends_at_once_what_waited)
{
    struct run r;

    run_begin(&r, 1, true);
    for (int i = 0; i < 5; i++)
        put_profile(&r);
    always = 200; /* before it may try again */
    answer(0, 503, -1);
    step(&r);
    assert_int_equal(deliver_flush(r.deliver, PATIENCE_S * 1000, NULL), 0);
    assert_int_equal(counted(&r, STATS_UPLOADS_DELIVERED), 5);
    run_end(&r);
}

TEST(deliver__the_end_is_bounded_and_what_is_left_goes_with_the_next_run)
{
    struct run r;

    run_begin(&r, 1, true);
    put_profile(&r);
    put_profile(&r);
    assert_int_equal(deliver_flush(r.deliver, 200, NULL), 2); /* under way, without an answer */
    deliver_close(r.deliver);
    assert_true(transport.call[0].gone);

    run_open(&r);
    assert_int_equal(transport.calls, 1);
    assert_string_equal(transport.call[0].path, "/0001");
    put_profile(&r); /* number 0 of its own run, and last */
    for (uint32_t i = 0; i < 3; i++) {
        answer(i, 200, -1);
        step(&r);
    }
    assert_string_equal(transport.call[1].path, "/0002");
    assert_string_equal(transport.call[2].path, "/0001");
    assert_int_equal(deliver_flush(r.deliver, 1000, NULL), 0);
    run_end(&r);
}

TEST(deliver__without_a_folder_what_is_left_is_in_memory)
{
    struct run r;

    run_begin(&r, 1, false);
    put_profile(&r);
    answer(0, -1, -1);
    step(&r);
    always = -1;
    assert_int_equal(deliver_flush(r.deliver, 300, NULL), 1);
    run_end(&r);
}

TEST(deliver__an_idle_one_never_wakes_its_caller)
{
    struct run r;
    struct pollfd ready;

    run_begin(&r, 2, true);
    put_profile(&r);
    answer(0, 200, -1);
    answer(1, 200, -1);
    step(&r);
    ready = (struct pollfd){.fd = deliver_fd(r.deliver), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 0);
    run_end(&r);
}

TEST(deliver__what_cannot_be_started_is_tried_again)
{
    struct run r;

    run_begin(&r, 2, true);
    unusable = true;
    put_profile(&r);
    assert_true(counted(&r, STATS_UPLOADS_RETRIED) >= 2); /* more if that took long */
    assert_int_equal(deliver_flush(r.deliver, 200, NULL), 2);
    unusable = false;
    step_until(&r, 2);
    run_end(&r);
}

/* As between two profiles that take as long to write as their period is. */
TEST(deliver__one_step_sends_all_that_is_answered_at_once)
{
    struct run r;

    run_begin(&r, 1, true);
    for (int i = 0; i < 6; i++)
        put_profile(&r);
    always = 200;
    answer(0, 200, -1);
    step(&r);
    assert_int_equal(counted(&r, STATS_UPLOADS_DELIVERED), 6);
    run_end(&r);
}

static bool is_asked(void *ctx, int fd)
{
    uint32_t *times = ctx;
    eventfd_t count;

    eventfd_read(fd, &count);
    return ++*times == 2;
}

TEST(deliver__the_end_is_broken_off_when_asked_and_all_is_kept)
{
    struct run r;
    uint32_t asked = 0;
    struct deliver_stop stop = {
        .fd = {-1, eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE)}, .asked = is_asked, .ctx = &asked};
    uint64_t began_ns;

    run_begin(&r, 2, true);
    put_profile(&r);
    began_ns = clock_mono_ns();
    assert_int_equal(deliver_flush(r.deliver, 300 * 1000, &stop), 2); /* nobody answers */
    assert_int_equal(asked, 2);                                       /* the first time it was nothing */
    assert_true(clock_mono_ns() - began_ns < 100 * NSEC_PER_SEC);
    close(stop.fd[1]);
    run_end(&r);
}

TEST(deliver__looks_again_when_the_spool_could_not_be_read)
{
    struct rlimit files, none = {0};
    struct run r;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none.rlim_max = files.rlim_max;
    run_begin(&r, 1, true);
    put_profile(&r);
    put_profile(&r);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    answer(0, 200, -1);
    step(&r);
    assert_int_equal(transport.calls, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    step_until(&r, 2);
    assert_string_equal(transport.call[1].path, "/0002");
    run_end(&r);
}

static uint32_t lines_with(const char *path, const char *text)
{
    static char log[65536];
    uint32_t lines = 0;

    assert_true(read_small_file(AT_FDCWD, path, log, sizeof(log), NULL) >= 0);
    for (const char *at = log; (at = strstr(at, text)); at++)
        lines++;
    return lines;
}

/* Of a server that takes nothing, or comes and goes, for a day. */
TEST(deliver__what_happens_with_every_profile_does_not_fill_the_log)
{
    struct run r;
    char log[100];

    run_begin(&r, 1, true);
    snprintf(log, sizeof(log), "%s/log", r.folder);
    assert_int_equal(
        log_open(&(struct log_config){.level = LEVEL_WARN, .mode = LOG_MODE_FILE, .path = log}, NULL), 0);
    for (uint32_t i = 0; i < 20; i++) {
        put_profile(&r);
        answer(2 * i, i % 2 ? 503 : 500, 1);
        step_until(&r, 2 * i + 2);
        answer(2 * i + 1, i < 10 ? 401 : 200, -1);
        step(&r);
    }
    assert_int_equal(deliver_flush(r.deliver, 1000, NULL), 0);
    assert_int_equal(lines_with(log, "not delivered"), 1);
    assert_int_equal(lines_with(log, "refuses profile"), 1);
    assert_int_equal(lines_with(log, ": 9 more profiles refused: HTTP status 401: so it says"), 1);
    assert_int_equal(log_open(&(struct log_config){.level = LEVEL_WARN}, NULL), 0);
    run_end(&r);
}

/* ---- a target that never comes back ---- */

#define PERIODS      1000
#define GROWTH_BYTES (4L << 20) /* 2 KB a period, twice what an entry's place in the index may cost */

static long resident_bytes(void)
{
    char text[128];
    long pages = 0;

    assert_true(read_small_file(AT_FDCWD, "/proc/self/statm", text, sizeof(text), NULL) > 0);
    assert_int_equal(sscanf(text, "%*d %ld", &pages), 1);
    return pages * sysconf(_SC_PAGESIZE);
}

/* Some ten kilobytes before compression. */
static void fill_profile(struct profile *p, uint32_t seed)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->period_type = p->type[1];
    p->period = 10;
    p->time_wall_ns = clock_wall_ns();
    p->duration_ns = NSEC_PER_SEC;
    for (uint32_t i = 0; i < 500; i++) {
        int64_t values[] = {1, (int64_t)(hash_u64(seed * 500 + i) & 0xffffff)};
        char name[40];

        snprintf(name, sizeof(name), "function_%016llx", (unsigned long long)hash_u64(i));
        profile_add_location(
            p, &(struct profile_location){.address = i, .function = profile_add_function(p, name, name)});
        profile_add_sample(p, profile_add_frame(p, i % 50 ? i : 0, i + 1), PROFILE_NO_LABELS, values);
    }
}

TEST(deliver__memory_does_not_grow_while_a_target_is_down_for_1000_periods)
{
    struct run r;
    long before = 0;

    run_begin(&r, 1, true);
    r.config.spool_bytes_max = 1 << 30;
    deliver_close(r.deliver);
    run_open(&r);
    always = -1;
    for (uint32_t i = 0; i < PERIODS; i++) {
        struct profile p;

        fill_profile(&p, i);
        assert_int_equal(deliver_profile(r.deliver, &p), 0);
        profile_release(&p);
        step(&r);
        transport.calls = 0; /* there is room for so many only */
        if (i == 20)
            before = resident_bytes();
    }
    print_message("%ld KB for %d undelivered profiles\n", (resident_bytes() - before) / 1024, PERIODS);
    if (!SANITIZED) /* the sanitizer keeps what was freed */
        assert_true(resident_bytes() - before < GROWTH_BYTES);
    assert_int_equal(deliver_flush(r.deliver, 0, NULL), PERIODS);
    run_end(&r);
}
