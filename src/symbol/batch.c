/*
 * batch.c - which of the symbols that cover an address names it
 *
 * 1. One with a size that covers the address before one without a size, which reaches up to the next symbol.
 * 2. A function before a label of assembly (NOTYPE).
 * 3. The innermost, that is the one that starts last: assembly nests functions.
 * 4. Of several at one address (aliases): the visible before the local, as local ones are a library's inner
 * names; then fewest leading underscores (write, not __write: what the source says); then strong before weak,
 * then the shortest, then the alphabetically first, so that the choice does not depend on the table's order.
 */
#include "batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

/* Steps: a second at worst. A pass over a browser's symbols takes a few hundred thousand. */
#define WORK_MAX       (1ULL << 24)
#define NAME_LOOKED_AT 256 /* bytes, when aliases are compared */

/* As many buckets as addresses or up to twice as many, each a power of two of bytes. */
static void fill_buckets(struct batch *b)
{
    uint64_t span = b->n ? b->addr[b->n - 1] - b->addr[0] : 0;
    uint32_t buckets, i = 0;

    while (span >> b->bucket_shift >= 2 * (uint64_t)b->n + 1)
        b->bucket_shift++;
    buckets = (uint32_t)(span >> b->bucket_shift) + 1;
    b->bucket = base_alloc((buckets + 1) * sizeof(*b->bucket));
    for (uint32_t k = 0; k <= buckets; k++) {
        while (i < b->n && (b->addr[i] - b->addr[0]) >> b->bucket_shift < k)
            i++;
        b->bucket[k] = (uint16_t)i;
    }
}

void batch_init(struct batch *b, const uint64_t *addrs, uint32_t n)
{
    assert(n <= BATCH_MAX);
    *b = (struct batch){.n = n, .work = WORK_MAX};
    b->slot = base_calloc(n, sizeof(*b->slot));
    b->addr = base_alloc(n * sizeof(*b->addr));
    b->gap = base_calloc(n + 1, sizeof(*b->gap));
    for (uint32_t i = 0; i < n; i++) {
        b->addr[i] = b->slot[i].addr = addrs[i];
        b->slot[i].to = UINT64_MAX;
    }
    for (uint32_t i = 0; i <= n; i++)
        b->gap[i].lowest = UINT64_MAX;
    fill_buckets(b);
}

void batch_release(struct batch *b)
{
    free(b->slot);
    free(b->addr);
    free(b->gap);
    free(b->bucket);
    *b = (struct batch){0};
}

/* _Z and _R begin mangled names: their underscore is none of the name's. */
static uint32_t underscores(const char *name)
{
    if (name[0] == '_' && (name[1] == 'Z' || name[1] == 'R'))
        return 0;
    return (uint32_t)strspn(name, "_");
}

static bool better_alias(const struct candidate *a, const struct candidate *b)
{
    uint32_t ua, ub;
    size_t na, nb;

    if (a->local != b->local)
        return b->local;
    ua = underscores(a->name);
    ub = underscores(b->name);
    if (ua != ub)
        return ua < ub;
    if (a->weak != b->weak)
        return b->weak;
    na = strnlen(a->name, NAME_LOOKED_AT);
    nb = strnlen(b->name, NAME_LOOKED_AT);
    if (na != nb)
        return na < nb;
    return strncmp(a->name, b->name, NAME_LOOKED_AT) < 0;
}

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (!b->name)
        return true;
    if (a->function != b->function)
        return a->function;
    if (a->start != b->start)
        return a->start > b->start;
    return better_alias(a, b);
}

/* Without sizes it is the nearest that counts, function or not. */
static bool nearer(const struct candidate *a, const struct candidate *b)
{
    if (!b->name || a->start != b->start)
        return !b->name || a->start > b->start;
    if (a->function != b->function)
        return a->function;
    return better_alias(a, b);
}

bool batch_offer(struct batch *b, const struct candidate *c, uint32_t first)
{
    uint32_t i = first;
    uint64_t steps;

    batch_boundary(b, c->start, first);
    if (!c->sized && first < b->n && nearer(c, &b->slot[first].below))
        b->slot[first].below = *c;
    if (c->sized) {
        for (; i < b->n && b->addr[i] < c->end; i++)
            if (better(c, &b->slot[i].sized))
                b->slot[i].sized = *c;
        batch_boundary(b, c->end, i);
    }
    steps = MIN_OF(b->work, (uint64_t)(i - first + 1));
    b->work -= steps;
    return b->work > 0;
}

/* What is noted next to a slot holds for the others behind or before it, up to the next note. */
static void carry_on(struct batch *b)
{
    uint64_t edge = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        struct batch_slot *s = &b->slot[i];

        s->from = edge = MAX_OF(edge, b->gap[i].highest);
        if (i > 0 && s[-1].below.name && nearer(&s[-1].below, &s->below))
            s->below = s[-1].below;
    }
    edge = UINT64_MAX;
    for (uint32_t i = b->n; i-- > 0;)
        b->slot[i].to = edge = MIN_OF(edge, b->gap[i + 1].lowest);
}

void batch_settle(struct batch *b)
{
    carry_on(b);
    for (uint32_t i = 0; i < b->n; i++) {
        struct batch_slot *s = &b->slot[i];

        if (s->name)
            continue;
        if (s->sized.name)
            s->name = s->sized.name;
        /* What lies behind another symbol's start or end belongs to that one, or to none. */
        else if (s->below.name && s->below.start == s->from && s->addr < s->below.end)
            s->name = s->below.name;
    }
}

uint32_t batch_unnamed(const struct batch *b)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++)
        n += b->slot[i].name == NULL;
    return n;
}
