/*
 * full.c - frames whose rule is not compact: signal frames, PLT stubs, realigned stacks, hand-written
 * assembly
 *
 * All registers are computed at once, and become the register file that frames further out recover from.
 */
#include "expr.h"

static void all_registers(const struct walk *w, struct arch_regs *now)
{
    now->known = 0;
    for (unsigned reg = 0; reg < ARCH_REG_COUNT; reg++)
        if (walk_recover(w, reg, &now->r[reg]) == UNWIND_GOES_ON)
            now->known |= 1U << reg;
}

static enum unwind_stop known_register(const struct arch_regs *now, unsigned reg, uint64_t *out)
{
    if (reg >= ARCH_REG_COUNT || !(now->known & (1U << reg)))
        return UNWIND_BAD_STATE;
    *out = now->r[reg];
    return UNWIND_GOES_ON;
}

static enum unwind_stop eval_cfa(struct walk *w, const struct cfi_place *place, const struct arch_regs *now,
                                 uint64_t *cfa)
{
    const struct expr_input in = {.regs = now, .stack = &w->stack};
    enum unwind_stop stop;

    switch (place->how) {
    case CFI_HOW_REG:
        stop = known_register(now, place->reg, cfa);
        *cfa += (uint64_t)place->offset;
        return stop;
    case CFI_HOW_EXPR:
        return expr_eval(place, &in, &w->ops_left, cfa);
    case CFI_HOW_AT_EXPR:
        stop = expr_eval(place, &in, &w->ops_left, cfa);
        return stop == UNWIND_GOES_ON ? stack_read(&w->stack, *cfa, cfa) : stop;
    default:
        return UNWIND_BAD_STATE;
    }
}

/* What the caller had in a register. BAD_STATE also stands for "undefined", which only the PC's reader minds.
 */
static enum unwind_stop restore(struct walk *w, const struct cfi_place *place, unsigned reg,
                                const struct expr_input *in, uint64_t *out)
{
    uint64_t addr;
    enum unwind_stop stop;

    switch (place->how) {
    case CFI_HOW_SAME:
        return known_register(in->regs, reg, out);
    case CFI_HOW_REG:
        return known_register(in->regs, place->reg, out);
    case CFI_HOW_CFA_PLUS:
        *out = in->cfa + (uint64_t)place->offset;
        return UNWIND_GOES_ON;
    case CFI_HOW_EXPR:
        return expr_eval(place, in, &w->ops_left, out);
    case CFI_HOW_AT_CFA:
        addr = in->cfa + (uint64_t)place->offset;
        if (addr < w->sp && in->cfa >= w->sp && reg != ARCH_REG_PC)
            return known_register(in->regs, reg, out); /* popped: see slot_in_use() in walk.c */
        return stack_read(&w->stack, addr, out);
    case CFI_HOW_AT_EXPR:
        stop = expr_eval(place, in, &w->ops_left, &addr);
        return stop == UNWIND_GOES_ON ? stack_read(&w->stack, addr, out) : stop;
    default:
        return UNWIND_BAD_STATE;
    }
}

/*
 * The stack must get shorter. Only a signal frame may lead elsewhere, once: from an alternate stack back to
 * the interrupted one, which is not in the copy.
 */
static enum unwind_stop check_progress(struct walk *w, const struct cfi_rule *rule, uint64_t sp)
{
    bool outside = sp - w->stack.start > w->stack.len;

    if (sp > w->sp && !(rule->signal_frame && outside))
        return UNWIND_GOES_ON;
    /* glibc's vfork() takes its return address off the stack into a register before the system call. */
    if (sp == w->sp && w->at == 0 && rule->full && rule->full->reg[ARCH_REG_PC].how == CFI_HOW_REG)
        return UNWIND_GOES_ON;
    if (!rule->signal_frame || !outside || w->stack.left)
        return UNWIND_NO_PROGRESS;
    w->stack.left = true;
    return UNWIND_GOES_ON;
}

static void adopt(struct walk *w, const struct arch_regs *caller, uint64_t cfa, const struct cfi_rule *rule)
{
    w->entered[w->at].rule = rule;
    w->frames[w->at].cfa = cfa;
    w->own = *caller;
    w->file = &w->own;
    w->base = w->at + 1;
    w->pc = caller->r[ARCH_REG_PC];
    w->sp = caller->r[ARCH_REG_SP];
    w->fp = caller->r[ARCH_REG_FP];
    w->fp_known = caller->known & (1U << ARCH_REG_FP);
}

static enum unwind_stop from_places(struct walk *w, const struct cfi_full *full, struct arch_regs *caller,
                                    uint64_t *cfa)
{
    struct arch_regs now;
    struct expr_input in = {.regs = &now, .stack = &w->stack, .cfa_known = true};
    enum unwind_stop stop;

    all_registers(w, &now);
    stop = eval_cfa(w, &full->cfa, &now, &in.cfa);
    if (stop != UNWIND_GOES_ON)
        return stop;
    stop = restore(w, &full->reg[ARCH_REG_PC], ARCH_REG_PC, &in, &caller->r[ARCH_REG_PC]);
    if (stop != UNWIND_GOES_ON)
        return stop;
    for (unsigned reg = 0; reg < ARCH_REG_COUNT; reg++)
        if (reg != ARCH_REG_PC && restore(w, &full->reg[reg], reg, &in, &caller->r[reg]) == UNWIND_GOES_ON)
            caller->known |= 1U << reg;
    /* The CFA is by definition the caller's SP, unless the rule says something more than "the same" about it.
     */
    if (!(caller->known & (1U << ARCH_REG_SP)) || full->reg[ARCH_REG_SP].how == CFI_HOW_SAME)
        caller->r[ARCH_REG_SP] = in.cfa;
    caller->known |= 1U << ARCH_REG_SP | 1U << ARCH_REG_PC;
    *cfa = in.cfa;
    return UNWIND_GOES_ON;
}

/* What the kernel saved when it started a signal handler; SP points to it in the trampoline the handler
 * returns to. */
static enum unwind_stop from_signal_context(const struct walk *w, struct arch_regs *caller, uint64_t *cfa)
{
    for (unsigned reg = 0; reg < ARCH_REG_COUNT; reg++) {
        enum unwind_stop stop = stack_read(&w->stack, w->sp + arch_sigreturn_offset(reg), &caller->r[reg]);

        if (stop != UNWIND_GOES_ON)
            return stop;
    }
    caller->known = (1U << ARCH_REG_COUNT) - 1;
    *cfa = caller->r[ARCH_REG_SP];
    return UNWIND_GOES_ON;
}

enum unwind_stop full_step(struct walk *w, const struct cfi_rule *rule)
{
    struct arch_regs caller = {.known = 0};
    uint64_t cfa = 0;
    enum unwind_stop stop;

    if (rule->full)
        stop = from_places(w, rule->full, &caller, &cfa);
    else
        stop = from_signal_context(w, &caller, &cfa);
    if (stop == UNWIND_GOES_ON)
        stop = check_progress(w, rule, caller.r[ARCH_REG_SP]);
    if (stop == UNWIND_GOES_ON)
        adopt(w, &caller, cfa, rule);
    return stop;
}
