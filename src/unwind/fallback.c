/*
 * fallback.c - frames without call-frame information: frame pointers, prologues, and a few checked guesses
 *
 * Whole programs come without (chromium, JIT code, musl), so this decides how many stacks are whole. Every
 * way ends in one of a few fixed rules, which the walk then applies like any other: registers other than the
 * frame pointer count as unchanged. That is wrong when such code saved and changed one, and right when it did
 * not use it; a frame further out that depends on one of them is rare (unwinding by RBX and the like), and
 * its result is checked again.
 *
 * A return address is believed when it lies in executable memory and, where the code can be read, follows a
 * call.
 */
#include "walk.h"

/* ---- the rules ---- */

#define SAVED(fp, pc)                                                                                        \
    {                                                                                                        \
        CFI_SAME, fp, CFI_SAME, CFI_SAME, CFI_SAME, CFI_SAME, pc                                             \
    }

static const struct cfi_rule by_frame_pointer = {
    .cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_FP, .cfa_offset = 16, .saved = SAVED(-2, -1)};
/* Old frame pointer at SP, return address above it. In an epilogue FP still is this function's, so the slot
 * decides. */
static const struct cfi_rule pushed_at_sp = {
    .cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_SP, .cfa_offset = 16, .saved = SAVED(-2, -1)};
/* Return address in the first or second word, FP not touched. */
static const struct cfi_rule at_sp[] = {
    {.cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_SP, .cfa_offset = 8, .saved = SAVED(CFI_SAME, -1)},
    {.cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_SP, .cfa_offset = 16, .saved = SAVED(CFI_SAME, -1)},
};
#define LEAF_WORDS (sizeof(at_sp) / sizeof(at_sp[0]))
/* No places: full_step() takes the registers from the kernel's signal context. */
static const struct cfi_rule sigreturn = {.cfa = CFI_FULL, .signal_frame = true};
static const struct cfi_rule end = {.cfa = CFI_END};

/* ---- code ---- */

enum call_check { CALL_SEEN, CALL_MISSING, CALL_UNREADABLE };

static size_t read_code(const struct walk *w, uint64_t addr, uint8_t *out, size_t n)
{
    return w->finder->code ? w->finder->code(w->finder->ctx, addr, out, n) : 0;
}

/* *target: where a direct call in front of addr led, else 0. */
static enum call_check check_call(const struct walk *w, uint64_t addr, uint64_t *target)
{
    uint8_t code[ARCH_CALL_BYTES];

    *target = 0;
    if (read_code(w, addr - sizeof(code), code, sizeof(code)) < sizeof(code))
        return CALL_UNREADABLE;
    if (!arch_ends_in_call(code, sizeof(code)))
        return CALL_MISSING;
    if (!arch_call_target(code, sizeof(code), addr, target))
        *target = 0;
    return CALL_SEEN;
}

#define BEFORE_PC 8
#define AT_PC     12

struct code_around {
    uint8_t bytes[BEFORE_PC + AT_PC];
    const uint8_t *at;
    size_t n_before, n_at;
};

static void read_around(const struct walk *w, uint64_t pc, struct code_around *c)
{
    size_t n = read_code(w, pc - BEFORE_PC, c->bytes, sizeof(c->bytes));

    c->at = c->bytes + BEFORE_PC;
    c->n_before = BEFORE_PC;
    c->n_at = n - BEFORE_PC;
    if (n <= BEFORE_PC) { /* pc lies at the start of a segment */
        c->at = c->bytes;
        c->n_before = 0;
        c->n_at = read_code(w, pc, c->bytes, AT_PC);
    }
}

/* ---- candidates for the return address ---- */

/* A direct call to code further back than this did not call the function that holds pc. */
#define MAX_FUNCTION_BYTES   (64U << 10)
#define NOT_CALLED_DIRECTLY  (UINT64_MAX - 1)
#define NOT_A_RETURN_ADDRESS UINT64_MAX

struct candidate {
    const struct cfi_rule *rule;
    enum unwind_how how;
    bool must_see_call; /* the address alone proves nothing: code that cannot be read will not do */
    uint64_t distance;  /* from the called address to pc, or one of the two values above */
    struct unwind_site site;
};

/*
 * The function that holds pc is the one whose start lies nearest below it, so the smaller the distance of the
 * called address, the likelier this is the call that led here.
 */
static uint64_t judge(const struct walk *w, uint64_t return_addr, struct candidate *c)
{
    uint64_t target;

    c->distance = NOT_A_RETURN_ADDRESS;
    if (return_addr == 0)
        return c->distance;
    w->finder->find(w->finder->ctx, frame_lookup_addr(return_addr, false), &c->site);
    if (!c->site.executable)
        return c->distance;
    switch (check_call(w, return_addr, &target)) {
    case CALL_MISSING:
        return c->distance;
    case CALL_UNREADABLE:
        if (c->must_see_call)
            return c->distance;
        break;
    case CALL_SEEN:
        break;
    }
    c->distance = NOT_CALLED_DIRECTLY;
    if (target != 0 && target <= w->pc && w->pc - target < MAX_FUNCTION_BYTES)
        c->distance = w->pc - target;
    return c->distance;
}

