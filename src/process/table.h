/*
 * table.h - the process table: how processes and tasks come into it and leave it
 */
#ifndef RINGSIDE_PROCESS_TABLE_H
#define RINGSIDE_PROCESS_TABLE_H

#include "ringside/base.h"
#include "ringside/process.h"

struct processes {
    struct process_limits limits;
    struct images *images;
    struct stats *stats;
    struct map64 by_pid;      /* pid -> newest process of that pid */
    struct map64 by_task;     /* (pid, tid) -> newest task of that name */
    struct process **process; /* all, in no order */
    uint32_t count, cap, tasks;
    uint32_t epoch;
    uint64_t now_ns; /* time of the last record */
    struct task *ended_first, *ended_last;
    struct address_space *empty; /* shared by all processes that show nothing (yet) */
    struct process *overflow;
    bool overflow_used;
};

bool table_has_room(const struct processes *t, uint32_t processes, uint32_t tasks);
/* Room for a task whose start was missed, and for its process (processes: 1) or not (0). */
bool table_takes_unknown(const struct processes *t, uint32_t processes);

/* A living process without tasks that shows nothing. There must be room. */
struct process *table_add_process(struct processes *t, uint32_t pid);
/* A living task, found from now on under its ids. There must be room. */
struct task *table_add_task(struct processes *t, struct process *p, uint32_t tid);
/* Its thread took over another id. */
void table_rename_task(struct processes *t, struct task *task, uint32_t tid);

/* The task waits to be handed out; its process ends with its last living task. */
void table_end_task(struct processes *t, struct task *task, uint64_t time_ns);
void table_end_process(struct processes *t, struct process *p, uint64_t time_ns);

/* Takes over the caller's use of `space`; the process's former one is dropped. */
void table_set_space(struct process *p, struct address_space *space);
/* Adds a mapping and gives the space a new epoch. False when nothing changed. */
bool table_map(struct processes *t, struct process *p, const struct mapping *m);

void table_set_name(char *to, const char *name);
/* Stands for whom there is no room; has one task. */
struct process *table_overflow(struct processes *t);

/* A process (with its first thread) or a thread whose start was missed, with what /proc still says. Overflow
 * at a cap. */
/*
 * Of a CPU's records some are nobody's whose id can be told (perf_event_pid_type): 0 stands for the idle task
 * and for those outside of our pid namespace, -1 for one that is past its end.
 */
static inline bool table_is_nobody(uint32_t pid)
{
    return pid == 0 || pid > INT32_MAX;
}
void table_look_again(struct processes *t, struct process *p);
struct process *table_make_up_process(struct processes *t, uint32_t pid);
struct task *table_make_up_task(struct processes *t, struct process *p, uint32_t tid);

#endif
