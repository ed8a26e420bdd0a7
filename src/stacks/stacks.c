/*
 * stacks.c - the table: adding, growing, clearing
 */
#include "ringside/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/ledger.h"
#include "table.h"

#define ITEMS_START  256U
#define QUIET_CLEARS 4U

/* ---- life ---- */

static uint32_t room(uint32_t wanted, size_t bytes, size_t each)
{
    return (uint32_t)MIN_OF((size_t)wanted, bytes / each);
}

static void place(struct stacks *s)
{
    size_t bytes;

    s->head = ledger_at(s->ledger, LEDGER_STACKS, &bytes);
    s->stack = (struct stack *)(s->head + 1);
    s->limits.stacks = room(s->limits.stacks, bytes - sizeof(*s->head), sizeof(*s->stack));
    s->entry = ledger_at(s->ledger, LEDGER_ENTRIES, &bytes);
    s->limits.entries = room(s->limits.entries, bytes, sizeof(*s->entry));
    s->words = ledger_at(s->ledger, LEDGER_WORDS, &bytes);
    s->limits.words = room(s->limits.words, bytes, sizeof(*s->words));
}

struct stacks *stacks_new(const struct stacks_limits *limits, struct ledger *ledger)
{
    struct stacks *s = base_calloc(1, sizeof(*s));

    s->limits = *limits;
    s->own_ledger = ledger ? NULL : ledger_new_private();
    s->ledger = ledger ? ledger : s->own_ledger;
    place(s);
    if (s->head->magic == STACKS_MAGIC)
        stacks_recover(s);
    else
        *s->head = (struct stacks_head){.magic = STACKS_MAGIC};
    return s;
}

static void release_indices(struct stacks *s)
{
    free(s->stack_index.slot);
    free(s->entry_index.slot);
    s->stack_index = s->entry_index = (struct index){0};
}

static void forget_order(struct stacks *s)
{
    free(s->order);
    s->order = NULL;
}

void stacks_free(struct stacks *s)
{
    if (!s)
        return;
    release_indices(s);
    forget_order(s);
    ledger_free(s->own_ledger);
    free(s);
}

/* ---- hashes ---- */

static inline uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdULL;
    return h ^ (h >> 29);
}

/* Four chains side by side: a single one waits six cycles for each word's multiplication. */
uint64_t stacks_hash(const uint64_t *w, uint32_t n)
{
    uint64_t a = n, b = 0x9e3779b97f4a7c15ULL, c = 0xbf58476d1ce4e5b9ULL, d = 0x94d049bb133111ebULL;
    uint32_t i = 0;

    for (; n - i >= 4; i += 4) {
        a = mix(a, w[i]);
        b = mix(b, w[i + 1]);
        c = mix(c, w[i + 2]);
        d = mix(d, w[i + 3]);
    }
    for (; i < n; i++)
        a = mix(a, w[i]);
    return hash_u64(mix(mix(mix(a, b), c), d));
}

static uint64_t hash_pair(uint32_t stack, uint32_t owner)
{
    return hash_u64(((uint64_t)stack << 32 | owner) + 0x9e3779b97f4a7c15ULL);
}

/* ---- indices ---- */

/* There is always an empty slot: an index is at most half full. */
static void index_insert(struct index *x, uint64_t hash, uint32_t id)
{
    uint32_t mask = x->slots - 1;
    uint32_t i = (uint32_t)hash & mask;

    while (x->slot[i].id)
        i = (i + 1) & mask;
    x->slot[i] = (struct index_slot){.tag = (uint32_t)(hash >> 32), .id = id + 1};
}

static void index_resize(struct index *x, uint32_t slots)
{
    free(x->slot);
    x->slot = base_calloc(slots, sizeof(*x->slot));
    x->slots = slots;
}

static void index_clear(struct index *x)
{
    if (x->slot)
        memset(x->slot, 0, x->slots * sizeof(*x->slot));
}

