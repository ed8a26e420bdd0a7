/*
 * ktable.c - entries one after the other: distance from the one before (LEB128), type, name, NUL
 *
 * On kernels that pad their functions, half of the symbols are __pfx_NAME right before NAME
 * (CONFIG_PREFIX_SYMBOLS): those have a mark in the type instead of a name. 122 thousand symbols with 3.1 MB
 * of names so take 1.8 MB.
 */
#include "ktable.h"

#include <string.h>

#include "ringside/procfs.h"

#define PREFIX       "__pfx_"
#define PREFIX_BYTES 6
#define NAMED_NEXT   0x80 /* in the type: PREFIX and the name of the next entry */

void ktable_init(struct ktable *t, size_t max)
{
    *t = (struct ktable){0};
    buf_init(&t->bytes, max);
}

void ktable_release(struct ktable *t)
{
    buf_release(&t->bytes);
    t->start = t->end = 0;
}

bool ktable_is_code(char type)
{
    return type == 'T' || type == 't' || type == 'W' || type == 'w';
}

static bool has_prefix(const char *name)
{
    return strncmp(name, PREFIX, PREFIX_BYTES) == 0;
}

/* Takes the last entry's name back when it follows from that of the next. */
static void shorten_last(struct ktable *t, const char *next)
{
    char *last, *name;

    if (!t->bytes.len)
        return;
    last = t->bytes.data + t->last;
    name = last + 1;
    if (has_prefix(next) || !has_prefix(name) || strcmp(name + PREFIX_BYTES, next) != 0)
        return;
    *last = (char)(*last | NAMED_NEXT);
    t->bytes.len = t->last + 1;
}

static bool add_entry(struct ktable *t, uint64_t distance, char type, const char *name)
{
    char head[11];
    size_t n = 0;

    for (; distance >= 0x80; distance >>= 7)
        head[n++] = (char)(distance | 0x80);
    head[n++] = (char)distance;
    head[n++] = type;
    t->last = t->bytes.len + n - 1;
    return buf_add(&t->bytes, head, n) && buf_add(&t->bytes, name, strnlen(name, KTABLE_NAME - 1)) &&
           buf_add(&t->bytes, "", 1);
}

bool ktable_add(struct ktable *t, const struct procfs_ksym *s)
{
    bool code = ktable_is_code(s->type);

    if (t->complete || t->failed || strchr(s->text, '\t')) {
        t->complete = true;
        return false;
    }
    if (s->addr < t->before) {
        t->failed = true;
        return false;
    }
    t->before = s->addr;
    if (s->addr == 0 || (!t->bytes.len && !code))
        return true;
    if (!t->bytes.len)
        t->start = t->end = s->addr;
    /* Code ends at the first line above it that is something else. No code's type is 'd', marked or not. */
    if (!code && (s->addr == t->end || t->bytes.data[t->last] == 'd'))
        return true;
    if (code)
        shorten_last(t, s->text);
    t->failed = !add_entry(t, s->addr - t->end, code ? s->type : 'd', code ? s->text : "");
    t->end = s->addr;
    return !t->failed;
}

bool ktable_finish(struct ktable *t)
{
    struct buf *b = &t->bytes;

    t->complete = true;
    if (t->failed || !b->len) {
        t->failed = true;
        ktable_release(t);
        return false;
    }
    b->data = base_realloc(b->data, b->len);
    b->cap = b->len;
    return true;
}

bool ktable_covers(const struct ktable *t, uint64_t first, uint64_t last)
{
    return t->complete && t->start <= first && first <= last && last < t->end;
}

static uint64_t take_distance(const char **at)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = (uint8_t) * (*at)++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

/* at: behind the entry, where the next one's distance is. */
static const char *prefixed(char out[KTABLE_NAME], const char *at)
{
    size_t n;

    take_distance(&at);
    at++;
    n = strnlen(at, KTABLE_NAME - 1 - PREFIX_BYTES);
    memcpy(out, PREFIX, PREFIX_BYTES);
    memcpy(out + PREFIX_BYTES, at, n);
    out[PREFIX_BYTES + n] = '\0';
    return out;
}

void ktable_each(const struct ktable *t,
                 bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to), void *ctx)
{
    const char *at = t->bytes.data, *end = at + t->bytes.len;
    uint64_t skip_to = 0, next = t->start + take_distance(&at);
    char text[KTABLE_NAME];

    while (at < end) {
        struct procfs_ksym s = {.addr = next, .type = *at++};
        bool last;

        s.text = at;
        if (!(s.type & NAMED_NEXT))
            at += strlen(at) + 1;
        last = at == end;
        if (!last) {
            const char *behind = at;

            next += take_distance(&at);
            if (next > s.addr && next <= skip_to)
                continue;
            if (s.type & NAMED_NEXT)
                s.text = prefixed(text, behind);
        }
        s.type &= 0x7f;
        if (!each(ctx, &s, &skip_to))
            return;
    }
}
