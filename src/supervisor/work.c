/*
 * work.c - a worker: reads the rings, writes and sends profiles
 *
 * A child of the supervisor (watch.c), which may lose it at any moment and start another: what must not be
 * lost with it lies in memory and descriptors that the supervisor made.
 */
#include "profiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/deliver.h"
#include "ringside/http.h"
#include "ringside/options.h"
#include "ringside/procfs.h"
#include "ringside/sandbox.h"
#include "ringside/sink.h"
#include "ringside/spool.h"
#include "ringside/stats.h"
#include "ringside/target.h"
#include "ringside/worker.h"

#include "targets.h"

/* The command starts now, and what loading libcurl takes (4 to 17 ms) it must not have to wait for. */
#define START_PAUSE_MS     30
/* For sending what only this worker has, before another takes over: nobody reads the rings meanwhile. */
#define FLUSH_BETWEEN_MS   2000
/* What may wait where no disk takes it. */
#define MEMORY_SPOOL_BYTES (16U << 20)

struct life {
    struct profiler *p;
    int signal_fd;
    bool signalled; /* more than once is more than being told to finish */
    struct feed *feed;
    struct outputs *out;
    struct broker_door broker;
    const struct procfs_door *door; /* NULL: nothing is open to the supervisor that is not to us */
    int kallsyms_fd;                /* 0: none */
};

/* Being told to stop is heard at a descriptor, and so is not lost before somebody listens: the signals are
 * blocked since the supervisor took them. */
static int take_signals(struct life *l, struct err *e)
{
    sigset_t stop;

    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_SETMASK, &stop, NULL);
    l->signal_fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    if (l->p->watch.page->orders) /* a worker before this one has seen them */
        eventfd_write(l->p->watch.order_fd, 1);
    return l->signal_fd < 0 ? err_set(e, errno, "signalfd") : 0;
}

/* Takes the signal: another one says something else than this. */
static bool was_signalled(const struct life *l)
{
    struct signalfd_siginfo info;

    return read(l->signal_fd, &info, sizeof(info)) == sizeof(info);
}

/* Signals and orders, while the worker waits for records. */
static enum feed_wait on_control(void *life, int fd)
{
    struct life *l = life;
    bool signalled = fd == l->signal_fd && was_signalled(l);
    bool stop = signalled || (fd != l->signal_fd && watch_take_orders(&l->p->watch) != 0);

    l->signalled |= signalled;
    return stop ? FEED_STOPPED : FEED_READY;
}

static int open_feed(struct life *l, struct err *e)
{
    struct profiler *p = l->p;
    struct perf_control control = {
        .fds = {l->signal_fd, p->watch.order_fd},
        .ready = on_control,
        .ctx = l,
    };
    struct perf_reader reader = {
        .control = &control,
        .hand = &p->watch.page->hand,
        .attached = &p->attached,
        .stats = p->stats,
    };

    l->feed = perf_feed_new(&p->hello.armed, p->fds, &reader, e);
    return l->feed ? 0 : -1;
}

/* ---- where profiles go ---- */

struct outputs {
    struct deliver *deliver; /* NULL: nothing is sent */
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

/* ---- what is given up ---- */

static bool samples_kernel(const struct feed *feed)
{
    for (uint32_t i = 0; i < feed->info.events; i++)
        if (feed->info.event[i].kernel)
            return true;
    return false;
}

/* What a capability opens and will be needed: addresses of the kernel's functions, and the right to lock
 * memory, for a ring that is made anew. */
static void take_along(struct life *l)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    int fd;

    l->door = broker_enter(&l->p->watch.broker, &l->broker);
    if (!l->door)
        return;
    if (samples_kernel(l->feed) && (fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC)) >= 0)
        l->kallsyms_fd = fd;
    if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max; /* CAP_SYS_RESOURCE is missing */
    setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* Of the folder for profiles, the spool, and five of each server. */
#define PLACES_MAX (2 + 5 * TARGETS_MAX)

static void add_place(struct sandbox_place *place, uint32_t *n, const char *path, int mode)
{
    if (path)
        place[(*n)++] = (struct sandbox_place){.path = path, .mode = mode};
}

static bool has_local_servers(const struct target_list *targets)
{
    bool any = false;

    for (uint32_t i = 0; i < targets->count; i++)
        any |= target_endpoint(targets->at[i])->unix_socket != NULL;
    return any;
}

