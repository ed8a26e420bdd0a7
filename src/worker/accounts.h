/*
 * accounts.h - what is accounted for of each process and task, in the ledger: who comes back after a worker's
 * death under the same ids goes on with the same numbers
 */
#ifndef RINGSIDE_WORKER_ACCOUNTS_H
#define RINGSIDE_WORKER_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/base.h"
#include "ringside/process.h"

struct worker;

/* Slots of one size, each of which begins with a key; 0: free. */
struct slots {
    char *at;
    uint32_t each, cap;
    uint32_t *high; /* in the ledger: slots above were never used */
    uint32_t *free_slot;
    uint32_t frees, frees_cap;
    struct map64 left; /* key -> slot: a former worker's, of whom nothing was heard since */
};

/* In nanoseconds of CPU. */
struct process_account {
    uint64_t key;
    uint64_t sampled_ns;     /* samples times period, of living tasks */
    uint64_t accounted_ns;   /* what period ends have shown of it beyond its samples */
    uint64_t ended_tasks_ns; /* exact time of its ended tasks */
    uint64_t clock_base_ns;  /* process clock from which on it is accounted for */
    char name[TASK_NAME_BYTES];
};

struct task_account {
    uint64_t key;
    uint64_t samples;  /* over its whole life */
    uint64_t exact_ns; /* sum of its FEED_TASK_COUNT records of CPU time; with exact_seen */
    uint64_t lost_samples;
    uint32_t counts_exact; /* by event: its counts came, too */
    uint8_t exact_seen, ended;
    uint8_t unknown; /* what a former worker saw of it is not known */
    char name[TASK_NAME_BYTES];
};

struct accounts {
    struct slots processes, tasks;
    uint64_t *task_events; /* of each task slot, by event: counted minus sampled; wraps while the former is
                              not known */
    uint64_t opened_ns;
    bool tidied; /* those that ended are gone */
};

void accounts_open(struct worker *w);
void accounts_release(struct worker *w);

struct process_account *accounts_add_process(struct worker *w, struct process *p);
struct task_account *accounts_add_task(struct worker *w, struct task *task);

/* Never NULL. */
static inline struct process_account *account_of_process(struct worker *w, struct process *p)
{
    return p->account ? p->account : accounts_add_process(w, p);
}
static inline struct task_account *account_of_task(struct worker *w, struct task *task)
{
    return task->account ? task->account : accounts_add_task(w, task);
}
uint64_t *account_events(const struct worker *w, struct task_account *a);

/* Before the task, and its process with the last one, are forgotten. */
void accounts_remove_task(struct worker *w, struct task *task);
/* What a former worker knew of a task of these ids is not about the one that starts now. */
void accounts_begin_task(struct worker *w, uint32_t pid, uint32_t tid);
/* One that starts, or has new ids or a new name: who goes on here may not find that in /proc any more. */
void accounts_note_task(struct worker *w, struct task *task);
/* A task that nobody has heard of since the former worker; NULL: not known to it either. */
struct task_account *accounts_find_left(const struct worker *w, uint32_t pid, uint32_t tid);
/* Tasks of a former worker whose end it saw, when that was before `before_ns`: their exact times are here. */
void accounts_end_left(struct worker *w, uint64_t before_ns);
/* At a period's end: processes of a former worker that still run, to be accounted for as all others. */
void accounts_meet_left(struct worker *w);

#endif
