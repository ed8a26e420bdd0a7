/*
 * stacks.c - the table: adding, growing, clearing
 */
#include "ringside/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "table.h"

#define ITEMS_START  256U
#define QUIET_CLEARS 4U

struct stacks *stacks_new(const struct stacks_limits *limits)
{
    struct stacks *s = base_calloc(1, sizeof(*s));

    s->limits = *limits;
    return s;
}

static void release_memory(struct stacks *s)
{
    struct stacks_limits limits = s->limits;

    for (struct chunk *next; s->chunks; s->chunks = next) {
        next = s->chunks->next;
        free(s->chunks);
    }
    free(s->stack);
    free(s->entry);
    free(s->stack_index.slot);
    free(s->entry_index.slot);
    *s = (struct stacks){.limits = limits};
}

void stacks_free(struct stacks *s)
{
    if (!s)
        return;
    release_memory(s);
    free(s);
}

/* ---- hashes ---- */

static inline uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdULL;
    return h ^ (h >> 29);
}

/* Four chains side by side: a single one waits six cycles for each word's multiplication. */
static uint64_t hash_frames(const uint64_t *w, uint32_t n)
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

static void reindex_stacks(struct stacks *s, uint32_t slots)
{
    index_resize(&s->stack_index, slots);
    for (uint32_t i = 0; i < s->stack_count; i++)
        index_insert(&s->stack_index, s->stack[i].hash, i);
}

static void insert_entries(struct stacks *s)
{
    for (uint32_t i = 0; i < s->entry_count; i++) {
        index_insert(&s->entry_index, hash_pair(s->entry[i].stack, s->entry[i].owner), i);
        s->stack[s->entry[i].stack].entry = i;
    }
}

void stacks_reindex_entries(struct stacks *s)
{
    index_clear(&s->entry_index);
    insert_entries(s);
}

/* ---- growing ---- */

static uint32_t grown(uint32_t cap, uint64_t need, uint32_t start, uint32_t max)
{
    uint64_t wanted = cap ? cap : start;

    while (wanted < need)
        wanted *= 2;
    return (uint32_t)MIN_OF(wanted, (uint64_t)max);
}

/* Goes on to a chunk that is empty: one that was filled before the table was cleared, or a new one. */
static void next_chunk(struct stacks *s)
{
    struct chunk *next = s->chunk ? s->chunk->next : s->chunks;

    if (!next) {
        next = base_alloc(sizeof(*next));
        next->next = NULL;
        s->chunk_count++;
        if (s->chunk)
            s->chunk->next = next;
        else
            s->chunks = next;
    }
    s->chunk = next;
    s->chunk_used = 0;
}

static bool reserve_stack(struct stacks *s, uint32_t n)
{
    if (n > STACKS_FRAMES_MAX || s->stack_count >= s->limits.stacks ||
        (uint64_t)s->word_count + n > s->limits.words)
        return false;
    if (!s->chunk || n > STACKS_FRAMES_MAX - s->chunk_used)
        next_chunk(s);
    if (s->stack_count == s->stack_cap) {
        s->stack_cap = grown(s->stack_cap, s->stack_count + 1ULL, ITEMS_START, s->limits.stacks);
        s->stack = base_realloc(s->stack, s->stack_cap * sizeof(*s->stack));
        reindex_stacks(s, grown(s->stack_index.slots, s->stack_cap * 2ULL, ITEMS_START, 1U << 31));
    }
    return true;
}

static bool reserve_entry(struct stacks *s)
{
    if (s->entry_count >= s->limits.entries)
        return false;
    if (s->entry_count < s->entry_cap)
        return true;
    s->entry_cap = grown(s->entry_cap, s->entry_count + 1ULL, ITEMS_START, s->limits.entries);
    s->entry = base_realloc(s->entry, s->entry_cap * sizeof(*s->entry));
    index_resize(&s->entry_index, grown(s->entry_index.slots, s->entry_cap * 2ULL, ITEMS_START, 1U << 31));
    insert_entries(s);
    return true;
}

/* ---- adding ---- */

static struct stack *find_stack(const struct stacks *s, const uint64_t *frames, uint32_t n, uint64_t hash)
{
    const struct index *x = &s->stack_index;
    uint32_t tag = (uint32_t)(hash >> 32);

    if (!x->slots)
        return NULL;
    for (uint32_t i = (uint32_t)hash & (x->slots - 1); x->slot[i].id; i = (i + 1) & (x->slots - 1)) {
        struct stack *k = &s->stack[x->slot[i].id - 1];

        if (x->slot[i].tag != tag || k->n != n)
            continue;
        if (n == 0 || memcmp(k->words, frames, n * sizeof(*frames)) == 0)
            return k;
    }
    return NULL;
}

static struct stacks_entry *find_entry(const struct stacks *s, uint32_t stack, uint32_t owner)
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
    uint64_t *words = &s->chunk->words[s->chunk_used];

    *k = (struct stack){.hash = hash, .words = words, .n = n};
    if (n)
        memcpy(words, frames, n * sizeof(*frames));
    s->chunk_used += n;
    s->word_count += n;
    index_insert(&s->stack_index, hash, s->stack_count++);
    return k;
}

static struct stacks_entry *new_entry(struct stacks *s, struct stack *k, uint32_t owner)
{
    uint32_t stack = (uint32_t)(k - s->stack);
    struct stacks_entry *e = &s->entry[s->entry_count];

    *e = (struct stacks_entry){.stack = stack, .owner = owner};
    k->entry = s->entry_count;
    index_insert(&s->entry_index, hash_pair(stack, owner), s->entry_count++);
    return e;
}

static struct stacks_entry *entry_of(struct stacks *s, struct stack *k, uint32_t owner)
{
    struct stacks_entry *e = &s->entry[k->entry];

    if (e->owner == owner) /* a stack always has an entry, and k->entry is one of its own */
        return e;
    e = find_entry(s, (uint32_t)(k - s->stack), owner);
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
    uint64_t hash = hash_frames(frames, n);
    struct stack *k = find_stack(s, frames, n, hash);
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
    return &s->entry[i];
}

const uint64_t *stacks_frames(const struct stacks *s, uint32_t stack, uint32_t *n)
{
    *n = s->stack[stack].n;
    return s->stack[stack].words;
}

static bool mostly_unused(const struct stacks *s)
{
    return s->chunk_count > 1 && s->word_count < s->chunk_count * (STACKS_FRAMES_MAX / 4) &&
           s->stack_count <= s->stack_cap / 4 && s->entry_count <= s->entry_cap / 4;
}

void stacks_clear(struct stacks *s)
{
    s->quiet_clears = mostly_unused(s) ? s->quiet_clears + 1 : 0;
    if (s->quiet_clears >= QUIET_CLEARS) { /* one busy period does not set what is held for ever */
        release_memory(s);
        return;
    }
    s->chunk = NULL;
    s->word_count = s->stack_count = s->entry_count = 0;
    index_clear(&s->stack_index);
    index_clear(&s->entry_index);
}