void stacks_index_stack(struct stacks *s, uint32_t stack)
{
    index_insert(&s->stack_index, s->stack[stack].hash, stack);
}

void stacks_index_entry(struct stacks *s, uint32_t entry)
{
    const struct stacks_entry *e = &s->entry[entry];

    index_insert(&s->entry_index, hash_pair(e->stack, e->owner), entry);
}

/* Slots for twice n items. */
static uint32_t slots_for(uint32_t n)
{
    uint32_t slots = 2 * ITEMS_START;

    while (slots / 2 < n)
        slots *= 2;
    return slots;
}

void stacks_make_indices(struct stacks *s)
{
    index_resize(&s->stack_index, slots_for(s->stack_count));
    index_resize(&s->entry_index, slots_for(s->entry_count));
}

static void grow_stack_index(struct stacks *s)
{
    index_resize(&s->stack_index, slots_for(s->stack_count + 1));
    for (uint32_t i = 0; i < s->stack_count; i++)
        if (s->stack[i].entry != STACK_NOT_FOUND)
            stacks_index_stack(s, i);
}

static void grow_entry_index(struct stacks *s)
{
    index_resize(&s->entry_index, slots_for(s->entry_count + 1));
    for (uint32_t i = 0; i < s->entry_count; i++)
        stacks_index_entry(s, i);
}

/* ---- room ---- */

static bool reserve_stack(struct stacks *s, uint32_t n)
{
    if (n > STACKS_FRAMES_MAX || s->stack_count >= s->limits.stacks ||
        (uint64_t)s->word_count + n > s->limits.words)
        return false;
    if (s->stack_count >= s->stack_index.slots / 2)
        grow_stack_index(s);
    return true;
}

static bool reserve_entry(struct stacks *s)
{
    if (s->entry_count >= s->limits.entries)
        return false;
    if (s->entry_count >= s->entry_index.slots / 2)
        grow_entry_index(s);
    return true;
}

/* ---- adding ---- */

struct stack *stacks_find(const struct stacks *s, const uint64_t *frames, uint32_t n, uint64_t hash)
{
    const struct index *x = &s->stack_index;
    uint32_t tag = (uint32_t)(hash >> 32);

    if (!x->slots)
        return NULL;
    for (uint32_t i = (uint32_t)hash & (x->slots - 1); x->slot[i].id; i = (i + 1) & (x->slots - 1)) {
        struct stack *k = &s->stack[x->slot[i].id - 1];

        if (x->slot[i].tag != tag || k->n != n)
            continue;
        if (n == 0 || memcmp(s->words + k->at, frames, n * sizeof(*frames)) == 0)
            return k;
    }
    return NULL;
}

struct stacks_entry *stacks_find_entry(const struct stacks *s, uint32_t stack, uint32_t owner)
{
    const struct index *x = &s->entry_index;
    uint64_t hash = hash_pair(stack, owner);
    uint32_t tag = (uint32_t)(hash >> 32);

    for (uint32_t i = (uint32_t)hash & (x->slots - 1); x->slot[i].id; i = (i + 1) & (x->slots - 1)) {
        struct stacks_entry *e = &s->entry[x->slot[i].id - 1];

        if (x->slot[i].tag == tag && e->stack == stack && e->owner == owner)
            return e;
    }
    return NULL;
}

static struct stack *new_stack(struct stacks *s, const uint64_t *frames, uint32_t n, uint64_t hash)
{
    struct stack *k = &s->stack[s->stack_count];

    if (n)
        memcpy(s->words + s->word_count, frames, n * sizeof(*frames));
    *k = (struct stack){.hash = hash, .at = s->word_count, .n = n};
    s->word_count += n;
    stacks_index_stack(s, s->stack_count++);
    publish(&s->head->stacks, s->stack_count);
    s->head->high_stacks = MAX_OF(s->head->high_stacks, s->stack_count);
    s->head->high_words = MAX_OF(s->head->high_words, s->word_count);
    return k;
}

