/*
 * feed.c - a feed over the rings of all CPUs: merged by time, drained in batches, asleep in between
 *
 * Waiting has two modes. While records come, the profiler sleeps on a timer and drains in batches, deaf to
 * the rings' wake-ups, so that a sample costs no context switch. When a drain finds nothing it goes idle: it
 * listens to the rings, without any time limit, and the first record wakes it. A target that sleeps therefore
 * costs nothing.
 *
 * While the reader is away for longer than a ring lasts (it writes a profile), a keeper thread has the rings.
 */
#include "ringside/perf.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/stats.h"

#include "arm.h"
#include "doubles.h"
#include "hand.h"
#include "ids.h"
#include "info.h"
#include "keeper.h"
#include "ring.h"
#include "rings.h"

/* Records of the last moment are left for the next batch: another CPU may still be writing an older one. */
#define ORDER_SLACK_NS    (1 * NSEC_PER_MSEC)
#define DRAIN_INTERVAL_NS (100 * NSEC_PER_MSEC)
#define DRAIN_EAGER_NS    (10 * NSEC_PER_MSEC)
#define DRAIN_SOONEST_NS  (1 * NSEC_PER_MSEC)
#define CONTROLS          3        /* of perf_control, and what feed_watch() named */
#define LAST_TASK         CONTROLS /* behind them */
/* For some thousand tasks that end between two looks. */
#define COUNTS_PAGES      64
/* So many tasks ended, and none said what it had counted: the ring is dead (counters.c). */
#define UNHEARD_MAX       16
/* How late a wake-up may come on CPUs that are busy with the target: a few turns of a few milliseconds. */
#define LATE_WAKE_UP_NS   (40 * NSEC_PER_MSEC)
/* Most that is kept of all rings together while nobody reads them. */
#define SAVED_BYTES_MAX   (64U << 20)

/* A ring with something in it, by the time of its oldest record. */
struct heap_item {
    uint64_t time_ns;
    struct ring *ring;
};

struct perf_feed {
    struct feed feed; /* first: ops get a pointer to it */
    struct perf_armed armed;
    struct ids ids;
    struct doubles doubles;
    int *fds; /* as they came */
    struct stats *stats;
    struct perf_control control;
    struct perf_hand *hand; /* NULL: nobody comes after us */
    int watched_fd;         /* -1: none */
    struct ring *ring;
    struct pollfd *pollfd; /* rings, then CONTROLS more, then a task that is still there */
    uint32_t rings, hung_up;
    uint32_t tasks_gone;          /* so many of those that were attached to, from the first on */
    uint32_t all_rings;           /* with those of counters, which follow the others */
    uint32_t unheard[EVENTS_MAX]; /* tasks that ended since a counter last said something */
    struct heap_item *heap;
    uint32_t heap_count;
    uint64_t horizon_ns;  /* records up to here may go out */
    uint64_t last_ns;     /* time of the last record handed out */
    uint64_t looked_ns;   /* when the rings were last looked at */
    uint64_t interval_ns; /* between looks, so that a busy CPU's ring gets half full at most */
    uint64_t pace_ns;     /* the same, as the rings fill now */
    struct keeper keeper;
    struct ring *current; /* holds the record that was handed out */
    size_t current_bytes;
    bool busy;  /* the last batch had records, or some are held back */
    bool woken; /* by a first record, which nobody has seen yet: it is younger than what may go out */
    uint8_t scratch[RING_RECORD_MAX] __attribute__((aligned(8)));
};

/* ---- merging ---- */

static void heap_sift_down(struct perf_feed *f)
{
    struct heap_item item = f->heap[0];
    uint32_t i = 0, child;

    while ((child = 2 * i + 1) < f->heap_count) {
        if (child + 1 < f->heap_count && f->heap[child + 1].time_ns < f->heap[child].time_ns)
            child++;
        if (item.time_ns <= f->heap[child].time_ns)
            break;
        f->heap[i] = f->heap[child];
        i = child;
    }
    f->heap[i] = item;
}