static bool is_return_address_at(const struct walk *w, uint64_t addr)
{
    struct candidate c = {.must_see_call = false};
    uint64_t word;

    return stack_read(&w->stack, addr, &word) == UNWIND_GOES_ON && judge(w, word, &c) != NOT_A_RETURN_ADDRESS;
}

/*
 * Does the frame pointer point to a frame? The chain must lead upward, or end; where the caller has
 * call-frame information, FP may have been an ordinary register to it.
 */
static enum unwind_stop judge_frame_pointer(const struct walk *w, struct candidate *c)
{
    uint64_t next, return_addr, fp = w->fp;
    enum unwind_stop stop;

    *c = (struct candidate){
        .rule = &by_frame_pointer, .how = UNWIND_BY_FRAME_POINTER, .distance = NOT_A_RETURN_ADDRESS};
    if (!w->fp_known || fp % ARCH_WORD_BYTES != 0 || fp < w->sp)
        return UNWIND_NO_ROW;
    stop = stack_read(&w->stack, fp + ARCH_WORD_BYTES, &return_addr);
    if (stop == UNWIND_GOES_ON)
        stop = stack_read(&w->stack, fp, &next);
    if (stop != UNWIND_GOES_ON)
        return stop == UNWIND_STACK_ENDED ? stop : UNWIND_NO_ROW;
    if (return_addr == 0 && !w->frames[w->at].exact) { /* the first frame of a stack somebody made */
        c->distance = NOT_CALLED_DIRECTLY;
        return UNWIND_GOES_ON;
    }
    if (judge(w, return_addr, c) == NOT_A_RETURN_ADDRESS)
        return UNWIND_NO_ROW;
    if (next <= fp && next != 0 && c->site.rule->cfa == CFI_NONE) {
        c->distance = NOT_A_RETURN_ADDRESS;
        return UNWIND_NO_ROW;
    }
    return UNWIND_GOES_ON;
}

/* ---- the frame that was running when it was sampled or interrupted ---- */

/* In the first or last instructions of a function FP is not (or no longer) its own. */
static const struct cfi_rule *by_hint(const struct walk *w, const struct code_around *code)
{
    switch (arch_frame_hint(code->at - code->n_before, code->n_before, code->at, code->n_at)) {
    case ARCH_FRAME_RETURN_AT_SP:
        return is_return_address_at(w, w->sp) ? &at_sp[0] : NULL;
    case ARCH_FRAME_FP_PUSHED:
        return is_return_address_at(w, w->sp + ARCH_WORD_BYTES) ? &pushed_at_sp : NULL;
    case ARCH_FRAME_SET_UP:
        break;
    }
    return NULL;
}

/*
 * Frame pointer, or one of the first two words? musl and assembly leave FP to their callers, so that it would
 * skip one: a direct call to just below pc decides. Where nothing tells them apart the frame pointer is right
 * more often.
 */
static const struct cfi_rule *best_of_leaf(struct walk *w, enum unwind_how *how, enum unwind_stop *stop)
{
    struct candidate best, c;
    uint64_t word;

    *stop = judge_frame_pointer(w, &best);
    for (uint32_t i = 0; i < LEAF_WORDS && !w->guessed; i++) {
        c.rule = &at_sp[i];
        c.how = UNWIND_BY_GUESS;
        c.must_see_call = true;
        if (stack_read(&w->stack, w->sp + i * ARCH_WORD_BYTES, &word) == UNWIND_GOES_ON &&
            judge(w, word, &c) < best.distance)
            best = c;
    }
    if (best.distance == NOT_A_RETURN_ADDRESS)
        return NULL;
    w->guessed |= best.how == UNWIND_BY_GUESS;
    *how = best.how;
    return best.rule;
}

/* A call through a null or wild pointer: nothing ran there, the return address has just been pushed. */
static const struct cfi_rule *after_wild_call(struct walk *w, enum unwind_how *how, enum unwind_stop *stop)
{
    *stop = UNWIND_NO_ROW;
    *how = UNWIND_BY_GUESS;
    if (w->guessed || !is_return_address_at(w, w->sp))
        return NULL;
    w->guessed = true;
    return &at_sp[0];
}

static const struct cfi_rule *rule_of_leaf(struct walk *w, bool executable, enum unwind_how *how,
                                           enum unwind_stop *stop)
{
    struct code_around code;
    const struct cfi_rule *rule;

