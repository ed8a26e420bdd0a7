/*
 * accounts.c - see accounts.h
 *
 * A key is written last when a slot is taken and first when it is given back.
 */
#include "accounts.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/ledger.h"

#include "worker_private.h"

/* Plus one: the process that stands for all others has no ids. */
static uint64_t process_key(uint32_t pid)
{
    return pid + 1ULL;
}

static uint64_t task_key(uint32_t pid, uint32_t tid)
{
    return ((uint64_t)pid << 32 | tid) + 1;
}

/* ---- slots ---- */

static void *slot_at(const struct slots *s, uint32_t i)
{
    return s->at + (size_t)i * s->each;
}

static uint64_t *key_at(const struct slots *s, uint32_t i)
{
    return slot_at(s, i);
}

static bool is_slot(const struct slots *s, const void *account)
{
    const char *p = account;

    return p >= s->at && p < s->at + (size_t)s->cap * s->each;
}

static void put_free(struct slots *s, uint32_t i)
{
    if (s->frees == s->frees_cap) {
        s->frees_cap = s->frees_cap ? s->frees_cap * 2 : 64;
        s->free_slot = base_realloc(s->free_slot, s->frees_cap * sizeof(*s->free_slot));
    }
    s->free_slot[s->frees++] = i;
}

static void slots_open(struct slots *s, uint32_t *high)
{
    s->high = high;
    *high = MIN_OF(*high, s->cap);
    map64_init(&s->left);
    for (uint32_t i = *high; i-- > 0;) {
        uint64_t key = *key_at(s, i);

        if (key && !map64_find(&s->left, key)) {
            map64_put(&s->left, key, i);
            continue;
        }
        *key_at(s, i) = 0;
        put_free(s, i);
    }
}

static void slots_release(struct slots *s)
{
    map64_release(&s->left);
    free(s->free_slot);
}

static void *take_left(struct slots *s, uint64_t key)
{
    const uint64_t *i = s->left.used ? map64_find(&s->left, key) : NULL;
    void *account = i ? slot_at(s, (uint32_t)*i) : NULL;

    if (account)
        map64_remove(&s->left, key);
    return account;
}

/* NULL when there is none. */
static void *take_slot(struct slots *s, uint64_t key)
{
    uint32_t i;

    if (s->frees)
        i = s->free_slot[--s->frees];
    else if (*s->high < s->cap)
        i = (*s->high)++;
    else
        return NULL;
    memset(slot_at(s, i), 0, s->each);
    __atomic_store_n(key_at(s, i), key, __ATOMIC_RELEASE);
    return slot_at(s, i);
}

static void free_slot(struct slots *s, void *account)
{
    if (!account)
        return;
    if (!is_slot(s, account)) {
        free(account);
        return;
    }
    __atomic_store_n((uint64_t *)account, 0, __ATOMIC_RELEASE);
    put_free(s, (uint32_t)(((char *)account - s->at) / s->each));
}

static uint64_t left_key(const struct slots *s, uint32_t i)
{
    uint64_t key = *key_at(s, i);
    const uint64_t *at = key ? map64_find(&s->left, key) : NULL;

    return at && *at == i ? key : 0;
}

static void forget_left(struct slots *s)
{
    uint64_t key;

    for (uint32_t i = 0; i < *s->high; i++)
        if ((key = left_key(s, i)))
            free_slot(s, take_left(s, key));
}

/* ---- life ---- */