static void heap_push(struct perf_feed *f, struct ring *r)
{
    struct heap_item item = {.time_ns = ring_peek_time(r), .ring = r};
    uint32_t i = f->heap_count++;

    while (i > 0 && f->heap[(i - 1) / 2].time_ns > item.time_ns) {
        f->heap[i] = f->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    f->heap[i] = item;
}

/* After the oldest ring moved on: give it its new place. */
static void heap_refresh_top(struct perf_feed *f)
{
    struct ring *r = f->heap[0].ring;

    if (ring_empty(r))
        f->heap[0] = f->heap[--f->heap_count];
    else
        f->heap[0].time_ns = ring_peek_time(r);
    if (f->heap_count)
        heap_sift_down(f);
}

static bool rate_is_known(const struct perf_feed *f)
{
    return f->armed.events == 1 && f->feed.info.cpu_event == 0;
}

/*
 * How often events come, but for CPU time, is up to the program, and may change from nothing to everything:
 * the next look is due when the fullest ring should be a quarter full, and later only step by step.
 */
static uint64_t pace(const struct perf_feed *f, uint64_t since_ns)
{
    uint64_t fullest = 1, room = f->ring[0].mask + 1, due_ns;

    if (rate_is_known(f))
        return f->interval_ns;
    for (uint32_t i = 0; i < f->rings; i++)
        fullest = MAX_OF(fullest, f->ring[i].head - f->ring[i].tail);
    due_ns = (uint64_t)((double)since_ns * ((double)room / 4) / (double)fullest);
    due_ns = MIN_OF(due_ns, 2 * f->pace_ns);
    return MAX_OF(MIN_OF(due_ns, f->interval_ns), DRAIN_SOONEST_NS);
}

/* Those of a task, of all events. */
static const int *set_fds(const struct perf_feed *f, uint32_t task)
{
    return f->fds + perf_armed_first(&f->armed) + task * f->armed.events * f->armed.cpus;
}

static const int *counter_fds(const struct perf_feed *f)
{
    return set_fds(f, perf_armed_sets(&f->armed));
}

/* Maps the ring of a counter and sends its counts there. */
static int open_counts(struct perf_feed *f, uint32_t counter, struct err *e)
{
    const int *fds = counter_fds(f) + (size_t)2 * counter;
    struct ring *ring = &f->ring[f->rings + counter];

    f->unheard[counter] = 0;
    if (ring_open(ring, fds[0], COUNTS_PAGES, e) < 0)
        return -1;
    ring->saved_max = SAVED_BYTES_MAX / f->rings;
    if (ioctl(fds[1], PERF_EVENT_IOC_SET_OUTPUT, fds[0]) == 0)
        return 0;
    err_set(e, errno, "send counts to their ring");
    ring_close(ring);
    return -1;
}

/* Without its only mapping the kernel forgets a ring, and makes another for the next. */
static void renew_counts(struct perf_feed *f)
{
    struct err e;

    for (uint32_t i = 0; i < f->all_rings - f->rings; i++) {
        if (f->unheard[i] <= UNHEARD_MAX + f->rings)
            continue;
        ring_close(&f->ring[f->rings + i]);
        if (open_counts(f, i, &e) == 0) {
            log_debug(perf, "a new ring for counts");
            continue;
        }
        log_info(perf, "counts of tasks end here: %s", e.text);
        while (f->all_rings > f->rings)
            ring_close(&f->ring[--f->all_rings]);
    }
}

/* Looks at every ring once; what is there now is the next batch. */
static bool batch_begin(struct perf_feed *f)
{
    uint64_t before_ns = f->looked_ns;

    f->heap_count = 0;
    f->looked_ns = clock_mono_ns();
    f->horizon_ns = f->looked_ns - ORDER_SLACK_NS;
    renew_counts(f);
    for (uint32_t i = 0; i < f->all_rings; i++)
        if (ring_look(&f->ring[i]))
            heap_push(f, &f->ring[i]);
    f->pace_ns = pace(f, f->looked_ns - before_ns);
    f->busy = f->heap_count > 0;
    return f->busy;
}

/* ---- feed_ops ---- */

static struct perf_feed *self(struct feed *feed)
{
    return (struct perf_feed *)feed;
}

static void release_current(struct perf_feed *f)
{
    if (!f->current)
        return;
    ring_consume(f->current, f->current_bytes);
    f->current = NULL;
    heap_refresh_top(f);
}

/* What they counted has been counted as somebody else's, too. */
static void put_to_sleep(struct perf_feed *f, uint32_t task)
{
    const int *fds = set_fds(f, task);

    log_debug(perf, "thread number %u had inherited", task);
    for (uint32_t i = 0; i < f->armed.events * f->armed.cpus; i++) {
        ioctl(fds[i], PERF_EVENT_IOC_DISABLE, 0);
        ioctl(fds[i], PERF_EVENT_IOC_RESET, 0);
    }
}

static bool is_double(struct perf_feed *f, const void *bytes, size_t n)
{
    const struct id_slot *slot = ids_slot_of(&f->ids, bytes, n);
    struct doubles_answer answer;

    if (!slot)
        return false;
    answer = doubles_look(&f->doubles, bytes, n, slot->task);
    if (answer.sleep != DOUBLES_NOBODY)
        put_to_sleep(f, answer.sleep);
    return answer.drop;
}

/* False for a record of no use; *torn tells whether it made sense. */
static bool decode(struct perf_feed *f, const void *bytes, size_t n, struct feed_record *out, bool *torn)
{
    uint32_t event = ids_event_of(&f->ids, bytes, n);

    *torn = event == IDS_UNKNOWN;
    if (f->doubles.count && is_double(f, bytes, n))
        return false;
    if (*torn || !perf_decode(&f->armed.event[event], bytes, n, out, torn))
        return false;
    if (out->kind == FEED_SAMPLE) {
        out->u.sample.event = event;
    } else if (out->kind == FEED_TASK_COUNT) {
        out->u.task_count.event = event;
        if (f->current >= f->ring + f->rings)
            f->unheard[f->current - (f->ring + f->rings)] = 0;
    } else if (out->kind == FEED_EXIT) {
        for (uint32_t i = 0; i < f->all_rings - f->rings; i++)
            f->unheard[i]++;
    }
    return true;
}

/* Hands the record out, unless somebody died of its like. */
static bool hand_out(struct perf_feed *f, struct feed_record *out)
{
    out->cpu = (uint32_t)(f->current - f->ring) % f->rings;
    stats_add(f->stats, STATS_RECORDS_LATE, out->time_ns < f->last_ns);
    f->last_ns = MAX_OF(f->last_ns, out->time_ns);
    if (!f->hand || hand_take(f->hand, out))
        return true;
    stats_add(f->stats, STATS_RECORDS_SKIPPED, 1);
    return false;
}

static bool feed_op_next(struct feed *feed, struct feed_record *out)
{
    struct perf_feed *f = self(feed);
    const void *bytes;
    bool torn;

    release_current(f);
    while (f->heap_count && f->heap[0].time_ns <= f->horizon_ns) {
        struct ring *r = f->heap[0].ring;

        f->current_bytes = ring_peek(r, f->scratch, &bytes, &torn);
        if (!f->current_bytes) {
            stats_add(f->stats, STATS_RECORDS_TORN, torn);
            heap_refresh_top(f);
            continue;
        }
        f->current = r;
        ring_prefetch_next(r, f->current_bytes);
        stats_add(f->stats, STATS_RECORDS, 1);
        if (!decode(f, bytes, f->current_bytes, out, &torn))
            stats_add(f->stats, STATS_RECORDS_TORN, torn);
        else if (hand_out(f, out))
            return true;
        release_current(f);
    }
    if (f->hand)
        hand_put_down(f->hand);
    return false;
}

/* poll() over the control descriptors (rings left out) or over everything. */
static int poll_until(struct perf_feed *f, bool listen_to_rings, uint64_t until_ns)
{
    struct pollfd *first = listen_to_rings ? f->pollfd : f->pollfd + f->rings;
    nfds_t n = listen_to_rings ? f->rings + CONTROLS + (f->armed.tasks != 0) : CONTROLS;
    uint64_t now = clock_mono_ns();
    struct timespec limit = {0};

    for (uint32_t i = 0; i < CONTROLS; i++)
        f->pollfd[f->rings + i] =
            (struct pollfd){.fd = i < 2 ? f->control.fds[i] : f->watched_fd, .events = POLLIN};
    if (until_ns > now) {
        limit.tv_sec = (time_t)((until_ns - now) / NSEC_PER_SEC);
        limit.tv_nsec = (long)((until_ns - now) % NSEC_PER_SEC);
    }
    return ppoll(first, n, until_ns ? &limit : NULL, NULL);
}

/* What the control descriptors that became ready ask for. */
static enum feed_wait control_answer(struct perf_feed *f)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct pollfd *p = &f->pollfd[f->rings + i];

        if (p->fd >= 0 && p->revents) {
            enum feed_wait answer = f->control.ready(f->control.ctx, p->fd);

            if (answer == FEED_STOPPED)
                return answer;
            if (answer == FEED_ENDED)
                f->control.fds[i] = -1; /* it will say nothing more */
        }
    }
    return FEED_READY;
}

