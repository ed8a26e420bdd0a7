/*
 * watch.c - see watch.h
 *
 * A worker that is lost (a crash, a kill, out of memory, silence) is followed by another. What the last one
 * had counted is in memory that outlives it; its rings are not, so a loss costs what lay in them, the tenth
 * of a second at most, and the time until the next one has its own. Between losses in a row the pause
 * doubles: a worker that lives less than ten times the pause before it would otherwise spend more time on
 * starting than on work.
 *
 * Silence: the worker puts off the dead man's timer whenever it goes on, and stops it while it sleeps, so an
 * idle run has no timer. When it goes off, the worker gets a moment more, for a whole group of processes may
 * have been frozen, timer and all. One that uses little CPU time in that moment does not run in circles: it
 * waits, for a disk or for its turn, so that another would wait, too, and it gets a minute. A worker that was
 * stopped by a signal is noticed at once.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"

#define PAUSE_FIRST_NS  (10 * NSEC_PER_MSEC)
#define PAUSE_MAX_NS    (30 * NSEC_PER_SEC)
#define WORTH_PAUSES    10 /* a worker that lives so many pauses was worth them */
#define LOST_BEFORE_END 3  /* workers lost in a row when all that is left is to end */
#define HURRIED_NS      (60 * NSEC_PER_SEC)
#define LOSSES_TOLD     16
#define BUSY_PART       4 /* who uses this part of a moment's CPU time is busy */

/* ---- starting and losing ---- */

/* In the worker. The supervisor's end is a reason to write what there is. */
static void live(struct watch *w, pid_t supervisor)
{
    prctl(PR_SET_NAME, "ringside-worker");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != supervisor)
        raise(SIGTERM);
    close(w->signal_fd);
    if (w->foreground) {
        setpgid(0, 0);
        signal(SIGHUP, SIG_IGN);
        signal(SIGTTOU, SIG_IGN); /* what it says must not stop it (stty tostop) */
    }
    exit(w->work(w->ctx));
}

static void end(struct watch *w, enum work_end how)
{
    w->end = how;
    w->ended = true;
}

static void lengthen_pause(struct watch *w)
{
    w->lost_in_row++;
    w->pause_ns = MIN_OF(MAX_OF(2 * w->pause_ns, PAUSE_FIRST_NS), PAUSE_MAX_NS);
}

/* One after the other is lost, and there is nothing left to do but to end. */
static bool is_hopeless(const struct watch *w)
{
    return w->lost_in_row > LOST_BEFORE_END && (w->page->orders || w->over(w->ctx));
}

static void start(struct watch *w)
{
    uint64_t now_ns = clock_mono_ns();
    pid_t self = getpid(), pid;

    if (w->started_ns)
        broker_renew(&w->broker);
    w->page->asleep = false;
    watch_set_dead_man(w, w->silence_ns); /* before the worker, who may be asleep before fork returns here */
    pid = fork();
    if (pid == 0)
        live(w, self);
    w->started_ns = now_ns;
    w->doubted = w->stopped = w->hangs = false;
    if (pid > 0) {
        w->worker = pid;
        return;
    }
    watch_set_dead_man(w, 0);
    log_warn(supervisor, "cannot start the profiler: %s", strerror(errno));
    lengthen_pause(w);
    if (is_hopeless(w))
        end(w, WORK_FAILED);
}

/* Signals that come from within, and those of a limit on calls or memory. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
           number == SIGABRT || number == SIGSYS;
}

/* Each for a while, then when there were twice as many: what goes on for days must not fill a log. */
static bool is_told(uint32_t losses)
{
    return losses <= LOSSES_TOLD || !(losses & (losses - 1));
}

static void say_lost(const struct watch *w, int status, uint64_t lived_ns, bool last)
{
    if (!last && !is_told(w->losses))
        return;
    log_warn(supervisor, "the profiler was lost (%s %d) after %.1f s%s",
             WIFSIGNALED(status) ? "signal" : "exit status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (double)lived_ns / 1e9,
             last ? "" : " and starts anew");
}

/* A worker that lived long made up for the pause before it. */
static void lose(struct watch *w, int status, uint64_t lived_ns)
{
    bool last = w->page->written;

    w->page->hand.faulted = w->hangs || (WIFSIGNALED(status) && is_fault(WTERMSIG(status)));
    w->page->history.restarts++;
    w->losses += w->losses < UINT32_MAX;
    if (lived_ns < WORTH_PAUSES * MAX_OF(w->pause_ns, PAUSE_FIRST_NS)) {
        lengthen_pause(w);
    } else {
        w->lost_in_row = 1;
        w->pause_ns = w->pause_ns / 2 >= PAUSE_FIRST_NS ? w->pause_ns / 2 : 0;
    }
    last |= is_hopeless(w);
    say_lost(w, status, lived_ns, last);
    if (last)
        end(w, WORK_FAILED);
}

/* For so long the worker had done nothing when it was given up. */
static uint64_t silent_ns(const struct watch *w, uint64_t now_ns)
{
    return w->hangs ? now_ns - w->silent_since_ns : 0;
}

static void take_end(struct watch *w, int status, const struct rusage *used)
{
    uint64_t now_ns = clock_mono_ns(), lived_ns = now_ns - w->started_ns;

    watch_set_dead_man(w, 0);
    w->worker = 0;
    w->started_ns = now_ns;
    w->page->history.former_cpu_ns += rusage_cpu_ns(used);
    if (w->nothing_ran) {
        end(w, WORK_DONE);
    } else if (WIFEXITED(status) &&
               (WEXITSTATUS(status) == WORK_DONE || WEXITSTATUS(status) == WORK_FAILED)) {
        end(w, (enum work_end)WEXITSTATUS(status));
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == WORK_AGAIN) {
        w->page->history.refreshes++;
        w->page->history.hurried = lived_ns < HURRIED_NS ? w->page->history.hurried + 1 : 0;
        w->pause_ns = 0;
    } else {
        lose(w, status, lived_ns - MIN_OF(lived_ns, silent_ns(w, now_ns)));
    }
}

