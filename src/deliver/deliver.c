/*
 * deliver.c - one lane a target: the spool's oldest request of it, sent until there is an answer
 *
 * A request lies in the spool before it is sent and until the server has answered for good: whatever ends the
 * profiler in between, the next run sends it.
 */
#include "ringside/deliver.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/http.h"
#include "ringside/profile.h"
#include "ringside/spool.h"
#include "ringside/stats.h"
#include "ringside/target.h"

#include "backoff.h"

#define REASON_MAX   (TARGET_WORDS_MAX + 64)
#define ROUNDS_MAX   16
#define SAY_AGAIN_NS (600 * NSEC_PER_SEC)

/* What the log has of a trouble, so that one that comes with every profile does not fill it. */
struct said {
    char text[REASON_MAX];
    uint64_t at_ns;  /* 0: nothing so far */
    uint32_t unsaid; /* since then */
};

struct lane {
    struct deliver *deliver;
    const struct target *target;
    uint32_t key; /* in the spool */
    struct spool_taken taken;
    struct http_call *call;   /* NULL: nothing is under way */
    uint32_t failures;        /* in a row */
    uint64_t not_before_ns;   /* CLOCK_MONOTONIC */
    bool asked_to_wait;       /* so by the server */
    char trouble[REASON_MAX]; /* why the last try failed; "" when it did not */
    struct said down, refused, remark, lost;
};

struct deliver {
    const struct deliver_config *config;
    struct deliver_config copy;
    struct spool *spool;
    struct http *http;
    int epoll_fd, timer_fd;
    uint64_t own_number;
    bool flushing;
    struct lane lane[SPOOL_KEYS_MAX];
};

/* ---- answers ---- */

static void lane_pump(struct lane *l);

static bool said_lately(const struct said *s)
{
    return s->at_ns && clock_mono_ns() - s->at_ns < SAY_AGAIN_NS;
}

static void note_said(struct said *s, const char *text)
{
    snprintf(s->text, sizeof(s->text), "%s", text);
    s->at_ns = clock_mono_ns();
    s->unsaid = 0;
}

/* False when the log has the same already. Else *out is how many times that was so since the last line. */
static bool is_news(struct said *s, const char *text, uint32_t *out)
{
    if (said_lately(s) && strcmp(s->text, text) == 0) {
        s->unsaid++;
        return false;
    }
    *out = s->unsaid;
    note_said(s, text);
    return true;
}

/* A server that stays down is one line; one that comes and goes, or is down in many ways, one every now and
 * then. */
static void say_trouble(struct lane *l, const char *what)
{
    struct said *s = &l->down;

    snprintf(l->trouble, sizeof(l->trouble), "%s", what);
    if (strcmp(s->text, what) == 0 || said_lately(s) || l->deliver->flushing) {
        log_debug(deliver, "%s: %s", target_name(l->target), what);
        return;
    }
    log_warn(deliver, "%s: not delivered: %s; profiles wait and are sent again", target_name(l->target),
             what);
    note_said(s, what);
}

/* It answers: what went wrong before is over. */
static void lane_recovered(struct lane *l)
{
    l->failures = 0;
    l->not_before_ns = 0;
    l->trouble[0] = l->down.text[0] = '\0';
}

static void lane_retry(struct lane *l, const struct http_reply *reply, const char *words)
{
    struct deliver *d = l->deliver;
    char what[REASON_MAX];
    uint64_t wait_ns = backoff_ns(l->failures++, d->flushing);

    if (reply->status)
        snprintf(what, sizeof(what), "HTTP status %d%s%s", reply->status, *words ? ": " : "", words);
    else
        snprintf(what, sizeof(what), "%s", reply->error);
    l->asked_to_wait = reply->retry_after_ms > 0;
    if (l->asked_to_wait)
        wait_ns = backoff_after_ns((uint64_t)reply->retry_after_ms);
    l->not_before_ns = clock_mono_ns() + wait_ns;
    stats_add(d->config->stats, STATS_UPLOADS_RETRIED, 1);
    say_trouble(l, what);
    spool_put_back(d->spool, &l->taken);
}

/* ", 3 more since the last such line"; "" for none. */
static const char *more_text(uint32_t n, char out[64])
{
    out[0] = '\0';
    if (n)
        snprintf(out, 64, " (and %u more since this was said last)", n);
    return out;
}

