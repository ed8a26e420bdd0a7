/*
 * eval.h - what libdw makes of one FDE at one address
 *
 * One little file (little.h) for each of the few CIEs in use, and beside it what the CIE says by itself: of a
 * function, only the registers its FDE mentions are asked for.
 */
#ifndef RINGSIDE_CFI_EVAL_H
#define RINGSIDE_CFI_EVAL_H

#include "frames.h"
#include "little.h"
#include "rules.h"

#define EVAL_CIES 4

struct eval_cie {
    struct little little;
    /* Where registers are unless an FDE mentions them. Masks have bit i for register i. */
    struct cfi_place base[ARCH_REG_COUNT];
    int16_t saved[ARCH_SAVED_COUNT];
    uint64_t odd; /* those a compact rule has no form for */
    uint64_t ask; /* those not in base */
};

struct eval {
    struct eval_cie cie[EVAL_CIES];
    size_t last;               /* the one used last */
    struct rules_draft *draft; /* the last result */
};

/* All zero is one that holds nothing. The caller has set libelf's version (elf_version). */
void eval_release(struct eval *v);

/*
 * Evaluates an FDE that covers addr. v->draft then holds the rule (CFI_NONE when libdw refuses), which is the
 * same up to *end.
 */
void eval_rule(struct eval *v, const struct frames_fde *fde, uint64_t addr, uint64_t *end);

#endif
