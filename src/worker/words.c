/*
 * words.c - the distinct frame words of a period: numbering and sorting
 *
 * Numbers in four bytes and no values: a map from words to locations took 800 KB for the 13 000 words of a
 * compiler's run, and a look-up for each frame missed the cache; this takes 240 KB.
 */
#include "words.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

#define WORDS_START 256U

void words_release(struct words *w)
{
    free(w->word);
    free(w->slot);
    *w = (struct words){0};
}

/* The slot that holds word, or the empty one where it would go: the index is at most half full. */
static uint32_t *slot_of(const struct words *w, uint64_t word)
{
    uint32_t mask = w->slots - 1, i = (uint32_t)hash_u64(word) & mask;

    while (w->slot[i] && w->word[w->slot[i] - 1] != word)
        i = (i + 1) & mask;
    return &w->slot[i];
}

static void grow(struct words *w)
{
    w->cap = w->cap ? w->cap * 2 : WORDS_START;
    w->word = base_realloc(w->word, w->cap * sizeof(*w->word));
    free(w->slot);
    w->slots = w->cap * 2;
    w->slot = base_calloc(w->slots, sizeof(*w->slot));
    for (uint32_t i = 0; i < w->count; i++)
        *slot_of(w, w->word[i]) = i + 1;
}

uint32_t words_add(struct words *w, uint64_t word)
{
    uint32_t *slot;

    if (w->count == w->cap)
        grow(w);
    slot = slot_of(w, word);
    if (!*slot) {
        w->word[w->count] = word;
        *slot = ++w->count;
    }
    return *slot - 1;
}

/* One pass of a radix sort: by the byte at shift, whose values are counted. False when there is only one. */
static bool sort_by_byte(const uint64_t *from, uint64_t *to, uint32_t n, const uint32_t *counts, int shift)
{
    uint32_t place[256], at = 0;

    for (int i = 0; i < 256; i++) {
        if (counts[i] == n)
            return false;
        place[i] = at;
        at += counts[i];
    }
    for (uint32_t i = 0; i < n; i++)
        to[place[from[i] >> shift & 255]++] = from[i];
    return true;
}

uint64_t *words_sorted(const struct words *w)
{
    uint64_t *from = base_alloc(w->count * sizeof(*from)), *to = base_alloc(w->count * sizeof(*to));
    uint32_t counts[8][256] = {0};

    for (uint32_t i = 0; i < w->count; i++) {
        from[i] = w->word[i];
        for (int byte = 0; byte < 8; byte++)
            counts[byte][from[i] >> 8 * byte & 255]++;
    }
    for (int byte = 0; byte < 8; byte++) {
        if (sort_by_byte(from, to, w->count, counts[byte], 8 * byte)) {
            uint64_t *sorted = to;

            to = from;
            from = sorted;
        }
    }
    free(to);
    return from;
}
