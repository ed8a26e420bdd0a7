/*
 * retire.c - room for others: processes that were used longest ago are forgotten, a part of all at once
 */
#include <stdlib.h>

#include "table.h"

/* What may come before somebody looks again. */
#define SPARE_PART   64U
/* One walk over all makes room for so many. */
#define RETIRED_PART 8U

bool processes_are_many(const struct processes *t)
{
    uint32_t processes = t->limits.processes - t->limits.processes / SPARE_PART;
    uint32_t tasks = t->limits.tasks - t->limits.tasks / SPARE_PART;

    return t->count + 2 > processes || t->tasks + 2 > tasks;
}

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Whoever was last used before then goes. */
static uint64_t last_to_go(const struct processes *t)
{
    uint64_t *used = base_alloc((t->count + 1) * sizeof(*used)), ns;

    for (uint32_t i = 0; i < t->count; i++)
        used[i] = t->process[i]->used_ns;
    qsort(used, t->count, sizeof(*used), compare_times);
    ns = t->count ? used[t->count / RETIRED_PART] : 0;
    free(used);
    return ns;
}

uint32_t processes_retire(struct processes *t)
{
    uint64_t until_ns = last_to_go(t);
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->count; i++)
        if (!t->process[i]->exited && t->process[i]->used_ns <= until_ns) {
            table_end_process(t, t->process[i], t->now_ns);
            n++;
        }
    return n;
}