/* ---- what wakes the supervisor ---- */

static void doubt(struct watch *w, uint64_t for_ns)
{
    w->doubted = true;
    w->doubt_beats = w->page->beats;
    w->doubt_cpu_ns = clock_process_cpu_ns(w->worker);
    if (w->stopped)
        watch_set_dead_man(w, for_ns);
    else
        watch_set_unless_asleep(w, for_ns);
}

static void order(struct watch *w, uint32_t what)
{
    uint64_t once = 1;

    __atomic_or_fetch(&w->page->orders, what, __ATOMIC_RELEASE);
    (void)!write(w->order_fd, &once, sizeof(once));
    w->pause_ns = 0;
}

/* A whole container was stopped for a moment, maybe. */
static void on_continued(struct watch *w)
{
    if (w->stopped)
        watch_set_unless_asleep(w, w->silence_ns);
    w->stopped = w->doubted = false;
}

static void on_stopped(struct watch *w)
{
    w->stopped = true;
    doubt(w, w->stopped_ns);
}

/* As process 1 others are given to us, too. */
static void on_child(struct watch *w)
{
    struct rusage used;
    int status;
    pid_t pid;

    while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &used)) > 0) {
        if (pid != w->worker)
            continue;
        if (WIFSTOPPED(status))
            on_stopped(w);
        else if (WIFCONTINUED(status))
            on_continued(w);
        else
            take_end(w, status, &used);
    }
}

static void on_signal(struct watch *w)
{
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            order(w, w->page->orders || w->page->written ? ORDER_FINISH | ORDER_STOP_SENDING : ORDER_FINISH);
    on_child(w);
}

static void on_word(struct watch *w)
{
    struct launch_message m;

    if (launch_receive(w->socket, &m, 0, NULL) <= 0) {
        w->socket = -1; /* the command runs in its place, or both are gone */
        __atomic_store_n(&w->page->alone, true, __ATOMIC_RELEASE);
    } else if (m.kind == LAUNCH_EXEC_FAILED) {
        w->nothing_ran = true;
        if (w->worker)
            kill(w->worker, SIGKILL);
        else
            end(w, WORK_DONE);
    } else if (m.kind == LAUNCH_FINISH) {
        if (m.bytes == sizeof(w->page->charged_ns))
            memcpy(&w->page->charged_ns, m.data, sizeof(w->page->charged_ns));
        order(w, ORDER_FINISH);
    } else if (m.kind == LAUNCH_STOP) {
        order(w, ORDER_FINISH | ORDER_STOP_SENDING);
    }
}

static bool is_waiting(const struct watch *w)
{
    return !w->stopped && clock_process_cpu_ns(w->worker) - w->doubt_cpu_ns < w->doubt_ns / BUSY_PART;
}

static void on_silence(struct watch *w)
{
    uint64_t times;

    if (read(w->dead_man_fd, &times, sizeof(times)) != sizeof(times) || !w->worker)
        return; /* put off just now */
    if (!w->doubted || w->doubt_beats != w->page->beats) {
        w->waited_ns = 0;
        w->silent_since_ns = clock_mono_ns() - w->silence_ns;
        doubt(w, w->doubt_ns);
        return;
    }
    if (is_waiting(w) && w->waited_ns < w->patience_ns) {
        w->waited_ns += w->doubt_ns;
        doubt(w, w->doubt_ns);
        return;
    }
    if (is_told(w->losses + 1))
        log_warn(supervisor, w->stopped ? "the profiler is stopped" : "the profiler hangs");
    w->hangs = !w->stopped;
    kill(w->worker, SIGKILL);
}

/* Milliseconds until another worker is to start; -1: one is there. */
static int until_start(const struct watch *w)
{
    uint64_t due_ns = w->started_ns + w->pause_ns, now_ns = clock_mono_ns();

    if (w->worker)
        return -1;
    return due_ns > now_ns ? (int)((due_ns - now_ns) / NSEC_PER_MSEC) + 1 : 0;
}

/* Milliseconds until the time that was asked for is over; -1: none was. */
static int until_finish(const struct watch *w)
{
    uint64_t now_ns = clock_mono_ns();

    if (!w->until_ns)
        return -1;
    return w->until_ns > now_ns ? (int)((w->until_ns - now_ns) / NSEC_PER_MSEC) + 1 : 0;
}

static int sooner(int a, int b)
{
    return a >= 0 && (a < b || b < 0) ? a : b;
}

enum work_end watch_run(struct watch *w)
{
    start(w);
    while (!w->ended) {
        struct pollfd ready[] = {{.fd = w->signal_fd, .events = POLLIN},
                                 {.fd = w->socket, .events = POLLIN},
                                 {.fd = w->dead_man_fd, .events = POLLIN},
                                 {.fd = w->broker.fd[0], .events = POLLIN}};

        poll(ready, ARRAY_LEN(ready), sooner(until_start(w), until_finish(w)));
        if (ready[0].revents)
            on_signal(w);
        if (ready[1].revents)
            on_word(w);
        if (ready[2].revents)
            on_silence(w);
        if (ready[3].revents)
            broker_serve(&w->broker);
        if (until_finish(w) == 0) {
            order(w, ORDER_FINISH);
            w->until_ns = 0;
        }
        if (!w->ended && !w->worker && until_start(w) == 0)
            start(w);
    }
    return w->end;
}
