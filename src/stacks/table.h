/*
 * table.h - the table behind stacks.h, shared by the code that adds and the code that sorts
 *
 * Two levels: a stack's words are stored once, in an arena; entries pair a stack with an owner. Both are
 * found through open-addressed indices whose slots carry half of the hash, so that a miss rarely touches what
 * it points at.
 */
#ifndef RINGSIDE_STACKS_TABLE_H
#define RINGSIDE_STACKS_TABLE_H

#include "ringside/stacks.h"

#include <stddef.h>

struct stack {
    uint64_t hash;
    uint32_t offset; /* of its first word in the arena */
    uint32_t n;
    uint32_t entry; /* the entry added to last: most stacks have one owner */
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
    uint64_t *words;
    struct stack *stack;
    struct stacks_entry *entry;
    uint32_t word_count, word_cap;
    uint32_t stack_count, stack_cap;
    uint32_t entry_count, entry_cap;
    struct index stack_index, entry_index;
    uint32_t quiet_clears; /* periods in a row that used little of what is held */
};

/* After entries changed places. */
void stacks_reindex_entries(struct stacks *s);

#endif
