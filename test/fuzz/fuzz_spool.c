/*
 * fuzz_spool.c - any bytes as an entry; and any item put and taken comes back as it was
 */
#include "ringside/spool.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint64_t sink;

static void decode(const uint8_t *data, size_t n)
{
    struct spool_item item;
    struct err e = {0};

    if (spool_decode(data, n, &item, &e) < 0) {
        if (!e.text[0])
            abort();
        return;
    }
    sink += strlen(item.label) + strlen(item.method) + strlen(item.path) + strlen(item.headers);
    for (size_t i = 0; i < item.body_bytes; i++)
        sink += ((const uint8_t *)item.body)[i];
}

/* Up to the next NUL or a maximum, which may be more than the spool takes; the rest is the next one's. */
static char *next_text(const uint8_t **data, size_t *n)
{
    size_t length = strnlen((const char *)*data, *n);
    char *text = base_calloc(length + 1, 1);

    memcpy(text, *data, length);
    *data += MIN_OF(length + 1, *n);
    *n -= MIN_OF(length + 1, *n);
    return text;
}

static void same(const struct spool_item *a, const struct spool_item *b)
{
    if (strcmp(a->label, b->label) != 0 || strcmp(a->method, b->method) != 0 ||
        strcmp(a->path, b->path) != 0 || strcmp(a->headers, b->headers) != 0 || a->wall_ns != b->wall_ns ||
        a->body_bytes != b->body_bytes || (a->body_bytes && memcmp(a->body, b->body, a->body_bytes) != 0))
        abort();
}

static void there_and_back(struct spool *s, const uint8_t *data, size_t n)
{
    FREE_PTR char *label = next_text(&data, &n);
    FREE_PTR char *method = next_text(&data, &n);
    FREE_PTR char *path = next_text(&data, &n);
    FREE_PTR char *headers = next_text(&data, &n);
    struct spool_item item = {n, label, method, path, headers, data, n};
    struct spool_taken taken;

    if (spool_put(s, 0, &item, NULL) < 0)
        return;
    if (!spool_take(s, 0, &taken))
        abort();
    same(&item, &taken.item);
    spool_done(s, &taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct stats stats;
    static struct spool *s;

    if (!s)
        s = spool_open(&(struct spool_config){
            .memory_bytes_max = 1 << 20, .key = {"0123456789abcdef"}, .keys = 1, .stats = &stats});
    decode(data, n);
    there_and_back(s, data, n);
    return 0;
}
