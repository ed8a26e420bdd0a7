/*
 * words.h - the distinct frame words of a period, numbered in the order they came in
 */
#ifndef RINGSIDE_WORKER_WORDS_H
#define RINGSIDE_WORKER_WORDS_H

#include <stdint.h>

struct words {
    uint64_t *word; /* by number */
    uint32_t count, cap;
    uint32_t *slot; /* hash index: number plus one; 0: empty */
    uint32_t slots; /* a power of two, or 0 */
};

/* Starts as {0}. */
void words_release(struct words *w);
/* The word's number. */
uint32_t words_add(struct words *w, uint64_t word);
/* All words, ascending; the caller's to free. */
uint64_t *words_sorted(const struct words *w);

#endif
