/*
 * test_watch.c - the supervisor's watch over workers that end, crash, hang and are stopped
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"

#include "../../src/supervisor/watch.h"

/* For tests of silence alone: a worker on a busy machine may take long to say its first word. */
#define SHORT_NS (500 * NSEC_PER_MSEC)
/* Losses until it gives up: a machine that stood still makes a worker look as if it had lived long. */
#define ROW_MAX  30

static struct watch watch;
static sigset_t mask_before;

static bool not_over(void *ctx)
{
    (void)ctx;
    return false;
}

static bool over(void *ctx)
{
    (void)ctx;
    return true;
}

static void begin(enum work_end (*work)(void *ctx), int socket)
{
    struct err e = {0};

    sigprocmask(SIG_SETMASK, NULL, &mask_before);
    watch = (struct watch){.work = work, .over = not_over, .ctx = &watch, .broker = {{-1, -1}, false}};
    watch_take_signals(&watch);
    assert_int_equal(watch_prepare(&watch, socket, &e), 0);
}

static void end(void)
{
    struct timespec none = {0};
    sigset_t all;

    watch_release(&watch);
    sigfillset(&all);
    while (sigtimedwait(&all, NULL, &none) > 0)
        continue;
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static enum work_end run_impatiently(enum work_end (*work)(void *ctx))
{
    begin(work, -1);
    watch.silence_ns = watch.doubt_ns = SHORT_NS;
    watch.patience_ns = 0;
    return watch_run(&watch);
}

static enum work_end run(enum work_end (*work)(void *ctx))
{
    enum work_end how;

    begin(work, -1);
    how = watch_run(&watch);
    assert_int_equal(watch.worker, 0);
    return how;
}

/* Without whatever the tests' own exit does. */
static void leave(enum work_end how)
{
    _exit(how);
}

static uint32_t workers_before(void)
{
    return watch.page->history.restarts + watch.page->history.refreshes;
}

/* ---- ends in order ---- */

static enum work_end succeeds(void *ctx)
{
    (void)ctx;
    leave(WORK_DONE);
    return WORK_DONE;
}

static enum work_end fails(void *ctx)
{
    (void)ctx;
    leave(WORK_FAILED);
    return WORK_FAILED;
}

TEST(watch__a_worker_that_ends_in_order_is_the_last)
{
    assert_int_equal(run(succeeds), WORK_DONE);
    assert_int_equal(workers_before(), 0);
    end();
    assert_int_equal(run(fails), WORK_FAILED);
    assert_int_equal(workers_before(), 0);
    end();
}

static enum work_end is_worn_out_twice(void *ctx)
{
    (void)ctx;
    leave(watch.page->history.refreshes < 2 ? WORK_AGAIN : WORK_DONE);
    return WORK_DONE;
}

TEST(watch__one_that_asks_for_another_gets_it_and_is_no_loss)
{
    assert_int_equal(run(is_worn_out_twice), WORK_DONE);
    assert_int_equal(watch.page->history.refreshes, 2);
    assert_int_equal(watch.page->history.hurried, 2);
    assert_int_equal(watch.page->history.restarts, 0);
    end();
}

/* ---- losses ---- */

static enum work_end burns_and_crashes_once(void *ctx)
{
    (void)ctx;
    watch_say_ready(&watch);
    if (workers_before())
        leave(WORK_DONE);
    while (clock_process_cpu_ns(getpid()) < 20 * NSEC_PER_MSEC)
        continue;
    signal(SIGSEGV, SIG_DFL); /* sanitizers make an exit of it */
    raise(SIGSEGV);
    return WORK_DONE;
}

TEST(watch__a_crash_is_followed_by_another_worker_that_knows_of_it)
{
    assert_int_equal(run(burns_and_crashes_once), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    assert_true(watch.page->hand.faulted);
    assert_true(watch.page->history.gap_ns > 0);
    assert_in_range(watch.page->history.former_cpu_ns, 10 * NSEC_PER_MSEC, NSEC_PER_SEC);
    end();
}

static enum work_end is_killed_once(void *ctx)
{
    (void)ctx;
    if (workers_before())
        leave(WORK_DONE);
    raise(SIGKILL);
    return WORK_DONE;
}

TEST(watch__a_kill_is_no_fault_of_what_was_in_hand)
{
    assert_int_equal(run(is_killed_once), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    assert_false(watch.page->hand.faulted);
    end();
}

static enum work_end runs_out_of_memory_once(void *ctx)
{
    (void)ctx;
    leave(workers_before() ? WORK_DONE : (enum work_end)1);
    return WORK_DONE;
}

TEST(watch__an_exit_status_of_nobodys_is_a_loss)
{
    assert_int_equal(run(runs_out_of_memory_once), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    end();
}

static enum work_end always_lost(void *ctx)
{
    (void)ctx;
    leave((enum work_end)1);
    return WORK_DONE;
}

TEST(watch__losses_in_a_row_end_when_there_is_nothing_left_to_profile)
{
    begin(always_lost, -1);
    watch.over = over;
    assert_int_equal(watch_run(&watch), WORK_FAILED);
    assert_in_range(watch.page->history.restarts, 3, ROW_MAX);
    end();
}

TEST(watch__losses_in_a_row_end_when_it_was_told_to_end)
{
    begin(always_lost, -1);
    watch.page->orders = ORDER_FINISH;
    assert_int_equal(watch_run(&watch), WORK_FAILED);
    assert_in_range(watch.page->history.restarts, 3, ROW_MAX);
    end();
}

static int lines_in(const char *text)
{
    int n = 0;

    for (; (text = strchr(text, '\n')); text++)
        n++;
    return n;
}

static enum work_end is_lost_after_a_while(void *ctx)
{
    (void)ctx;
    poll(NULL, 0, 110); /* the subject: long enough to be worth another at once */
    if (watch.page->history.restarts < 33)
        leave((enum work_end)1);
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__what_goes_on_for_ever_does_not_fill_the_log)
{
    char text[8192] = "";
    int ends[2], before = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    begin(is_lost_after_a_while, -1);
    dup2(ends[1], STDERR_FILENO);
    assert_int_equal(watch_run(&watch), WORK_DONE);
    dup2(before, STDERR_FILENO);
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_int_equal(watch.page->history.restarts, 33);
    assert_in_range(lines_in(text), 1, 16 + 1); /* and the 32nd */
    close(ends[0]);
    close(ends[1]);
    close(before);
    end();
}

TEST(watch__pauses_grow_while_workers_are_lost_in_a_row)
{
    uint64_t began_ns;

    begin(always_lost, -1);
    began_ns = clock_mono_ns();
    watch.over = over;
    watch_run(&watch);
    /* 10, 20 and 40 ms at the least. */
    assert_true(clock_mono_ns() - began_ns >= 70 * NSEC_PER_MSEC);
    assert_true(watch.pause_ns >= 40 * NSEC_PER_MSEC);
    end();
}

static enum work_end crashes_while_sending(void *ctx)
{
    (void)ctx;
    watch.page->written = true;
    leave((enum work_end)1);
    return WORK_DONE;
}

TEST(watch__what_is_left_when_all_is_written_is_worth_no_other_worker)
{
    assert_int_equal(run(crashes_while_sending), WORK_FAILED);
    assert_int_equal(watch.page->history.restarts, 1);
    end();
}

/* ---- silence ---- */

static enum work_end hangs_once(void *ctx)
{
    (void)ctx;
    if (workers_before())
        leave(WORK_DONE);
    watch_alive(&watch, false);
    for (;;)
        pause();
    return WORK_DONE;
}

TEST(watch__a_worker_that_hangs_is_replaced_and_at_fault)
{
    assert_int_equal(run_impatiently(hangs_once), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    assert_true(watch.page->hand.faulted);
    end();
}

static enum work_end always_hangs(void *ctx)
{
    (void)ctx;
    for (;;)
        pause();
    return WORK_DONE;
}

/* However long it took until that was noticed. */
TEST(watch__a_worker_that_did_nothing_but_hang_is_lost_in_a_row)
{
    begin(always_hangs, -1);
    /* No worker says anything here, so none can be too slow for it. */
    watch.silence_ns = watch.doubt_ns = watch.patience_ns = SHORT_NS / 5;
    watch.page->orders = ORDER_FINISH;
    assert_int_equal(watch_run(&watch), WORK_FAILED);
    assert_in_range(watch.page->history.restarts, 3, ROW_MAX);
    end();
}

static enum work_end hangs_from_the_start(void *ctx)
{
    (void)ctx;
    if (workers_before())
        leave(WORK_DONE);
    for (;;)
        pause();
    return WORK_DONE;
}

TEST(watch__one_that_never_said_anything_is_replaced_too)
{
    assert_int_equal(run_impatiently(hangs_from_the_start), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    end();
}

static enum work_end waits_in_silence(void *ctx)
{
    (void)ctx;
    watch_alive(&watch, false);
    poll(NULL, 0, (int)(4 * SHORT_NS / NSEC_PER_MSEC)); /* the subject: a disk that takes its time */
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__a_worker_that_waits_is_waited_for)
{
    begin(waits_in_silence, -1);
    watch.silence_ns = watch.doubt_ns = SHORT_NS;
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(workers_before(), 0);
    end();
}

static enum work_end runs_in_circles_once(void *ctx)
{
    static volatile uint64_t rounds;

    (void)ctx;
    if (workers_before())
        leave(WORK_DONE);
    for (;;)
        rounds++;
    return WORK_DONE;
}

TEST(watch__a_worker_that_runs_in_circles_is_not_waited_for)
{
    begin(runs_in_circles_once, -1);
    watch.silence_ns = watch.doubt_ns = SHORT_NS;
    watch.patience_ns = UINT64_MAX;
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    end();
}

static enum work_end sleeps_for_long(void *ctx)
{
    (void)ctx;
    watch_alive(&watch, true);
    poll(NULL, 0, (int)(3 * SHORT_NS / NSEC_PER_MSEC)); /* the subject: longer than any silence */
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__sleep_is_no_silence)
{
    assert_int_equal(run_impatiently(sleeps_for_long), WORK_DONE);
    assert_int_equal(workers_before(), 0);
    end();
}

/* The supervisor arms the timer of a worker that sleeps when it sees that it is stopped, until it goes on. */
static bool is_seen_stopped(void)
{
    struct itimerspec left = {0};

    timerfd_gettime(watch.dead_man_fd, &left);
    return left.it_value.tv_sec || left.it_value.tv_nsec;
}

/* When a process group loses its last tie to the session while a member is stopped, the kernel hangs up and
 * continues all of it (kill_orphaned_pgrp): the tests that run beside this one are in ours. */
static void leave_group(void)
{
    setpgid(0, 0);
}

static enum work_end stops_once(void *ctx)
{
    (void)ctx;
    if (workers_before())
        leave(WORK_DONE);
    leave_group();
    watch_alive(&watch, true); /* so only the stop is what tells */
    raise(SIGSTOP);
    return WORK_DONE;
}

TEST(watch__a_stopped_worker_is_replaced_and_not_at_fault)
{
    assert_int_equal(run(stops_once), WORK_DONE);
    assert_int_equal(watch.page->history.restarts, 1);
    assert_false(watch.page->hand.faulted);
    end();
}

/* The supervisor waits whether it goes on, which it does: its sleep is a sleep again. */
static enum work_end stops_for_a_moment(void *ctx)
{
    pid_t self = getpid(), helper;

    (void)ctx;
    if (workers_before())
        leave(WORK_FAILED);
    leave_group();
    watch_alive(&watch, true);
    helper = fork();
    if (helper == 0) {
        kill(self, SIGSTOP);
        for (int ms = 0; ms < 10000 && !is_seen_stopped(); ms++) /* nobody else would end its stop */
            poll(NULL, 0, 1);
        kill(self, SIGCONT);
        _exit(0);
    }
    waitpid(helper, NULL, 0);
    while (is_seen_stopped()) /* the subject: were that not over, it would be replaced */
        poll(NULL, 0, 1);
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__a_worker_that_was_stopped_for_a_moment_in_its_sleep_stays)
{
    begin(stops_for_a_moment, -1);
    watch.silence_ns = watch.doubt_ns = SHORT_NS;
    watch.stopped_ns = 10 * NSEC_PER_SEC; /* more than a machine stands still between stop and continuation */
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(workers_before(), 0);
    end();
}

/* ---- others' children ---- */

static enum work_end waits_for_order(void *ctx);

TEST(watch__children_that_are_not_the_worker_are_reaped)
{
    siginfo_t info;
    pid_t other;

    begin(waits_for_order, -1);
    other = fork();
    if (other == 0)
        _exit(0);
    assert_true(other > 0);
    assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
    watch.until_ns = clock_mono_ns() + 200 * NSEC_PER_MSEC;
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(waitpid(other, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    end();
}

/* ---- orders ---- */

static enum work_end waits_for_order(void *ctx)
{
    struct pollfd ready = {.fd = watch.order_fd, .events = POLLIN};

    (void)ctx;
    watch_alive(&watch, true);
    while (!watch_take_orders(&watch))
        poll(&ready, 1, -1);
    leave(WORK_DONE);
    return WORK_DONE;
}

/* As it does when the command has ended. */
static enum work_end sends(void *ctx)
{
    struct pollfd ready = {.fd = watch.order_fd, .events = POLLIN};

    (void)ctx;
    watch.page->written = true;
    watch_alive(&watch, true);
    kill(getppid(), SIGTERM);
    while (!(watch_take_orders(&watch) & ORDER_STOP_SENDING))
        poll(&ready, 1, -1);
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__the_first_signal_while_profiles_are_sent_breaks_it_off)
{
    assert_int_equal(run(sends), WORK_DONE);
    assert_int_equal(watch.page->orders, ORDER_FINISH | ORDER_STOP_SENDING);
    end();
}

/* Returns the orders seen, as an exit status of its own kind: all but DONE would be a loss. */
static enum work_end waits_for_orders(void *ctx)
{
    struct pollfd ready = {.fd = watch.order_fd, .events = POLLIN};
    uint32_t wanted = (uint32_t)(uintptr_t)ctx;

    watch_alive(&watch, true);
    while ((watch_take_orders(&watch) & wanted) != wanted)
        poll(&ready, 1, -1);
    leave(WORK_DONE);
    return WORK_DONE;
}

TEST(watch__signals_to_the_supervisor_are_orders_to_the_worker)
{
    begin(waits_for_orders, -1);
    watch.ctx = (void *)(uintptr_t)ORDER_FINISH;
    raise(SIGTERM);
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(watch.page->orders, ORDER_FINISH);
    end();
    begin(waits_for_orders, -1);
    watch.ctx = (void *)(uintptr_t)(ORDER_FINISH | ORDER_STOP_SENDING);
    raise(SIGTERM);
    raise(SIGINT); /* another one */
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(watch.page->orders, ORDER_FINISH | ORDER_STOP_SENDING);
    end();
}

TEST(watch__words_of_the_parent_are_orders_and_bring_what_was_charged)
{
    uint64_t charged_ns = 1234567;
    struct launch_outgoing finish = {.kind = LAUNCH_FINISH, .data = &charged_ns, .bytes = sizeof(charged_ns)};
    int pair[2];

    assert_int_equal(launch_socketpair(pair, NULL), 0);
    begin(waits_for_orders, pair[1]);
    watch.ctx = (void *)(uintptr_t)(ORDER_FINISH | ORDER_STOP_SENDING);
    assert_int_equal(launch_send(pair[0], &finish, NULL), 0);
    assert_int_equal(launch_say(pair[0], LAUNCH_STOP), 0);
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(watch.page->charged_ns, charged_ns);
    end();
    close(pair[0]);
    close(pair[1]);
}

TEST(watch__a_command_that_cannot_be_run_ends_the_worker_without_a_word)
{
    int pair[2];

    assert_int_equal(launch_socketpair(pair, NULL), 0);
    begin(waits_for_orders, pair[1]);
    watch.ctx = (void *)(uintptr_t)ORDER_FINISH;
    assert_int_equal(launch_say(pair[0], LAUNCH_EXEC_FAILED), 0);
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(watch.page->orders, 0);
    end();
    close(pair[0]);
    close(pair[1]);
}

static enum work_end says_ready(void *ctx)
{
    (void)ctx;
    watch_say_ready(&watch);
    leave(watch.page->history.refreshes ? WORK_DONE : WORK_AGAIN);
    return WORK_DONE;
}

TEST(watch__ready_is_said_once_by_all_workers_together)
{
    struct launch_message m;
    int pair[2];

    assert_int_equal(launch_socketpair(pair, NULL), 0);
    begin(says_ready, pair[1]);
    assert_int_equal(watch_run(&watch), WORK_DONE);
    assert_int_equal(launch_receive(pair[0], &m, 0, NULL), 1);
    assert_int_equal(m.kind, LAUNCH_READY);
    assert_true(launch_receive(pair[0], &m, 0, NULL) < 0); /* nothing more: it would have had to wait */
    end();
    close(pair[0]);
    close(pair[1]);
}
