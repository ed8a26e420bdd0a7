/*
 * entry.c - names and bytes of an entry; everything read back is checked as if a stranger had written it
 */
#include "entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ringside/base.h"

#define MAGIC "ringside-spool 1 "

/* ---- names ---- */

void spool_entry_print_name(const struct spool_entry_name *name, char out[SPOOL_ENTRY_NAME_BYTES])
{
    snprintf(out, SPOOL_ENTRY_NAME_BYTES, "%010" PRIu64 "-%" PRIu64 "-%016" PRIx64 SPOOL_ENTRY_SUFFIX,
             name->number, name->wall_ns, name->key);
}

/* Decimal, no sign, no blanks, no overflow; moves *p behind it. */
static bool take_number(const char **p, const char *end, uint64_t *out)
{
    const char *from = *p;
    uint64_t value = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; ++*p) {
        unsigned digit = (unsigned)(**p - '0');

        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return *p > from;
}

static bool take_key(const char **p, const char *end, uint64_t *out)
{
    uint64_t value = 0;

    if (end - *p < SPOOL_KEY_BYTES)
        return false;
    for (int i = 0; i < SPOOL_KEY_BYTES; i++, ++*p) {
        if (**p >= '0' && **p <= '9')
            value = value << 4 | (uint64_t)(**p - '0');
        else if (**p >= 'a' && **p <= 'f')
            value = value << 4 | (uint64_t)(**p - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

static bool take_char(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

bool spool_entry_parse_key(const char *text, uint64_t *key)
{
    const char *end = text + strlen(text);

    return take_key(&text, end, key) && text == end;
}

bool spool_entry_parse_name(const char *text, struct spool_entry_name *out)
{
    const char *p = text, *end = text + strlen(text);
    char again[SPOOL_ENTRY_NAME_BYTES];

    *out = (struct spool_entry_name){0};
    if (!take_number(&p, end, &out->number) || !take_char(&p, end, '-') ||
        !take_number(&p, end, &out->wall_ns) || !take_char(&p, end, '-') || !take_key(&p, end, &out->key))
        return false;
    spool_entry_print_name(out, again);
    return strcmp(again, text) == 0;
}

bool spool_entry_is_temporary(const char *name)
{
    return name[0] == '.' && strstr(name, SPOOL_ENTRY_SUFFIX ".tmp-"); /* atomic_file of base.h */
}

bool spool_entry_is_ours(const char *name)
{
    size_t n = strlen(name), suffix = strlen(SPOOL_ENTRY_SUFFIX);

    return spool_entry_is_temporary(name) ||
           (n >= suffix && strcmp(name + n - suffix, SPOOL_ENTRY_SUFFIX) == 0);
}

/* ---- bytes ---- */

/* Of what may be NULL. */
static const char *text_of(const struct spool_item *item, int i)
{
    const char *const texts[SPOOL_ENTRY_TEXTS] = {item->label, item->method, item->path, item->headers};

    return texts[i] ? texts[i] : "";
}

static size_t head_print(const struct spool_item *item, uint64_t key, char out[SPOOL_ENTRY_HEAD_BYTES])
{
    int n = snprintf(out, SPOOL_ENTRY_HEAD_BYTES, MAGIC "%016" PRIx64 " %" PRIu64, key, item->wall_ns);

    for (int i = 0; i < SPOOL_ENTRY_TEXTS; i++)
        n += snprintf(out + n, SPOOL_ENTRY_HEAD_BYTES - (size_t)n, " %zu", strlen(text_of(item, i)));
    n += snprintf(out + n, SPOOL_ENTRY_HEAD_BYTES - (size_t)n, " %zu\n", item->body_bytes);
    return (size_t)n;
}

size_t spool_entry_size(const struct spool_item *item, uint64_t key, struct err *e)
{
    char head[SPOOL_ENTRY_HEAD_BYTES];
    size_t n = item->body_bytes;

    if (n > SPOOL_ITEM_BYTES_MAX) {
        err_set(e, 0, "%zu bytes, at most %d can be kept", n, SPOOL_ITEM_BYTES_MAX);
        return 0;
    }
    for (int i = 0; i < SPOOL_ENTRY_TEXTS; i++) {
        size_t text = strnlen(text_of(item, i), SPOOL_TEXT_MAX + 1);

        if (text > SPOOL_TEXT_MAX) {
            err_set(e, 0, "label, path or headers of more than %d bytes", SPOOL_TEXT_MAX);
            return 0;
        }
        n += text + 1;
    }
    return n + head_print(item, key, head);
}

int spool_entry_encode(const struct spool_item *item, uint64_t key, const struct byte_out *out, struct err *e)
{
    char head[SPOOL_ENTRY_HEAD_BYTES];
    size_t n = head_print(item, key, head);

    if (out->write(out->ctx, head, n, e) < 0)
        return -1;
    for (int i = 0; i < SPOOL_ENTRY_TEXTS; i++)
        if (out->write(out->ctx, text_of(item, i), strlen(text_of(item, i)) + 1, e) < 0)
            return -1;
    return out->write(out->ctx, item->body, item->body_bytes, e);
}

static bool take_size(const char **p, const char *end, size_t max, size_t *out)
{
    uint64_t value;

    if (!take_char(p, end, ' ') || !take_number(p, end, &value) || value > max)
        return false;
    *out = (size_t)value;
    return true;
}

int spool_entry_parse_head(const char *bytes, size_t n, struct spool_entry_head *out, struct err *e)
{
    const char *p = bytes, *end = bytes + MIN_OF(n, SPOOL_ENTRY_HEAD_BYTES);
    bool good;

    *out = (struct spool_entry_head){0};
    if (n < strlen(MAGIC) || memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
        return err_set(e, 0, "not an entry of a spool");
    p += strlen(MAGIC);
    good = take_key(&p, end, &out->key) && take_char(&p, end, ' ') && take_number(&p, end, &out->wall_ns);
    for (int i = 0; good && i < SPOOL_ENTRY_TEXTS; i++)
        good = take_size(&p, end, SPOOL_TEXT_MAX, &out->text_bytes[i]);
    if (!good || !take_size(&p, end, SPOOL_ITEM_BYTES_MAX, &out->body_bytes) || !take_char(&p, end, '\n'))
        return err_set(e, 0, "its first line is damaged");
    out->at = (size_t)(p - bytes);
    return 0;
}

int spool_decode(const void *bytes, size_t n, struct spool_item *out, struct err *e)
{
    const char **const texts[SPOOL_ENTRY_TEXTS] = {&out->label, &out->method, &out->path, &out->headers};
    struct spool_entry_head head;
    const char *p = bytes;
    size_t at;

    *out = (struct spool_item){0};
    if (spool_entry_parse_head(p, n, &head, e) < 0)
        return -1;
    at = head.at;
    for (int i = 0; i < SPOOL_ENTRY_TEXTS; i++) {
        size_t text = head.text_bytes[i];

        if (n - at < text + 1)
            return err_set(e, 0, "cut off");
        if (memchr(p + at, '\0', text + 1) != p + at + text)
            return err_set(e, 0, "its texts are damaged");
        *texts[i] = p + at;
        at += text + 1;
    }
    if (n - at != head.body_bytes)
        return err_set(e, 0, n - at < head.body_bytes ? "cut off" : "longer than it says");
    out->wall_ns = head.wall_ns;
    out->body = p + at;
    out->body_bytes = head.body_bytes;
    return 0;
}