/* It will not be sent again: there is no other line about it. */
static void lane_refused(struct lane *l, const struct http_reply *reply, const char *words)
{
    char what[REASON_MAX], more[64];
    uint32_t unsaid;

    snprintf(what, sizeof(what), "HTTP status %d%s%s", reply->status, *words ? ": " : "", words);
    stats_add(l->deliver->config->stats, STATS_UPLOADS_REFUSED, 1);
    if (is_news(&l->refused, what, &unsaid))
        log_error(deliver, "%s refuses profile %s, which is dropped: %s%s", target_name(l->target),
                  l->taken.item.label, what, more_text(unsaid, more));
    else
        log_debug(deliver, "%s refuses profile %s", target_name(l->target), l->taken.item.label);
    lane_recovered(l);
    spool_done(l->deliver->spool, &l->taken);
}

static void say_remark(struct lane *l, enum target_verdict verdict, const char *words)
{
    char more[64];
    uint32_t unsaid;

    if (is_news(&l->remark, words, &unsaid))
        log_warn(deliver, "%s took profile %s%s: %s%s", target_name(l->target), l->taken.item.label,
                 verdict == TARGET_IN_PART ? " in part" : "", words, more_text(unsaid, more));
}

static void lane_delivered(struct lane *l, enum target_verdict verdict, const char *words)
{
    stats_add(l->deliver->config->stats, STATS_UPLOADS_DELIVERED, 1);
    if (verdict == TARGET_IN_PART || *words)
        say_remark(l, verdict, words);
    else if (l->failures)
        log_info(deliver, "%s takes profiles again", target_name(l->target));
    else
        log_debug(deliver, "%s has profile %s", target_name(l->target), l->taken.item.label);
    lane_recovered(l);
    spool_done(l->deliver->spool, &l->taken);
}

static void lane_answered(void *ctx, const struct http_reply *reply)
{
    struct lane *l = ctx;
    char words[TARGET_WORDS_MAX];
    enum target_verdict verdict = target_judge(l->target, reply, words);

    l->call = NULL;
    if (verdict == TARGET_RETRY)
        lane_retry(l, reply, words);
    else if (verdict == TARGET_REFUSED)
        lane_refused(l, reply, words);
    else
        lane_delivered(l, verdict, words);
    lane_pump(l);
}

/* ---- sending ---- */

static uint32_t lane_left(const struct lane *l)
{
    struct spool_left left;

    spool_left(l->deliver->spool, l->key, &left);
    return left.entries;
}

/* There is something, but not to be had now: nothing else would look again before the period ends. */
static void look_later(struct lane *l)
{
    l->asked_to_wait = false;
    l->not_before_ns = clock_mono_ns() + backoff_ns(l->failures++, l->deliver->flushing);
    snprintf(l->trouble, sizeof(l->trouble), "the spool cannot be read");
}

static void lane_pump(struct lane *l)
{
    struct deliver *d = l->deliver;
    struct http_request request;
    struct err e;

    if (l->call || clock_mono_ns() < l->not_before_ns)
        return;
    if (!spool_take(d->spool, l->key, &l->taken)) {
        if (lane_left(l))
            look_later(l);
        return;
    }
    request = (struct http_request){
        .method = l->taken.item.method,
        .path = l->taken.item.path,
        .headers = l->taken.item.headers,
        .body = l->taken.item.body,
        .body_bytes = l->taken.item.body_bytes,
        .done = lane_answered,
        .ctx = l,
    };
    l->call = http_start(d->http, target_endpoint(l->target), &request, &e);
    if (!l->call)
        lane_retry(l, &(struct http_reply){.error = e.text, .retry_after_ms = -1}, "");
}

