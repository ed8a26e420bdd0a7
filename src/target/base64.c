/*
 * base64.c - three bytes to four letters
 */
#include "base64.h"

#include "ringside/base.h"

#define GROUPS 256 /* encoded at once: what is appended in crumbs is slow */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_begin(struct base64 *b, struct buf *out)
{
    *b = (struct base64){.out = out};
}

static void encode_group(const uint8_t in[3], char out[4])
{
    out[0] = letters[in[0] >> 2];
    out[1] = letters[(in[0] & 3) << 4 | in[1] >> 4];
    out[2] = letters[(in[1] & 15) << 2 | in[2] >> 6];
    out[3] = letters[in[2] & 63];
}

static void put(struct base64 *b, const char *text, size_t n)
{
    b->full |= !buf_add(b->out, text, n);
}

/* Whole groups. */
static void put_groups(struct base64 *b, const uint8_t *bytes, size_t groups)
{
    char text[4 * GROUPS];

    while (groups && !b->full) {
        size_t n = MIN_OF(groups, (size_t)GROUPS);

        for (size_t i = 0; i < n; i++)
            encode_group(bytes + 3 * i, text + 4 * i);
        put(b, text, 4 * n);
        bytes += 3 * n;
        groups -= n;
    }
}

int base64_write(void *base64, const void *bytes, size_t n, struct err *e)
{
    struct base64 *b = base64;
    const uint8_t *p = bytes;

    while (n && b->rests) {
        b->rest[b->rests++] = *p++;
        n--;
        if (b->rests < 3)
            continue;
        put_groups(b, b->rest, 1);
        b->rests = 0;
    }
    put_groups(b, p, n / 3);
    for (p += n - n % 3, n %= 3; n; n--)
        b->rest[b->rests++] = *p++;
    return b->full ? err_set(e, 0, "no room for more than %zu bytes", b->out->max) : 0;
}

bool base64_end(struct base64 *b)
{
    uint8_t last[3] = {0};
    char text[4];

    for (uint8_t i = 0; i < b->rests; i++)
        last[i] = b->rest[i];
    if (b->rests) {
        encode_group(last, text);
        for (int i = 3; i > b->rests; i--)
            text[i] = '=';
        put(b, text, 4);
    }
    b->rests = 0;
    return !b->full;
}
