/*
 * table.c - processes and tasks: found by id, kept until forgotten
 *
 * The kernel reuses ids, and exact times of a task arrive just after its exit. So an ended task stays
 * findable under its ids until it is forgotten or a new task takes them; then it lives on only in its process
 * and in the queue.
 */
#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/stats.h"
#include "space.h"

static uint64_t task_key(uint32_t pid, uint32_t tid)
{
    return (uint64_t)pid << 32 | tid;
}

void table_set_name(char *to, const char *name)
{
    size_t n = strnlen(name, TASK_NAME_BYTES - 1);

    memmove(to, name, n);
    to[n] = '\0';
}

static void *map_find(const struct map64 *m, uint64_t key)
{
    uint64_t *value = map64_find(m, key);

    return value ? (void *)(uintptr_t)*value : NULL;
}

static void map_remove_if(struct map64 *m, uint64_t key, const void *value)
{
    if (map_find(m, key) == value)
        map64_remove(m, key);
}

/* ---- life of the table ---- */

static struct process *new_overflow(struct processes *t)
{
    struct process *p = base_calloc(1, sizeof(*p));
    struct task *task = base_calloc(1, sizeof(*task));

    p->overflow = true;
    p->space = space_share(t->empty);
    p->tasks = task;
    p->task_count = p->living = 1;
    task->process = p;
    table_set_name(p->name, "[too many processes]");
    table_set_name(task->name, p->name);
    return p;
}

struct processes *processes_new(const struct process_limits *limits, struct images *images,
                                struct stats *stats)
{
    struct processes *t = base_calloc(1, sizeof(*t));

    t->limits = *limits;
    t->images = images;
    t->stats = stats;
    map64_init(&t->by_pid);
    map64_init(&t->by_task);
    t->empty = space_new();
    t->empty->epoch = ++t->epoch;
    t->overflow = new_overflow(t);
    return t;
}

static void free_process(struct process *p)
{
    for (struct task *task = p->tasks, *next; task; task = next) {
        next = task->next;
        free(task->splice);
        free(task);
    }
    space_drop(p->space);
    free(p->container);
    free(p);
}

void processes_free(struct processes *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->count; i++)
        free_process(t->process[i]);
    free_process(t->overflow);
    space_drop(t->empty);
    free(t->process);
    map64_release(&t->by_pid);
    map64_release(&t->by_task);
    free(t);
}

/* ---- coming in ---- */

bool table_has_room(const struct processes *t, uint32_t processes, uint32_t tasks)
{
    return t->count + (uint64_t)processes <= t->limits.processes &&
           t->tasks + (uint64_t)tasks <= t->limits.tasks;
}

/*
 * Who is not known may be somebody whose samples so far count for the overflow process. With a place of their
 * own, their exact time would show all of that once more, so from then on only those get one whose start is
 * seen. Without exact times there is nothing to fear.
 */
bool table_takes_unknown(const struct processes *t, uint32_t processes)
{
    return (!t->overflow_used || t->limits.lazy) && table_has_room(t, processes, 1);
}

struct process *table_add_process(struct processes *t, uint32_t pid)
{
    struct process *p = base_calloc(1, sizeof(*p));

    assert(table_has_room(t, 1, 0));
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->process = base_realloc(t->process, t->cap * sizeof(struct process *));
    }
    p->pid = pid;
    p->space = space_share(t->empty);
    p->slot = t->count;
    p->used_ns = t->now_ns;
    t->process[t->count++] = p;
    map64_put(&t->by_pid, pid, (uintptr_t)p);
    stats_add(t->stats, STATS_PROCESSES_SEEN, 1);
    return p;
}

struct task *table_add_task(struct processes *t, struct process *p, uint32_t tid)
{
    struct task *task = base_calloc(1, sizeof(*task));

    assert(table_has_room(t, 0, 1));
    task->tid = tid;
    task->process = p;
    task->next = p->tasks;
    if (p->tasks)
        p->tasks->previous = task;
    p->tasks = task;
    p->task_count++;
    p->living++;
    p->exited = false; /* it ended too early for us when a task of it still shows up */
    t->tasks++;
    map64_put(&t->by_task, task_key(p->pid, tid), (uintptr_t)task);
    return task;
}

void table_rename_task(struct processes *t, struct task *task, uint32_t tid)
{
    uint32_t pid = task->process->pid;

    map_remove_if(&t->by_task, task_key(pid, task->tid), task);
    task->tid = tid;
    map64_put(&t->by_task, task_key(pid, tid), (uintptr_t)task);
}