/* One timer for all lanes: the next that may try again. */
static void set_timer(struct deliver *d)
{
    struct itimerspec at = {0};
    uint64_t next_ns = 0;

    for (uint32_t i = 0; i < d->config->targets; i++) {
        const struct lane *l = &d->lane[i];

        if (!l->call && l->not_before_ns && (!next_ns || l->not_before_ns < next_ns))
            next_ns = l->not_before_ns;
    }
    at.it_value.tv_sec = (time_t)(next_ns / NSEC_PER_SEC);
    at.it_value.tv_nsec = (long)(next_ns % NSEC_PER_SEC);
    timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void pump_all(struct deliver *d)
{
    uint64_t now_ns = clock_mono_ns();

    for (uint32_t i = 0; i < d->config->targets; i++) {
        struct lane *l = &d->lane[i];

        lane_pump(l);
        if (!l->call && l->not_before_ns <= now_ns)
            l->not_before_ns = 0; /* it had nothing to send */
    }
    set_timer(d);
}

int deliver_fd(const struct deliver *d)
{
    return d->epoll_fd;
}

static bool is_due(const struct deliver *d)
{
    struct epoll_event ready;

    return epoll_wait(d->epoll_fd, &ready, 1, 0) > 0;
}

bool deliver_is_slow(const struct deliver *d)
{
    bool encrypted = false;

    for (uint32_t i = 0; i < d->config->targets; i++)
        encrypted |= strncmp(target_endpoint(d->config->target[i])->url, "https:", 6) == 0;
    return encrypted && is_due(d);
}

/*
 * What an answer makes ready is done at once: who is away for a whole period while it writes the next profile
 * would else send less than it makes. Not for ever: the caller has other things to do.
 */
void deliver_step(struct deliver *d)
{
    for (int i = 0; i < ROUNDS_MAX && is_due(d); i++) {
        http_step(d->http);
        pump_all(d); /* arms the timer anew, which makes it unreadable */
    }
}

/* ---- profiles ---- */

struct putting {
    struct lane *lane;
    const struct profile *profile;
    uint64_t number;
    uint32_t part;
};

/* "web 2026-11-21T08:00:00Z #3", with ".1" and so on behind further parts. */
static void make_label(const struct putting *p, char *out, size_t bytes)
{
    time_t second = (time_t)(p->profile->time_wall_ns / NSEC_PER_SEC);
    char when[32] = "", part[16] = "";
    struct tm utc;

    if (gmtime_r(&second, &utc))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (p->part)
        snprintf(part, sizeof(part), ".%u", p->part);
    snprintf(out, bytes, "%.100s %s #%llu%s", p->lane->deliver->config->who->service, when,
             (unsigned long long)p->number, part);
    utf8_clean(out);
}

static int put_request(void *ctx, const struct target_request *r, struct err *e)
{
    struct putting *p = ctx;
    char label[200];
    struct spool_item item = {
        .wall_ns = p->profile->time_wall_ns,
        .label = label,
        .method = r->method,
        .path = r->path,
        .headers = r->headers,
        .body = r->body,
        .body_bytes = r->body_bytes,
    };

    make_label(p, label, sizeof(label));
    p->part++;
    return spool_put(p->lane->deliver->spool, p->lane->key, &item, e);
}

static int convert(struct lane *l, const struct profile *profile, uint64_t number)
{
    struct putting p = {.lane = l, .profile = profile, .number = number};
    struct target_emit emit = {.request = put_request, .ctx = &p};
    struct target_job job = {profile, l->deliver->config->who, number};
    char more[64];
    uint32_t unsaid;
    struct err e;

    if (target_convert(l->target, &job, &emit, &e) >= 0)
        return 0;
    if (is_news(&l->lost, "", &unsaid))
        log_error(deliver, "%s: a profile is lost: %s%s", target_name(l->target), e.text,
                  more_text(unsaid, more));
    return -1;
}

int deliver_profile(struct deliver *d, const struct profile *profile)
{
    uint64_t *next = d->config->number ? d->config->number : &d->own_number, number = (*next)++;
    int result = 0;

    for (uint32_t i = 0; i < d->config->targets; i++)
        if (convert(&d->lane[i], profile, number) < 0)
            result = -1;
    spool_tend(d->spool, clock_wall_ns());
    pump_all(d);
    deliver_step(d);
    return result;
}

/* ---- the end ---- */

static uint32_t entries_left(const struct deliver *d)
{
    uint32_t entries = 0;

    for (uint32_t i = 0; i < d->config->targets; i++)
        entries += lane_left(&d->lane[i]);
    return entries;
}

/* All who wait of their own accord try at once: there will be no later. */
static void begin_flush(struct deliver *d)
{
    d->flushing = true;
    for (uint32_t i = 0; i < d->config->targets; i++) {
        struct lane *l = &d->lane[i];

        l->failures = 0;
        if (!l->asked_to_wait)
            l->not_before_ns = 0;
    }
    pump_all(d);
}

/* Nobody who has something left may try before then: not worth waiting for. */
static bool all_wait_beyond(const struct deliver *d, uint64_t until_ns)
{
    for (uint32_t i = 0; i < d->config->targets; i++) {
        const struct lane *l = &d->lane[i];

        if (lane_left(l) && (l->call || l->not_before_ns < until_ns))
            return false;
    }
    return true;
}

static void say_lane_left(const struct lane *l)
{
    const char *why = l->trouble[0] ? l->trouble : "no answer in time";
    struct spool_left left;
    uint32_t kept;

    spool_left(l->deliver->spool, l->key, &left);
    kept = left.entries - left.in_memory;
    if (kept)
        log_warn(deliver, "%s: %u profile%s not delivered (%s): kept in %s for the next run that sends there",
                 target_name(l->target), kept, kept == 1 ? "" : "s", why, spool_folder(l->deliver->spool));
    if (left.in_memory)
        log_error(deliver, "%s: %u profile%s not delivered (%s) and lost: there is no folder to keep %s in",
                  target_name(l->target), left.in_memory, left.in_memory == 1 ? "" : "s", why,
                  left.in_memory == 1 ? "it" : "them");
    if (l->refused.unsaid)
        log_error(deliver, "%s: %u more profile%s refused: %s", target_name(l->target), l->refused.unsaid,
                  l->refused.unsaid == 1 ? "" : "s", l->refused.text);
    if (l->lost.unsaid)
        log_error(deliver, "%s: %u more profile%s lost", target_name(l->target), l->lost.unsaid,
                  l->lost.unsaid == 1 ? "" : "s");
}

/* False when the flush is to end. */
static bool wait_for_answers(struct deliver *d, uint64_t until_ns, const struct deliver_stop *stop)
{
    uint64_t now_ns = clock_mono_ns();
    struct pollfd ready[] = {{.fd = d->epoll_fd, .events = POLLIN},
                             {.fd = stop ? stop->fd[0] : -1, .events = POLLIN},
                             {.fd = stop ? stop->fd[1] : -1, .events = POLLIN}};

    if (now_ns >= until_ns || all_wait_beyond(d, until_ns))
        return false;
    if (poll(ready, ARRAY_LEN(ready), (int)MIN_OF((until_ns - now_ns) / NSEC_PER_MSEC + 1, INT_MAX)) <= 0)
        return true;
    for (uint32_t i = 1; i < ARRAY_LEN(ready); i++)
        if (ready[i].revents && stop->asked(stop->ctx, ready[i].fd))
            return false;
    return true;
}

uint32_t deliver_flush(struct deliver *d, uint32_t timeout_ms, const struct deliver_stop *stop)
{
    uint64_t until_ns = clock_mono_ns() + timeout_ms * NSEC_PER_MSEC;

    if (timeout_ms) /* what is begun only to be broken off may be sent twice */
        begin_flush(d);
    while (entries_left(d) && wait_for_answers(d, until_ns, stop))
        deliver_step(d);
    for (uint32_t i = 0; i < d->config->targets; i++)
        say_lane_left(&d->lane[i]);
    return entries_left(d);
}

/* ---- open and close ---- */

static int watch(struct deliver *d, int fd, struct err *e)
{
    struct epoll_event in = {.events = EPOLLIN};

    return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &in) < 0 ? err_set(e, errno, "epoll_ctl") : 0;
}