static struct stacks_entry *new_entry(struct stacks *s, struct stack *k, uint32_t owner)
{
    uint32_t stack = (uint32_t)(k - s->stack);
    struct stacks_entry *e = &s->entry[s->entry_count];

    *e = (struct stacks_entry){.stack = stack, .owner = owner};
    k->entry = s->entry_count;
    stacks_index_entry(s, s->entry_count++);
    publish(&s->head->entries, s->entry_count);
    s->head->high_entries = MAX_OF(s->head->high_entries, s->entry_count);
    forget_order(s);
    return e;
}

static struct stacks_entry *entry_of(struct stacks *s, struct stack *k, uint32_t owner)
{
    struct stacks_entry *e = &s->entry[k->entry];

    if (e->owner == owner) /* a stack always has an entry, and k->entry is one of its own */
        return e;
    e = stacks_find_entry(s, (uint32_t)(k - s->stack), owner);
    if (!e)
        return reserve_entry(s) ? new_entry(s, k, owner) : NULL;
    k->entry = (uint32_t)(e - s->entry);
    return e;
}

/* Six plain words in registers, once per sample: a struct would go through memory. */
// NOLINTNEXTLINE(readability-function-size)
bool stacks_add(struct stacks *s, const uint64_t *frames, uint32_t n, uint32_t owner, uint64_t count,
                uint64_t value)
{
    uint64_t hash = stacks_hash(frames, n);
    struct stack *k = stacks_find(s, frames, n, hash);
    struct stacks_entry *e;

    if (k) {
        e = entry_of(s, k, owner);
    } else {
        if (!reserve_entry(s) || !reserve_stack(s, n)) /* both, before anything is stored */
            return false;
        k = new_stack(s, frames, n, hash);
        e = new_entry(s, k, owner);
    }
    if (!e)
        return false;
    e->count += count;
    e->value += value;
    return true;
}

/* ---- looking and clearing ---- */

uint32_t stacks_entry_count(const struct stacks *s)
{
    return s->entry_count;
}

const struct stacks_entry *stacks_entry_at(const struct stacks *s, uint32_t i)
{
    return &s->entry[s->order ? s->order[i] : i];
}

const uint64_t *stacks_frames(const struct stacks *s, uint32_t stack, uint32_t *n)
{
    *n = s->stack[stack].n;
    return s->words + s->stack[stack].at;
}

uint32_t stacks_dropped(const struct stacks *s)
{
    return s->dropped;
}

uint32_t stacks_generation(const struct stacks *s)
{
    return s->head->generation;
}

static bool mostly_unused(const struct stacks *s)
{
    const struct stacks_head *h = s->head;

    return h->high_words > ITEMS_START * 32 && s->word_count < h->high_words / 4 &&
           s->stack_count <= h->high_stacks / 4 && s->entry_count <= h->high_entries / 4;
}

/* Of the ledger, all; of the indices, too: they are as large as the busiest period wanted them. */
static void give_back(struct stacks *s)
{
    release_indices(s);
    ledger_give_back(s->ledger, LEDGER_STACKS, sizeof(*s->head));
    ledger_give_back(s->ledger, LEDGER_ENTRIES, 0);
    ledger_give_back(s->ledger, LEDGER_WORDS, 0);
    s->head->high_stacks = s->head->high_entries = s->head->high_words = 0;
    s->quiet_clears = 0;
}

void stacks_clear(struct stacks *s)
{
    bool unused = mostly_unused(s);

    publish(&s->head->entries, 0);
    publish(&s->head->stacks, 0);
    publish(&s->head->generation, s->head->generation + 1);
    s->word_count = s->stack_count = s->entry_count = 0;
    forget_order(s);
    s->quiet_clears = unused ? s->quiet_clears + 1 : 0;
    if (s->quiet_clears >= QUIET_CLEARS) /* one busy period does not set what is held for ever */
        give_back(s);
    index_clear(&s->stack_index);
    index_clear(&s->entry_index);
}
