/*
 * fuzz_unwind.c - the unwinder on arbitrary registers, stacks, rules, expressions and code: no crash, and
 * always an end
 *
 * Two walks over stacks that differ in a few words share a trail: the second must find what it finds without.
 *
 * Input: registers, then pieces of code (each a rule and what it needs), then the stack copy; short input
 * reads as zeros.
 */
#include "ringside/unwind.h"

#include <stdlib.h>
#include <string.h>

#define PIECES      6
#define OPS         24
#define PIECE_BYTES 256
#define CODE_BASE   0x400000ULL

struct input {
    const uint8_t *at;
    size_t left;
};

struct piece {
    struct cfi_rule rule;
    struct cfi_full full;
    struct cfi_op op[OPS];
    bool executable, entry;
};

struct process {
    struct piece piece[PIECES];
    const uint8_t *code;
    size_t code_bytes;
};

static void take(struct input *in, void *out, size_t n)
{
    size_t have = n < in->left ? n : in->left;

    memset(out, 0, n);
    if (have > 0)
        memcpy(out, in->at, have);
    in->at += have;
    in->left -= have;
}

static uint64_t take_number(struct input *in, size_t bytes)
{
    uint64_t n = 0;

    take(in, &n, bytes);
    return n;
}

/* Operand sizes are kept small so that the interesting values (register numbers, offsets, depths) are met
 * often. */
static void take_op(struct input *in, struct cfi_op *op, uint32_t *offset)
{
    op->atom = (uint8_t)take_number(in, 1);
    op->number = (uint64_t)(int64_t)(int8_t)take_number(in, 1);
    op->number2 = (uint64_t)(int64_t)(int8_t)take_number(in, 1);
    op->offset = *offset;
    *offset += (uint32_t)take_number(in, 1) & 3;
}

static void take_place(struct input *in, struct cfi_place *p, const struct cfi_op *op)
{
    uint64_t first = take_number(in, 1) % OPS;

    p->how = (uint8_t)take_number(in, 1) % (CFI_HOW_REG + 2);
    p->reg = (uint8_t)take_number(in, 1) % 40;
    p->ops = (uint16_t)(take_number(in, 1) % (OPS - first + 1));
    p->op = op + first;
    p->offset = (int16_t)take_number(in, 2);
}

/* What compilers write: without such rules hardly any walk is longer than two frames. */
static void make_usual(struct piece *p, uint8_t kind)
{
    bool by_fp = kind & 1, saves_fp = kind & 2;

    p->executable = true;
    p->rule = (struct cfi_rule){.cfa = kind >> 5 == 7 ? CFI_END : CFI_REG_OFFSET,
                                .cfa_reg = by_fp ? ARCH_REG_FP : ARCH_REG_SP,
                                .cfa_offset = by_fp ? 16 : 8 * (1 + (kind >> 2 & 3))};
    for (size_t i = 0; i < ARCH_SAVED_COUNT; i++)
        p->rule.saved[i] = CFI_SAME;
    p->rule.saved[ARCH_SAVED_PC] = -1;
    if (by_fp || saves_fp)
        p->rule.saved[ARCH_SAVED_FP] = -2;
}

static void take_piece(struct input *in, struct piece *p)
{
    uint8_t flags = (uint8_t)take_number(in, 1);
    uint32_t offset = 0;

    if (flags & 8) {
        make_usual(p, (uint8_t)take_number(in, 1));
        return;
    }
    p->executable = flags & 1;
    p->entry = flags & 2;
    p->rule.signal_frame = flags & 4;
    p->rule.cfa = (uint8_t)take_number(in, 1) % (CFI_FULL + 1);
    p->rule.cfa_reg = (uint8_t)take_number(in, 1) % 40;
    p->rule.cfa_offset = (int16_t)take_number(in, 2);
    take(in, p->rule.saved, sizeof(p->rule.saved));
    if (p->rule.cfa != CFI_FULL)
        return;
    for (size_t i = 0; i < OPS; i++)
        take_op(in, &p->op[i], &offset);
    take_place(in, &p->full.cfa, p->op);
    for (size_t i = 0; i < ARCH_REG_COUNT; i++)
        take_place(in, &p->full.reg[i], p->op);
    p->rule.full = &p->full;
}

