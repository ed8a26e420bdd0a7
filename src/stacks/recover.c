/*
 * recover.c - what a former process left in the ledger: taken over, checked as input from anywhere
 *
 * It may have died in the middle of adding, which leaves at most one stack without an entry; or of writing
 * where it should not, which leaves anything. Words are right when they still have the hash they had.
 */
#include "ringside/stacks.h"

#include <stdlib.h>

#include "ringside/base.h"
#include "table.h"

/* No period is that long, and sums stay within what a profile can say. */
#define VALUE_MAX (1ULL << 60)

static bool stack_is_right(const struct stacks *s, const struct stack *k)
{
    return k->n <= STACKS_FRAMES_MAX && k->at <= s->limits.words && k->n <= s->limits.words - k->at &&
           stacks_hash(s->words + k->at, k->n) == k->hash;
}

/* Stacks keep their numbers, which entries know them by: one that is not right is left empty and is not
 * found. */
static void check_stacks(struct stacks *s, bool *right)
{
    for (uint32_t i = 0; i < s->stack_count; i++) {
        struct stack *k = &s->stack[i];

        right[i] = stack_is_right(s, k);
        if (!right[i])
            *k = (struct stack){0};
        k->entry = STACK_NOT_FOUND;
        s->word_count = MAX_OF(s->word_count, k->at + k->n);
    }
}

static bool entry_is_right(const struct stacks *s, const struct stacks_entry *e, const bool *right)
{
    return e->stack < s->stack_count && right[e->stack] &&
           (!s->limits.owners || e->owner < s->limits.owners) && e->value < VALUE_MAX &&
           e->count < VALUE_MAX && (e->value || e->count);
}

static bool is_twice(const struct stacks *s, uint32_t i)
{
    return stacks_find_entry(s, s->entry[i].stack, s->entry[i].owner) != NULL;
}

/* The last one takes the place of one that goes, so that whoever dies here leaves one twice and none out. */
static void remove_entry(struct stacks *s, uint32_t i)
{
    const struct stacks_entry *e = &s->entry[i];

    s->dropped += e->value || e->count; /* a new one that nothing was added to is nothing to speak of */
    s->entry[i] = s->entry[--s->entry_count];
    publish(&s->head->entries, s->entry_count);
}

static void check_entries(struct stacks *s, const bool *right)
{
    for (uint32_t i = 0; i < s->entry_count;) {
        if (!entry_is_right(s, &s->entry[i], right) || is_twice(s, i)) {
            remove_entry(s, i);
            continue;
        }
        stacks_index_entry(s, i);
        s->stack[s->entry[i].stack].entry = i;
        i++;
    }
}

/* Only a stack that has an entry may be found: new_stack() and new_entry() go together. */
static void index_stacks(struct stacks *s)
{
    for (uint32_t i = 0; i < s->stack_count; i++) {
        struct stack *k = &s->stack[i];

        if (k->entry == STACK_NOT_FOUND)
            continue;
        if (stacks_find(s, s->words + k->at, k->n, k->hash)) /* twice: thousands could be the same */
            k->entry = STACK_NOT_FOUND;
        else
            stacks_index_stack(s, i);
    }
}

void stacks_recover(struct stacks *s)
{
    struct stacks_head *h = s->head;
    FREE_PTR bool *right = NULL;

    h->high_stacks = MIN_OF(h->high_stacks, s->limits.stacks);
    h->high_entries = MIN_OF(h->high_entries, s->limits.entries);
    h->high_words = MIN_OF(h->high_words, s->limits.words);
    s->stack_count = MIN_OF(h->stacks, s->limits.stacks);
    s->entry_count = MIN_OF(h->entries, s->limits.entries);
    right = base_calloc(s->stack_count, sizeof(*right));
    check_stacks(s, right);
    stacks_make_indices(s);
    check_entries(s, right);
    index_stacks(s);
    publish(&h->stacks, s->stack_count);
    publish(&h->entries, s->entry_count);
}
