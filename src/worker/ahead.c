/*
 * ahead.c - see ahead.h
 */
#include "ahead.h"

#include "ringside/arch.h"
#include "ringside/feed.h"
#include "ringside/unwind.h"

#define LINE_BYTES 64

void stack_lines_note(struct stack_lines *l, const struct unwind_frame *frames, uint32_t n)
{
    uint64_t line = 0;

    l->count = 0;
    for (uint32_t i = 0; i < n && l->count < STACK_LINES_MAX; i++) {
        uint64_t addr = frames[i].cfa - ARCH_WORD_BYTES; /* the return address's usual place */

        if (addr / LINE_BYTES == line)
            continue;
        line = addr / LINE_BYTES;
        l->addr[l->count++] = addr;
    }
}

void stack_lines_fetch(const struct stack_lines *l, const struct feed_sample *s)
{
    uint64_t sp = s->regs.r[ARCH_REG_SP];

    for (uint32_t i = 0; i < l->count; i++)
        if (l->addr[i] - sp < s->stack_bytes)
            __builtin_prefetch(s->stack + (l->addr[i] - sp));
}
