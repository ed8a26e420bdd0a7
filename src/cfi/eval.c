/*
 * eval.c - hands checked entries to libdw and turns its answers into rules
 */
#include "eval.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

#define ALL_REGISTERS ((1ULL << ARCH_REG_COUNT) - 1)

void eval_release(struct eval *v)
{
    for (size_t i = 0; i < ARRAY_LEN(v->cie); i++)
        little_release(&v->cie[i].little);
    free(v->draft);
    *v = (struct eval){0};
}

/* Copies an expression into the draft; false when it is too long. */
static bool take_ops(struct rules_draft *d, const Dwarf_Op *ops, size_t n, struct cfi_place *out)
{
    if (n > RULES_OPS_MAX - d->ops)
        return false;
    out->ops = (uint16_t)n;
    out->op = d->op + d->ops;
    for (size_t i = 0; i < n; i++)
        d->op[d->ops++] = (struct cfi_op){.atom = ops[i].atom,
                                          .number = ops[i].number,
                                          .number2 = ops[i].number2,
                                          .offset = (uint32_t)ops[i].offset};
    return true;
}

/* "CFA", "CFA + n", and either as a value: what offset(n) and val_offset(n) become in libdw. */
static bool take_cfa_based(const Dwarf_Op *ops, size_t n, struct cfi_place *out)
{
    bool value = n > 1 && ops[n - 1].atom == DW_OP_stack_value;

    n -= value;
    if (ops[0].atom != DW_OP_call_frame_cfa || n > 2 || (n == 2 && ops[1].atom != DW_OP_plus_uconst))
        return false;
    out->how = value ? CFI_HOW_CFA_PLUS : CFI_HOW_AT_CFA;
    out->offset = n == 2 ? (int64_t)ops[1].number : 0; /* a negative number comes as its two's complement */
    return true;
}

static bool take_register(struct rules_draft *d, Dwarf_Frame *frame, int column, struct cfi_place *out)
{
    Dwarf_Op memory[3], *ops;
    size_t n;
    uint64_t reg;

    *out = (struct cfi_place){0};
    if (dwarf_frame_register(frame, column, memory, &ops, &n) < 0)
        return false;
    if (n == 0) {
        out->how = ops ? CFI_HOW_UNDEFINED : CFI_HOW_SAME;
        return true;
    }
    if (take_cfa_based(ops, n, out))
        return true;
    if (n == 1 && ops == memory && ops[0].atom == DW_OP_regx) {
        reg = ops[0].number;
        out->how = reg < ARCH_REG_COUNT ? CFI_HOW_REG : CFI_HOW_UNDEFINED;
        out->reg = (uint8_t)(reg < ARCH_REG_COUNT ? reg : 0);
        return true;
    }
    out->how = CFI_HOW_AT_EXPR;
    if (ops[n - 1].atom == DW_OP_stack_value) {
        out->how = CFI_HOW_EXPR;
        n--;
    }
    return take_ops(d, ops, n, out);
}

static bool take_cfa(struct rules_draft *d, Dwarf_Frame *frame, struct cfi_place *out)
{
    Dwarf_Op *ops;
    size_t n;
    bool indexed;

    *out = (struct cfi_place){0};
    if (dwarf_frame_cfa(frame, &ops, &n) < 0 || n == 0)
        return false;
    indexed = ops[0].atom == DW_OP_bregx;
    if (n == 1 && (indexed || (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31))) {
        uint64_t reg = indexed ? ops[0].number : (uint64_t)ops[0].atom - DW_OP_breg0;

        if (reg >= ARCH_REG_COUNT)
            return false;
        out->how = CFI_HOW_REG;
        out->reg = (uint8_t)reg;
        out->offset = (int64_t)(indexed ? ops[0].number2 : ops[0].number);
        return true;
    }
    out->how = CFI_HOW_EXPR;
    return take_ops(d, ops, n, out);
}

/* ---- compact rules ---- */

static int saved_index(int reg)
{
    static const uint8_t saved[ARCH_SAVED_COUNT] = ARCH_SAVED_REGS;

    for (int i = 0; i < ARCH_SAVED_COUNT; i++)
        if (saved[i] == reg)
            return i;
    return -1;
}

/* Registers a call may change need no place in a compact rule, unless the function says where they are. */
static bool fits_default(int reg, const struct cfi_place *p)
{
    if (reg == ARCH_REG_SP)
        return p->how == CFI_HOW_CFA_PLUS && p->offset == 0;
    return p->how == CFI_HOW_SAME || p->how == CFI_HOW_UNDEFINED;
}

static bool fits_saved(const struct cfi_place *p, int16_t *words)
{
    *words = CFI_SAME;
    if (p->how == CFI_HOW_SAME)
        return true;
    if (p->how != CFI_HOW_AT_CFA || p->offset % ARCH_WORD_BYTES != 0 ||
        p->offset / ARCH_WORD_BYTES <= CFI_SAME || p->offset / ARCH_WORD_BYTES > INT16_MAX)
        return false;
    *words = (int16_t)(p->offset / ARCH_WORD_BYTES);
    return true;
}

/* Writes a register's part of a compact rule; false when it has none. */
static bool fits(int reg, const struct cfi_place *p, int16_t *saved)
{
    int i = saved_index(reg);

    return i < 0 ? fits_default(reg, p) : fits_saved(p, &saved[i]);
}

