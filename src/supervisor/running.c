/*
 * running.c - see running.h
 *
 * There is no wrapper: this process opens the events, holds the rings and watches over the worker. When it is
 * gone, so are the events.
 */
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/options.h"

#include "profiler.h"

#define STATUS_FAILED 1

/* ---- who ---- */

/* Each once. */
static uint32_t take_pids(const struct options *o, pid_t *pids)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < o->pids.count; i++) {
        pid_t pid = (pid_t)strtol(o->pids.at[i], NULL, 10);
        uint32_t k = 0;

        while (k < n && pids[k] != pid)
            k++;
        pids[k] = pid;
        n = MAX_OF(n, k + 1);
    }
    return n;
}

static void name_service(struct profiler *p)
{
    char path[64], text[256] = "";

    if (p->options->service) {
        p->service = base_strdup(p->options->service);
        return;
    }
    if (p->hello.armed.whole_host) {
        if (gethostname(text, sizeof(text) - 1) < 0 || !text[0])
            snprintf(text, sizeof(text), "host");
    } else {
        snprintf(path, sizeof(path), "/proc/%d/comm", (int)p->hello.pid);
        if (read_small_file(AT_FDCWD, path, text, sizeof(text), NULL) < 0 || !text[0])
            snprintf(text, sizeof(text), "unnamed");
        text[strcspn(text, "\n")] = '\0';
    }
    p->service = base_strdup(text);
}

static int open_events(struct profiler *p, struct err *e)
{
    const struct options *o = p->options;
    FREE_PTR pid_t *pids = base_alloc((o->pids.count + 1) * sizeof(*pids));
    struct perf_whom whom = {.events = &o->events, .pid = pids, .count = take_pids(o, pids)};
    int result;

    if (o->global)
        result = perf_arm_host(&o->events, &p->hello.armed, p->fds, e);
    else
        result = perf_attach(&whom, &p->hello.armed, p->fds, &p->attached, e);
    if (result < 0)
        return -1;
    p->fd_count = perf_armed_fds(&p->hello.armed);
    p->hello.pid = o->global ? getpid() : p->attached.pid[0];
    name_service(p);
    return 0;
}

/* ---- the run ---- */

/* From here on time counts: what the processes have used before is not this profile's. */
static void begin(struct profiler *p)
{
    p->processes = base_calloc(p->attached.pids + 1, sizeof(*p->processes));
    for (uint32_t i = 0; i < p->attached.pids; i++)
        p->processes[i] = (struct worker_attached){.pid = p->attached.pid[i],
                                                   .clock_ns = clock_process_cpu_ns(p->attached.pid[i])};
    p->root_clock_ns = p->processes[0].clock_ns;
    perf_enable(&p->hello.armed, p->fds);
}

int running_main(const struct run *run)
{
    struct profiler *p = profiler_new(run);
    int status = STATUS_FAILED;
    struct err e;

    p->watch.foreground = true;
    profiler_settle_in(p);
    watch_take_signals(&p->watch);
    if (open_events(p, &e) < 0) {
        log_error(supervisor, "no profile: %s", e.text);
    } else {
        begin(p);
        if (profiler_get_ready(p, -1, &e) == 0)
            status = profiler_watch(p) == WORK_DONE ? 0 : STATUS_FAILED;
        else
            log_error(supervisor, "no profile: %s", e.text);
    }
    profiler_free(p);
    return status;
}
