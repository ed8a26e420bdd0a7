/*
 * index.c - which entries there are, in the order they are sent
 */
#include "spool_private.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

bool spool_is_mine(const struct spool *s, uint64_t key)
{
    for (uint32_t i = 0; i < s->keys; i++)
        if (s->key[i] == key)
            return true;
    return false;
}

uint32_t spool_index_find(const struct spool *s, uint64_t id)
{
    uint32_t at = 0;

    while (at < s->entries && s->entry[at].id != id)
        at++;
    return at;
}

uint32_t spool_index_place(const struct spool *s, uint32_t run)
{
    uint32_t at = 0;

    if (run == SPOOL_RUN_OWN)
        return s->entries;
    while (at < s->entries && s->entry[at].run != SPOOL_RUN_OWN &&
           strcmp(s->run[s->entry[at].run].name, s->run[run].name) < 0)
        at++;
    return at;
}

/* Adds an entry to the sums, or takes it out of them. */
static void count_entry(struct spool *s, const struct spool_entry *entry, bool in)
{
    struct spool_run *run = &s->run[entry->run];
    uint32_t one = in ? 1 : UINT32_MAX; /* -1 */
    uint64_t bytes = in ? entry->bytes : -(uint64_t)entry->bytes;

    if (entry->mine)
        run->mine += one;
    else
        run->others += one;
    if (entry->memory) {
        s->in_memory += one;
        s->memory_bytes += bytes;
    } else {
        s->disk_bytes += bytes;
    }
}

void spool_index_add(struct spool *s, uint32_t at, const struct spool_entry *entries, uint32_t n)
{
    if (!n)
        return;
    while (s->entries + n > s->cap) {
        s->cap = s->cap ? MIN_OF(s->cap * 2, SPOOL_ENTRIES_MAX) : 64;
        s->entry = base_realloc(s->entry, s->cap * sizeof(*s->entry));
    }
    memmove(s->entry + at + n, s->entry + at, (s->entries - at) * sizeof(*s->entry));
    memcpy(s->entry + at, entries, n * sizeof(*s->entry));
    s->entries += n;
    for (uint32_t i = at; i < at + n; i++) {
        s->entry[i].id = ++s->next_id;
        count_entry(s, &s->entry[i], true);
    }
}

void spool_index_remove(struct spool *s, uint32_t at)
{
    count_entry(s, &s->entry[at], false);
    free(s->entry[at].memory);
    s->entries--;
    memmove(s->entry + at, s->entry + at + 1, (s->entries - at) * sizeof(*s->entry));
}

uint32_t spool_index_oldest(const struct spool *s, bool in_memory)
{
    uint32_t at = 0;

    while (at < s->entries && (s->entry[at].taken || (s->entry[at].memory != NULL) != in_memory))
        at++;
    return at;
}
