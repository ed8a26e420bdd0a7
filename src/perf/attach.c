/*
 * attach.c - opens the events on processes that run already
 *
 * An event that is inherited and for all CPUs cannot be mapped (perf_mmap), so each thread has each event
 * once for each CPU. A thread's end would hang up a ring of its own; so the rings belong to events on
 * ourselves that never say anything, one for each CPU, and all others write there (perf_event_set_output:
 * same CPU, same clock).
 *
 * Threads come and go meanwhile. What a thread starts once it has events inherits them, asleep or not; what
 * it started before has none. So threads are listed again until there is no new one. A thread that is new may
 * still have inherited: it is marked as late, and its records tell (doubles.c).
 */
#include "ringside/perf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "arm.h"
#include "attributes.h"
#include "ringside/base.h"
#include "whom.h"

/* A process that goes on starting threads always has new ones; by then they have inherited. */
#define PASSES_MAX 10

struct attaching {
    struct perf_armed *armed;
    struct perf_attached *out;
    int *fds; /* all of them */
    uint32_t used;
    int cpu[PERF_CPUS_MAX];
    struct map64 known; /* threads that had their turn */
    uint32_t task_cap;
};

/* ---- what all have in common ---- */

/* Of ourselves, for no CPU in particular but one: the kernel only looks at its ring. */
static int open_ring_owner(int cpu)
{
    struct perf_event_attr attr = {
        .size = sizeof(attr),
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_DUMMY,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        /* A ring wakes as its owner says: with any record (rb_alloc). */
        .watermark = 1,
        .wakeup_watermark = 1,
    };

    return attributes_open(&attr, 0, cpu);
}

static int open_ring_owners(struct attaching *a, struct err *e)
{
    uint32_t online = arm_online_cpus(a->cpu);

    for (uint32_t i = 0; i < online; i++) {
        int fd = open_ring_owner(a->cpu[i]);

        if (fd >= 0) {
            a->cpu[a->armed->cpus++] = a->cpu[i];
            a->fds[a->used++] = fd;
        } else if (errno != ENODEV) { /* went offline just now */
            perf_explain(errno, e);
            return -1;
        }
    }
    return a->armed->cpus ? 0 : err_set(e, 0, "no processor to profile on");
}

/* On ourselves, to see what the kernel takes: what it refuses of others then is about them. */
static int add_event(struct attaching *a, const struct event_spec *spec, struct err *e)
{
    struct perf_event *event = &a->armed->event[a->armed->events];
    struct err not_defined = {0};
    struct perf_target target;
    int code = arm_find_target(a->armed, spec, &target, &not_defined, e), fd;

    if (code < 0)
        return -1;
    if (code > 0)
        return err_set(e, 0, "event %s: %s", spec->name, not_defined.text);
    attributes_make(event, spec, &target, ATTRIBUTES_TASK);
    if (a->armed->events == 0)
        attributes_track_processes(&event->attr);
    fd = attributes_open_first(event, event_needs_kernel(spec), 0, a->cpu[0]);
    if (fd < 0) {
        perf_explain_event(spec, errno, e);
        return -1;
    }
    close(fd);
    attributes_name(event, spec);
    a->armed->events++;
    return 0;
}

static int add_events(struct attaching *a, const struct event_list *events, struct err *e)
{
    struct err why;

    for (uint32_t i = 0; i < events->count; i++) {
        if (add_event(a, &events->spec[i], &why) == 0)
            continue;
        if (!a->armed->events && i + 1 == events->count) {
            if (e)
                *e = why;
            return -1;
        }
        log_warn(perf, "left out: %s", why.text);
    }
    return 0;
}

/* ---- threads ---- */

static void close_from(struct attaching *a, uint32_t first)
{
    arm_close(a->fds + first, a->used - first);
    a->used = first;
}

/* All events of one thread, on all CPUs, or none. 0, or an errno. */
static int open_task(struct attaching *a, pid_t tid)
{
    uint32_t first = a->used, cpus = a->armed->cpus, n = cpus * a->armed->events;

    if (a->used + n > PERF_FDS_MAX)
        return EMFILE;
    for (uint32_t i = 0; i < n; i++) {
        int fd = attributes_open(&a->armed->event[i / cpus].attr, tid, a->cpu[i % cpus]);

        if (fd < 0) {
            int code = errno;

            close_from(a, first);
            return code;
        }
        a->fds[a->used++] = fd;
    }
    return 0;
}

static void add_task(struct attaching *a, pid_t tid, bool late)
{
    struct perf_attached *out = a->out;

    if (out->tasks == a->task_cap) {
        a->task_cap = a->task_cap ? 2 * a->task_cap : 64;
        out->task = base_realloc(out->task, a->task_cap * sizeof(*out->task));
    }
    out->task[out->tasks++] = (struct perf_task){.tid = tid, .late = late};
}

