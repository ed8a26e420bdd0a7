/*
 * splice.c - completes truncated stacks from an earlier sample of the same thread
 *
 * The kernel copies at most 64 KiB of stack. The frames beyond change rarely: where the outermost visible
 * frame has the same CFA as a frame of an earlier, complete walk and runs the same stretch of code, their
 * callers are the same.
 */
#include <stdlib.h>
#include <string.h>

#include "worker_private.h"

#define REMEMBER_MAX        192
/* Two return addresses this close, at the same CFA, are taken for two calls of one function. */
#define SAME_FUNCTION_BYTES 16384

void splice_remember(struct task *task, const struct unwind_frame *frames, uint32_t n)
{
    struct thread_memory *m = task_memory(task);
    uint32_t keep = MIN_OF(n, (uint32_t)REMEMBER_MAX);

    if (m->cap < keep) {
        uint32_t cap = 32;

        while (cap < keep)
            cap *= 2;
        m = base_realloc(m, sizeof(*m) + cap * sizeof(*m->frame));
        m->cap = cap;
        m->frame = (struct outer_frame *)(m + 1);
        task->splice = m;
    }
    m->count = keep;
    frames += n - keep; /* the outermost */
    for (uint32_t i = 0; i < keep; i++)
        m->frame[i] =
            (struct outer_frame){.cfa = frames[i].cfa, .pc = frames[i].pc, .where = frames[i].where};
}

static bool same_function(uint64_t a, uint64_t b)
{
    return (a > b ? a - b : b - a) < SAME_FUNCTION_BYTES;
}

bool splice_complete(const struct task *task, struct unwind_frame *frames, uint32_t *n, uint32_t max)
{
    const struct thread_memory *m = task->splice;
    uint32_t last = *n - 1;

    if (!m || !m->count)
        return false;
    if (!frames[last].cfa) {
        if (last == 0)
            return false;
        last--;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->frame[i].cfa != frames[last].cfa || !same_function(m->frame[i].pc, frames[last].pc))
            continue;
        *n = last + 1;
        for (i++; i < m->count && *n < max; i++)
            frames[(*n)++] = (struct unwind_frame){.pc = m->frame[i].pc,
                                                   .cfa = m->frame[i].cfa,
                                                   .where = m->frame[i].where,
                                                   .how = UNWIND_BY_SPLICE};
        return i == m->count;
    }
    return false;
}
