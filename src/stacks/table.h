/*
 * table.h - the table behind stacks.h, shared by the code that adds, sorts and recovers
 *
 * Two levels: a stack's words are stored once, one stack behind the other; entries pair a stack with an
 * owner. Both are found through open-addressed indices whose slots carry half of the hash, so that a miss
 * rarely touches what it points at.
 *
 * Head, stacks, words and entries lie in the ledger. Whoever dies leaves them usable: a stack or an entry is
 * complete before the number of them says that it is there, and none is ever moved or taken away but by
 * stacks_clear(). Indices and the sorted order are the process's own.
 */
#ifndef RINGSIDE_STACKS_TABLE_H
#define RINGSIDE_STACKS_TABLE_H

#include "ringside/stacks.h"

#include <stddef.h>

/* In place of a stack's entry: the stack is not looked up, as it makes no sense or has none. */
#define STACK_NOT_FOUND UINT32_MAX
#define STACKS_MAGIC    0x736b636174730001ULL

struct stack {
    uint64_t hash; /* of its words: tells a successor whether they are still what they were */
    uint32_t at;   /* its words */
    uint32_t n;
    uint32_t entry; /* the entry added to last: most stacks have one owner; or STACK_NOT_FOUND */
};

struct stacks_head {
    uint64_t magic;
    uint32_t stacks, entries;
    uint32_t generation;                            /* how often it was cleared */
    uint32_t high_stacks, high_entries, high_words; /* since memory was last given back */
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
    struct ledger *ledger, *own_ledger; /* the latter is freed with the table, or NULL */
    struct stacks_head *head;
    struct stack *stack;
    struct stacks_entry *entry;
    uint64_t *words;
    uint32_t word_count, stack_count, entry_count;
    uint32_t dropped; /* entries of a former process that made no sense */
    struct index stack_index, entry_index;
    uint32_t *order;       /* sorted: position -> entry; else NULL */
    uint32_t quiet_clears; /* periods in a row that used little of what is held */
};

struct stack *stacks_find(const struct stacks *s, const uint64_t *frames, uint32_t n, uint64_t hash);
uint64_t stacks_hash(const uint64_t *words, uint32_t n);
struct stacks_entry *stacks_find_entry(const struct stacks *s, uint32_t stack, uint32_t owner);
/* Empty ones, large enough for as much as there is. */
void stacks_make_indices(struct stacks *s);
/* There must be room. */
void stacks_index_stack(struct stacks *s, uint32_t stack);
void stacks_index_entry(struct stacks *s, uint32_t entry);
/* recover.c: what the ledger holds from before. */
void stacks_recover(struct stacks *s);

static inline void publish(uint32_t *count, uint32_t n)
{
    __atomic_store_n(count, n, __ATOMIC_RELEASE); /* after all it counts: see above */
}

#endif
