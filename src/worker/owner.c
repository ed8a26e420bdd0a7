/*
 * owner.c - whom a stack belongs to: pid, thread and names, one small number per period
 */
#include <stdlib.h>
#include <string.h>

#include "worker_private.h"

#define OWNERS_MAX 65536U

uint32_t owner_of(struct worker *w, const struct owner *o)
{
    uint64_t key = hash_bytes(o, sizeof(*o));
    uint64_t *found = map64_find(&w->owner_index, key);

    if (found)
        return (uint32_t)*found;
    if (w->owners == OWNERS_MAX)
        return o->event; /* nobody in particular */
    if (w->owners == w->owners_cap) {
        w->owners_cap = w->owners_cap ? w->owners_cap * 2 : 64;
        w->owner = base_realloc(w->owner, w->owners_cap * sizeof(*w->owner));
    }
    w->owner[w->owners] = *o;
    map64_put(&w->owner_index, key, w->owners);
    return w->owners++;
}

static uint32_t make_owner(struct worker *w, const struct task *task, uint32_t event)
{
    struct owner o = {
        .pid = task->process->pid,
        .tid = task->tid,
        .process_name = strtab_add(&w->strings, task->process->name),
        .thread_name = strtab_add(&w->strings, task->name),
        .event = event,
    };

    return owner_of(w, &o);
}

struct thread_memory *task_memory(struct task *task)
{
    if (!task->splice)
        task->splice = base_calloc(1, sizeof(struct thread_memory));
    return task->splice;
}

uint32_t owner_of_task(struct worker *w, struct task *task, uint32_t event)
{
    struct thread_memory *m = task_memory(task);

    if (m->owner_stamp != w->owner_stamp || m->owner_event != event) {
        m->owner = make_owner(w, task, event);
        m->owner_stamp = w->owner_stamp;
        m->owner_event = event;
    }
    return m->owner;
}

void owners_clear(struct worker *w)
{
    w->owners = 0;
    map64_clear(&w->owner_index);
    w->owner_stamp++;
    strtab_release(&w->strings);
    strtab_init(&w->strings, 1 << 20);
    for (uint32_t event = 0; event < w->feed->info.events; event++)
        owner_of(w, &(struct owner){.event = event});
}
