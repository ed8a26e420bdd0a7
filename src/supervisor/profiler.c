/*
 * profiler.c - the profiler process: takes the descriptors, says "ready", runs the worker
 *
 * This is the seam where the supervisor will fork and restart the worker: everything up to worker_run() is
 * what outlives a worker, worker_run() is what may be lost.
 */
#include "profiler.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"
#include "ringside/options.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

struct profiler {
    const struct options *options;
    char *service;
    int socket, signal_fd;
    struct hello hello;
    uint64_t charged_ns; /* CPU time of the whole tree, from the parent that waited for it; 0: not known */
    int fds[PERF_FDS_MAX];
    uint32_t fd_count;
};

/* From here on being told to stop is heard at a descriptor, and so is not lost before somebody listens. */
static int take_signals(struct profiler *p, struct err *e)
{
    sigset_t stop;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_SETMASK, &stop, NULL);
    p->signal_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    return p->signal_fd < 0 ? err_set(e, errno, "signalfd") : 0;
}

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
static void leave_targets_world(struct profiler *p)
{
    int keep[2] = {p->socket, log_keep_fd()};
    struct rlimit files;

    launch_close_others(keep, keep[1] < 0 ? 1 : 2);
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
static int receive_rings(struct profiler *p, struct err *e)
{
    struct launch_message m;
    int got;

    while ((got = launch_receive(p->socket, &m, -1, e)) > 0) {
        if (m.kind == LAUNCH_RINGS ? !take_hello(&p->hello, &m) : m.kind != LAUNCH_MORE)
            return 0;
        if (!add_fds(p, &m))
            return err_set(e, EMFILE, "receive event descriptors");
        if (p->hello.armed.events && p->fd_count >= hello_fds(&p->hello))
            return 1;
    }
    return got;
}

/* Signals and words from the other side, while the worker waits for records. */
static enum feed_wait on_control(void *ctx, int fd)
{
    struct profiler *p = ctx;
    struct launch_message m;

    if (fd == p->signal_fd)
        return FEED_STOPPED;
    if (launch_receive(p->socket, &m, 0, NULL) <= 0)
        return FEED_ENDED;
    if (m.kind == LAUNCH_EXEC_FAILED) { /* nothing ran, so there is nothing to tell */
        launch_say(p->socket, LAUNCH_DONE);
        _exit(0);
    }
    if (m.kind != LAUNCH_FINISH)
        return FEED_READY;
    if (m.bytes == sizeof(p->charged_ns))
        memcpy(&p->charged_ns, m.data, sizeof(p->charged_ns));
    return FEED_STOPPED;
}

static struct feed *open_feed(struct profiler *p, struct stats *stats, struct err *e)
{
    struct perf_control control = {
        .fds = {p->signal_fd, p->socket},
        .ready = on_control,
        .ctx = p,
    };

    return perf_feed_new(&p->hello.armed, p->fds, &control, stats, e);
}

/* The feed is there, so nothing is missed any more. */
static int run_worker(struct profiler *p, const char *version, struct stats *stats, struct feed *feed,
                      struct err *e)
{
    const struct options *o = p->options;
    struct sink_naming naming = {.service = p->service, .pid = (uint32_t)p->hello.pid};
    struct worker_config config = {
        .service = p->service,
        .version = version,
        .environment = o->environment,
        .service_version = o->service_version,
        .runtime_id = o->runtime_id,
        .tags = o->tags.at,
        .tag_count = o->tags.count,
        .processes_max = (uint32_t)MAX_OF(o->maximum_pids, 0),
        .show_samples = o->show_samples,
        .root_pid = p->hello.pid,
        .root_clock_ns = clock_process_cpu_ns(p->hello.pid),
        .charged_ns = &p->charged_ns,
        .stats = stats,
    };
    int result;

    /* The command need not wait for the rest. */
    if (launch_say(p->socket, LAUNCH_READY) < 0)
        log_debug(supervisor, "the command did not wait for us");
    config.sink = sink_open(o->output, &naming, e);
    if (!config.sink)
        return -1;
    config.period_s = sink_is_folder(config.sink) ? o->upload_period_s : 0;
    if (chdir("/") < 0)
        log_debug(supervisor, "chdir /: %s", strerror(errno));
    result = worker_run(&config, feed);
    sink_close(config.sink);
    return result;
}

static int profile(struct profiler *p, const char *version, struct err *e)
{
    struct stats *stats;
    struct feed *feed;
    int result = take_signals(p, e);

    if (result == 0)
        result = receive_rings(p, e);
    if (result <= 0)
        return result;
    stats = stats_new();
    feed = open_feed(p, stats, e);
    result = feed ? run_worker(p, version, stats, feed, e) : -1;
    feed_close(feed);
    if (p->hello.armed.probes)
        perf_remove_probes(perf_this_machine(), p->hello.pid, true);
    stats_free(stats);
    return result;
}

int profiler_main(const struct options *options, const char *version, int socket)
{
    struct profiler *p = base_calloc(1, sizeof(*p));
    struct err e = {0};
    int result;

    p->options = options;
    p->socket = socket;
    hide_command(p);
    leave_targets_world(p);
    result = profile(p, version, &e);
    if (result < 0 && e.text[0])
        log_error(supervisor, "no profile: %s", e.text);
    launch_say(p->socket, LAUNCH_DONE);
    close(p->signal_fd);
    close(p->socket);
    free(p->service);
    free(p);
    return result < 0;
}
