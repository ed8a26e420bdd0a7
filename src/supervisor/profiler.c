/*
 * profiler.c - the supervisor: takes the descriptors, opens what outlives a worker, and watches over the
 * worker
 *
 * What is here outlives a worker (work.c), which may be lost and followed by another (watch.c).
 */
#include "profiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/deliver.h"
#include "ringside/launch.h"
#include "ringside/ledger.h"
#include "ringside/options.h"
#include "ringside/procfs.h"
#include "ringside/sandbox.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/target.h"
#include "ringside/worker.h"

#include "rights.h"
#include "targets.h"

/*
 * The profiler was forked with the target's command line as its own arguments: "pkill -f" and "pgrep -f" for
 * the service must not find it. What was given to Ringside itself stays visible.
 */
static void hide_command(struct profiler *p)
{
    p->service = base_strdup(p->options->service); /* may point into the command */
    for (char **argument = p->options->command; *argument; argument++)
        memset(*argument, 0, strlen(*argument));
}

/* Where memory runs out, the profiler is to be killed before the service is (proc(5), oom_score_adj). */
static void go_first_without_memory(void)
{
    CLOSE_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "1000", 4) != 4)
        log_debug(supervisor, "oom_score_adj: %s", strerror(errno));
}

/* Nothing of the target's surroundings stays in use: its terminal, pipes, listening sockets, folder. */
static void leave_targets_world(struct profiler *p, int socket)
{
    const int wanted[] = {socket, log_keep_fd(), p->run->stream ? sink_stream_fd(p->run->stream) : -1};
    int keep[ARRAY_LEN(wanted)];
    uint32_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (wanted[i] >= 0)
            keep[n++] = wanted[i];
    launch_close_others(keep, n);
    profiler_settle_in(p);
}

void profiler_settle_in(const struct profiler *p)
{
    struct rlimit files;

    launch_allow_files(&files);
    prctl(PR_SET_NAME, "ringside");
    go_first_without_memory();
    if (p->options->nice && setpriority(PRIO_PROCESS, 0, p->options->nice) < 0)
        log_warn(supervisor, "nice %d: %s", p->options->nice, strerror(errno));
    if (p->options->cpu_affinity_set &&
        sched_setaffinity(0, sizeof(p->options->cpu_affinity), &p->options->cpu_affinity) < 0)
        log_warn(supervisor, "cpu affinity: %s", strerror(errno));
}

static bool add_fds(struct profiler *p, const struct launch_message *m)
{
    if (p->fd_count + m->fd_count > ARRAY_LEN(p->fds))
        return false;
    memcpy(p->fds + p->fd_count, m->fds, m->fd_count * sizeof(*m->fds));
    p->fd_count += m->fd_count;
    return true;
}

static bool take_hello(struct hello *h, const struct launch_message *m)
{
    memset(h, 0, sizeof(*h));
    if (m->bytes <= sizeof(*h))
        memcpy(h, m->data, m->bytes);
    return m->bytes > offsetof(struct hello, armed.event) && h->armed.events <= EVENTS_MAX &&
           h->armed.cpus <= PERF_CPUS_MAX && m->bytes == hello_bytes(h);
}

/* 1: all descriptors are here; 0: there will be none, end quietly; -1 with *e. */
static int receive_rings(struct profiler *p, int socket, struct err *e)
{
    struct launch_message m;
    int got;

    while ((got = launch_receive(socket, &m, -1, e)) > 0) {
        if (m.kind == LAUNCH_RINGS ? !take_hello(&p->hello, &m) : m.kind != LAUNCH_MORE)
            return 0;
        if (!add_fds(p, &m))
            return err_set(e, EMFILE, "receive event descriptors");
        if (p->hello.armed.events && p->fd_count >= hello_fds(&p->hello))
            return 1;
    }
    return got;
}

/* ---- the run ---- */

static enum work_end work_for(void *profiler)
{
    return work(profiler);
}

static bool is_over(void *profiler)
{
    const struct profiler *p = profiler;

    return perf_is_over(&p->hello.armed, p->fds);
}

enum work_end profiler_watch(struct profiler *p)
{
    struct err e;

    if (sandbox_takes() && broker_make(&p->watch.broker, &e) < 0)
        log_warn(supervisor, "programs of others, and root's, have no names: %s", e.text);
    p->watch.work = work_for;
    p->watch.over = is_over;
    p->watch.ctx = p;
    if (p->options->duration_s)
        p->watch.until_ns = clock_mono_ns() + p->options->duration_s * NSEC_PER_SEC;
    return watch_run(&p->watch);
}

/* Once for all workers, while the folder we were started in can still be left. */
static int open_files(struct profiler *p, struct err *e)
{
    struct sink_naming naming = {.service = p->service};

    p->spool = targets_spool_folder(p->options);
    p->sink = p->run->stream;
    if (p->options->output && !p->sink && !(p->sink = sink_open(p->options->output, &naming, e)))
        return -1;
    if (chdir("/") < 0) /* whatever was named relative to where we are is open, or absolute */
        log_debug(supervisor, "chdir /: %s", strerror(errno));
    return 0;
}

/* Of a command: while its process arms itself, which is all that takes privilege. */
int profiler_get_ready(struct profiler *p, int socket, struct err *e)
{
    p->stats = stats_new();
    p->ledger = ledger_new(e);
    if (!p->ledger)
        log_info(supervisor, "what is counted is lost with its process: %s", e->text);
    if (rights_drop(p->run->rights, e) < 0 || open_files(p, e) < 0)
        return -1;
    return watch_prepare(&p->watch, socket, e);
}

void profiler_free(struct profiler *p)
{
    for (uint32_t i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    if (p->hello.armed.probes)
        perf_remove_probes(perf_this_machine(), p->processes ? getpid() : p->hello.pid, true);
    perf_attached_release(&p->attached);
    free(p->processes);
    if (p->sink != p->run->stream)
        sink_close(p->sink);
    stats_free(p->stats);
    ledger_free(p->ledger);
    free(p->spool);
    free(p->service);
    watch_release(&p->watch);
    free(p);
}

static int profile(struct profiler *p, int socket, struct err *e)
{
    bool ready;
    int got;

    watch_take_signals(&p->watch);
    ready = profiler_get_ready(p, socket, e) == 0;
    got = receive_rings(p, socket, ready ? e : NULL); /* the first thing that went wrong is what counts */
    if (got == 0)
        return 0;
    if (got < 0 || !ready)
        return -1;
    p->root_clock_ns = clock_process_cpu_ns(p->hello.pid);
    return profiler_watch(p) == WORK_DONE ? 0 : -1;
}

struct profiler *profiler_new(const struct run *run)
{
    struct profiler *p = base_calloc(1, sizeof(*p));

    p->watch.signal_fd = p->watch.order_fd = p->watch.dead_man_fd = -1;
    p->watch.broker = (struct broker){{-1, -1}, false};
    p->run = run;
    p->options = run->options;
    return p;
}

int profiler_main(const struct run *run, int socket)
{
    struct profiler *p = profiler_new(run);
    struct err e = {0};
    int result;

    hide_command(p);
    leave_targets_world(p, socket);
    result = profile(p, socket, &e);
    if (result < 0 && e.text[0])
        log_error(supervisor, "no profile: %s", e.text);
    profiler_free(p);
    launch_say(socket, LAUNCH_DONE);
    close(socket);
    return result < 0;
}