static bool is_watched_ready(const struct perf_feed *f)
{
    return f->pollfd[f->rings + 2].revents != 0;
}

/* Waits for one task after the other: each of them has to go, in whatever order. */
static bool all_tasks_gone(struct perf_feed *f)
{
    struct pollfd *last = &f->pollfd[f->rings + LAST_TASK];

    for (;;) {
        *last = (struct pollfd){.fd = set_fds(f, f->tasks_gone)[0], .events = POLLIN};
        if (poll(last, 1, 0) <= 0 || !(last->revents & (POLLHUP | POLLERR | POLLNVAL)))
            return false;
        if (++f->tasks_gone == f->armed.tasks)
            return true;
    }
}

/* Rings whose event has no task left report a hang-up for ever: they leave the poll set. */
static bool all_hung_up(struct perf_feed *f)
{
    if (f->armed.tasks)
        return all_tasks_gone(f);
    for (uint32_t i = 0; i < f->rings; i++)
        if (f->pollfd[i].fd >= 0 && f->pollfd[i].revents & (POLLHUP | POLLERR | POLLNVAL)) {
            f->pollfd[i].fd = -1;
            f->hung_up++;
        }
    return f->hung_up == f->rings;
}

static enum feed_wait wait_idle(struct perf_feed *f, uint64_t deadline_ns)
{
    for (;;) {
        int n = poll_until(f, true, deadline_ns);

        stats_add(f->stats, STATS_WAKEUPS, 1);
        if (n < 0 && errno != EINTR)
            return FEED_STOPPED;
        if (n > 0 && control_answer(f) == FEED_STOPPED)
            return FEED_STOPPED;
        if (n > 0 && all_hung_up(f))
            return FEED_ENDED;
        /* A wake-up that was due before the last drain finds nothing: listen again. */
        f->woken = batch_begin(f);
        if (f->woken && !rate_is_known(f))
            f->pace_ns = DRAIN_SOONEST_NS; /* nobody knows what comes behind the first */
        if (f->woken || n == 0 || is_watched_ready(f))
            return FEED_READY;
    }
}

