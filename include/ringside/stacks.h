/*
 * stacks.h - stacks to counts: what one period adds up to
 *
 * A stack is a run of 64-bit frame words, leaf first; what a word means is the caller's business. Memory is
 * kept over stacks_clear(), so a warm table allocates nothing. Single-threaded; the worker's.
 *
 * The counts lie in a ledger: who is killed at any moment leaves there what was added, but for what it was
 * adding just then, and the next stacks_new() with that ledger finds it.
 */
#ifndef RINGSIDE_STACKS_H
#define RINGSIDE_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;
struct stacks;

struct stacks_limits {
    uint32_t stacks;  /* distinct stacks */
    uint32_t words;   /* frame words over all of them */
    uint32_t entries; /* distinct (stack, owner) pairs */
    uint32_t owners;  /* a ledger's entries of this owner or one above make no sense; 0: any may be right */
};

/* One line of the period: `count` events of together `value` units happened in this stack, for this owner. */
struct stacks_entry {
    uint32_t stack;
    uint32_t owner; /* the caller's label set */
    uint64_t count, value;
};

/*
 * ledger: borrowed, outlives the table; NULL: memory of its own. What a former process counted in it is there
 * again, in so far as it makes sense; stacks_dropped() entries did not. Limits sink to what the ledger holds.
 */
struct stacks *stacks_new(const struct stacks_limits *limits, struct ledger *ledger);
void stacks_free(struct stacks *s);
uint32_t stacks_dropped(const struct stacks *s);
/* How often the ledger's table was cleared: goes up with stacks_clear(). */
uint32_t stacks_generation(const struct stacks *s);

/* Frames of one stack; longer ones are kept out. */
#define STACKS_FRAMES_MAX 8190U

/* Adds to an entry. False when a cap kept it out: the caller shows it elsewhere. */
bool stacks_add(struct stacks *s, const uint64_t *frames, uint32_t n, uint32_t owner, uint64_t count,
                uint64_t value);

uint32_t stacks_entry_count(const struct stacks *s);
const struct stacks_entry *stacks_entry_at(const struct stacks *s, uint32_t i);
/* Frames of a stack, leaf first, borrowed until stacks_clear(). */
const uint64_t *stacks_frames(const struct stacks *s, uint32_t stack, uint32_t *n);

/*
 * Sorts the entries so that stacks which share their outer frames stand together (root first), then by owner:
 * that order compresses to a third of the bytes. Indices of entries change, and again when one is added.
 */
void stacks_sort(struct stacks *s);
void stacks_clear(struct stacks *s);

#endif