static uint32_t list_places(const struct profiler *p, struct sandbox_place *place)
{
    const struct target_list *targets = p->run->targets;
    uint32_t n = 0;

    for (uint32_t i = 0; i < targets->count; i++) {
        const struct http_endpoint *to = target_endpoint(targets->at[i]);

        add_place(place, &n, to->unix_socket, W_OK);
        add_place(place, &n, to->bearer_file, R_OK);
        add_place(place, &n, to->ca_file, R_OK);
        add_place(place, &n, to->cert_file, R_OK);
        add_place(place, &n, to->key_file, R_OK);
    }
    if (targets->count && p->spool) {
        spool_make_folder(p->spool, NULL); /* why not, it says itself */
        add_place(place, &n, p->spool, W_OK | X_OK);
    }
    return n;
}

/* Before anything is read that others made. It is we who are protected, so nothing fails for it. */
static void confine(struct life *l)
{
    const struct profiler *p = l->p;
    struct sandbox_place place[PLACES_MAX];
    struct sandbox_needs needs = {.network = p->run->targets->count > 0,
                                  .local_servers = has_local_servers(p->run->targets),
                                  .place = place,
                                  .places = list_places(p, place)};
    struct err e = {0};

    take_along(l);
    if (p->sink && sink_folder_fd(p->sink) >= 0)
        place[needs.places++] = (struct sandbox_place){
            .path = p->options->output, .mode = W_OK | X_OK, .folder_fd = sink_folder_fd(p->sink)};
    if (sandbox_enter(&needs, &e) < 0)
        log_info(supervisor, "the profiler runs with more rights than it needs: %s", e.text);
}

static int open_deliver(struct profiler *p, struct outputs *out, struct err *e)
{
    const struct options *o = p->options;
    char agent[64];
    struct deliver_config config = {
        .target = p->run->targets->at,
        .targets = p->run->targets->count,
        .who = &out->who,
        .spool_folder = p->spool,
        .spool_bytes_max = (uint64_t)o->spool_mb << 20,
        .spool_age_max_ns = o->spool_hours * 3600 * NSEC_PER_SEC,
        .memory_bytes_max = MEMORY_SPOOL_BYTES,
        .agent = agent,
        .stats = p->stats,
        .number = &p->watch.page->number,
    };

    snprintf(agent, sizeof(agent), "ringside/%s", p->run->version);
    out->deliver = deliver_open(&config, e);
    return out->deliver ? 0 : err_wrap(e, "no profiles are sent");
}

static bool is_first(const struct profiler *p)
{
    return p->watch.page->history.restarts + p->watch.page->history.refreshes == 0;
}

/* libcurl is loaded, folders are read: the rings are kept meanwhile. */
static int open_outputs(struct life *l, struct err *e)
{
    struct profiler *p = l->p;
    int result;

    if (p->sink)
        sink_continue(p->sink, (uint32_t)p->hello.pid, (uint32_t)stats_get(p->stats, STATS_PROFILES_WRITTEN));
    if (!p->run->targets->count)
        return 0;
    feed_keep(l->feed, true);
    watch_alive(&p->watch, true); /* the spool's disk may take its time */
    if (is_first(p))
        poll(NULL, 0, START_PAUSE_MS);
    result = open_deliver(p, l->out, e);
    watch_alive(&p->watch, false);
    feed_keep(l->feed, false);
    if (result == 0 || !p->sink)
        return result;
    log_error(supervisor, "%s", e->text); /* profiles are still written, as was asked for, too */
    return 0;
}

/*
 * While the last profiles are sent: told to end by a signal, or through the parent by one to it. Where the
 * supervisor's order to finish was heard first, our own signal may be the same, sent to all of a unit.
 */
static bool stop_sending(void *life, int fd)
{
    struct life *l = life;
    bool again = l->signalled || !l->p->watch.page->orders;

    if (fd != l->signal_fd)
        return (watch_take_orders(&l->p->watch) & ORDER_STOP_SENDING) != 0;
    if (!was_signalled(l))
        return false;
    l->signalled = true;
    return again;
}

/* Sends what it can; what is on disk can be left to the worker that comes next, and what waits in memory is
 * worth a few seconds without samples. */
