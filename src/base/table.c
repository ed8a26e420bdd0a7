/*
 * table.c - hashes, the 64-bit map, interned strings
 */
#include "ringside/base.h"

#include <stdlib.h>
#include <string.h>

uint64_t hash_bytes(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = 0x9e3779b97f4a7c15ULL ^ n;
    uint64_t word;

    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdULL;
        h ^= h >> 29;
    }
    word = 0;
    if (n)
        memcpy(&word, p, n);
    return hash_u64(h ^ word);
}

/* ---- map64: linear probing, removal by shifting back ---- */

struct map64_slot {
    uint64_t key, value;
    bool full;
};

void map64_init(struct map64 *m)
{
    *m = (struct map64){0};
}

void map64_release(struct map64 *m)
{
    free(m->slots);
    *m = (struct map64){0};
}

void map64_clear(struct map64 *m)
{
    if (m->slots)
        memset(m->slots, 0, m->cap * sizeof(*m->slots));
    m->used = 0;
}

/* The slot of key, or the empty one where it would go. */
static uint32_t map64_slot_of(const struct map64 *m, uint64_t key)
{
    uint32_t i = (uint32_t)hash_u64(key) & (m->cap - 1);

    while (m->slots[i].full && m->slots[i].key != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

uint64_t *map64_find(const struct map64 *m, uint64_t key)
{
    struct map64_slot *s;

    if (!m->cap)
        return NULL;
    s = &m->slots[map64_slot_of(m, key)];
    return s->full ? &s->value : NULL;
}

static void map64_grow(struct map64 *m)
{
    struct map64 bigger = {.cap = m->cap ? m->cap * 2 : 16};

    bigger.slots = base_calloc(bigger.cap, sizeof(*bigger.slots));
    for (uint32_t i = 0; i < m->cap; i++)
        if (m->slots[i].full)
            bigger.slots[map64_slot_of(&bigger, m->slots[i].key)] = m->slots[i];
    bigger.used = m->used;
    free(m->slots);
    *m = bigger;
}

void map64_put(struct map64 *m, uint64_t key, uint64_t value)
{
    struct map64_slot *s;

    if (m->used >= m->cap - m->cap / 4)
        map64_grow(m);
    s = &m->slots[map64_slot_of(m, key)];
    if (!s->full)
        m->used++;
    *s = (struct map64_slot){.key = key, .value = value, .full = true};
}

bool map64_remove(struct map64 *m, uint64_t key)
{
    uint32_t hole, i, mask = m->cap - 1;

    if (!m->cap)
        return false;
    hole = map64_slot_of(m, key);
    if (!m->slots[hole].full)
        return false;
    for (i = (hole + 1) & mask; m->slots[i].full; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)hash_u64(m->slots[i].key) & mask;

        /* Whoever would not be found past the hole moves into it. */
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].full = false;
    m->used--;
    return true;
}

/* ---- strtab ---- */

#define OVERFLOW_TEXT "[too many strings]"

/* The next text begins where the others end. */
static uint32_t strtab_put_offset(struct strtab *t)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->offsets = base_realloc(t->offsets, t->cap * sizeof(*t->offsets));
    }
    t->offsets[t->count] = (uint32_t)t->bytes.len;
    return t->count++;
}

static uint32_t strtab_append(struct strtab *t, const char *text, size_t n)
{
    uint32_t id = strtab_put_offset(t);

    buf_add(&t->bytes, text, n);
    buf_add(&t->bytes, "", 1);
    return id;
}

static uint32_t strtab_slot_of(const struct strtab *t, const char *text, size_t n)
{
    uint32_t mask = t->index_slots - 1;
    uint32_t i = (uint32_t)hash_bytes(text, n) & mask;

    for (; t->index[i]; i = (i + 1) & mask) {
        const char *have = strtab_get(t, t->index[i]);

        if (strncmp(have, text, n) == 0 && have[n] == '\0')
            break;
    }
    return i;
}

static void strtab_reindex(struct strtab *t, uint32_t slots)
{
    free(t->index);
    t->index = base_calloc(slots, sizeof(*t->index));
    t->index_slots = slots;
    for (uint32_t id = 1; id < t->count; id++) {
        const char *text = strtab_get(t, id);

        t->index[strtab_slot_of(t, text, strlen(text))] = id;
    }
}

void strtab_init(struct strtab *t, size_t max_bytes)
{
    *t = (struct strtab){0};
    buf_init(&t->bytes, MIN_OF(max_bytes, (size_t)UINT32_MAX) + sizeof(OVERFLOW_TEXT) + 1);
    strtab_append(t, "", 0);
    strtab_reindex(t, 128);
}

void strtab_init_in(struct strtab *t, char *memory, size_t bytes, size_t used)
{
    uint32_t slots = 128;

    *t = (struct strtab){.borrowed = true};
    t->bytes = (struct buf){.data = memory, .cap = bytes, .max = MIN_OF(bytes, (size_t)UINT32_MAX)};
    strtab_append(t, "", 0);
    for (size_t n; t->bytes.len < used; t->bytes.len += n + 1) {
        n = strnlen(memory + t->bytes.len, used - t->bytes.len);
        if (n == used - t->bytes.len || t->bytes.len + n + 1 + sizeof(OVERFLOW_TEXT) > t->bytes.max)
            break; /* the last one's end is missing; or no table of that size has had it */
        strtab_put_offset(t);
    }
    while (slots < t->count * 2)
        slots *= 2;
    strtab_reindex(t, slots);
}

void strtab_release(struct strtab *t)
{
    if (!t->borrowed)
        buf_release(&t->bytes);
    free(t->offsets);
    free(t->index);
    *t = (struct strtab){0};
}

uint32_t strtab_add_n(struct strtab *t, const char *text, size_t n)
{
    uint32_t slot;

    n = strnlen(text, n);
    if (n == 0)
        return 0;
    slot = strtab_slot_of(t, text, n);
    if (t->index[slot])
        return t->index[slot];
    if (t->bytes.len + n + 1 + sizeof(OVERFLOW_TEXT) > t->bytes.max) {
        text = OVERFLOW_TEXT;
        n = sizeof(OVERFLOW_TEXT) - 1;
        slot = strtab_slot_of(t, text, n);
        if (t->index[slot])
            return t->index[slot];
    }
    t->index[slot] = strtab_append(t, text, n);
    if (t->count * 2 > t->index_slots)
        strtab_reindex(t, t->index_slots * 2);
    return t->count - 1;
}

uint32_t strtab_add(struct strtab *t, const char *text)
{
    return strtab_add_n(t, text, strlen(text));
}

const char *strtab_get(const struct strtab *t, uint32_t id)
{
    return id < t->count ? t->bytes.data + t->offsets[id] : "";
}
