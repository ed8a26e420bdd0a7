/*
 * account.c - CPU time that was not sampled: found out and shown, never dropped
 *
 * A sampled event is inherited with a full period still to go, so a task that ends within its first period is
 * never sampled; and where kernel mode may not be sampled, ticks that fall into it vanish. The kernel counts
 * both exactly: an ended task's time comes with FEED_TASK_COUNT (one record per task and CPU), a living
 * process has its clock, and the whole tree the event's own count.
 *
 * accounted_ns of a process holds what period ends have shown of it while it lived beyond its samples; its
 * tasks pay it back when they end and their exact time is known. sampled_ns counts samples of living tasks
 * only.
 *
 * All of this goes on when a worker dies (accounts.h), and so do the records, which wait in the rings. What
 * has no room there meanwhile the kernel counts: for each ring when there is room again, and for each task at
 * its end. The former says how much of the latter is the restart's fault.
 */
#include <stdlib.h>

#include "worker_private.h"

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static bool kernel_sampled(const struct worker *w)
{
    return w->feed->info.event[w->feed->info.cpu_event].kernel;
}

/* Shown under the process's name; without pid, so that thousands of short-lived processes are one line. */
static void show(struct worker *w, const char *process_name, enum pseudo what, uint64_t ns)
{
    uint32_t name = period_text(w, process_name);
    struct owner o = {.process_name = name, .event = w->feed->info.cpu_event};
    uint64_t words[2] = {word_pseudo(what), word_text(name)};

    if (!ns)
        return;
    w->live->shown_ns += ns;
    w->live->unsampled_ns += ns;
    stacks_add(w->stacks, words, name ? 2 : 1, owner_of(w, &o), 0, ns);
}

void account_lost(struct worker *w, uint64_t ns)
{
    show(w, w->kept.root_name, PSEUDO_RESTARTED, ns);
}

void account_show_lost(struct worker *w, uint64_t ns)
{
    uint64_t gap = gaps_take(w, ns);

    show(w, "", PSEUDO_RESTARTED, gap);
    show(w, "", PSEUDO_LOST, ns - gap);
}

/* What nothing else explains. */
static enum pseudo unexplained(const struct worker *w)
{
    return w->kept.lost_some ? PSEUDO_RESTARTED : PSEUDO_NOT_SAMPLED;
}

/* ---- what may not be watched ---- */

/* An exec that is still going on maps something sooner. */
#define BARE_NS (20 * NSEC_PER_MSEC)

/*
 * Exec of a program that has other rights than its caller (set-user-id, set-group-id, capabilities), or that
 * the caller may not read, takes all events off the process, after it got its new name and before anything is
 * mapped (fs/exec.c, begin_new_exec; up to Linux 5.7 install_exec_creds). Kernels before 6.16 say then that
 * it ended.
 */
static void note_unwatched(struct worker *w, struct process *p)
{
    if (p->unwatched || !p->bare_since_ns || !w->config->root_pid) /* a recording may be of anything */
        return;
    p->unwatched = true;
    if (stats_get(w->stats, STATS_PROCESSES_UNWATCHED) == 0)
        log_warn(worker,
                 "%s (process %u) has other rights than its caller, or may not be read: the kernel does not "
                 "let it be profiled",
                 p->name, p->pid);
    stats_add(w->stats, STATS_PROCESSES_UNWATCHED, 1);
}

/* ---- tasks that ended ---- */

/* Splits unsampled time. Less than a period is what sampling leaves over; more than that is kernel mode where
 * it is excluded. */
static void show_rest(struct worker *w, const char *name, uint64_t lost_samples, uint64_t rest)
{
    uint64_t period = feed_period_ns(&w->feed->info);
    uint64_t gap = rest < period ? 0 : gaps_take(w, rest);
    uint64_t lost = MIN_OF(minus(lost_samples * period, gap), rest - gap);

    show(w, name, PSEUDO_RESTARTED, gap);
    show(w, name, PSEUDO_LOST, lost);
    rest -= gap + lost;
    if (rest < period)
        show(w, name, PSEUDO_ENDED_WITHIN_PERIOD, rest);
    else if (!kernel_sampled(w))
        show(w, name, PSEUDO_KERNEL_NOT_PERMITTED, rest);
    else
        show(w, name, unexplained(w), rest);
}

static struct task_account *find_account(struct worker *w, uint32_t pid, uint32_t tid)
{
    struct task *task = process_find_task(w->processes, pid, tid);

    return task ? account_of_task(w, task) : accounts_find_left(w, pid, tid);
}

void account_task_count(struct worker *w, const struct feed_record *r)
{
    bool cpu_time = r->u.task_count.event == w->feed->info.cpu_event;
    struct task_account *a = find_account(w, r->pid, r->tid);

    stats_add(w->stats, STATS_SAMPLES_LOST, r->u.task_count.lost_samples);
    if (cpu_time && !w->kept.task_times_seen) {
        w->kept.task_times_seen = true;
        kept_publish(w);
    }
    if (!a)
        return; /* the run's total still has it */
    w->live->taken = (struct taken){r->time_ns, r->tid, FEED_TASK_COUNT, (uint16_t)r->u.task_count.event};
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    counts_take_task(w, a, r);
    if (!cpu_time)
        return;
    a->exact_seen = true;
    a->exact_ns += r->u.task_count.value;
    a->lost_samples += r->u.task_count.lost_samples;
}

