/*
 * walk.h - the state of one walk, shared by the files of the unwinder
 *
 * All of it lives on the stack of unwind_walk() and most of it is never initialised: only what a frame has
 * written is read.
 */
#ifndef RINGSIDE_UNWIND_WALK_H
#define RINGSIDE_UNWIND_WALK_H

#include "ringside/unwind.h"

#include <string.h>

/* What the steps return when the walk may continue; every other value ends it. */
#define UNWIND_GOES_ON UNWIND_STOPS

/* Expression operations of a whole walk: what hostile call-frame information may cost. */
#define WALK_MAX_OPS 65536

/* Copy of the memory from SP upward. */
struct stack_copy {
    const uint8_t *bytes;
    uint64_t start, len;
    bool left; /* a signal frame led to another stack: whatever is not in the copy was never copied */
};

/* What is kept of each frame beside its struct unwind_frame. */
struct entered {
    const struct cfi_rule *rule; /* by which it was left; not set for the current frame */
    uint64_t sp, fp;             /* when the walk came to it */
    int16_t fp_slot; /* where the caller's FP was saved, in words from the CFA; CFI_SAME: it was not */
    bool fp_known;
    bool plain; /* left by a row that takes nothing but sp, fp and the words at its slots: see trail.h */
};

struct walk {
    const struct unwind_finder *finder;
    struct unwind_trail *trail; /* may be NULL */
    uint32_t trail_at;          /* frames of the trail that may still be met */
    uint32_t trail_end;         /* the one up to which it was followed last */
    uint32_t trail_kept;        /* and the number of frames from where it was met outward; 0: never met */
    struct unwind_frame *frames;
    struct stack_copy stack;
    uint32_t at;  /* index of the current frame */
    uint32_t max; /* room for frames */
    uint64_t pc, sp, fp;
    bool fp_known;
    bool guessed; /* the one guess a walk may make has been made */
    uint32_t ops_left;
    uint32_t base;                /* the frame whose registers `file` holds */
    const struct arch_regs *file; /* the sample's registers, or `own` after a frame with full rules */
    struct arch_regs own;
    struct cfi_rule made; /* for the frame a guess was made for */
    struct entered entered[UNWIND_MAX_FRAMES];
};

enum unwind_stop stack_miss(const struct stack_copy *s, uint64_t addr);

/* UNWIND_GOES_ON when the word was read; *out is 0 otherwise. */
static inline enum unwind_stop stack_read(const struct stack_copy *s, uint64_t addr, uint64_t *out)
{
    uint64_t from_start = addr - s->start;

    if (s->len < ARCH_WORD_BYTES || from_start > s->len - ARCH_WORD_BYTES) {
        *out = 0;
        return stack_miss(s, addr);
    }
    memcpy(out, s->bytes + from_start, sizeof(*out)); /* hostile or packed frames may be misaligned */
    return UNWIND_GOES_ON;
}

/*
 * The value of a register in the current frame. SP, FP and PC are at hand; the others are looked for only
 * now, in the frames inside this one: the nearest that saved the register has it, else it still is in the
 * register file.
 */
enum unwind_stop walk_recover(const struct walk *w, unsigned reg, uint64_t *out);

/* Leaves the current frame by a CFI_FULL rule. Changes w->pc, sp, fp and the register file only when it
 * succeeds. */
enum unwind_stop full_step(struct walk *w, const struct cfi_rule *rule);

/*
 * A rule for a frame without call-frame information, and how much it is worth. NULL with *stop set when there
 * is none. executable: the frame's code is.
 */
const struct cfi_rule *fallback_rule(struct walk *w, bool executable, enum unwind_how *how,
                                     enum unwind_stop *stop);

/*
 * For a return address in front of which there is no call-frame information: was it planted, rather than
 * pushed by a call? True when it was; *site then describes the code at the address itself.
 */
bool fallback_planted(const struct walk *w, struct unwind_site *site);

/*
 * After a step out of the current frame failed: was its return address planted all the same? True when it
 * was: frame and *site then are what they should have been, and the step is worth another try, once.
 */
bool fallback_planted_after_all(struct walk *w, struct unwind_site *site);

#endif
