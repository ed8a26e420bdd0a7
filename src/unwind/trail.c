/*
 * trail.c - see trail.h
 */
#include "trail.h"

#include "ringside/base.h"

#define LINE_BYTES 64
#define LINES_MAX  64 /* asked for at once; more would wait for each other */

uint32_t trail_fetch(const struct unwind_trail *t, const struct stack_copy *s)
{
    uint64_t line = 0;
    uint32_t lines = 0;

    for (uint32_t i = t->count; i-- > 0 && lines < LINES_MAX;) {
        uint64_t at = t->frame[i].sp - ARCH_WORD_BYTES - s->start; /* the return address's usual place */

        if (at >= s->len || at / LINE_BYTES == line)
            continue;
        line = at / LINE_BYTES;
        lines++;
        __builtin_prefetch(s->bytes + at);
    }
    return t->count;
}

/* The frame of the trail that is the one the walk has come to; NULL. */
static const struct unwind_trail_frame *meet(struct walk *w)
{
    const struct unwind_trail_frame *f = w->trail->frame + w->trail_at;

    while (w->trail_at && f[-1].sp < w->sp) {
        w->trail_at--;
        f--;
    }
    if (!w->trail_at)
        return NULL;
    f--;
    if (f->sp != w->sp || f->pc != w->pc || f->fp_known != w->fp_known || (f->fp_known && f->fp != w->fp) ||
        f->how != UNWIND_BY_ROW || f->exact)
        return NULL;
    return f;
}

static inline bool same_word(const struct walk *w, uint64_t addr, uint64_t word, bool known)
{
    uint64_t now;

    return (stack_read(&w->stack, addr, &now) == UNWIND_GOES_ON) == known && (!known || now == word);
}

/* Does the frame lead to the same caller as before? */
static inline bool same_caller(const struct walk *w, const struct unwind_trail_frame *f)
{
    const struct unwind_trail_frame *caller = f - 1;
    uint64_t cfa = caller->sp;

    if (!same_word(w, cfa + (uint64_t)((int64_t)f->rule->saved[ARCH_SAVED_PC] * ARCH_WORD_BYTES), caller->pc,
                   true))
        return false;
    return f->fp_slot == CFI_SAME || same_word(w, cfa + (uint64_t)((int64_t)f->fp_slot * ARCH_WORD_BYTES),
                                               caller->fp, caller->fp_known);
}

static inline void take_over(struct walk *w, const struct unwind_trail_frame *f)
{
    w->at++;
    w->frames[w->at] = (struct unwind_frame){
        .pc = f->pc, .cfa = f[-1].sp, .where = f->where, .how = f->how, .exact = f->exact};
    w->entered[w->at] = (struct entered){.rule = f->rule,
                                         .sp = f->sp,
                                         .fp = f->fp,
                                         .fp_slot = f->fp_slot,
                                         .fp_known = f->fp_known,
                                         .plain = true};
}

void trail_follow(struct walk *w)
{
    const struct unwind_trail_frame *first = meet(w), *f = first, *outermost = w->trail->frame;

    if (!f)
        return;
    while (f > outermost && f->plain && w->at + 1 < w->max && same_caller(w, f))
        take_over(w, f--);
    w->pc = f->pc;
    w->sp = f->sp;
    w->fp = f->fp;
    w->fp_known = f->fp_known;
    w->trail_at = w->trail_end = (uint32_t)(f - outermost);
    w->trail_kept = (uint32_t)(first - outermost) + 1;
}

/* The walk's last frame is the one at which it left the trail. */
static bool ended_on_trail(const struct walk *w)
{
    const struct unwind_trail_frame *f = &w->trail->frame[w->trail_end];

    return w->trail_kept && f->pc == w->frames[w->at].pc && f->sp == w->entered[w->at].sp;
}

void trail_note(struct walk *w, enum unwind_stop stop)
{
    struct unwind_trail *t = w->trail;
    uint32_t kept = ended_on_trail(w) ? w->trail_kept : 0, n = w->at + 1;

    if (stop == UNWIND_STACK_ENDED && kept)
        n += w->trail_end; /* what lies beyond the copy stays, to be proven when it is seen again */
    else if (stop != UNWIND_DONE)
        return;
    else if (w->trail_end)
        kept = 0;
    t->count = MIN_OF(n, (uint32_t)UNWIND_TRAIL_FRAMES);
    for (uint32_t i = kept; i < t->count; i++) {
        const struct unwind_frame *frame = &w->frames[n - 1 - i];
        const struct entered *e = &w->entered[n - 1 - i];

        t->frame[i] = (struct unwind_trail_frame){
            .pc = frame->pc,
            .sp = e->sp,
            .fp = e->fp,
            .where = frame->where,
            .rule = e->plain ? e->rule : NULL,
            .fp_slot = e->plain ? e->fp_slot : CFI_SAME,
            .how = frame->how,
            .exact = frame->exact,
            .fp_known = e->fp_known,
            .plain = e->plain,
        };
    }
}
