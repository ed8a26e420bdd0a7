/*
 * pprof_read.h - reads gzip pprof back, on its own: nothing of what wrote it is used
 *
 * Anything that is not as it should be fails the test.
 */
#ifndef RINGSIDE_TEST_PPROF_READ_H
#define RINGSIDE_TEST_PPROF_READ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ringside/base.h"

#include "unit.h"

#define READ_TYPES  24
#define READ_LABELS 16

struct read_bytes {
    const uint8_t *at, *end;
};

struct read_sample {
    uint64_t *location; /* leaf first */
    size_t locations;
    int64_t value[READ_TYPES];
    size_t values;
    uint64_t label[READ_LABELS][2]; /* key, text */
    size_t labels;
};

struct pprof_read {
    uint8_t *raw;
    char **string;
    size_t strings;
    uint64_t type[READ_TYPES][2];
    size_t types;
    struct read_sample *sample;
    size_t samples;
    uint64_t *function_of;   /* location id - 1 -> function id */
    uint64_t *function_name; /* function id - 1 -> string */
    size_t locations, functions;
    uint64_t comment[64];
    size_t comments;
    uint64_t time_ns, duration_ns, period, default_type, period_type[2];
};

static inline uint64_t read_varint(struct read_bytes *b)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 70; shift += 7) {
        assert_true(b->at < b->end);
        value |= (uint64_t)(*b->at & 0x7f) << (shift & 63);
        if (!(*b->at++ & 0x80))
            return value;
    }
    fail_msg("varint too long");
    return 0;
}

/* The next field: its number, and its value or its bytes. 0 at the end. */
static inline uint32_t read_field(struct read_bytes *b, uint64_t *value, struct read_bytes *bytes)
{
    uint64_t tag;

    if (b->at == b->end)
        return 0;
    tag = read_varint(b);
    *value = read_varint(b);
    *bytes = (struct read_bytes){b->at, b->at};
    assert_true((tag & 7) == 0 || (tag & 7) == 2);
    if ((tag & 7) == 2) {
        assert_true(*value <= (uint64_t)(b->end - b->at));
        b->at += *value;
        bytes->end = b->at;
    }
    return (uint32_t)(tag >> 3);
}

static inline void *read_grow(void *list, size_t count, size_t bytes)
{
    if ((count & (count - 1)) == 0) /* at powers of two: room for as many again */
        list = base_realloc(list, (count ? count * 2 : 1) * bytes);
    return list;
}

/* Two numbers of a message: fields a and b. */
static inline void read_pair(struct read_bytes b, uint64_t out[2])
{
    struct read_bytes bytes;
    uint64_t value;
    uint32_t field;

    out[0] = out[1] = 0;
    while ((field = read_field(&b, &value, &bytes)))
        if (field <= 2)
            out[field - 1] = value;
}

static inline void read_sample(struct read_bytes b, struct read_sample *s)
{
    struct read_bytes bytes;
    uint64_t value;
    uint32_t field;

    memset(s, 0, sizeof(*s));
    while ((field = read_field(&b, &value, &bytes))) {
        for (; field == 1 && bytes.at < bytes.end; s->locations++) {
            s->location = read_grow(s->location, s->locations, sizeof(*s->location));
            s->location[s->locations] = read_varint(&bytes);
        }
        while (field == 2 && bytes.at < bytes.end) {
            assert_true(s->values < READ_TYPES);
            s->value[s->values++] = (int64_t)read_varint(&bytes);
        }
        if (field == 3) {
            assert_true(s->labels < READ_LABELS);
            read_pair(bytes, s->label[s->labels++]);
        }
    }
}

/* Of a Location the function in its line, of a Function its name; ids have to be 1, 2, 3... */
static inline uint64_t read_row(struct read_bytes b, uint64_t id, bool location)
{
    struct read_bytes bytes;
    uint64_t value, result = 0, line[2];
    uint32_t field;

    while ((field = read_field(&b, &value, &bytes))) {
        if (field == 1)
            assert_int_equal(value, id);
        if (location && field == 4) {
            read_pair(bytes, line);
            result = line[0];
        }
        if (!location && field == 2)
            result = value;
    }
    return result;
}

