/*
 * unwind_world.h - a hand-made process for the unwinder: pieces of code with rules, and a stack written word
 * by word
 */
#ifndef RINGSIDE_TEST_UNWIND_WORLD_H
#define RINGSIDE_TEST_UNWIND_WORLD_H

#include "ringside/unwind.h"
#include "unit.h"

#include <string.h>

#define STACK_BASE  0x7ffd00000000ULL
#define STACK_WORDS 2048
#define MAX_PIECES  16

/* Code at [start, start + 0x1000) */
struct piece {
    uint64_t start;
    struct cfi_rule rule;
    bool data; /* not executable */
    bool entry;
    const char *code; /* bytes from start on; NULL: cannot be read */
    size_t code_bytes;
};

struct world {
    struct piece piece[MAX_PIECES];
    size_t pieces;
    uint64_t word[STACK_WORDS];
    uint64_t words_copied; /* from SP on; 0: all */
    struct arch_regs regs;
    struct unwind_frame frame[UNWIND_MAX_FRAMES];
    uint32_t count;
    uint32_t max;
};

#define NO_SAVES                                                                                             \
    {                                                                                                        \
        CFI_SAME, CFI_SAME, CFI_SAME, CFI_SAME, CFI_SAME, CFI_SAME, -1                                       \
    }
#define RULE_RSP(n)                                                                                          \
    {                                                                                                        \
        .cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_RSP, .cfa_offset = (n), .saved = NO_SAVES                 \
    }
/* push rbp; mov rbp,rsp */
#define RULE_RBP                                                                                             \
    {                                                                                                        \
        .cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_RBP, .cfa_offset = 16, .saved = {                         \
            CFI_SAME,                                                                                        \
            -2,                                                                                              \
            CFI_SAME,                                                                                        \
            CFI_SAME,                                                                                        \
            CFI_SAME,                                                                                        \
            CFI_SAME,                                                                                        \
            -1                                                                                               \
        }                                                                                                    \
    }
#define RULE_END                                                                                             \
    {                                                                                                        \
        .cfa = CFI_END                                                                                       \
    }

static const struct cfi_rule world_no_rule = {.cfa = CFI_NONE};

static inline const struct piece *world_piece(const struct world *w, uint64_t addr)
{
    for (size_t i = 0; i < w->pieces; i++)
        if (addr - w->piece[i].start < 0x1000)
            return &w->piece[i];
    return NULL;
}

static inline void world_find(void *ctx, uint64_t addr, struct unwind_site *out)
{
    const struct piece *p = world_piece(ctx, addr);

    out->rule = p ? &p->rule : &world_no_rule;
    out->where = addr;
    out->executable = p && !p->data;
    out->entry = p && p->entry;
}

static inline size_t world_code(void *ctx, uint64_t addr, uint8_t *out, size_t n)
{
    const struct piece *p = world_piece(ctx, addr);
    uint64_t at = p ? addr - p->start : 0;

    if (!p || !p->code || at >= p->code_bytes)
        return 0;
    if (n > p->code_bytes - at)
        n = p->code_bytes - at;
    memcpy(out, p->code + at, n);
    return n;
}

static inline void world_init(struct world *w, uint64_t pc)
{
    memset(w, 0, sizeof(*w));
    w->regs.known = (1U << ARCH_REG_COUNT) - 1;
    w->regs.r[ARCH_REG_SP] = STACK_BASE;
    w->regs.r[ARCH_REG_PC] = pc;
    w->max = UNWIND_MAX_FRAMES;
}

static inline struct piece *world_add(struct world *w, uint64_t start, struct cfi_rule rule)
{
    struct piece *p = &w->piece[w->pieces++];

    *p = (struct piece){.start = start, .rule = rule};
    return p;
}

static inline void world_set_code(struct piece *p, const char *bytes, size_t n)
{
    p->code = bytes;
    p->code_bytes = n;
}
/* bytes is a string literal */
#define WORLD_CODE(piece_, bytes) world_set_code(piece_, bytes, sizeof(bytes) - 1)

/* Address of a word of the stack. */
static inline uint64_t word_at(size_t i)
{
    return STACK_BASE + 8 * i;
}

static inline enum unwind_stop world_walk_on(struct world *w, struct unwind_trail *trail)
{
    struct unwind_finder finder = {world_find, world_code, w};
    uint64_t first = (w->regs.r[ARCH_REG_SP] - STACK_BASE) / 8;
    uint64_t words = w->words_copied ? w->words_copied : STACK_WORDS - first;
    struct unwind_input in = {&w->regs, (const uint8_t *)&w->word[first], (uint32_t)(8 * words), trail};

    return unwind_walk(&in, &finder, w->frame, w->max, &w->count);
}

/* Walks with a trail; what it finds must be what a walk without one has found. */
static inline void world_walk_again(struct world *w, struct unwind_trail *trail, enum unwind_stop stop)
{
    static struct unwind_frame before[UNWIND_MAX_FRAMES];
    uint32_t count = w->count;

    memcpy(before, w->frame, count * sizeof(*before));
    assert_int_equal(world_walk_on(w, trail), stop);
    assert_int_equal(w->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(w->frame[i].pc, before[i].pc);
        assert_int_equal(w->frame[i].cfa, before[i].cfa);
        assert_int_equal(w->frame[i].where, before[i].where);
        assert_int_equal(w->frame[i].how, before[i].how);
        assert_int_equal(w->frame[i].exact, before[i].exact);
    }
}

/* Every walk of every test is made three times: with no trail, an empty one, and its own. */
static inline enum unwind_stop world_walk(struct world *w)
{
    static struct unwind_trail trail;
    enum unwind_stop stop = world_walk_on(w, NULL);

    trail.count = 0;
    world_walk_again(w, &trail, stop);
    world_walk_again(w, &trail, stop);
    return stop;
}

#endif
