/*
 * supervisor.c - the wrapper's side: who is forked when, the hand-over, and the two shapes of a run
 *
 * The order matters. The profiler is forked before any event exists, so it is never profiled; the events are
 * armed by the very process that will be the target, so looking at them needs no privilege.
 */
#include "ringside/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"
#include "ringside/options.h"
#include "ringside/perf.h"
#include "ringside/sink.h"

#include "profiler.h"
#include "rights.h"
#include "running.h"
#include "targets.h"

/* Longest time the parent shape waits for the last profile to be written, sending not counted. */
#define PROFILE_TIMEOUT_MS     60000
#define NOTHING_RAN_TIMEOUT_MS 2000

/* The profiler seen from this side: the socket to it, and the go-between of its fork until it is settled. */
struct other_side {
    int socket; /* -1: there is no profiler */
    struct launch_detached detached;
    uint32_t timeout_ms;
    bool unsettled;
};

static int settle(struct other_side *other, struct err *e)
{
    if (!other->unsettled)
        return 0;
    other->unsettled = false;
    return launch_settle(&other->detached, other->timeout_ms, e);
}

/* ---- in the process that becomes the target ---- */

static int send_rings(int socket, const struct hello *hello, const int *fds, struct err *e)
{
    uint32_t total = hello_fds(hello);
    uint32_t n = MIN_OF(total, (uint32_t)LAUNCH_FDS_MAX);

    struct launch_outgoing m = {
        .kind = LAUNCH_RINGS, .data = hello, .bytes = hello_bytes(hello), .fds = fds, .fd_count = n};

    if (launch_send(socket, &m, e) < 0)
        return -1;
    for (uint32_t at = n; at < total; at += n) {
        n = MIN_OF(total - at, (uint32_t)LAUNCH_FDS_MAX);
        m = (struct launch_outgoing){.kind = LAUNCH_MORE, .fds = fds + at, .fd_count = n};
        if (launch_send(socket, &m, e) < 0)
            return -1;
    }
    return 0;
}

/* What the profiler says stays where it is: in the parent shape the parent wants to hear it, too. */
static int await_ready(int socket, uint32_t timeout_ms, struct err *e)
{
    enum launch_kind kind; /* LAUNCH_READY, or LAUNCH_DONE after a message that says why */
    int got = launch_peek(socket, &kind, (int)timeout_ms, e);

    if (got == 0)
        return err_set(e, 0, "the profiler ended");
    return got < 0 ? -1 : 0;
}

/* Unless that was decided: with process 1, which no child is, the kernel ends all others of its namespace. */
static void mention_process_1(const struct options *o)
{
    if (!o->wait_set && getpid() == 1)
        log_warn(supervisor,
                 "as process 1 the command takes the profiler along when it ends, and the profile "
                 "of the last period is lost: --wait keeps it");
}

/* Arms the events, while the profiler gets going, and hands them over. Whatever fails here, the command runs.
 */
static void hand_over(const struct options *o, struct other_side *other)
{
    struct hello hello = {.pid = getpid()};
    FREE_PTR int *fds = base_alloc(PERF_FDS_MAX * sizeof(*fds));
    struct rlimit files;
    struct err e = {0};

    launch_allow_files(&files);
    if (perf_arm(&o->events, &hello.armed, fds, &e) < 0) {
        log_error(supervisor, "profiling is off: %s", e.text);
        launch_say(other->socket, LAUNCH_NO_EVENTS);
    } else if (send_rings(other->socket, &hello, fds, &e) < 0 || settle(other, &e) < 0 ||
               await_ready(other->socket, o->start_timeout_ms, &e) < 0)
        log_warn(supervisor, "the command starts without waiting for the profiler: %s", e.text);
    else
        mention_process_1(o);
    settle(other, NULL);
    for (uint32_t i = 0; i < hello_fds(&hello); i++)
        close(fds[i]);
    launch_restore_files(&files);
}

/* And outlives the profiler, which would take this process's end for the command's. */
static void say_nothing_ran(const struct other_side *other)
{
    launch_say(other->socket, LAUNCH_EXEC_FAILED);
    launch_await_close(other->socket, NOTHING_RAN_TIMEOUT_MS);
}

