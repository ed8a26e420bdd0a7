/*
 * walk.c - the loop over frames, and the compact rules that nearly all of them have
 *
 * Per frame a compact rule costs three loads: CFA, return address, frame pointer. Other registers are not
 * carried along; the few rules that need one look back for it (walk_recover).
 */
#include "walk.h"

#include "ringside/base.h"
#include "trail.h"

/*
 * How far beyond the copy an address may lie and still be called cut off rather than nonsense: larger than
 * any frame met in practice, smaller than the distance to anything that is not the stack.
 */
#define MAX_BEYOND_COPY (16ULL << 20)

enum unwind_stop stack_miss(const struct stack_copy *s, uint64_t addr)
{
    if (s->left)
        return UNWIND_STACK_ENDED;
    if (addr < s->start || addr - s->start > s->len + MAX_BEYOND_COPY)
        return UNWIND_BAD_STATE;
    return UNWIND_STACK_ENDED;
}

/* ---- registers ---- */

#define NOT_SAVED UINT8_MAX

/* Index into cfi_rule.saved by register: ARCH_SAVED_REGS the other way round. */
static unsigned saved_index(unsigned reg)
{
    static const uint8_t saved[ARCH_SAVED_COUNT] = ARCH_SAVED_REGS;

    for (unsigned i = 0; i < ARCH_SAVED_COUNT; i++)
        if (saved[i] == reg)
            return i;
    return NOT_SAVED;
}

/*
 * Address of a saved register's slot, when the register was left there. GCC's epilogues pop registers without
 * telling (no restore rule for rbp): a slot below SP has been popped, and the register is live again.
 */
static inline bool slot_in_use(uint64_t cfa, int16_t words, uint64_t sp, uint64_t *addr)
{
    *addr = cfa + (uint64_t)((int64_t)words * ARCH_WORD_BYTES);
    return words != CFI_SAME && *addr >= sp;
}

enum unwind_stop walk_recover(const struct walk *w, unsigned reg, uint64_t *out)
{
    unsigned index = saved_index(reg);
    uint64_t addr;

    if (reg >= ARCH_REG_COUNT || (reg == ARCH_REG_FP && !w->fp_known))
        return UNWIND_BAD_STATE;
    if (reg == ARCH_REG_SP || reg == ARCH_REG_FP || reg == ARCH_REG_PC) {
        *out = reg == ARCH_REG_SP ? w->sp : reg == ARCH_REG_FP ? w->fp : w->pc;
        return UNWIND_GOES_ON;
    }
    if (index == NOT_SAVED && w->at > w->base)
        return UNWIND_BAD_STATE; /* any call may have changed it */
    for (uint32_t frame = w->at; frame > w->base; frame--)
        if (slot_in_use(w->frames[frame - 1].cfa, w->entered[frame - 1].rule->saved[index],
                        w->entered[frame - 1].sp, &addr))
            return stack_read(&w->stack, addr, out);
    if (!(w->file->known & (1U << reg)))
        return UNWIND_BAD_STATE;
    *out = w->file->r[reg];
    return UNWIND_GOES_ON;
}

/* ---- one frame ---- */

static inline enum unwind_stop compact_base(const struct walk *w, unsigned reg, uint64_t *out)
{
    if (reg == ARCH_REG_SP) {
        *out = w->sp;
        return UNWIND_GOES_ON;
    }
    if (reg == ARCH_REG_FP && w->fp_known) {
        *out = w->fp;
        return UNWIND_GOES_ON;
    }
    return walk_recover(w, reg, out);
}

static inline enum unwind_stop compact_step(struct walk *w, const struct cfi_rule *rule)
{
    uint64_t base, cfa, addr, pc;
    enum unwind_stop stop = compact_base(w, rule->cfa_reg, &base);
    struct entered *here = &w->entered[w->at];

    if (stop != UNWIND_GOES_ON)
        return stop;
    cfa = base + (uint64_t)(int64_t)rule->cfa_offset;
    if (cfa <= w->sp)
        return UNWIND_NO_PROGRESS; /* the return address lies below the CFA and has not been popped */
    if (!slot_in_use(cfa, rule->saved[ARCH_SAVED_PC], w->sp, &addr))
        return UNWIND_BAD_STATE;
    stop = stack_read(&w->stack, addr, &pc);
    if (stop != UNWIND_GOES_ON)
        return stop;
    here->fp_slot = CFI_SAME;
    if (slot_in_use(cfa, rule->saved[ARCH_SAVED_FP], w->sp, &addr)) {
        here->fp_slot = rule->saved[ARCH_SAVED_FP];
        w->fp_known = stack_read(&w->stack, addr, &w->fp) == UNWIND_GOES_ON;
    }
    here->rule = rule;
    here->plain = rule->cfa_reg == ARCH_REG_SP || (rule->cfa_reg == ARCH_REG_FP && here->fp_known);
    w->frames[w->at].cfa = cfa;
    w->pc = pc;
    w->sp = cfa;
    return UNWIND_GOES_ON;
}

