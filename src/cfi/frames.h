/*
 * frames.h - read one entry of .eh_frame or .debug_frame out of bytes that may be hostile
 *
 * Splits CIEs and FDEs into their parts and checks that libdw can run their instructions without harm. What
 * the instructions mean is libdw's business (eval.h).
 *
 * Sources: DWARF 5, section 6.4; Linux Standard Base Core 5.0, sections 10.5 (DWARF extensions) and 10.6
 * (exception frames).
 */
#ifndef RINGSIDE_CFI_FRAMES_H
#define RINGSIDE_CFI_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the instructions of an entry mention. */
struct frames_uses {
    uint64_t registers; /* bit i: register i; those from 64 on are left out */
    bool expressions;
};

struct frames_cie {
    uint64_t code_align;
    int64_t data_align;
    uint64_t return_column;
    uint8_t encoding; /* DW_EH_PE_* of the addresses in its FDEs */
    bool sized;       /* FDEs carry a length of augmentation data */
    bool signal;
    const uint8_t *program;
    size_t program_bytes;
};

#define FRAMES_CIES_KNOWN 4 /* linkers leave two or three in a file */

/* A CIE that was read and found sound. */
struct frames_known {
    uint64_t offset; /* with is_set */
    bool is_set;
    struct frames_cie cie;
};

struct frames {
    const uint8_t *data;
    size_t bytes;
    uint64_t vaddr; /* ELF address of data: what pc-relative pointers count from */
    bool debug;     /* .debug_frame: absolute addresses, CIEs named by offset */
    struct frames_known known[FRAMES_CIES_KNOWN]; /* by offset; start with none */
};

struct frames_fde {
    uint64_t start, end; /* ELF addresses */
    uint64_t offset;     /* of this entry */
    struct frames_cie cie;
    const uint8_t *program;
    size_t program_bytes;
    struct frames_uses uses; /* once frames_check_to() said so */
};

enum frames_entry {
    FRAMES_FDE,
    FRAMES_CIE,
    FRAMES_BAD, /* cannot be used; the next one may */
    FRAMES_END, /* the terminator, the end of the section, or an entry that does not say where it ends */
};

/*
 * The entry at an offset. *next is the offset behind it unless FRAMES_END. Only FRAMES_FDE fills *out, whose
 * instructions are not checked yet.
 */
enum frames_entry frames_read(struct frames *f, uint64_t offset, struct frames_fde *out, uint64_t *next);

/* Whether libdw can run all of a CIE's instructions without harm. */
bool frames_check(const uint8_t *program, size_t bytes);

/*
 * The same for those of an FDE that hold at an address it covers; cuts off the ones behind the first that
 * goes beyond.
 */
bool frames_check_to(struct frames_fde *fde, uint64_t addr);

#endif
