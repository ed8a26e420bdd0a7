/*
 * batch.h - a sorted run of addresses, and the best symbol offered so far for each
 *
 * Symbols are offered in any order, once each, and need not be kept by the caller beyond their names. After
 * batch_settle() each slot also knows the interval around its address in which the answer is the same, so
 * that it can be cached.
 */
#ifndef RINGSIDE_SYMBOL_BATCH_H
#define RINGSIDE_SYMBOL_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#define BATCH_MAX 4096 /* addresses at once: 350 KB of slots */

/* What a table says of a function. */
struct candidate {
    uint64_t start, end; /* without a size in the table: the end of its section */
    const char *name;    /* NULL: no candidate. Must stay readable until the batch is settled and used. */
    bool sized;
    bool function; /* not merely a label */
    bool local, weak;
};

struct batch_slot {
    uint64_t addr;
    uint64_t from, to;      /* no symbol starts or ends inside: the answer holds for [from, to) */
    struct candidate sized; /* best one whose size covers addr */
    struct candidate below; /* nearest one without a size at or below addr */
    const char *name;       /* the answer after batch_settle(); NULL: none */
    bool plt;               /* name is what this stub jumps to */
};

struct batch {
    struct batch_slot *slot;
    uint64_t *addr; /* of the slots, closely packed for searching */
    uint32_t n;
    uint64_t work; /* steps left: a file whose symbols all overlap must not hold us up */
};

/* addrs: sorted ascending, at most BATCH_MAX. */
void batch_init(struct batch *b, const uint64_t *addrs, uint32_t n);
void batch_release(struct batch *b);

/* Index of the first slot at or above addr; b->n when there is none. */
uint32_t batch_lower_bound(const struct batch *b, uint64_t addr);

/* False when the work allowed is used up: stop offering. first: batch_lower_bound() of the candidate's start.
 */
bool batch_offer(struct batch *b, const struct candidate *c, uint32_t first);
/* An address, first as above, at which answers may change although no symbol is offered there (a section's
 * bounds). */
void batch_boundary(struct batch *b, uint64_t addr, uint32_t first);
/* Chooses. More may be offered afterwards for the slots without a name, and settled again. */
void batch_settle(struct batch *b);
/* Slots without an answer. */
uint32_t batch_unnamed(const struct batch *b);

#endif