/* Leaves the current frame: w->pc, sp and fp become its caller's. */
static inline enum unwind_stop step(struct walk *w, const struct unwind_site *site, enum unwind_how *how,
                                    bool *signal)
{
    const struct cfi_rule *rule = site->rule;
    enum unwind_stop stop = UNWIND_NO_ROW;

    *how = UNWIND_BY_ROW;
    if (rule->cfa == CFI_END || (rule->cfa == CFI_NONE && site->entry))
        return UNWIND_DONE;
    if (rule->cfa == CFI_NONE) {
        rule = fallback_rule(w, site->executable, how, &stop);
        if (!rule)
            return stop;
    }
    *signal = rule->signal_frame;
    if (rule->cfa == CFI_FULL)
        return full_step(w, rule);
    stop = compact_step(w, rule);
    w->entered[w->at].plain &= *how == UNWIND_BY_ROW;
    return stop;
}

/* What is known about the frame the step led to. */
static inline enum unwind_stop look_up(const struct walk *w, enum unwind_how how, bool *exact,
                                       struct unwind_site *site)
{
    if (*exact) { /* under a signal frame: where it was interrupted may be no code at all */
        w->finder->find(w->finder->ctx, w->pc, site);
        return UNWIND_GOES_ON;
    }
    if (w->pc == 0)
        return UNWIND_DONE; /* pushed by whoever made the stack: coroutines, Go's goexit, raw clone */
    w->finder->find(w->finder->ctx, frame_lookup_addr(w->pc, false), site);
    if (site->rule->cfa == CFI_NONE && how == UNWIND_BY_ROW && !site->entry)
        *exact = fallback_planted(w, site);
    return site->executable ? UNWIND_GOES_ON : UNWIND_NO_ROW;
}

static inline enum unwind_stop advance(struct walk *w, struct unwind_site *site, enum unwind_how *how,
                                       bool *exact)
{
    enum unwind_stop stop = step(w, site, how, exact);

    if (stop != UNWIND_GOES_ON)
        return stop;
    if (w->trail_at && *how == UNWIND_BY_ROW && !*exact)
        trail_follow(w);
    return look_up(w, *how, exact, site);
}

static inline void put_frame(struct walk *w, const struct unwind_site *site, enum unwind_how how, bool exact)
{
    w->frames[w->at] =
        (struct unwind_frame){.pc = w->pc, .where = site->where, .how = (uint8_t)how, .exact = exact};
    w->entered[w->at].sp = w->sp;
    w->entered[w->at].fp = w->fp;
    w->entered[w->at].fp_known = w->fp_known;
    w->entered[w->at].plain = false;
}

static void start(struct walk *w, const struct unwind_input *in, const struct unwind_finder *finder,
                  struct unwind_frame *frames)
{
    w->finder = finder;
    w->frames = frames;
    w->stack = (struct stack_copy){in->stack, in->regs->r[ARCH_REG_SP], in->stack_bytes, false};
    w->at = w->base = 0;
    w->file = in->regs;
    w->pc = in->regs->r[ARCH_REG_PC];
    w->sp = in->regs->r[ARCH_REG_SP];
    w->fp = in->regs->r[ARCH_REG_FP];
    w->fp_known = in->regs->known & (1U << ARCH_REG_FP);
    w->guessed = false;
    w->ops_left = WALK_MAX_OPS;
    w->trail = in->trail;
    w->trail_kept = w->trail_end = 0;
    w->trail_at = w->trail ? trail_fetch(w->trail, &w->stack) : 0;
}

enum unwind_stop unwind_walk(const struct unwind_input *in, const struct unwind_finder *finder,
                             struct unwind_frame *frames, uint32_t max, uint32_t *count)
{
    struct walk w;
    struct unwind_site site;
    enum unwind_how how = UNWIND_BY_SAMPLE;
    enum unwind_stop stop;
    bool exact = true;

    start(&w, in, finder, frames);
    w.max = MIN_OF(max, (uint32_t)UNWIND_MAX_FRAMES);
    finder->find(finder->ctx, w.pc, &site);
    put_frame(&w, &site, how, exact);
    for (;;) {
        stop = advance(&w, &site, &how, &exact);
        if (stop != UNWIND_GOES_ON && stop != UNWIND_DONE && fallback_planted_after_all(&w, &site))
            stop = advance(&w, &site, &how, &exact);
        if (stop == UNWIND_GOES_ON && w.at + 1 == w.max)
            stop = UNWIND_TOO_DEEP;
        if (stop != UNWIND_GOES_ON)
            break;
        w.at++;
        put_frame(&w, &site, how, exact);
    }
    *count = w.at + 1;
    if (w.trail)
        trail_note(&w, stop);
    return stop;
}
