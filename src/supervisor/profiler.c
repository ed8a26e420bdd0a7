/*
 * profiler.c - the profiler process: takes the descriptors, says "ready", runs the worker
 *
 * This is the seam where the supervisor will fork and restart the worker: everything up to worker_run() is
 * what outlives a worker, worker_run() is what may be lost.
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
#include "ringside/options.h"
#include "ringside/procfs.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/target.h"
#include "ringside/worker.h"

#include "rights.h"
#include "targets.h"

/* The command starts now, and what loading libcurl takes (4 to 17 ms) it must not have to wait for. */
#define START_PAUSE_MS     30
/* What may wait where no disk takes it. */
#define MEMORY_SPOOL_BYTES (16U << 20)

struct profiler {
    const struct run *run;
    const struct options *options;
    char *service;
    int socket, signal_fd;
    bool alone; /* there is nobody at the other end of the socket any more */
    struct deliver_stop stop;
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

/* Takes the signal: another one says something else than this. */
static bool was_signalled(struct profiler *p)
{
    struct signalfd_siginfo info;

    return read(p->signal_fd, &info, sizeof(info)) == sizeof(info);
}

/* Signals and words from the other side, while the worker waits for records. */
static enum feed_wait on_control(void *ctx, int fd)
{
    struct profiler *p = ctx;
    struct launch_message m;

    if (fd == p->signal_fd)
        return was_signalled(p) ? FEED_STOPPED : FEED_READY;
    if (launch_receive(p->socket, &m, 0, NULL) <= 0) {
        p->alone = true;
        return FEED_ENDED;
    }
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

/* ---- where profiles go ---- */

struct outputs {
    struct sink *sink;
    struct deliver *deliver;
    struct target_identity who;
    char host[256], container[80], entity[100];
};

static void identify(const struct profiler *p, const struct feed *feed, struct outputs *out)
{
    const struct options *o = p->options;
    uint64_t inode;

    if (gethostname(out->host, sizeof(out->host) - 1) < 0 || !out->host[0])
        snprintf(out->host, sizeof(out->host), "unknown");
    if (procfs_container_id(p->hello.pid, out->container, sizeof(out->container)))
        snprintf(out->entity, sizeof(out->entity), "ci-%s", out->container);
    else if ((inode = procfs_cgroup_inode(p->hello.pid)) != 0)
        snprintf(out->entity, sizeof(out->entity), "in-%llu", (unsigned long long)inode);
    out->who = (struct target_identity){
        .service = p->service,
        .environment = o->environment,
        .service_version = o->service_version,
        .tags = o->tags.at,
        .tag_count = o->tags.count,
        .runtime_id = o->runtime_id,
        .host = out->host,
        .container_id = out->container[0] ? out->container : NULL,
        .entity_id = out->entity[0] ? out->entity : NULL,
        .external_env = getenv("DD_EXTERNAL_ENV"),
        .git_repository = o->git_metadata ? o->git_repository_url : NULL,
        .git_commit = o->git_metadata ? o->git_commit_sha : NULL,
        .profiler_version = p->run->version,
        .pid = (uint32_t)p->hello.pid,
        .kernel = feed->info.event[0].kernel,
        .cpus = feed->info.cpus,
    };
}

static int open_deliver(struct profiler *p, struct stats *stats, const char *spool, struct outputs *out,
                        struct err *e)
{
    const struct options *o = p->options;
    char agent[64];
    struct deliver_config config = {
        .target = p->run->targets->at,
        .targets = p->run->targets->count,
        .who = &out->who,
        .spool_folder = spool,
        .spool_bytes_max = (uint64_t)o->spool_mb << 20,
        .spool_age_max_ns = o->spool_hours * 3600 * NSEC_PER_SEC,
        .memory_bytes_max = MEMORY_SPOOL_BYTES,
        .agent = agent,
        .stats = stats,
    };

