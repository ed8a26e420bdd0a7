/*
 * convert.c - texts of other names made texts of the option's own
 */
#include "convert.h"

#include <stdio.h>
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
    default:
        return text;
    }
}

/* Blanks around are dropped before decoding. */
static const char *decode(struct option_store *s, const char *text, size_t n)
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

int option_next_attribute(struct option_store *s, const char **at, const char **key, const char **value)
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