struct process *table_overflow(struct processes *t)
{
    t->overflow_used = true;
    return t->overflow;
}

/* ---- address spaces ---- */

void table_set_space(struct process *p, struct address_space *space)
{
    struct address_space *former = p->space;

    p->space = space;
    space_drop(former);
}

bool table_map(struct processes *t, struct process *p, const struct mapping *m)
{
    if (space_has(p->space, m))
        return false;
    p->space = space_own(p->space);
    if (!space_insert(p->space, m, t->limits.mappings)) {
        stats_add(t->stats, STATS_MAPPINGS_DROPPED, 1);
        return false;
    }
    if (++t->epoch == 0)
        t->epoch = 1;
    p->space->epoch = t->epoch;
    return true;
}

/* ---- ending ---- */

/* Records come in time order, so the place is nearly always the end. */
static void enqueue(struct processes *t, struct task *task)
{
    struct task *after = t->ended_last;

    while (after && after->exit_time_ns > task->exit_time_ns)
        after = after->ended_by;
    task->ended_by = after;
    task->ended = after ? after->ended : t->ended_first;
    *(after ? &after->ended : &t->ended_first) = task;
    *(task->ended ? &task->ended->ended_by : &t->ended_last) = task;
    task->queued = true;
}

static void dequeue(struct processes *t, struct task *task)
{
    *(task->ended_by ? &task->ended_by->ended : &t->ended_first) = task->ended;
    *(task->ended ? &task->ended->ended_by : &t->ended_last) = task->ended_by;
    task->ended = task->ended_by = NULL;
    task->queued = false;
}

void table_end_task(struct processes *t, struct task *task, uint64_t time_ns)
{
    struct process *p = task->process;

    assert(!task->exited && !p->overflow);
    task->exited = true;
    task->exit_time_ns = time_ns;
    enqueue(t, task);
    if (--p->living > 0)
        return;
    p->exited = true;
    p->exit_time_ns = time_ns;
    table_set_space(p, space_share(t->empty)); /* its images need not be kept for it any longer */
}

void table_end_process(struct processes *t, struct process *p, uint64_t time_ns)
{
    for (struct task *task = p->tasks; task; task = task->next)
        if (!task->exited)
            table_end_task(t, task, time_ns);
}

struct task *processes_next_ended(struct processes *t, uint64_t before_ns)
{
    struct task *task = t->ended_first;

    if (!task || task->exit_time_ns >= before_ns)
        return NULL;
    dequeue(t, task);
    return task;
}

static void forget_process(struct processes *t, struct process *p)
{
    struct process *moved = t->process[--t->count];

    t->process[p->slot] = moved;
    moved->slot = p->slot;
    map_remove_if(&t->by_pid, p->pid, p);
    free_process(p);
}

void processes_forget(struct processes *t, struct task *task)
{
    struct process *p = task->process;

    if (p->overflow || !task->exited)
        return;
    if (task->queued)
        dequeue(t, task);
    map_remove_if(&t->by_task, task_key(p->pid, task->tid), task);
    *(task->previous ? &task->previous->next : &p->tasks) = task->next;
    if (task->next)
        task->next->previous = task->previous;
    free(task->splice);
    free(task);
    t->tasks--;
    if (--p->task_count == 0)
        forget_process(t, p);
}

/* ---- finding ---- */

struct process *process_find(const struct processes *t, uint32_t pid)
{
    return map_find(&t->by_pid, pid);
}

struct task *process_find_task(const struct processes *t, uint32_t pid, uint32_t tid)
{
    return map_find(&t->by_task, task_key(pid, tid));
}

struct process *process_get(struct processes *t, uint32_t pid)
{
    struct process *p = process_find(t, pid);

    return p ? p : table_make_up_process(t, pid);
}

struct task *process_get_task(struct processes *t, uint32_t pid, uint32_t tid)
{
    struct task *task = process_find_task(t, pid, tid);
    struct process *p;

    if (task) {
        if (t->limits.lazy)
            table_look_again(t, task->process);
        return task;
    }
    p = process_get(t, pid);
    if (p->overflow)
        return p->tasks;
    task = process_find_task(t, pid, tid); /* made with its process when it is the first thread */
    return task ? task : table_make_up_task(t, p, tid);
}

struct process *processes_next(const struct processes *t, uint32_t *at)
{
    if (*at < t->count)
        return t->process[(*at)++];
    if ((*at)++ == t->count && t->overflow_used)
        return t->overflow;
    return NULL;
}

uint32_t processes_count(const struct processes *t)
{
    return t->count;
}