static void find(void *ctx, uint64_t addr, struct unwind_site *out)
{
    static const struct cfi_rule none = {.cfa = CFI_NONE};
    struct process *process = ctx;
    uint64_t index = (addr - CODE_BASE) / PIECE_BYTES;

    *out = (struct unwind_site){.rule = &none, .where = addr};
    if (index >= PIECES)
        return;
    out->rule = &process->piece[index].rule;
    out->executable = process->piece[index].executable;
    out->entry = process->piece[index].entry;
}

static size_t code(void *ctx, uint64_t addr, uint8_t *out, size_t n)
{
    struct process *process = ctx;
    uint64_t at = addr - CODE_BASE;

    if (at >= process->code_bytes)
        return 0;
    if (n > process->code_bytes - at)
        n = process->code_bytes - at;
    memcpy(out, process->code + at, n);
    return n;
}

/* Pointers into the stack and the code are what a walk feeds on: plain random words would stop at the first
 * frame. */
static uint64_t useful_word(uint64_t word, uint64_t sp)
{
    switch (word >> 62) {
    case 0:
        return CODE_BASE + word % (PIECES * PIECE_BYTES);
    case 1:
        return sp + word % 4096;
    default:
        return word;
    }
}

static void check(enum unwind_stop stop, const struct unwind_frame *frames, uint32_t count, uint32_t max)
{
    if (stop >= UNWIND_STOPS || count == 0 || count > max)
        abort();
    for (uint32_t i = 0; i + 1 < count; i++)
        if (frames[i + 1].how == UNWIND_BY_SAMPLE || frames[i + 1].how > UNWIND_BY_GUESS)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
static void check_same(const struct unwind_frame *a, const struct unwind_frame *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].pc != b[i].pc || a[i].cfa != b[i].cfa || a[i].where != b[i].where || a[i].how != b[i].how ||
            a[i].exact != b[i].exact)
            abort();
}

static void check_trail(struct unwind_input input, const struct unwind_finder *finder, uint32_t max,
                        struct unwind_trail *trail)
{
    static struct unwind_frame frames[64], with_trail[64];
    uint32_t count = 0, count_with = 0;
    enum unwind_stop stop = unwind_walk(&input, finder, frames, max, &count);

    check(stop, frames, count, max);
    input.trail = trail;
    if (unwind_walk(&input, finder, with_trail, max, &count_with) != stop || count_with != count)
        abort();
    check_same(frames, with_trail, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct process process;
    static struct unwind_trail trail;
    struct arch_regs regs = {.known = (uint32_t)take_number(&in, 3)};
    struct unwind_finder finder = {find, code, &process};
    uint32_t max = 1 + (uint32_t)take_number(&in, 1) % 64, changes;
    uint64_t sp = take_number(&in, 8) & ~7ULL, *stack;
    size_t words;

    memset(&process, 0, sizeof(process));
    trail.count = 0;
    for (size_t i = 0; i < ARCH_REG_COUNT; i++)
        regs.r[i] = useful_word(take_number(&in, 8), sp);
    regs.r[ARCH_REG_SP] = sp;
    for (size_t i = 0; i < PIECES; i++)
        take_piece(&in, &process.piece[i]);
    changes = (uint32_t)take_number(&in, 1) % 4;
    process.code = in.at;
    process.code_bytes = in.left;
    words = in.left / 8;
    stack = malloc(words ? words * 8 : 1); /* no slack: AddressSanitizer sees one byte beyond */
    for (size_t i = 0; i < words; i++)
        stack[i] = useful_word(take_number(&in, 8), sp);
    struct unwind_input input = {&regs, (const uint8_t *)stack, (uint32_t)(words * 8), NULL};
    check_trail(input, &finder, max, &trail);
    for (uint32_t i = 0; i < changes && words; i++)
        stack[process.code[i] % words] =
            useful_word(process.code[process.code_bytes - 1 - i] * 0x9e3779b97f4a7c15ULL, sp);
    if (changes == 2)
        regs.r[ARCH_REG_FP] += 8;
    if (changes == 3 && words) { /* as at the next sample: a few frames more or less */
        regs.r[ARCH_REG_SP] += 8;
        input.stack += 8;
        input.stack_bytes -= 8;
    }
    check_trail(input, &finder, max, &trail);
    free(stack);
    return 0;
}