static void close_outputs(struct life *l, enum worker_end how)
{
    struct profiler *p = l->p;
    struct deliver_stop stop = {.fd = {l->signal_fd, p->watch.order_fd}, .asked = stop_sending, .ctx = l};
    uint32_t timeout_ms = p->options->flush_timeout_ms;

    if (!l->out->deliver)
        return;
    watch_alive(&p->watch, true);
    if (p->watch.page->orders & ORDER_STOP_SENDING)
        deliver_flush(l->out->deliver, 0, &stop);
    else if (how != WORKER_AGAIN)
        deliver_flush(l->out->deliver, timeout_ms, &stop);
    else if (!p->spool)
        deliver_flush(l->out->deliver, MIN_OF(timeout_ms, (uint32_t)FLUSH_BETWEEN_MS), &stop);
    deliver_close(l->out->deliver);
}

/* ---- the run ---- */

static void configure(struct life *l, struct worker_config *config)
{
    struct profiler *p = l->p;
    const struct options *o = p->options;

    *config = (struct worker_config){
        .service = p->service,
        .version = p->run->version,
        .environment = o->environment,
        .service_version = o->service_version,
        .runtime_id = o->runtime_id,
        .tags = o->tags.at,
        .tag_count = o->tags.count,
        .processes_max = (uint32_t)MAX_OF(o->maximum_pids, 0),
        .show_samples = o->show_samples,
        .period_s = p->sink && !sink_is_folder(p->sink) ? 0 : o->upload_period_s,
        .root_pid = p->hello.armed.whole_host ? 0 : p->hello.pid,
        .root_clock_ns = p->root_clock_ns,
        .attached = p->processes,
        .attached_count = p->attached.pids,
        .whole_host = p->hello.armed.whole_host,
        .charged_ns = &p->watch.page->charged_ns,
        .sink = p->sink,
        .door = l->door,
        .kallsyms_fd = l->kallsyms_fd,
        .deliver = l->out->deliver,
        .stats = p->stats,
        .ledger = p->ledger,
        .history = &p->watch.page->history,
        .alive = watch_alive,
        .await_charge = p->run->parent ? watch_await_orders : NULL,
        .watch_ctx = &p->watch,
        .memory_bytes_max = (uint64_t)o->memory_limit_mb << 20,
        .profiles_max = o->worker_period,
    };
}

/* A parser that was led astray asks for more than any real file needs. */
static void limit_memory(const struct options *o)
{
    uint64_t most = ((uint64_t)o->memory_limit_mb << 20) * 2 + (256U << 20);
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};

    if (o->memory_limit_mb && setrlimit(RLIMIT_DATA, &limit) < 0)
        log_debug(supervisor, "limit memory: %s", strerror(errno));
}

static enum worker_end run(struct life *l)
{
    struct worker_config config;
    enum worker_end how;

    configure(l, &config);
    how = worker_run(&config, l->feed);
    if (how != WORKER_AGAIN) {
        l->p->watch.page->written = true;
        /* The target need not be slowed down by what nobody reads. */
        perf_disable(&l->p->hello.armed, l->p->fds);
        feed_close(l->feed);
        l->feed = NULL;
    } else {
        feed_keep(l->feed, true);
    }
    return how;
}

/* The command need not wait for the rest. */
static int say_ready_and_open(struct life *l, struct err *e)
{
    watch_say_ready(&l->p->watch);
    if (l->p->run->targets->count)
        identify(l->p, l->feed, l->out);
    confine(l);
    return open_outputs(l, e);
}

static enum work_end read_on(struct life *l)
{
    static const enum work_end end_of[] = {
        [WORKER_DONE] = WORK_DONE, [WORKER_FAILED] = WORK_FAILED, [WORKER_AGAIN] = WORK_AGAIN};
    enum worker_end how = run(l);

    close_outputs(l, how);
    return end_of[how];
}

enum work_end work(struct profiler *p)
{
    struct outputs out = {0};
    struct life l = {.p = p, .out = &out};
    enum work_end end = WORK_FAILED;
    struct err e = {0};

    base_use_thread_cache();
    limit_memory(p->options);
    if (take_signals(&l, &e) < 0 || open_feed(&l, &e) < 0 || say_ready_and_open(&l, &e) < 0)
        log_error(supervisor, "no profile: %s", e.text);
    else
        end = read_on(&l);
    feed_close(l.feed);
    close(l.signal_fd);
    return end;
}
