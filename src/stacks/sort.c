/*
 * sort.c - entries in root-first order
 *
 * Stacks share long outer parts, which a comparing sort would walk again for every comparison. So: multikey
 * quicksort (Bentley and Sedgewick, "Fast algorithms for sorting and searching strings", 1997), which
 * partitions by one frame at a time and goes one frame deeper only among stacks that agree so far.
 */
#include "ringside/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "table.h"

#define SMALL 12 /* below, insertion sort is quicker */

struct item {
    uint64_t key;         /* frame at the depth that is being compared */
    const uint64_t *root; /* last word; the frame at depth d is root[-d] */
    uint32_t n, stack;
};

static void swap(struct item *a, struct item *b)
{
    struct item t = *a;

    *a = *b;
    *b = t;
}

/* Both agree in the first depth frames. */
static bool before(const struct item *a, const struct item *b, uint32_t depth)
{
    for (uint32_t d = depth; d < a->n && d < b->n; d++)
        if (a->root[-(ptrdiff_t)d] != b->root[-(ptrdiff_t)d])
            return a->root[-(ptrdiff_t)d] < b->root[-(ptrdiff_t)d];
    return a->n < b->n;
}

static void sort_small(struct item *a, uint32_t count, uint32_t depth)
{
    for (uint32_t i = 1; i < count; i++) {
        struct item moving = a[i];
        uint32_t j = i;

        for (; j > 0 && before(&moving, &a[j - 1], depth); j--)
            a[j] = a[j - 1];
        a[j] = moving;
    }
}

static uint64_t median(uint64_t a, uint64_t b, uint64_t c)
{
    if (a > b) {
        uint64_t t = a;

        a = b;
        b = t;
    }
    return c < a ? a : MIN_OF(b, c);
}

/* Stacks that end here come first (at most one: stacks are distinct). Loads the keys of the others; returns
 * where they start. */
static uint32_t load_keys(struct item *a, uint32_t count, uint32_t depth)
{
    uint32_t ended = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (a[i].n == depth)
            swap(&a[i], &a[ended++]);
        else
            a[i].key = a[i].root[-(ptrdiff_t)depth];
    }
    return ended;
}

struct range {
    struct item *a;
    uint32_t count, depth;
    bool loaded; /* keys are those of depth */
};

/* Splits into less, equal and greater keys; the equal ones go one frame deeper. */
static void partition(const struct range *r, struct range part[3])
{
    struct item *a = r->a;
    uint32_t low = 0, high = r->count, i = 0;
    uint64_t pivot = median(a[r->count / 4].key, a[r->count / 2].key, a[r->count / 4 * 3].key);

    while (i < high) {
        if (a[i].key < pivot)
            swap(&a[i++], &a[low++]);
        else if (a[i].key > pivot)
            swap(&a[i], &a[--high]);
        else
            i++;
    }
    part[0] = (struct range){a, low, r->depth, true};
    part[1] = (struct range){a + low, high - low, r->depth + 1, false};
    part[2] = (struct range){a + high, r->count - high, r->depth, true};
}

/* Goes on with the largest part and recurses for the other two, so it is never deeper than log2(count). */
static void sort_items(struct range r)
{
    while (r.count > SMALL) {
        struct range part[3];
        int largest = 1;

        if (!r.loaded) {
            uint32_t ended = load_keys(r.a, r.count, r.depth);

            r = (struct range){r.a + ended, r.count - ended, r.depth, true};
        }
        partition(&r, part);
        for (int i = 0; i < 3; i++)
            largest = part[i].count > part[largest].count ? i : largest;
        for (int i = 0; i < 3; i++)
            if (i != largest)
                sort_items(part[i]);
        r = part[largest];
    }
    sort_small(r.a, r.count, r.depth);
}

/* place[stack]: position of the stack's first entry in the sorted order. */
static uint32_t *entry_places(const struct stacks *s)
{
    FREE_PTR struct item *item = base_alloc(s->stack_count * sizeof(*item));
    FREE_PTR uint32_t *entries = base_calloc(s->stack_count, sizeof(*entries));
    uint32_t *place = base_alloc(s->stack_count * sizeof(*place));
    uint32_t at = 0;

    for (uint32_t i = 0; i < s->stack_count; i++) {
        const struct stack *k = &s->stack[i];

        item[i] = (struct item){.root = s->words + k->at + k->n - (k->n > 0), .n = k->n, .stack = i};
    }
    sort_items((struct range){.a = item, .count = s->stack_count});
    for (uint32_t i = 0; i < s->entry_count; i++)
        entries[s->entry[i].stack]++;
    for (uint32_t i = 0; i < s->stack_count; i++) {
        place[item[i].stack] = at;
        at += entries[item[i].stack];
    }
    return place;
}

/* Entries of one stack, by owner: mostly few. */
static void sort_by_owner(const struct stacks_entry *entry, uint32_t *order, uint32_t count)
{
    for (uint32_t gap = count / 2; gap > 0; gap /= 2)
        for (uint32_t i = gap; i < count; i++) {
            uint32_t moving = order[i], j = i;

            for (; j >= gap && entry[order[j - gap]].owner > entry[moving].owner; j -= gap)
                order[j] = order[j - gap];
            order[j] = moving;
        }
}

/* The entries stay where they are: who dies half-way must not leave some twice and others not at all. */
void stacks_sort(struct stacks *s)
{
    FREE_PTR uint32_t *place = NULL;
    uint32_t *order;

    if (s->entry_count == 0 || s->order)
        return;
    order = base_alloc(s->entry_count * sizeof(*order));
    place = entry_places(s);
    for (uint32_t i = 0; i < s->entry_count; i++)
        order[place[s->entry[i].stack]++] = i;
    for (uint32_t i = 0, end; i < s->entry_count; i = end) {
        end = place[s->entry[order[i]].stack];
        sort_by_owner(s->entry, order + i, end - i);
    }
    s->order = order;
}
