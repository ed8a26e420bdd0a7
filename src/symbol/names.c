/*
 * names.c - sorted intervals, and blocks of text that never move
 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/symbol.h"

#define BLOCK_FIRST 512
#define BLOCK_MOST  16384

struct text_block {
    struct text_block *next;
    size_t used, cap;
    char bytes[];
};

void names_init(struct names *n, struct names_budget *budget)
{
    *n = (struct names){.budget = budget};
}

void names_release(struct names *n)
{
    while (n->blocks) {
        struct text_block *b = n->blocks;

        n->blocks = b->next;
        free(b);
    }
    free(n->known);
    n->budget->used -= n->bytes;
    *n = (struct names){.budget = n->budget};
}

static bool budget_take(struct names *n, size_t bytes)
{
    if (bytes > n->budget->max - n->budget->used) {
        n->budget->refused++;
        return false;
    }
    n->budget->used += bytes;
    n->bytes += bytes;
    return true;
}

void names_charge(struct names *n, size_t bytes)
{
    budget_take(n, bytes);
}

static bool room_for_known(struct names *n)
{
    uint32_t more = n->cap ? n->cap : 8;

    if (n->count < n->cap)
        return true;
    if (n->cap > UINT32_MAX / 2 || !budget_take(n, more * sizeof(*n->known)))
        return false;
    n->cap += more;
    n->known = base_realloc(n->known, n->cap * sizeof(*n->known));
    return true;
}

/* Room for so many bytes in the newest block, or in a new one, twice as large as the one before. */
static char *text_room(struct names *n, size_t bytes)
{
    struct text_block *b = n->blocks;
    size_t cap;

    if (!b || b->cap - b->used < bytes) {
        cap = b ? MIN_OF(b->cap * 2, (size_t)BLOCK_MOST) : BLOCK_FIRST;
        cap = MAX_OF(cap, bytes);
        if (!budget_take(n, sizeof(*b) + cap))
            return NULL;
        b = base_alloc(sizeof(*b) + cap);
        *b = (struct text_block){.next = n->blocks, .cap = cap};
        n->blocks = b;
    }
    b->used += bytes;
    return b->bytes + b->used - bytes;
}

bool names_add(struct names *n, const struct known *range, const char *shown, const char *linked)
{
    struct known k = *range;
    char *text = NULL;

    if (!room_for_known(n))
        return false;
    if (shown) {
        size_t first = strlen(shown) + 1, second = strcmp(shown, linked) ? strlen(linked) + 1 : 1;

        text = text_room(n, first + second);
        if (!text)
            return false;
        memcpy(text, shown, first);
        memcpy(text + first, second > 1 ? linked : "", second);
    }
    k.text = text;
    n->known[n->count++] = k;
    return true;
}

static int compare_known(const void *a, const void *b)
{
    const struct known *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* One pass over a file adds in order. */
static bool in_order(const struct names *n)
{
    for (uint32_t i = 1; i < n->count; i++)
        if (n->known[i].from < n->known[i - 1].from)
            return false;
    return true;
}

void names_sort(struct names *n)
{
    if (!in_order(n))
        qsort(n->known, n->count, sizeof(*n->known), compare_known);
}

const struct known *names_find(const struct names *n, uint64_t addr)
{
    uint32_t low = 0, high = n->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (n->known[middle].from <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low && addr <= n->known[low - 1].last ? &n->known[low - 1] : NULL;
}

void names_ref(const struct known *k, struct symbol_ref *out)
{
    const char *linked;

    *out = (struct symbol_ref){0};
    if (!k || !k->text)
        return;
    linked = k->text + strlen(k->text) + 1;
    out->name = k->text;
    out->system_name = *linked ? linked : k->text;
}
