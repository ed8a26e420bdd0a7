/*
 * owner.c - whom a stack belongs to: pid, thread and names, one small number per period
 */
#include <stdlib.h>
#include <string.h>

#include "ringside/ledger.h"

#include "worker_private.h"

#define OWNERS_MAX     65536U
#define TEXT_BYTES_MAX (1U << 20)

uint32_t period_text(struct worker *w, const char *text)
{
    uint32_t id = strtab_add(&w->strings, text);

    /* Before anything refers to it. */
    __atomic_store_n(&w->live->text_bytes, (uint32_t)w->strings.bytes.len, __ATOMIC_RELEASE);
    return id;
}

uint32_t owner_of(struct worker *w, const struct owner *o)
{
    uint64_t key = hash_bytes(o, sizeof(*o));
    uint64_t *found = map64_find(&w->owner_index, key);

    if (found)
        return (uint32_t)*found;
    if (w->owners == w->owners_max)
        return o->event; /* nobody in particular */
    w->owner[w->owners] = *o;
    map64_put(&w->owner_index, key, w->owners);
    __atomic_store_n(&w->live->owners, w->owners + 1, __ATOMIC_RELEASE);
    return w->owners++;
}

static uint32_t make_owner(struct worker *w, const struct task *task, uint32_t event)
{
    struct owner o = {
        .pid = task->process->pid,
        .tid = task->tid,
        .process_name = period_text(w, task->process->name),
        .thread_name = period_text(w, task->name),
        .container = running_container(w, task->process),
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

static void open_texts(struct worker *w, uint32_t used)
{
    size_t bytes;
    char *texts = ledger_at(w->ledger, LEDGER_TEXTS, &bytes);

    strtab_init_in(&w->strings, texts, MIN_OF(bytes, TEXT_BYTES_MAX),
                   MIN_OF(used, MIN_OF(bytes, TEXT_BYTES_MAX)));
    w->live->text_bytes = (uint32_t)w->strings.bytes.len;
}

/* The first ones are nobody's, of one event each. */
static bool is_first(const struct worker *w, uint32_t i)
{
    struct owner nobody = {.event = i};

    return i < w->feed->info.events && memcmp(&w->owner[i], &nobody, sizeof(nobody)) == 0;
}

static bool is_right(const struct worker *w, uint32_t i)
{
    const struct owner *o = &w->owner[i];

    return i < w->feed->info.events
               ? is_first(w, i)
               : o->event < w->feed->info.events && o->process_name < w->strings.count &&
                     o->thread_name < w->strings.count && o->container < w->strings.count;
}

void owners_open(struct worker *w)
{
    uint32_t used = w->live->owners;
    size_t bytes;

    map64_init(&w->owner_index);
    w->owner = ledger_at(w->ledger, LEDGER_OWNERS, &bytes);
    w->owners_max = (uint32_t)MIN_OF(bytes / sizeof(*w->owner), (size_t)OWNERS_MAX);
    w->owner_stamp = 1;
    open_texts(w, w->live->text_bytes);
    used = MIN_OF(used, w->owners_max);
    for (w->owners = 0; w->owners < used && is_right(w, w->owners); w->owners++)
        map64_put(&w->owner_index, hash_bytes(&w->owner[w->owners], sizeof(*w->owner)), w->owners);
    if (w->owners < used)
        stats_add(w->stats, STATS_LEDGER_DROPPED, used - w->owners);
    if (w->owners < w->feed->info.events)
        owners_clear(w);
}

void owners_release(struct worker *w)
{
    map64_release(&w->owner_index);
    strtab_release(&w->strings);
}

/* Nothing refers to owners or texts when they are cleared. */
void owners_clear(struct worker *w)
{
    __atomic_store_n(&w->live->owners, 0, __ATOMIC_RELEASE);
    w->owners = 0;
    map64_clear(&w->owner_index);
    w->owner_stamp++;
    strtab_release(&w->strings);
    open_texts(w, 0);
    for (uint32_t event = 0; event < w->feed->info.events; event++)
        owner_of(w, &(struct owner){.event = event});
}
