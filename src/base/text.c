/*
 * text.c - hex and UTF-8
 */
#include "ringside/base.h"

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

/* Length of the leading part that is plain printable ASCII: nearly always all of it. */
static size_t plain_length(const unsigned char *s)
{
    size_t n = 0;

    while (s[n] >= 0x20 && s[n] < 0x80)
        n++;
    return n;
}

void utf8_clean(char *text)
{
    unsigned char *s = (unsigned char *)text;

    for (s += plain_length(s); *s;) {
        int n = utf8_length(s);

        if (n == 0) {
            *s++ = '?';
            continue;
        }
        s += n;
    }
}