static enum feed_wait feed_op_wait(struct feed *feed, uint64_t deadline_ns, bool eager)
{
    struct perf_feed *f = self(feed);
    /* From look to look, however long the records in between took. */
    uint64_t soon_ns = MIN_OF(DRAIN_EAGER_NS, f->pace_ns);
    uint64_t until = f->looked_ns + (eager || f->woken ? soon_ns : f->pace_ns);

    f->woken = false;
    release_current(f);
    if (f->busy) {
        if (deadline_ns)
            until = MIN_OF(until, deadline_ns);
        if (poll_until(f, false, MAX_OF(until, 1)) > 0 && control_answer(f) == FEED_STOPPED)
            return FEED_STOPPED;
        stats_add(f->stats, STATS_WAKEUPS, 1);
        if (batch_begin(f) || (deadline_ns && deadline_ns <= f->looked_ns) || is_watched_ready(f))
            return FEED_READY;
    }
    return wait_idle(f, deadline_ns);
}

static void feed_op_finish(struct feed *feed)
{
    struct perf_feed *f = self(feed);

    release_current(f);
    batch_begin(f);
    f->horizon_ns = UINT64_MAX;
}

static void feed_op_keep(struct feed *feed, bool away)
{
    struct perf_feed *f = self(feed);

    release_current(f);
    if (away)
        keeper_start(&f->keeper);
    else
        keeper_stop(&f->keeper);
}

static void feed_op_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    struct perf_feed *f = self(feed);

    uint32_t set = f->armed.events * f->rings;

    *out = (struct feed_totals){.known = event < f->armed.events};
    for (uint32_t i = 0; out->known && i < perf_armed_sets(&f->armed) * f->rings; i++) {
        uint64_t value[4] = {0}; /* read_format: value, enabled, running, lost */
        int fd = set_fds(f, 0)[i / f->rings * set + event * f->rings + i % f->rings];

        if (read(fd, value, sizeof(value)) < (ssize_t)sizeof(value[0]))
            out->known = false;
        out->value += value[0];
        out->lost_samples += value[3];
    }
    /* The clock of a CPU goes on while nothing runs there. */
    if (f->armed.whole_host && out->known && f->armed.event[event].cpu_time)
        out->known = false;
}

static void feed_op_watch(struct feed *feed, int fd)
{
    self(feed)->watched_fd = fd;
}

static void feed_op_close(struct feed *feed)
{
    struct perf_feed *f = self(feed);

    keeper_stop(&f->keeper);
    for (uint32_t i = 0; i < f->all_rings; i++)
        ring_close(&f->ring[i]);
    for (uint32_t i = 0; i < perf_armed_fds(&f->armed); i++)
        close(f->fds[i]);
    ids_release(&f->ids);
    doubles_release(&f->doubles);
    free(f->fds);
    free(f->ring);
    free(f->pollfd);
    free(f->heap);
    free(f);
}

