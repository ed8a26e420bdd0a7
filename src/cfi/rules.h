/*
 * rules.h - the distinct rules of one file, by small numbers and by pointers that stay valid
 */
#ifndef RINGSIDE_CFI_RULES_H
#define RINGSIDE_CFI_RULES_H

#include "ringside/cfi.h"

#define RULES_PER_CHUNK      64
#define RULES_NONE           0   /* the number of the CFI_NONE rule */
#define RULES_OPS_MAX        128 /* operations over all expressions of one rule */
/* Of rules that are not compact. Compact ones take 32 bytes, and libcrypto, which has more of the others than
 * any library of a Debian system we looked at, 16 KiB for all of those; but a hostile file could ask for 4
 * KiB each. */
#define RULES_FULL_BYTES_MAX (1U << 20)

/* A rule while it is being made; its expressions lie in op[]. */
struct rules_draft {
    struct cfi_rule rule;
    struct cfi_full full; /* when rule.cfa is CFI_FULL */
    uint32_t ops;
    struct cfi_op op[RULES_OPS_MAX];
};

struct rules {
    struct cfi_rule **chunk;
    uint16_t *index; /* hash index over numbers; 0: empty */
    uint32_t index_slots, count, max;
    size_t full_bytes;
};

void rules_init(struct rules *r, uint32_t max);
void rules_release(struct rules *r);

static inline const struct cfi_rule *rules_get(const struct rules *r, uint32_t number)
{
    return &r->chunk[number / RULES_PER_CHUNK][number % RULES_PER_CHUNK];
}

/* The number of a rule that says what the draft says, added when it is new; RULES_NONE when there is no room
 * for it. */
uint16_t rules_add(struct rules *r, const struct rules_draft *draft);

#endif