/* The threads of one process. */
struct listing {
    pid_t pid;
    DIR *threads;
    bool late; /* not the first time */
};

/* 1: a thread was new, 0, or -1 with *e. */
static int take_thread(struct attaching *a, const struct listing *l, const char *name, struct err *e)
{
    uint32_t first = a->used;
    pid_t tid = (pid_t)strtol(name, NULL, 10);
    int code;

    if (tid <= 0 || map64_find(&a->known, (uint64_t)tid))
        return 0;
    map64_put(&a->known, (uint64_t)tid, 1);
    code = open_task(a, tid);
    if (code == ESRCH)
        return 1; /* it ended, and may have started another before */
    if (code)
        return whom_explain(l->pid, code, e);
    /* One that ended just now may have left its id to somebody else. */
    if (faccessat(dirfd(l->threads), name, F_OK, 0) < 0)
        close_from(a, first);
    else
        add_task(a, tid, l->late);
    return 1;
}

/* How many were new, or -1 with *e. */
static int take_new_threads(struct attaching *a, const struct listing *l, struct err *e)
{
    int fresh = 0;

    rewinddir(l->threads);
    for (const struct dirent *entry; (entry = readdir(l->threads));) {
        int result = take_thread(a, l, entry->d_name, e);

        if (result < 0)
            return -1;
        fresh += result;
    }
    return fresh;
}

static DIR *open_threads(pid_t pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    return opendir(path);
}

static int take_threads(struct attaching *a, pid_t pid, struct err *e)
{
    struct listing l = {.pid = pid, .threads = open_threads(pid)};
    int fresh = 1;

    if (!l.threads)
        return whom_explain(pid, errno, e);
    for (int pass = 0; fresh > 0 && pass < PASSES_MAX; pass++) {
        l.late = pass > 0;
        fresh = take_new_threads(a, &l, e);
    }
    closedir(l.threads);
    if (fresh > 0)
        log_debug(perf, "process %d goes on starting threads", (int)pid);
    return fresh < 0 ? -1 : 0;
}

/* ---- processes ---- */

static int take_process(struct attaching *a, pid_t pid, int pidfd, struct err *e)
{
    uint32_t first = a->used, tasks = a->out->tasks;

    if (whom_check(pid, pidfd, e) < 0)
        return -1;
    /* With the pidfd it was no other's id all the while, unless it ended. */
    if (take_threads(a, pid, e) == 0 && a->out->tasks > tasks && whom_check(pid, pidfd, NULL) == 0)
        return 0;
    if (!e->text[0])
        whom_explain(pid, ESRCH, e);
    close_from(a, first);
    a->out->tasks = tasks;
    return -1;
}

static int attach(struct attaching *a, pid_t pid, struct err *e)
{
    CLOSE_FD int pidfd = -1;

    if (whom_open(pid, &pidfd, e) < 0)
        return -1;
    return take_process(a, pid, pidfd, e);
}

static int attach_all(struct attaching *a, const struct perf_whom *whom, struct err *e)
{
    struct err why;

    a->out->pid = base_calloc(whom->count, sizeof(*a->out->pid));
    for (uint32_t i = 0; i < whom->count; i++) {
        why = (struct err){0};
        if (attach(a, whom->pid[i], &why) == 0)
            a->out->pid[a->out->pids++] = whom->pid[i];
        else if (whom->count > 1)
            log_error(perf, "%s", why.text);
    }
    a->armed->tasks = a->out->tasks;
    if (a->out->pids)
        return 0;
    if (whom->count > 1)
        return err_set(e, 0, "none of %u processes can be profiled", whom->count);
    *e = why;
    return -1;
}

void perf_attached_release(struct perf_attached *a)
{
    free(a->pid);
    free(a->task);
    *a = (struct perf_attached){0};
}

int perf_attach(const struct perf_whom *whom, struct perf_armed *armed, int *fds, struct perf_attached *out,
                struct err *e)
{
    struct attaching *a = base_calloc(1, sizeof(*a));
    int result;

    *armed = (struct perf_armed){0};
    *out = (struct perf_attached){0};
    *a = (struct attaching){.armed = armed, .out = out, .fds = fds};
    map64_init(&a->known);
    result = open_ring_owners(a, e);
    if (result == 0)
        result = add_events(a, whom->events, e);
    if (result == 0)
        result = attach_all(a, whom, e);
    armed->ring_pages = attributes_ring_pages(armed);
    if (result < 0) {
        close_from(a, 0);
        perf_attached_release(out);
        if (armed->probes)
            perf_remove_probes(perf_this_machine(), getpid(), true);
    }
    map64_release(&a->known);
    free(a);
    return result;
}
