/*
 * space.c - mappings of one address space
 *
 * Every mapping counts once in its image's `mappings`: taken with it, given back when it is replaced or
 * dropped, and counted again for each further piece a mapping is split into and each copy of an array.
 */
#include "space.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/image.h"

#define MAPPINGS_START 8U

struct address_space *space_new(void)
{
    struct address_space *s = base_calloc(1, sizeof(*s));

    s->users = 1;
    return s;
}

struct address_space *space_share(struct address_space *s)
{
    s->users++;
    return s;
}

void space_drop(struct address_space *s)
{
    if (!s || --s->users > 0)
        return;
    for (uint32_t i = 0; i < s->count; i++)
        image_unmapped(s->mapping[i].image);
    free(s->mapping);
    free(s);
}

struct address_space *space_own(struct address_space *s)
{
    struct address_space *copy;

    if (s->users == 1)
        return s;
    copy = space_new();
    copy->epoch = s->epoch;
    copy->count = copy->cap = s->count;
    if (s->count) {
        copy->mapping = base_alloc(s->count * sizeof(*s->mapping));
        memcpy(copy->mapping, s->mapping, s->count * sizeof(*s->mapping));
    }
    for (uint32_t i = 0; i < copy->count; i++)
        copy->mapping[i].image->mappings++;
    space_drop(s);
    return copy;
}

/* Index of the first mapping that ends behind addr. */
static uint32_t first_behind(const struct address_space *s, uint64_t addr)
{
    uint32_t low = 0, high = s->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (s->mapping[middle].end > addr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool space_has(const struct address_space *s, const struct mapping *m)
{
    uint32_t i = first_behind(s, m->start);
    const struct mapping *have;

    if (i == s->count) /* there may be no array */
        return false;
    have = &s->mapping[i];
    return have->start == m->start && have->end == m->end && have->file_offset == m->file_offset &&
           have->image == m->image;
}

/* Makes the array's part [at, at + old) be `now` mappings long. */
static void resize_part(struct address_space *s, uint32_t at, uint32_t old, uint32_t now)
{
    uint32_t count = s->count - old + now;

    if (count > s->cap) {
        s->cap = MAX_OF(MAX_OF(s->cap * 2, count), MAPPINGS_START);
        s->mapping = base_realloc(s->mapping, s->cap * sizeof(*s->mapping));
    }
    memmove(&s->mapping[at + now], &s->mapping[at + old], (s->count - at - old) * sizeof(*s->mapping));
    s->count = count;
}

bool space_insert(struct address_space *s, const struct mapping *m, uint32_t max)
{
    struct mapping piece[3], *before = NULL, *after = NULL;
    uint32_t at = first_behind(s, m->start), old = 0, now = 0;

    assert(s->users == 1 && m->start < m->end);
    while (at + old < s->count && s->mapping[at + old].start < m->end)
        old++;
    if (old && s->mapping[at].start < m->start) {
        before = &piece[now++];
        *before = s->mapping[at];
        before->end = m->start;
    }
    piece[now++] = *m;
    if (old && s->mapping[at + old - 1].end > m->end) {
        after = &piece[now++];
        *after = s->mapping[at + old - 1];
        after->file_offset += m->end - after->start;
        after->start = m->end;
    }
    if ((uint64_t)s->count - old + now > max)
        return false;
    if (before)
        before->image->mappings++;
    if (after)
        after->image->mappings++;
    for (uint32_t i = at; i < at + old; i++)
        image_unmapped(s->mapping[i].image);
    resize_part(s, at, old, now);
    memcpy(&s->mapping[at], piece, now * sizeof(*piece));
    s->last = NULL;
    return true;
}

struct mapping *process_find_mapping(struct process *p, uint64_t addr)
{
    struct address_space *s = p->space;
    uint32_t i;

    if (s->last && addr >= s->last->start && addr < s->last->end)
        return s->last;
    i = first_behind(s, addr);
    if (i == s->count || s->mapping[i].start > addr)
        return NULL;
    s->last = &s->mapping[i];
    return s->last;
}

uint64_t mapping_to_elf(struct images *images, struct mapping *m, uint64_t addr)
{
    uint64_t elf_start;

    /* Asked again while there is none: a file that one process could not show may be opened for another. */
    if (!m->bias_known && image_offset_to_elf(images, m->image, m->file_offset, &elf_start)) {
        m->bias = m->start - elf_start;
        m->bias_known = true;
    }
    return addr - m->bias;
}