static int open_transport(struct deliver *d, struct err *e)
{
    d->http = http_new(d->config->agent, e);
    if (!d->http)
        return -1;
    d->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (d->timer_fd < 0 || d->epoll_fd < 0)
        return err_set(e, errno, "wait for servers");
    return watch(d, d->timer_fd, e) < 0 || watch(d, http_fd(d->http), e) < 0 ? -1 : 0;
}

static void open_spool(struct deliver *d)
{
    const struct deliver_config *c = d->config;
    struct spool_config config = {
        .folder = c->spool_folder,
        .bytes_max = c->spool_bytes_max,
        .age_max_ns = c->spool_age_max_ns,
        .memory_bytes_max = c->memory_bytes_max,
        .keys = c->targets,
        .stats = c->stats,
    };

    for (uint32_t i = 0; i < c->targets; i++)
        config.key[i] = target_key(c->target[i]);
    d->spool = spool_open(&config);
}

struct deliver *deliver_open(const struct deliver_config *config, struct err *e)
{
    struct deliver *d = base_calloc(1, sizeof(*d));

    assert(config->targets <= SPOOL_KEYS_MAX);
    d->copy = *config;
    d->config = &d->copy;
    d->epoll_fd = d->timer_fd = -1;
    for (uint32_t i = 0; i < config->targets; i++)
        d->lane[i] = (struct lane){.deliver = d, .target = config->target[i], .key = i};
    if (open_transport(d, e) < 0) {
        deliver_close(d);
        return NULL;
    }
    open_spool(d);
    d->copy.agent = d->copy.spool_folder = NULL; /* the caller's, for this long only */
    pump_all(d);
    return d;
}

void deliver_close(struct deliver *d)
{
    if (!d)
        return;
    for (uint32_t i = 0; i < d->config->targets; i++) {
        struct lane *l = &d->lane[i];

        if (!l->call)
            continue;
        http_cancel(d->http, l->call);
        spool_put_back(d->spool, &l->taken);
    }
    http_free(d->http);
    if (d->spool)
        spool_close(d->spool);
    if (d->epoll_fd >= 0)
        close(d->epoll_fd);
    if (d->timer_fd >= 0)
        close(d->timer_fd);
    free(d);
}