void accounts_open(struct worker *w)
{
    struct accounts *a = &w->accounts;
    size_t bytes;

    a->processes = (struct slots){.each = sizeof(struct process_account)};
    a->processes.at = ledger_at(w->ledger, LEDGER_PROCESSES, &bytes);
    a->processes.cap = (uint32_t)(bytes / a->processes.each);
    a->tasks = (struct slots){.each = sizeof(struct task_account)};
    a->tasks.at = ledger_at(w->ledger, LEDGER_TASKS, &bytes);
    a->tasks.cap = (uint32_t)(bytes / a->tasks.each);
    a->task_events = ledger_at(w->ledger, LEDGER_TASK_EVENTS, &bytes);
    a->tasks.cap = MIN_OF(a->tasks.cap, (uint32_t)(bytes / sizeof(*a->task_events) / FEED_EVENTS_MAX));
    slots_open(&a->processes, &w->live->process_slots);
    slots_open(&a->tasks, &w->live->task_slots);
    if (w->config->whole_host) { /* where nobody tells exact times, nothing is accounted for by process */
        forget_left(&a->processes);
        forget_left(&a->tasks);
    }
    /* Whose samples were counted for the process that stands for many is not known. */
    w->live->unaccounted |= map64_find(&a->processes.left, process_key(0)) != NULL;
    a->tidied = a->processes.left.used == 0 && a->tasks.left.used == 0;
    a->opened_ns = clock_mono_ns();
}

void accounts_release(struct worker *w)
{
    uint32_t at = 0;

    for (struct process *p; (p = processes_next(w->processes, &at));) {
        for (struct task *t = p->tasks; t; t = t->next)
            if (t->account && !is_slot(&w->accounts.tasks, t->account))
                free(t->account);
        if (p->account && !is_slot(&w->accounts.processes, p->account))
            free(p->account);
    }
    slots_release(&w->accounts.processes);
    slots_release(&w->accounts.tasks);
}

/* ---- processes and tasks ---- */

/* The account's, for one made up whose name nobody tells; else its own. */
static void take_over_name(char *own, char *kept)
{
    kept[TASK_NAME_BYTES - 1] = '\0';
    if (kept[0] && strcmp(own, "[unknown]") == 0)
        memcpy(own, kept, TASK_NAME_BYTES);
    memcpy(kept, own, TASK_NAME_BYTES);
}

struct process_account *accounts_add_process(struct worker *w, struct process *p)
{
    struct slots *s = &w->accounts.processes;
    struct process_account *a = take_left(s, process_key(p->pid));

    if (!a) {
        a = take_slot(s, process_key(p->pid));
        w->live->unaccounted |= !a;
        a = a ? a : base_calloc(1, sizeof(*a));
        if (running_find(w, p->pid))
            a->clock_base_ns = running_find(w, p->pid)->clock_ns;
        else if (p->pid == w->kept.root_pid)
            a->clock_base_ns = w->config->root_clock_ns;
        else if (w->recovered && w->live->unaccounted && p->made_up)
            a->clock_base_ns = clock_process_cpu_ns((int)p->pid);
    }
    take_over_name(p->name, a->name);
    p->account = a;
    return a;
}

/* Any but the one of CPU time. */
static bool counts_events(const struct worker *w)
{
    return w->feed->info.events > (w->feed->info.cpu_event < w->feed->info.events ? 1U : 0U);
}

struct task_account *accounts_add_task(struct worker *w, struct task *task)
{
    struct slots *s = &w->accounts.tasks;
    uint64_t key = task_key(task->process->pid, task->tid);
    struct task_account *a = take_left(s, key);

    account_of_process(w, task->process); /* who comes back gets its name with it */
    if (!a) {
        a = take_slot(s, key);
        if (a && counts_events(w)) /* else that memory is never touched */
            memset(account_events(w, a), 0, FEED_EVENTS_MAX * sizeof(uint64_t));
        if (!a)
            a = base_calloc(1, sizeof(*a) + FEED_EVENTS_MAX * sizeof(uint64_t));
        a->unknown = w->recovered && w->live->unaccounted && task->made_up;
        w->live->unaccounted |= !is_slot(s, a);
    }
    take_over_name(task->name, a->name);
    task->account = a;
    return a;
}

