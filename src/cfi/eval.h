/*
 * eval.h - what libdw makes of one FDE at one address
 *
 * libdw reads frames out of a whole ELF file. It gets a small one made in memory instead, that holds only
 * entries frames.h has checked, written anew in one plain form, behind a search table of one line that is
 * pointed at the FDE in question. So libdw never reads a hostile byte that was not looked at, never scans (12
 * ms for the first look-up in a file linked by gold), treats .debug_frame like .eh_frame, and its own tables
 * stay small: when the little file is full, all of it goes.
 */
#ifndef RINGSIDE_CFI_EVAL_H
#define RINGSIDE_CFI_EVAL_H

#include "frames.h"
#include "rules.h"

#include <elfutils/libdw.h>

#define EVAL_REMEMBERED 64 /* entries whose copies are found again */

struct eval_copy {
    uint64_t offset; /* of the original; with generation */
    uint32_t at;     /* of the copy */
    uint32_t generation;
};

struct eval {
    uint8_t *file;
    size_t bytes, used;
    uint32_t generation; /* of the little file; starts at 1 */
    Elf *elf;
    Dwarf_CFI *cfi;
    struct eval_copy cie[8], fde[EVAL_REMEMBERED];
    struct rules_draft *draft; /* the last result */
};

void eval_init(struct eval *v);
void eval_release(struct eval *v);

/*
 * Evaluates an FDE that covers addr. debug tells entries of .debug_frame from those of .eh_frame. v->draft
 * then holds the rule (CFI_NONE when libdw refuses), which is the same up to *end.
 */
void eval_rule(struct eval *v, const struct frames_fde *fde, bool debug, uint64_t addr, uint64_t *end);

#endif
