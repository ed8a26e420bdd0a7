/*
 * text.c - hex and UTF-8
 */
#include "ringside/base.h"

#include <string.h>

void hex_encode(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

/* Bytes of the valid UTF-8 sequence at s (RFC 3629, section 4), or 0. */
static int utf8_length(const unsigned char *s)
{
    unsigned char low = 0x80, high = 0xbf;
    int n;

    if (s[0] < 0x80)
        return s[0] >= 0x20 ? 1 : 0;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        n = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        n = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    if (s[0] == 0xed)
        high = 0x9f; /* surrogates */
    if (s[0] == 0xf0)
        low = 0x90;
    if (s[0] == 0xf4)
        high = 0x8f; /* beyond U+10FFFF */
    for (int i = 1; i < n; i++, low = 0x80, high = 0xbf)
        if (s[i] < low || s[i] > high)
            return 0;
    return n;
}

/* Eight at a time: adding 0x60 to the low seven bits sets the eighth from 0x20 on, and it must not have been
 * set before. */
bool utf8_is_plain(const char *text, size_t n)
{
    const uint64_t high = 0x8080808080808080ULL;
    uint64_t word;

    for (; n >= sizeof(word); text += sizeof(word), n -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        if (word & high || ~((word & ~high) + 0x6060606060606060ULL) & high)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

void utf8_clean(char *text)
{
    unsigned char *s = (unsigned char *)text;

    if (utf8_is_plain(text, strlen(text)))
        return;
    while (*s) {
        int n = utf8_length(s);

        if (n == 0) {
            *s++ = '?';
            continue;
        }
        s += n;
    }
}