/* Whoever cannot give up what it was to give up does not run the command: that was asked for to be safe. */
static int become_command(const struct run *run, struct other_side *other)
{
    struct err e;
    int status = EXIT_USAGE;

    if (other->socket >= 0)
        hand_over(run->options, other);
    if (rights_give_up(run->rights, &e) == 0)
        status = launch_exec(run->options->command, &e);
    if (other->socket >= 0)
        say_nothing_ran(other);
    log_error(supervisor, "cannot run %s%s", status == EXIT_USAGE ? "the command: " : "", e.text);
    return status;
}

/* ---- the parent shape ---- */

static int exit_status_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* Takes a signal that asks for an end; what came while the command ran was meant for that. */
static bool asked_to_end(int signal_fd)
{
    struct pollfd ready = {.fd = signal_fd, .events = POLLIN};
    struct signalfd_siginfo info;
    bool asked = false;

    while (poll(&ready, 1, 0) > 0 && read(signal_fd, &info, sizeof(info)) == sizeof(info))
        asked |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT || info.ssi_signo == SIGQUIT ||
                 info.ssi_signo == SIGHUP;
    return asked;
}

/* Something lies in the socket, or it took too long. Whoever wants an end meanwhile gets the profile, but
 * need not wait for servers. */
static void await_word(int socket, int signal_fd, uint64_t until_ns)
{
    struct pollfd ready[2] = {{.fd = socket, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
    uint64_t now_ns;

    while (!ready[0].revents && (now_ns = clock_mono_ns()) < until_ns) {
        ready[1].revents = 0;
        poll(ready, ARRAY_LEN(ready), (int)((until_ns - now_ns) / NSEC_PER_MSEC) + 1);
        if (ready[1].revents && asked_to_end(signal_fd))
            launch_say(socket, LAUNCH_STOP);
    }
}

/* The profiler says so when the profile is on disk. */
static void await_profile(int socket, int signal_fd, uint64_t command_cpu_ns, uint32_t flush_timeout_ms)
{
    struct launch_outgoing finish = {
        .kind = LAUNCH_FINISH, .data = &command_cpu_ns, .bytes = sizeof(command_cpu_ns)};
    uint64_t until_ns = clock_mono_ns() + (PROFILE_TIMEOUT_MS + flush_timeout_ms) * NSEC_PER_MSEC;
    struct launch_message m;
    struct err e;
    int got;

    asked_to_end(signal_fd);
    launch_send(socket, &finish, NULL);
    /* LAUNCH_READY still lies there. */
    do {
        await_word(socket, signal_fd, until_ns);
        got = launch_receive(socket, &m, 0, &e);
    } while (got > 0 && m.kind != LAUNCH_DONE);
    if (got == 0)
        log_error(supervisor, "no profile: the profiler ended before its time");
    else if (got < 0)
        log_error(supervisor, "no profile: %s", e.text);
}

/* The child: waits for its parent's part. */
static int be_child(const struct run *run, struct other_side *other, struct gate *gate)
{
    if (gate_wait(gate))
        return become_command(run, other);
    say_nothing_ran(other);
    return EXIT_USAGE;
}

/* Of the group a command that runs already could be told something twice. */
static void get_ready_as_parent(const struct run *run, struct gate *gate)
{
    struct err e;
    bool dropped = rights_drop(run->rights, &e) == 0;

    launch_parent_leave_group();
    if (!dropped)
        log_error(supervisor, "cannot run the command: %s", e.text);
    gate_answer(gate, dropped);
}

/* The parent's last resort. */
static void await_child(void *ctx)
{
    const pid_t *child = ctx;
    uint64_t cpu_ns;

    _exit(exit_status_of(launch_wait(*child, &cpu_ns)));
}

static int run_as_parent(const struct run *run, struct other_side *other)
{
    struct launch_parent parent;
    struct gate gate;
    uint64_t cpu_ns = 0;
    struct err e;
    int status;
    pid_t child;

    if (settle(other, &e) < 0 || gate_open(&gate, run->rights, &e) < 0 ||
        launch_parent_prepare(&parent, &e) < 0) {
        log_warn(supervisor, "%s; the command runs without a profile", e.text);
        return become_command(run, &(struct other_side){.socket = -1});
    }
    child = fork();
    if (child == 0) {
        launch_parent_restore(&parent);
        _exit(be_child(run, other, &gate));
    }
    if (child < 0) {
        log_warn(supervisor, "fork: %s; the profile may come after the command's end", strerror(errno));
        launch_parent_restore(&parent);
        return become_command(run, other);
    }
    base_set_last_resort(await_child, &child);
    get_ready_as_parent(run, &gate);
    status = launch_parent_wait(&parent, child, &cpu_ns);
    await_profile(other->socket, parent.signal_fd, cpu_ns, run->options->flush_timeout_ms);
    return exit_status_of(status);
}

/* ---- both ---- */

/* Leaves the profiler waiting at the other end of the socket; -1 with *e when there is none. */
static int start_profiler(const struct run *run, struct other_side *other, struct err *e)
{
    int pair[2];
    int who;

    if (launch_socketpair(pair, e) < 0)
        return -1;
    who = launch_fork_detached(&other->detached, e);
    if (who == 1) {
        base_set_last_resort(NULL, NULL);
        close(pair[0]);
        exit(profiler_main(run, pair[1]));
    }
    close(pair[1]);
    if (who < 0) {
        close(pair[0]);
        return -1;
    }
    other->socket = pair[0];
    other->timeout_ms = run->options->start_timeout_ms;
    other->unsettled = true;
    return 0;
}

/*
 * Opens where profiles will go once and lets go again: a mistake shows before anything is started. A pipe
 * stays open, or its reader would see the end; and standard output is not the profiler's any more.
 */
static int check_output(struct run *run, struct err *e)
{
    const struct options *o = run->options;
    struct sink_naming naming = {.service = o->service, .pid = (uint32_t)getpid()};
    struct sink *sink = sink_open(o->output, &naming, e);

    if (!sink)
        return -1;
    if (sink_stream_fd(sink) >= 0)
        run->stream = sink;
    else
        sink_close(sink);
    return 0;
}

void supervisor_list_events(FILE *to)
{
    perf_list_events(perf_this_machine(), to);
}

static int run_profiled(const struct run *run, bool parent, struct other_side *other)
{
    struct err e;

    if (!run->options->command[0])
        return running_main(run);
    if (start_profiler(run, other, &e) < 0) {
        log_error(supervisor, "profiling is off: %s", e.text);
        return become_command(run, other);
    }
    return parent ? run_as_parent(run, other) : become_command(run, other);
}

/* Not having what it takes, just now, is nobody's mistake. */
static int refuse(const struct run *run, struct other_side *other, bool mistake, const struct err *e)
{
    mistake = !run->options->command[0] || (mistake && !err_is_shortage(e));
    log_error(supervisor, "%s%s", e->text, mistake ? "" : "; the command runs without a profile");
    return mistake ? EXIT_USAGE : become_command(run, other);
}

static int run_as_asked(struct run *run, bool parent, struct other_side *other)
{
    const struct options *o = run->options;
    struct target_list targets;
    struct err e;
    int status;

    if (!o->enable)
        return o->command[0] ? become_command(run, other) : 0;
    if (targets_make(o, &targets, &e) < 0)
        return refuse(run, other, true, &e);
    run->targets = &targets;
    if (o->output && check_output(run, &e) < 0)
        status = refuse(run, other, parent, &e);
    else
        status = run_profiled(run, parent, other);
    sink_close(run->stream);
    targets_release(&targets);
    return status;
}

/* ---- without memory ---- */

struct bare {
    const struct run *run;
    struct other_side *other;
    struct launch_before before;
    bool rights; /* what is to be given up is known */
};

/* Once: what comes with the command's start in any case, and nothing else. */
static void run_without_memory(void *ctx)
{
    const struct bare *b = ctx;

    settle(b->other, NULL);
    launch_restore(&b->before);
    if (b->rights)
        _exit(become_command(b->run, &(struct other_side){.socket = -1}));
}

int supervisor_exec(char **command)
{
    struct err e;
    int status = launch_exec(command, &e);

    log_error(supervisor, "cannot run %s", e.text);
    return status;
}

int supervisor_run(const struct options *o, const char *version)
{
    bool single_file = o->output && !sink_path_is_folder(o->output);
    bool parent = o->enable && (o->wait_set ? o->wait : single_file);
    struct other_side other = {.socket = -1};
    struct rights rights;
    struct run run = {.options = o, .version = version, .rights = &rights, .parent = parent && o->command[0]};
    struct bare bare = {.run = &run, .other = &other};
    struct err e;
    int status;

    launch_remember(&bare.before);
    base_set_last_resort(run_without_memory, &bare);
    if (rights_make(o, parent, &rights, &e) < 0) {
        log_error(supervisor, "%s", e.text);
        return EXIT_USAGE;
    }
    bare.rights = true;
    status = run_as_asked(&run, parent, &other);
    rights_release(&rights);
    return status;
}
