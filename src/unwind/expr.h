/*
 * expr.h - DWARF expressions as call-frame information uses them
 */
#ifndef RINGSIDE_UNWIND_EXPR_H
#define RINGSIDE_UNWIND_EXPR_H

#include "walk.h"

struct expr_input {
    const struct arch_regs *regs;   /* of the frame the expression belongs to */
    const struct stack_copy *stack; /* the only memory it may read */
    uint64_t cfa;
    bool cfa_known; /* false while the CFA itself is computed */
};

/*
 * Value on top of the expression's stack, or UNWIND_BAD_STATE for anything it cannot or may not do. *ops_left
 * goes down by one per operation and ends the evaluation at 0.
 */
enum unwind_stop expr_eval(const struct cfi_place *place, const struct expr_input *in, uint32_t *ops_left,
                           uint64_t *out);

#endif
