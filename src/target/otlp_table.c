/*
 * otlp_table.c - interned rows
 */
#include "otlp_table.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES_MAX (256U << 20) /* a request has a few MiB; more is one stack of millions of frames */

static uint32_t append(struct otlp_table *t)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->end = base_realloc(t->end, t->cap * sizeof(*t->end));
    }
    t->end[t->count] = (uint32_t)t->bytes.len;
    return t->count++;
}

void otlp_table_init(struct otlp_table *t)
{
    *t = (struct otlp_table){0};
    buf_init(&t->bytes, TABLE_BYTES_MAX);
    map64_init(&t->index);
    append(t);
}

void otlp_table_release(struct otlp_table *t)
{
    buf_release(&t->bytes);
    map64_release(&t->index);
    free(t->end);
    *t = (struct otlp_table){0};
}

const void *otlp_table_row(const struct otlp_table *t, uint32_t index, size_t *n)
{
    uint32_t start = index ? t->end[index - 1] : 0;

    *n = t->end[index] - start;
    return t->bytes.data + start;
}

uint32_t otlp_table_add(struct otlp_table *t, const void *row, size_t n)
{
    uint64_t key = hash_bytes(row, n);
    const uint64_t *known;

    for (; (known = map64_find(&t->index, key)); key = hash_u64(key + 1)) {
        size_t have_n;
        const void *have = otlp_table_row(t, (uint32_t)*known, &have_n);

        if (have_n == n && memcmp(have, row, n) == 0)
            return (uint32_t)*known;
    }
    if (!buf_add(&t->bytes, row, n)) {
        t->full = true;
        return 0;
    }
    map64_put(&t->index, key, t->count);
    return append(t);
}