static bool cfa_fits(const struct cfi_place *cfa)
{
    return cfa->how == CFI_HOW_REG && cfa->offset >= INT32_MIN && cfa->offset <= INT32_MAX;
}

/* ---- what a CIE says for all of its FDEs ---- */

static bool take_place(struct rules_draft *d, Dwarf_Frame *frame, int reg, int return_column)
{
    return take_register(d, frame, reg == ARCH_REG_PC ? return_column : reg, &d->full.reg[reg]);
}

/*
 * Where registers are found unless an FDE mentions them. An expression is not kept: those registers are asked
 * for each time.
 */
static void take_base(struct rules_draft *d, struct eval_cie *c)
{
    struct frames_fde empty = {0};
    Dwarf_Frame *frame = little_frame(&c->little, &empty, 0);
    int column = frame ? dwarf_frame_info(frame, NULL, NULL, NULL) : -1;

    c->ask = column == ARCH_REG_PC ? 0 : 1ULL << ARCH_REG_PC;
    c->odd = 0;
    for (int reg = 0; reg < ARCH_REG_COUNT; reg++) {
        d->ops = 0;
        if (column < 0 || !take_place(d, frame, reg, column) || d->ops) {
            c->ask |= 1ULL << reg;
            continue;
        }
        c->base[reg] = d->full.reg[reg];
        if (!fits(reg, &c->base[reg], c->saved))
            c->odd |= 1ULL << reg;
    }
    free(frame);
}

static struct eval_cie *find_cie(struct eval *v, const struct frames_fde *fde)
{
    struct eval_cie *c;

    for (size_t i = 0; i < ARRAY_LEN(v->cie); i++) {
        c = &v->cie[(v->last + i) % ARRAY_LEN(v->cie)];
        if (little_is_for(&c->little, &fde->cie)) {
            v->last = (v->last + i) % ARRAY_LEN(v->cie);
            return c;
        }
    }
    /* Backwards, so that the one used last is thrown away last. */
    v->last = (v->last + ARRAY_LEN(v->cie) - 1) % ARRAY_LEN(v->cie);
    c = &v->cie[v->last];
    if (!little_open(&c->little, &fde->cie, fde->program_bytes)) {
        little_release(&c->little);
        return NULL;
    }
    take_base(v->draft, c);
    return c;
}

/* ---- rules ---- */

static void make_compact(struct rules_draft *d)
{
    d->rule.cfa = CFI_REG_OFFSET;
    d->rule.cfa_reg = d->full.cfa.reg;
    d->rule.cfa_offset = (int32_t)d->full.cfa.offset;
}

static void make_full(struct rules_draft *d)
{
    memset(d->rule.saved, 0, sizeof(d->rule.saved));
    d->rule.cfa = CFI_FULL;
}

static void take_rule(struct rules_draft *d, const struct eval_cie *c, Dwarf_Frame *frame, uint64_t mentioned)
{
    const uint64_t pc = 1ULL << ARCH_REG_PC;
    uint64_t ask = (c->ask | mentioned) & ALL_REGISTERS, odd = c->odd & ~ask;
    int column = (int)c->little.cie.return_column;

    memcpy(d->full.reg, c->base, sizeof(d->full.reg));
    if ((ask & pc) && !take_place(d, frame, ARCH_REG_PC, column))
        return;
    if (d->full.reg[ARCH_REG_PC].how == CFI_HOW_UNDEFINED) {
        d->rule.cfa = CFI_END;
        return;
    }
    if (!take_cfa(d, frame, &d->full.cfa))
        return;
    memcpy(d->rule.saved, c->saved, sizeof(d->rule.saved));
    for (; ask; ask &= ask - 1) {
        int reg = __builtin_ctzll(ask);

        if (reg != ARCH_REG_PC && !take_place(d, frame, reg, column))
            return;
        if (!fits(reg, &d->full.reg[reg], d->rule.saved))
            odd |= 1ULL << reg;
    }
    if (!odd && cfa_fits(&d->full.cfa))
        make_compact(d);
    else
        make_full(d);
}

void eval_rule(struct eval *v, const struct frames_fde *fde, uint64_t addr, uint64_t *end)
{
    uint64_t distance = addr - fde->start;
    struct eval_cie *c;
    Dwarf_Frame *frame;
    Dwarf_Addr from, to;

    if (!v->draft)
        v->draft = base_alloc(sizeof(*v->draft));
    c = find_cie(v, fde);
    v->draft->rule = (struct cfi_rule){.cfa = CFI_NONE};
    v->draft->ops = 0;
    *end = addr + 1;
    frame = c ? little_frame(&c->little, fde, distance) : NULL;
    if (!frame)
        return;
    /* Its start is wrong after DW_CFA_restore_state, so only the end is used. */
    if (dwarf_frame_info(frame, &from, &to, NULL) >= 0 && to > distance)
        *end = fde->start + MIN_OF(to, fde->end - fde->start);
    v->draft->rule.signal_frame = fde->cie.signal;
    take_rule(v->draft, c, frame, fde->uses.registers);
    if (v->draft->rule.cfa == CFI_NONE)
        v->draft->rule.signal_frame = false;
    free(frame);
}