static const struct feed_ops ops = {
    .next = feed_op_next,
    .wait = feed_op_wait,
    .finish = feed_op_finish,
    .keep = feed_op_keep,
    .totals = feed_op_totals,
    .watch = feed_op_watch,
    .close = feed_op_close,
};

/* ---- making one ---- */

/*
 * Half of what a ring holds of a CPU that is busy all the time; less where what is left would not last until
 * a profiler that has to wait for its turn gets to run.
 */
static uint64_t drain_interval(const struct perf_feed *f)
{
    uint64_t per_second = perf_bytes_per_second(&f->armed);
    uint64_t full_ns = f->feed.info.ring_bytes * NSEC_PER_SEC / MAX_OF(per_second, 1);
    uint64_t early_ns = full_ns > LATE_WAKE_UP_NS ? full_ns - LATE_WAKE_UP_NS : 0;
    uint64_t interval = MIN_OF(full_ns / 2, MAX_OF(early_ns, full_ns / 4));

    return MAX_OF(MIN_OF(interval, DRAIN_INTERVAL_NS), NSEC_PER_MSEC);
}

/* Without, what was not sampled is shown for the run and not for each process. */
static void start_counts(struct perf_feed *f)
{
    const int *fds = counter_fds(f) + 1;
    struct err e;

    for (uint32_t i = 0; i < f->armed.counters; i++) {
        if (open_counts(f, i, &e) == 0) {
            f->all_rings++;
            continue;
        }
        log_info(perf, "no counts of tasks: %s", e.text);
        while (f->all_rings > f->rings)
            ring_close(&f->ring[--f->all_rings]);
        break;
    }
    for (uint32_t i = 0; i < f->armed.events; i++) {
        if (f->armed.event[i].counted) {
            ids_add(&f->ids, *fds, i);
            fds += 2;
        }
        f->feed.info.event[i].task_counts &= f->all_rings > f->rings;
    }
}

static int map_rings(struct perf_feed *f, struct err *e)
{
    uint32_t pages;

    if (rings_map(f->ring, &f->armed, f->fds, &pages, e) < 0)
        return -1;
    f->feed.info.ring_bytes = pages * (uint32_t)sysconf(_SC_PAGESIZE);
    return 0;
}

struct feed *perf_feed_new(const struct perf_armed *armed, const int *fds, const struct perf_reader *reader,
                           struct err *e)
{
    struct perf_feed *f = base_calloc(1, sizeof(*f));
    uint32_t total = perf_armed_fds(armed);

    f->feed.ops = &ops;
    memcpy(&f->armed, armed, perf_armed_bytes(armed));
    f->stats = reader->stats;
    f->hand = reader->hand;
    f->watched_fd = -1;
    f->control = reader->control ? *reader->control : (struct perf_control){.fds = {-1, -1}};
    f->rings = f->all_rings = armed->cpus;
    f->fds = base_alloc(total * sizeof(*f->fds));
    memcpy(f->fds, fds, total * sizeof(*f->fds));
    f->ring = base_calloc(f->rings + armed->counters, sizeof(*f->ring));
    f->pollfd = base_calloc(f->rings + CONTROLS + 1, sizeof(*f->pollfd));
    f->heap = base_calloc(f->rings + armed->counters, sizeof(*f->heap));
    info_fill(&f->feed.info, armed);
    doubles_init(&f->doubles, armed->tasks ? reader->attached : NULL);
    if (ids_init(&f->ids, armed, f->fds, e) < 0 || map_rings(f, e) < 0) {
        feed_op_close(&f->feed);
        return NULL;
    }
    for (uint32_t i = 0; i < f->rings; i++) {
        f->pollfd[i] = (struct pollfd){.fd = f->fds[i], .events = POLLIN};
        f->ring[i].saved_max = SAVED_BYTES_MAX / f->rings;
    }
    if (armed->tasks)
        f->pollfd[f->rings + LAST_TASK] = (struct pollfd){.fd = set_fds(f, 0)[0], .events = POLLIN};
    start_counts(f);
    f->interval_ns = f->pace_ns = drain_interval(f);
    f->keeper = (struct keeper){.ring = f->ring, .rings = f->all_rings, .interval_ns = f->interval_ns / 2};
    if (f->hand)
        hand_begin(f->hand);
    return &f->feed;
}