static bool tells_task_times(const struct worker *w)
{
    const struct feed_info *info = &w->feed->info;

    return info->cpu_event >= info->events || info->event[info->cpu_event].task_counts;
}

/* Once only, whoever dies and whoever goes on: so the account is empty first. */
void account_ended(struct worker *w, struct task_account *a, struct process_account *p)
{
    struct task_account was = *a;
    uint64_t sampled = was.samples * feed_period_ns(&w->feed->info);
    uint64_t rest, paid;

    a->exact_seen = false;
    a->samples = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (!tells_task_times(w))
        return; /* the process's clock still has its time, and so has sampled_ns */
    p->sampled_ns = minus(p->sampled_ns, sampled);
    if (!was.exact_seen || was.unknown)
        return; /* the first task of the run, or a kernel that does not report them */
    rest = minus(was.exact_ns, sampled);
    paid = MIN_OF(rest, p->accounted_ns);
    p->accounted_ns -= paid;
    p->ended_tasks_ns += was.exact_ns;
    show_rest(w, p->name, was.lost_samples, rest - paid);
}

static void account_ended_task(struct worker *w, struct task *task)
{
    struct task_account *a = account_of_task(w, task);
    struct process_account *p = account_of_process(w, task->process);

    if (task->tid != w->kept.root_pid && !w->kept.inheritors_ended) {
        w->kept.inheritors_ended = true;
        kept_publish(w);
    }
    note_unwatched(w, task->process);
    account_ended(w, a, p);
    counts_end_task(w, a, task->process->name);
}

void account_ended_tasks(struct worker *w, uint64_t before_ns)
{
    struct task *task;

    accounts_end_left(w, before_ns);
    while ((task = processes_next_ended(w->processes, before_ns))) {
        account_ended_task(w, task);
        accounts_remove_task(w, task);
        processes_forget(w->processes, task);
    }
}

/* ---- the end of a period ---- */

/* Time of living tasks that neither samples nor earlier periods have shown. */
static void account_living(struct worker *w, struct process *p)
{
    struct process_account *a = account_of_process(w, p);
    uint64_t used = minus(clock_process_cpu_ns((int)p->pid), a->clock_base_ns + a->ended_tasks_ns);
    uint64_t rest = minus(used, a->sampled_ns + a->accounted_ns);
    uint64_t left_over = feed_period_ns(&w->feed->info) * p->task_count;
    uint64_t gap;

    /* What each thread has used since its last sample will be sampled, or shown at its end. */
    if (rest <= left_over)
        return;
    a->accounted_ns += rest;
    gap = gaps_take(w, rest);
    show(w, p->name, PSEUDO_RESTARTED, gap);
    show(w, p->name, kernel_sampled(w) ? unexplained(w) : PSEUDO_KERNEL_NOT_PERMITTED, rest - gap);
}

/* What the whole tree used beyond everything shown: the first task's share, which no record reports, or all
 * of it on kernels without records. */
static void account_remainder(struct worker *w)
{
    const struct feed_info *info = &w->feed->info;
    struct feed_totals totals;
    uint64_t rest;

    w->feed->ops->totals(w->feed, w->feed->info.cpu_event, &totals);
    if (!totals.known)
        return;
    rest = minus(totals.value, w->live->shown_ns);
    if (w->kept.inheritors_ended && !w->kept.task_times_seen && info->event[info->cpu_event].task_counts)
        show(w, w->kept.root_name, unexplained(w), rest);
    else
        show_rest(w, w->kept.root_name, totals.lost_samples, rest);
    stats_add(w->stats, STATS_SAMPLES_LOST, totals.lost_samples);
}

/* What it uses is not what the events count. */
static bool may_be_watched(struct worker *w, struct process *p, bool last)
{
    if (p->bare_since_ns && (last || clock_mono_ns() > p->bare_since_ns + BARE_NS))
        note_unwatched(w, p);
    return !p->unwatched;
}

/*
 * Events see a task from its first switch-in to the middle of its exit, and at each switch they are stopped
 * before the task and started after it. What is charged to it around that (50 to 90 us a process, half a
 * microsecond a switch here) shows only in the rusage of whoever waited. So does what they were taken off.
 */
static void account_outside_events(struct worker *w)
{
    uint64_t charged = w->config->charged_ns ? *w->config->charged_ns : 0;
    bool unwatched = stats_get(w->stats, STATS_PROCESSES_UNWATCHED) > 0;

    show(w, w->kept.root_name, unwatched ? PSEUDO_UNWATCHED : PSEUDO_OUTSIDE_EVENTS,
         minus(charged, w->live->shown_ns + w->config->root_clock_ns));
}

void account_period_end(struct worker *w, bool last)
{
    uint32_t at = 0;

    counts_end_period(w, last);
    if (w->feed->info.cpu_event == FEED_NO_EVENT)
        return;
    if (w->config->whole_host) {
        running_account(w);
        account_lost(w, gaps_take(w, UINT64_MAX));
        return;
    }
    accounts_meet_left(w);
    if (w->config->root_pid)
        for (struct process *p; (p = processes_next(w->processes, &at));)
            if (!p->exited && !p->overflow && may_be_watched(w, p, last))
                account_living(w, p);
    if (!last)
        return;
    account_remainder(w);
    account_outside_events(w);
}
