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

#define BATCH_MAX 4096 /* addresses at once: 450 KB of slots */

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
    uint64_t from, to;      /* no symbol starts or ends inside: the answer holds for [from, to); after
                             * batch_settle() */
    struct candidate sized; /* best one whose size covers addr */
    struct candidate below; /* nearest one without a size at or below addr */
    const char *name;       /* the answer after batch_settle(); NULL: none */
    bool plt;               /* name is what this stub jumps to */
};

/* What lies between two neighbouring addresses, or outside of them all: the starts and ends of symbols. */
struct batch_gap {
    uint64_t lowest, highest; /* UINT64_MAX, 0: none so far */
};

/*
 * Nearly all symbols of a large library hold no address that is asked for. What is touched for those is
 * packed closely, and found by arithmetic rather than by searching: addresses are divided evenly into
 * buckets, of which most hold none or one.
 */
struct batch {
    struct batch_slot *slot;
    uint64_t *addr;        /* of the slots */
    struct batch_gap *gap; /* gap[i] is below addr[i] and above addr[i - 1]; n + 1 of them */
    uint16_t *bucket;      /* first slot of each, and one more at the end */
    uint32_t bucket_shift;
    uint32_t n;
    uint64_t work; /* steps left: a file whose symbols all overlap must not hold us up */
};

/* addrs: sorted ascending, at most BATCH_MAX. */
void batch_init(struct batch *b, const uint64_t *addrs, uint32_t n);
void batch_release(struct batch *b);

/* Index of the first slot at or above addr; b->n when there is none. */
static inline uint32_t batch_lower_bound(const struct batch *b, uint64_t addr)
{
    uint64_t k;
    uint32_t low, high;

    if (!b->n || addr <= b->addr[0])
        return 0;
    if (addr > b->addr[b->n - 1])
        return b->n;
    k = (addr - b->addr[0]) >> b->bucket_shift;
    low = b->bucket[k];
    high = b->bucket[k + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (b->addr[middle] < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* An address, first as above, at which answers may change although no symbol is offered there (a section's
 * bounds). */
static inline void batch_boundary(struct batch *b, uint64_t addr, uint32_t first)
{
    struct batch_gap *g = &b->gap[first];

    g->lowest = addr < g->lowest ? addr : g->lowest;
    g->highest = addr > g->highest ? addr : g->highest;
}

/* The quick way for a symbol with a size, first as above: true when it holds no address, and then all it can
 * tell is noted. */
static inline bool batch_passes(struct batch *b, uint64_t start, uint64_t end, uint32_t first)
{
    if ((first < b->n && b->addr[first] < end) || b->work < 2)
        return false;
    batch_boundary(b, start, first);
    batch_boundary(b, end, first);
    b->work--;
    return true;
}

/* False when the work allowed is used up: stop offering. first: batch_lower_bound() of the candidate's start.
 */
bool batch_offer(struct batch *b, const struct candidate *c, uint32_t first);
/* Chooses. More may be offered afterwards for the slots without a name, and settled again. */
void batch_settle(struct batch *b);
/* Slots without an answer. */
uint32_t batch_unnamed(const struct batch *b);

#endif
