/*
 * convert.c - texts of other names made texts of the option's own
 */
#include "convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* "/tmp/profile_" is "/tmp/", "profile_" is "./". */
static const char *folder_of(struct option_store *s, const char *prefix)
{
    const char *slash = strrchr(prefix, '/');

    if (!*prefix)
        return prefix;
    return slash ? option_take_text(s, prefix, (size_t)(slash - prefix) + 1) : "./";
}

/* "a:b c:d" is "a:b,c:d"; where there is any comma, blanks divide nothing. */
static const char *divide_by_commas(struct option_store *s, const char *text)
{
    char *list;

    if (strchr(text, ','))
        return text;
    list = option_take_text(s, text, strlen(text));
    for (char *c = list; *c; c++)
        if (*c == ' ')
            *c = ',';
    return list;
}

/* ddprof's masks may lack the 0x, without which ours would be a list. */
static const char *mask_of(struct option_store *s, const char *text)
{
    size_t bytes = strlen(text) + sizeof("0x");
    char *mask;

    if (strncasecmp(text, "0x", 2) == 0)
        return text;
    mask = option_take(s, bytes);
    snprintf(mask, bytes, "0x%s", text);
    return mask;
}

static const char *join(struct option_store *s, const char *a, const char *b, const char *c)
{
    size_t bytes = strlen(a) + strlen(b) + strlen(c) + 1;
    char *out = option_take(s, bytes);

    snprintf(out, bytes, "%s%s%s", a, b, c);
    return out;
}

/* Names a kind of target in front of a text that has none. */
static const char *mark(struct option_store *s, const char *kind, const char *text)
{
    return strncmp(text, kind, strlen(kind)) == 0 ? text : join(s, kind, text, "");
}

/* OTLP exporter specification, "Endpoint URLs for OTLP/HTTP": the path of the signal is put behind the base.
 */
static const char *otlp_endpoint(struct option_store *s, const char *base)
{
    size_t n = strlen(base);

    while (n && base[n - 1] == '/')
        n--;
    return join(s, "otlp+", option_take_text(s, base, n), "/v1development/profiles");
}

/* A line break out of %0A would make a header of its own of what follows, for any server: this the target
 * refuses. */
static char *one_line(char *text)
{
    for (char *c = text; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = '\v';
    return text;
}

/* "k=v,k2=v2" as lines "otlp+k: v". */
static const char *otlp_headers(struct option_store *s, const char *text)
{
    char *key, *value, *out;
    struct buf lines;
    int got;

    buf_init(&lines, 16384);
    while ((got = option_next_attribute(s, &text, &key, &value)) != 0)
        if (got > 0)
            buf_printf(&lines, "otlp+%s: %s\n", one_line(key), one_line(value));
    out = option_take_text(s, lines.data ? lines.data : "", lines.len);
    buf_release(&lines);
    return out;
}

/* "k=v,k2=v2" as "k:v,k2:v2". */
static const char *labels_as_tags(struct option_store *s, const char *text)
{
    char *tags = option_take_text(s, text, strlen(text));

    for (char *pair = tags, *end; *pair; pair = end + (*end == ',')) {
        char *equals;

        end = pair + strcspn(pair, ",");
        equals = memchr(pair, '=', (size_t)(end - pair));
        if (equals)
            *equals = ':';
    }
    return tags;
}

/* "15s", "2m", "1h" as "15", "120", "3600"; what is none of it as it is, for the option to refuse. */
static const char *seconds_of(struct option_store *s, const char *text)
{
    char *unit, number[24];
    unsigned long long value = strtoull(text, &unit, 10), factor;

    factor = strcmp(unit, "s") == 0 ? 1 : strcmp(unit, "m") == 0 ? 60 : strcmp(unit, "h") == 0 ? 3600 : 0;
    if (unit == text || !factor || value > 1000000)
        return text;
    snprintf(number, sizeof(number), "%llu", value * factor);
    return option_take_text(s, number, strlen(number));
}

const char *option_convert(struct option_store *s, enum option_sense sense, const char *text)
{
    switch (sense) {
    case SENSE_ENABLED:
        return strcasecmp(text, "auto") == 0 ? "yes" : text;
    case SENSE_PREFIX:
        return folder_of(s, text);
    case SENSE_TAG_LIST:
        return divide_by_commas(s, text);
    case SENSE_MASK:
        return mask_of(s, text);
    case SENSE_DATADOG:
        return mark(s, "datadog+", text);
    case SENSE_PYROSCOPE:
        return mark(s, "pyroscope+", text);
    case SENSE_PARCA:
        return mark(s, "parca+", text);
    case SENSE_OTLP:
        return mark(s, "otlp+", text);
    case SENSE_OTLP_BASE:
        return otlp_endpoint(s, text);
    case SENSE_OTLP_HEADERS:
        return otlp_headers(s, text);
    case SENSE_LABELS:
        return labels_as_tags(s, text);
    case SENSE_SECONDS:
        return seconds_of(s, text);
    default:
        return text;
    }
}

/* Blanks around are dropped before decoding. */
static char *decode(struct option_store *s, const char *text, size_t n)
{
    char *out, *end;

    for (; n && (*text == ' ' || *text == '\t'); n--)
        text++;
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
        n--;
    out = end = option_take(s, n + 1);
    for (size_t i = 0; i < n; i++) {
        int high = i + 2 < n && text[i] == '%' ? option_hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? option_hex_digit(text[i + 2]) : -1;

        if (low >= 0 && (high || low)) { /* %00 stays as it is */
            *end++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *end++ = text[i];
        }
    }
    return out;
}

int option_next_attribute(struct option_store *s, const char **at, char **key, char **value)
{
    const char *pair = *at + strspn(*at, ", \t"), *equals;
    size_t n = strcspn(pair, ",");

    *at = pair + n;
    if (n == 0)
        return 0;
    equals = memchr(pair, '=', n);
    *key = decode(s, pair, equals ? (size_t)(equals - pair) : n);
    if (!equals || !**key)
        return -1;
    *value = decode(s, equals + 1, n - (size_t)(equals + 1 - pair));
    return 1;
}