static inline void read_profile_field(struct pprof_read *p, uint32_t field, uint64_t value,
                                      struct read_bytes b)
{
    switch (field) {
    case 1:
        assert_true(p->types < READ_TYPES);
        read_pair(b, p->type[p->types++]);
        break;
    case 2:
        p->sample = read_grow(p->sample, p->samples, sizeof(*p->sample));
        read_sample(b, &p->sample[p->samples++]);
        break;
    case 4:
        p->function_of = read_grow(p->function_of, p->locations, sizeof(*p->function_of));
        p->function_of[p->locations] = read_row(b, p->locations + 1, true);
        p->locations++;
        break;
    case 5:
        p->function_name = read_grow(p->function_name, p->functions, sizeof(*p->function_name));
        p->function_name[p->functions] = read_row(b, p->functions + 1, false);
        p->functions++;
        break;
    case 6:
        p->string = read_grow(p->string, p->strings, sizeof(*p->string));
        p->string[p->strings++] = strndup((const char *)b.at, (size_t)(b.end - b.at));
        break;
    case 9:
        p->time_ns = value;
        break;
    case 10:
        p->duration_ns = value;
        break;
    case 11:
        read_pair(b, p->period_type);
        break;
    case 12:
        p->period = value;
        break;
    case 13:
        while (b.at < b.end && p->comments < ARRAY_LEN(p->comment))
            p->comment[p->comments++] = read_varint(&b);
        break;
    case 14:
        p->default_type = value;
        break;
    default:
        break;
    }
}

static inline const char *read_string(const struct pprof_read *p, uint64_t id)
{
    assert_true(id < p->strings);
    return p->string[id];
}

/* One gzip member and nothing behind it. */
static inline uint8_t *read_gunzip(const void *bytes, size_t n, size_t *length)
{
    size_t cap = 1 << 20;
    uint8_t *out = base_alloc(cap);
    z_stream z = {.next_in = (void *)(uintptr_t)bytes, .avail_in = (uInt)n};
    int result;

    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    do {
        if (z.total_out == cap)
            out = base_realloc(out, cap *= 2);
        z.next_out = out + z.total_out;
        z.avail_out = (uInt)(cap - z.total_out);
        result = inflate(&z, Z_NO_FLUSH);
        assert_true(result == Z_OK || result == Z_STREAM_END);
    } while (result != Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    *length = z.total_out;
    inflateEnd(&z);
    return out;
}

/* What any reader of pprof refuses. */
static inline void read_check(const struct pprof_read *p)
{
    assert_true(p->types > 0 && p->strings > 0);
    assert_string_equal(p->string[0], "");
    for (size_t i = 0; i < p->types; i++)
        assert_true(read_string(p, p->type[i][0])[0] && read_string(p, p->type[i][1])[0]);
    for (size_t i = 0; i < p->samples; i++) {
        const struct read_sample *s = &p->sample[i];

        assert_true(s->locations > 0);
        assert_int_equal(s->values, p->types);
        for (size_t l = 0; l < s->locations; l++)
            assert_true(s->location[l] >= 1 && s->location[l] <= p->locations);
        for (size_t l = 0; l < s->labels; l++)
            assert_true(read_string(p, s->label[l][0])[0] && read_string(p, s->label[l][1])[0]);
    }
    for (size_t i = 0; i < p->locations; i++)
        assert_true(p->function_of[i] <= p->functions);
}

static inline void pprof_read(struct pprof_read *p, const void *bytes, size_t n)
{
    struct read_bytes all, b;
    uint64_t value;
    uint32_t field;
    size_t length;

    memset(p, 0, sizeof(*p));
    p->raw = read_gunzip(bytes, n, &length);
    all = (struct read_bytes){p->raw, p->raw + length};
    while ((field = read_field(&all, &value, &b)))
        read_profile_field(p, field, value, b);
    read_check(p);
}

static inline void pprof_read_release(struct pprof_read *p)
{
    for (size_t i = 0; i < p->strings; i++)
        free(p->string[i]);
    for (size_t i = 0; i < p->samples; i++)
        free(p->sample[i].location);
    free(p->string);
    free(p->sample);
    free(p->function_of);
    free(p->function_name);
    free(p->raw);
}

/* -1 when there is no such sample type. */
static inline int read_column(const struct pprof_read *p, const char *type, const char *unit)
{
    for (size_t i = 0; i < p->types; i++)
        if (strcmp(read_string(p, p->type[i][0]), type) == 0 &&
            strcmp(read_string(p, p->type[i][1]), unit) == 0)
            return (int)i;
    return -1;
}

static inline int64_t read_total(const struct pprof_read *p, int column)
{
    int64_t sum = 0;

    assert_true(column >= 0);
    for (size_t i = 0; i < p->samples; i++)
        sum += p->sample[i].value[column];
    return sum;
}

/* The text of a sample's label, NULL when it has none. */
static inline const char *read_label(const struct pprof_read *p, size_t sample, const char *key)
{
    for (size_t l = 0; l < p->sample[sample].labels; l++)
        if (strcmp(read_string(p, p->sample[sample].label[l][0]), key) == 0)
            return read_string(p, p->sample[sample].label[l][1]);
    return NULL;
}

/* Name of the n-th frame of a sample, from the leaf. */
static inline const char *read_frame(const struct pprof_read *p, size_t sample, size_t n)
{
    uint64_t function = p->function_of[p->sample[sample].location[n] - 1];

    return function ? read_string(p, p->function_name[function - 1]) : "";
}

#endif