    if (!executable)
        return after_wild_call(w, how, stop);
    read_around(w, w->pc, &code);
    if (arch_is_sigreturn(code.at, code.n_at))
        return &sigreturn;
    rule = by_hint(w, &code);
    if (rule) {
        *how = UNWIND_BY_FRAME_POINTER;
        return rule;
    }
    return best_of_leaf(w, how, stop);
}

/* ---- frames that called ---- */

#define ENTRY_WORDS 16

/*
 * musl starts main() through functions without call-frame information that do not keep a frame pointer: a
 * return address into the program's entry point, a few words up, says that this is the end of the stack.
 */
static const struct cfi_rule *by_entry_point(struct walk *w)
{
    struct candidate c = {.must_see_call = true};
    uint64_t word;

    for (uint32_t i = 0; i < ENTRY_WORDS; i++) {
        if (stack_read(&w->stack, w->sp + i * ARCH_WORD_BYTES, &word) != UNWIND_GOES_ON)
            return NULL;
        if (word > ARCH_MAX_USER_ADDR || judge(w, word, &c) == NOT_A_RETURN_ADDRESS || !c.site.entry)
            continue;
        w->made = at_sp[0];
        w->made.cfa_offset = (int32_t)((i + 1) * ARCH_WORD_BYTES);
        return &w->made;
    }
    return NULL;
}

static const struct cfi_rule *rule_of_caller(struct walk *w, enum unwind_how *how, enum unwind_stop *stop)
{
    struct candidate c;
    const struct cfi_rule *rule;

    *stop = judge_frame_pointer(w, &c);
    *how = c.how;
    if (*stop == UNWIND_GOES_ON)
        return c.rule;
    if (w->fp_known && w->fp == 0) { /* ABI, AMD64 supplement 3.4.1: FP is 0 in the deepest frame */
        *stop = UNWIND_DONE;
        return NULL;
    }
    rule = by_entry_point(w);
    *how = UNWIND_BY_GUESS;
    return rule;
}

const struct cfi_rule *fallback_rule(struct walk *w, bool executable, enum unwind_how *how,
                                     enum unwind_stop *stop)
{
    return w->frames[w->at].exact ? rule_of_leaf(w, executable, how, stop) : rule_of_caller(w, how, stop);
}

/* ---- planted return addresses ---- */

/*
 * Signal handlers return to a trampoline, and coroutines to a function that switches away, through an address
 * somebody wrote onto the stack. glibc's makecontext() is one: its row describes code that is yet to run, not
 * a caller.
 */
bool fallback_planted(const struct walk *w, struct unwind_site *site)
{
    struct unwind_site here;
    uint8_t code[ARCH_SIGRETURN_BYTES];
    uint64_t target;

    if (site->executable && check_call(w, w->pc, &target) != CALL_MISSING)
        return false;
    w->finder->find(w->finder->ctx, w->pc, &here);
    if (!here.executable)
        return false;
    if (!here.rule->signal_frame && arch_is_sigreturn(code, read_code(w, w->pc, code, sizeof(code))))
        here.rule = &sigreturn; /* Go describes its trampoline like any function */
    else if (here.rule->cfa == CFI_NONE)
        return false;
    else if (!here.rule->signal_frame)
        here.rule = &end;
    *site = here;
    return true;
}

/* What the rule of any function says at its first instruction. */
static bool is_function_start(uint64_t pc, const struct cfi_rule *rule)
{
    return pc % 16 == 0 && rule->cfa == CFI_REG_OFFSET && rule->cfa_reg == ARCH_REG_SP &&
           rule->cfa_offset == 8 && memcmp(rule->saved, at_sp[0].saved, sizeof(rule->saved)) == 0;
}

/*
 * The same where the byte before belongs to another function, which ends there without padding: the walk took
 * that function's row, and failed with it.
 */
bool fallback_planted_after_all(struct walk *w, struct unwind_site *site)
{
    struct unwind_frame *frame = &w->frames[w->at];
    struct unwind_site here;
    uint8_t code[ARCH_SIGRETURN_BYTES];
    uint64_t target;

    if (frame->exact || frame->how != UNWIND_BY_ROW || check_call(w, frame->pc, &target) != CALL_MISSING)
        return false;
    w->finder->find(w->finder->ctx, frame->pc, &here);
    if (arch_is_sigreturn(code, read_code(w, frame->pc, code, sizeof(code))))
        here.rule = &sigreturn;
    else if (is_function_start(frame->pc, here.rule))
        here.rule = &end;
    else
        return false;
    *site = here;
    frame->exact = true;
    frame->where = here.where;
    frame->cfa = 0;
    w->pc = frame->pc;
    w->sp = w->frames[w->at - 1].cfa;
    return true;
}
