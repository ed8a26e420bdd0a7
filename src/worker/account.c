/*
 * account.c - CPU time that was not sampled: found out and shown, never dropped
 *
 * A sampled event is inherited with a full period still to go, so a task that ends within its first period is
 * never sampled; and where kernel mode may not be sampled, ticks that fall into it vanish. The kernel counts
 * both exactly: an ended task's time comes with FEED_TASK_COUNT (one record per task and CPU), a living
 * process has its clock, and the whole tree the event's own count.
 *
 * process.accounted_ns holds what period ends have shown of a living process beyond its samples; its tasks
 * pay it back when they end and their exact time is known. process.sampled_ns counts samples of living tasks
 * only.
 */
#include <string.h>

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
    uint32_t name = strtab_add(&w->strings, process_name);
    struct owner o = {.process_name = name, .event = w->feed->info.cpu_event};
    uint64_t words[2] = {word_pseudo(what), word_text(name)};

    if (!ns)
        return;
    w->shown_ns += ns;
    stacks_add(w->stacks, words, name ? 2 : 1, owner_of(w, &o), 0, ns);
}

/* Splits unsampled time. Less than a period is what sampling leaves over; more than that is kernel mode where
 * it is excluded. */
static void show_rest(struct worker *w, const char *name, uint64_t lost_samples, uint64_t rest)
{
    uint64_t period = feed_period_ns(&w->feed->info);
    uint64_t lost = MIN_OF(lost_samples * period, rest);

    show(w, name, PSEUDO_LOST, lost);
    rest -= lost;
    if (rest < period)
        show(w, name, PSEUDO_ENDED_WITHIN_PERIOD, rest);
    else if (!kernel_sampled(w))
        show(w, name, PSEUDO_KERNEL_NOT_PERMITTED, rest);
    else
        show(w, name, PSEUDO_NOT_SAMPLED, rest);
}

void account_task_count(struct worker *w, const struct feed_record *r)
{
    struct task *task = process_find_task(w->processes, r->pid, r->tid);

    stats_add(w->stats, STATS_SAMPLES_LOST, r->u.task_count.lost_samples);
    w->task_times_seen |= r->u.task_count.event == w->feed->info.cpu_event;
    if (!task)
        return; /* the run's total still has it */
    counts_take_task(w, task, r);
    if (r->u.task_count.event != w->feed->info.cpu_event)
        return;
    task->exact_seen = true;
    task->exact_ns += r->u.task_count.value;
    task->lost_samples += r->u.task_count.lost_samples;
}

static void account_ended_task(struct worker *w, struct task *task)
{
    struct process *p = task->process;
    uint64_t sampled = task->samples * feed_period_ns(&w->feed->info);
    uint64_t rest, paid;

    if (task->tid != w->root_pid)
        w->inheritors_ended = true;
    p->sampled_ns = minus(p->sampled_ns, sampled);
    if (!task->exact_seen)
        return; /* the first task of the run, or a kernel that does not report them */
    rest = minus(task->exact_ns, sampled);
    paid = MIN_OF(rest, p->accounted_ns);
    p->accounted_ns -= paid;
    p->ended_tasks_ns += task->exact_ns;
    show_rest(w, p->name, task->lost_samples, rest - paid);
}

void account_ended_tasks(struct worker *w, uint64_t before_ns)
{
    struct task *task;

    while ((task = processes_next_ended(w->processes, before_ns))) {
        account_ended_task(w, task);
        counts_end_task(w, task);
        processes_forget(w->processes, task);
    }
}

/* Time of living tasks that neither samples nor earlier periods have shown. */
static void account_living(struct worker *w, struct process *p)
{
    uint64_t used = minus(clock_process_cpu_ns((int)p->pid), p->clock_base_ns + p->ended_tasks_ns);
    uint64_t rest = minus(used, p->sampled_ns + p->accounted_ns);
    uint64_t left_over = feed_period_ns(&w->feed->info) * p->task_count;

    /* What each thread has used since its last sample will be sampled, or shown at its end. */
    if (rest <= left_over)
        return;
    p->accounted_ns += rest;
    show(w, p->name, kernel_sampled(w) ? PSEUDO_NOT_SAMPLED : PSEUDO_KERNEL_NOT_PERMITTED, rest);
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
    rest = minus(totals.value, w->shown_ns);
    if (w->inheritors_ended && !w->task_times_seen && info->event[info->cpu_event].task_counts)
        show(w, w->root_name, PSEUDO_NOT_SAMPLED, rest);
    else
        show_rest(w, w->root_name, totals.lost_samples, rest);
    stats_add(w->stats, STATS_SAMPLES_LOST, totals.lost_samples);
}

/*
 * Events see a task from its first switch-in to the middle of its exit, and at each switch they are stopped
 * before the task and started after it. What is charged to it around that (50 to 90 us a process, half a
 * microsecond a switch here) shows only in the rusage of whoever waited.
 */
static void account_outside_events(struct worker *w)
{
    uint64_t charged = w->config->charged_ns ? *w->config->charged_ns : 0;

    show(w, w->root_name, PSEUDO_OUTSIDE_EVENTS, minus(charged, w->shown_ns + w->config->root_clock_ns));
}

void account_period_end(struct worker *w, bool last)
{
    uint32_t at = 0;

    counts_end_period(w, last);
    if (w->feed->info.cpu_event == FEED_NO_EVENT)
        return;
    if (w->config->root_pid)
        for (struct process *p; (p = processes_next(w->processes, &at));)
            if (!p->exited && !p->overflow)
                account_living(w, p);
    if (!last)
        return;
    account_remainder(w);
    account_outside_events(w);
}
