/*
 * cfi.h - call-frame information as rules: "from this code address on, the caller's frame is found so"
 *
 * Rules are compiled on first use through libdw, out of .eh_frame and else .debug_frame, and kept for good: a
 * rule pointer stays valid until cfi_free(). "No information here" is remembered too. Not thread-safe.
 */
#ifndef RINGSIDE_CFI_H
#define RINGSIDE_CFI_H

#include "ringside/arch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;
struct err;

enum cfi_cfa {
    CFI_NONE,       /* no information for this address */
    CFI_END,        /* the return address is undefined: the outermost frame (_start, clone) */
    CFI_REG_OFFSET, /* CFA = cfa_reg + cfa_offset, saved registers as in saved[] */
    CFI_FULL,       /* anything else: see full */
};

#define CFI_SAME INT16_MIN /* saved[]: the register still holds the caller's value */

struct cfi_rule {
    uint8_t cfa; /* enum cfi_cfa */
    uint8_t cfa_reg;
    bool signal_frame;
    int32_t cfa_offset;
    int16_t saved[ARCH_SAVED_COUNT]; /* words (8 bytes) from the CFA, by ARCH_SAVED_REGS; CFI_SAME */
    const struct cfi_full *full;     /* CFI_FULL only */
};

/* One operation of a DWARF expression (DWARF 5, section 2.5), as libdw decodes it. */
struct cfi_op {
    uint8_t atom; /* DW_OP_* of <dwarf.h> */
    uint64_t number, number2;
    uint32_t offset; /* of this operation in the expression's bytes: what DW_OP_bra counts in */
};

enum cfi_how {
    CFI_HOW_SAME,
    CFI_HOW_UNDEFINED,
    CFI_HOW_AT_CFA,
    CFI_HOW_CFA_PLUS,
    CFI_HOW_AT_EXPR,
    CFI_HOW_EXPR,
    CFI_HOW_REG
};

struct cfi_place {
    uint8_t how;    /* enum cfi_how */
    uint8_t reg;    /* CFI_HOW_REG */
    uint16_t ops;   /* number of operations, for the two EXPR kinds */
    int64_t offset; /* CFI_HOW_AT_CFA (saved at CFA + offset), CFI_HOW_CFA_PLUS (value is CFA + offset) */
    const struct cfi_op
        *op; /* an expression that starts with DW_OP_call_frame_cfa begins with the CFA pushed */
};

struct cfi_full {
    struct cfi_place cfa; /* CFI_HOW_REG with offset: register + offset; else CFI_HOW_EXPR */
    struct cfi_place reg[ARCH_REG_COUNT];
};

struct cfi_limits {
    uint32_t rows;  /* kept ranges of one file; beyond, look-ups still work but are not remembered */
    uint32_t rules; /* distinct rules of one file, of which 1 MiB may be CFI_FULL; beyond, CFI_NONE */
};

struct cfi_counts {
    uint64_t compiled, dropped; /* rows */
};

struct cfi;

/* file is borrowed and must outlive the result. NULL with *e when libdw refuses the file. A file without any
 * is not an error. */
struct cfi *cfi_new(const struct elf_file *file, const struct cfi_limits *limits, struct err *e);
void cfi_free(struct cfi *c);

/* Never NULL: a CFI_NONE rule where nothing is known. elf_addr: as written in the file. */
const struct cfi_rule *cfi_find(struct cfi *c, uint64_t elf_addr);

/*
 * Bounds of the function that holds an address, as its FDE gives them: what is left to tell functions of a
 * stripped file apart. False when no FDE covers it.
 */
bool cfi_function(struct cfi *c, uint64_t elf_addr, uint64_t *start, uint64_t *end);

void cfi_counts(const struct cfi *c, struct cfi_counts *out);

#endif
