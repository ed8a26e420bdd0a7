/*
 * table.h - the table behind stacks.h, shared by the code that adds and the code that sorts
 *
 * Two levels: a stack's words are stored once, in chunks that never move; entries pair a stack with an owner.
 * Both are found through open-addressed indices whose slots carry half of the hash, so that a miss rarely
 * touches what it points at.
 */
#ifndef RINGSIDE_STACKS_TABLE_H
#define RINGSIDE_STACKS_TABLE_H

#include "ringside/stacks.h"

#include <stddef.h>

struct stack {
    uint64_t hash;
    const uint64_t *words; /* in a chunk */
    uint32_t n;
    uint32_t entry; /* the entry added to last: most stacks have one owner */
};

/* One array that doubles would copy all words, and touch new memory for them, again and again. 64 KiB, with
 * the pointer. */
struct chunk {
    struct chunk *next;
    uint64_t words[STACKS_FRAMES_MAX];
};

struct index_slot {
    uint32_t tag; /* upper half of the hash */
    uint32_t id;  /* plus one; 0: empty */
};

struct index {
    struct index_slot *slot;
    uint32_t slots; /* a power of two, or 0 */
};

struct stacks {
    struct stacks_limits limits;
    struct chunk *chunks, *chunk; /* all; the one being filled */
    struct stack *stack;
    struct stacks_entry *entry;
    uint32_t chunk_used, chunk_count; /* words in the one being filled; chunks held */
    uint32_t word_count;
    uint32_t stack_count, stack_cap;
    uint32_t entry_count, entry_cap;
    struct index stack_index, entry_index;
    uint32_t quiet_clears; /* periods in a row that used little of what is held */
};

/* After entries changed places. */
void stacks_reindex_entries(struct stacks *s);

#endif