uint64_t *account_events(const struct worker *w, struct task_account *a)
{
    const struct slots *s = &w->accounts.tasks;

    if (!is_slot(s, a))
        return (uint64_t *)(a + 1);
    return w->accounts.task_events + (size_t)((char *)a - s->at) / s->each * FEED_EVENTS_MAX;
}

void accounts_remove_task(struct worker *w, struct task *task)
{
    struct process *p = task->process;

    free_slot(&w->accounts.tasks, task->account);
    task->account = NULL;
    if (p->overflow || p->task_count > 1)
        return;
    free_slot(&w->accounts.processes, p->account);
    p->account = NULL;
}

void accounts_begin_task(struct worker *w, uint32_t pid, uint32_t tid)
{
    free_slot(&w->accounts.tasks, take_left(&w->accounts.tasks, task_key(pid, tid)));
    if (pid == tid)
        free_slot(&w->accounts.processes, take_left(&w->accounts.processes, process_key(pid)));
}

void accounts_note_task(struct worker *w, struct task *task)
{
    struct process_account *p = account_of_process(w, task->process);
    struct task_account *a = account_of_task(w, task);

    if (task->process->overflow)
        return;
    a->key = task_key(task->process->pid, task->tid);
    memcpy(a->name, task->name, sizeof(a->name));
    memcpy(p->name, task->process->name, sizeof(p->name));
}

/* ---- what a former worker left ---- */

struct task_account *accounts_find_left(const struct worker *w, uint32_t pid, uint32_t tid)
{
    const struct slots *s = &w->accounts.tasks;
    const uint64_t *i = s->left.used ? map64_find(&s->left, task_key(pid, tid)) : NULL;

    return i ? slot_at(s, (uint32_t)*i) : NULL;
}

/* Its process's, wherever that is; NULL: gone. */
static struct process_account *process_of(struct worker *w, const struct task_account *a)
{
    uint32_t pid = (uint32_t)((a->key - 1) >> 32);
    struct process *p = process_find(w->processes, pid);
    const struct slots *s = &w->accounts.processes;
    const uint64_t *i = map64_find(&s->left, process_key(pid));

    if (p)
        return account_of_process(w, p);
    return i ? slot_at(s, (uint32_t)*i) : NULL;
}

void accounts_end_left(struct worker *w, uint64_t before_ns)
{
    struct slots *s = &w->accounts.tasks;

    if (w->accounts.tidied || before_ns <= w->accounts.opened_ns)
        return;
    w->accounts.tidied = true;
    for (uint32_t i = 0; i < *s->high; i++) {
        struct task_account *a = slot_at(s, i);
        struct process_account *p;

        if (!a->key || !a->ended || !map64_find(&s->left, a->key))
            continue;
        p = process_of(w, a);
        if (p) {
            p->name[sizeof(p->name) - 1] = '\0';
            account_ended(w, a, p);
            counts_end_task(w, a, p->name);
        }
        free_slot(s, take_left(s, a->key));
    }
}

static bool is_alive(uint32_t pid)
{
    return clock_process_cpu_ns((int)pid) != 0;
}

/* A task that sleeps keeps its place for as long as its process lives. */
void accounts_meet_left(struct worker *w)
{
    struct slots *processes = &w->accounts.processes, *tasks = &w->accounts.tasks;
    uint64_t key;

    if ((!processes->left.used && !tasks->left.used) || !w->config->root_pid)
        return;
    for (uint32_t i = 0; i < *processes->high; i++) {
        key = left_key(processes, i);
        if (!key || key == process_key(0))
            continue;
        if (is_alive((uint32_t)(key - 1)))
            account_of_process(w, process_get(w->processes, (uint32_t)(key - 1)));
        else
            free_slot(processes, take_left(processes, key));
    }
    for (uint32_t i = 0; i < *tasks->high; i++)
        if ((key = left_key(tasks, i)) && !is_alive((uint32_t)((key - 1) >> 32)))
            free_slot(tasks, take_left(tasks, key));
}