    snprintf(agent, sizeof(agent), "ringside/%s", p->run->version);
    out->deliver = deliver_open(&config, e);
    return out->deliver ? 0 : err_wrap(e, "no profiles are sent");
}

/* libcurl is loaded, folders are read: the rings are kept meanwhile. */
static int open_outputs(struct profiler *p, struct feed *feed, struct stats *stats, struct outputs *out,
                        struct err *e)
{
    struct sink_naming naming = {.service = p->service, .pid = (uint32_t)p->hello.pid};
    FREE_PTR char *spool = targets_spool_folder(p->options);
    int result;

    if (p->options->output && !(out->sink = sink_open(p->options->output, &naming, e)))
        return -1;
    if (chdir("/") < 0) /* whatever was named relative to where we are is open, or absolute */
        log_debug(supervisor, "chdir /: %s", strerror(errno));
    if (!p->run->targets->count)
        return 0;
    identify(p, feed, out);
    feed_keep(feed, true);
    poll(NULL, 0, START_PAUSE_MS);
    result = open_deliver(p, stats, spool, out, e);
    feed_keep(feed, false);
    if (result == 0 || !out->sink)
        return result;
    log_error(supervisor, "%s", e->text); /* profiles are still written, as was asked for, too */
    return 0;
}

/* While the last profiles are sent: told to end by a signal, or through the parent by one to it. */
static bool stop_sending(void *ctx, int fd)
{
    struct profiler *p = ctx;
    struct launch_message m;

    if (fd == p->signal_fd)
        return was_signalled(p);
    if (launch_receive(p->socket, &m, 0, NULL) > 0)
        return m.kind == LAUNCH_STOP;
    p->stop.fd[1] = -1; /* it will say nothing more */
    return false;
}

/* Sends what it can. */
static void close_outputs(struct profiler *p, struct outputs *out)
{
    p->stop = (struct deliver_stop){
        .fd = {p->signal_fd, p->alone ? -1 : p->socket}, .asked = stop_sending, .ctx = p};
    if (out->deliver)
        deliver_flush(out->deliver, p->options->flush_timeout_ms, &p->stop);
    deliver_close(out->deliver);
    sink_close(out->sink);
}

/* ---- the worker ---- */

/* The target need not be slowed down by what nobody reads. */
static void end_sampling(struct profiler *p, struct feed *feed)
{
    feed_close(feed);
    if (p->hello.armed.probes)
        perf_remove_probes(perf_this_machine(), p->hello.pid, true);
}

/* The feed is there, so nothing is missed any more. Closes it. */
static int run_worker(struct profiler *p, struct stats *stats, struct feed *feed, struct err *e)
{
    const struct options *o = p->options;
    struct outputs out = {0};
    struct worker_config config = {
        .service = p->service,
        .version = p->run->version,
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
    result = open_outputs(p, feed, stats, &out, e);
    config.sink = out.sink;
    config.deliver = out.deliver;
    config.period_s = out.sink && !sink_is_folder(out.sink) ? 0 : o->upload_period_s;
    if (result == 0)
        result = worker_run(&config, feed) == WORKER_DONE ? 0 : -1;
    end_sampling(p, feed);
    close_outputs(p, &out);
    return result;
}

static int profile(struct profiler *p, struct err *e)
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
    result = feed ? rights_drop(p->run->rights, e) : -1; /* all that takes privilege is open */
    if (result == 0)
        result = run_worker(p, stats, feed, e);
    else
        end_sampling(p, feed);
    stats_free(stats);
    return result;
}

int profiler_main(const struct run *run, int socket)
{
    struct profiler *p = base_calloc(1, sizeof(*p));
    struct err e = {0};
    int result;

    p->run = run;
    p->options = run->options;
    p->socket = socket;
    hide_command(p);
    leave_targets_world(p);
    result = profile(p, &e);
    if (result < 0 && e.text[0])
        log_error(supervisor, "no profile: %s", e.text);
    launch_say(p->socket, LAUNCH_DONE);
    close(p->signal_fd);
    close(p->socket);
    free(p->service);
    free(p);
    return result < 0;
}
