/*
 * rows.c - sorted blocks of ranges
 */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

void rows_init(struct rows *r, uint32_t max)
{
    *r = (struct rows){.max = max};
}

void rows_release(struct rows *r)
{
    for (uint32_t i = 0; i < r->blocks; i++)
        free(r->block[i]);
    free(r->block);
    free(r->first);
    *r = (struct rows){.max = r->max};
}

/* Index of the last value <= key among n sorted ones; 0 when there is none. No branch depends on the data. */
static inline uint32_t last_below(const uint32_t *sorted, uint32_t n, uint32_t key)
{
    const uint32_t *at = sorted;

    while (n > 1) {
        uint32_t half = n / 2;

        at = at[half] <= key ? at + half : at;
        n -= half;
    }
    return (uint32_t)(at - sorted);
}

int rows_find(const struct rows *r, uint32_t addr)
{
    const struct rows_block *b;
    uint32_t i;

    if (!r->blocks)
        return -1;
    b = r->block[last_below(r->first, r->blocks, addr)];
    i = last_below(b->start, b->count, addr);
    /* An address below the first row of all wraps to a huge distance. */
    return addr - b->start[i] < b->bytes[i] ? b->rule[i] : -1;
}

static void add_block(struct rows *r, uint32_t at, struct rows_block *b)
{
    if (r->blocks == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4;
        r->first = base_realloc(r->first, r->cap * sizeof(*r->first));
        r->block = base_realloc(r->block, r->cap * sizeof(struct rows_block *));
    }
    memmove(r->first + at + 1, r->first + at, (r->blocks - at) * sizeof(*r->first));
    memmove(r->block + at + 1, r->block + at, (r->blocks - at) * sizeof(struct rows_block *));
    r->first[at] = b->start[0];
    r->block[at] = b;
    r->blocks++;
}

static void split(struct rows *r, uint32_t at)
{
    struct rows_block *low = r->block[at];
    struct rows_block *high = base_alloc(sizeof(*high));
    uint32_t keep = low->count / 2;

    high->count = low->count - keep;
    memcpy(high->start, low->start + keep, high->count * sizeof(high->start[0]));
    memcpy(high->bytes, low->bytes + keep, high->count * sizeof(high->bytes[0]));
    memcpy(high->rule, low->rule + keep, high->count * sizeof(high->rule[0]));
    low->count = keep;
    add_block(r, at + 1, high);
}

static void insert(struct rows_block *b, uint32_t at, const struct rows_range *range)
{
    uint32_t tail = b->count - at;

    memmove(b->start + at + 1, b->start + at, tail * sizeof(b->start[0]));
    memmove(b->bytes + at + 1, b->bytes + at, tail * sizeof(b->bytes[0]));
    memmove(b->rule + at + 1, b->rule + at, tail * sizeof(b->rule[0]));
    b->start[at] = (uint32_t)range->from;
    b->bytes[at] = (uint16_t)(range->to - range->from);
    b->rule[at] = range->rule;
    b->count++;
}

/* Where a new row goes: behind row `index` of block `block`; before everything when below is set. */
struct place {
    uint32_t block, index;
    bool below;
};

/* Cuts a range to what lies between its neighbours. */
static void clip(const struct rows *r, const struct place *p, struct rows_range *range)
{
    const struct rows_block *b = r->block[p->block];
    uint32_t next = p->below ? p->index : p->index + 1;

    if (!p->below)
        range->from = MAX_OF(range->from, (uint64_t)b->start[p->index] + b->bytes[p->index]);
    if (next < b->count)
        range->to = MIN_OF(range->to, b->start[next]);
    else if (p->block + 1 < r->blocks)
        range->to = MIN_OF(range->to, r->first[p->block + 1]);
}

/* Lengthens a row that touches the range and says the same. */
static bool merge(struct rows *r, const struct place *p, const struct rows_range *range)
{
    struct rows_block *b = r->block[p->block];
    uint32_t next = p->below ? p->index : p->index + 1;
    uint64_t bytes = range->to - range->from;
    uint32_t i = p->index;

    if (!p->below && b->rule[i] == range->rule && b->start[i] + (uint64_t)b->bytes[i] == range->from &&
        b->bytes[i] + bytes <= UINT16_MAX) {
        b->bytes[i] = (uint16_t)(b->bytes[i] + bytes);
        return true;
    }
    if (next < b->count && b->rule[next] == range->rule && b->start[next] == range->to &&
        b->bytes[next] + bytes <= UINT16_MAX) {
        b->start[next] = (uint32_t)range->from;
        b->bytes[next] = (uint16_t)(b->bytes[next] + bytes);
        r->first[p->block] = b->start[0];
        return true;
    }
    return false;
}

static struct rows_block *add_first_block(struct rows *r, const struct rows_range *range)
{
    struct rows_block *b = base_alloc(sizeof(*b));

    b->count = 0;
    insert(b, 0, range);
    add_block(r, 0, b);
    return b;
}

static struct place find_place(struct rows *r, uint32_t addr)
{
    struct place p = {.block = last_below(r->first, r->blocks, addr)};
    const struct rows_block *b;

    if (r->block[p.block]->count == ROWS_PER_BLOCK) {
        split(r, p.block);
        p.block = last_below(r->first, r->blocks, addr);
    }
    b = r->block[p.block];
    p.index = last_below(b->start, b->count, addr);
    p.below = b->start[p.index] > addr;
    return p;
}

bool rows_add(struct rows *r, uint32_t addr, const struct rows_range *wanted)
{
    struct rows_range range = *wanted;
    struct place p;

    /* One row holds 16 bits of length. */
    range.to = MIN_OF(range.to, (uint64_t)addr + UINT16_MAX / 2);
    range.from = MAX_OF(range.from, (uint64_t)(addr > UINT16_MAX / 2 ? addr - UINT16_MAX / 2 : 0));
    if (r->blocks) {
        p = find_place(r, addr);
        clip(r, &p, &range);
        if (merge(r, &p, &range))
            return true;
    }
    if (r->count >= r->max)
        return false;
    r->count++;
    if (!r->blocks)
        return add_first_block(r, &range);
    insert(r->block[p.block], p.below ? 0 : p.index + 1, &range);
    r->first[p.block] = r->block[p.block]->start[0];
    return true;
}
