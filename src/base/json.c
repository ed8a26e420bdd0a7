/*
 * json.c - text as a JSON string (RFC 8259 section 7)
 *
 * Debian has no archive of a JSON library, and a shared one would delay every start; what is written is a
 * handful of texts.
 */
#include "ringside/base.h"

#include <string.h>

bool json_add_text(struct buf *b, const char *text)
{
    char clean[JSON_TEXT_MAX + 1];
    size_t n = MIN_OF(strlen(text), (size_t)JSON_TEXT_MAX);

    while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--; /* no piece of a character at the end (RFC 3629) */
    memcpy(clean, text, n);
    clean[n] = '\0';
    utf8_clean(clean);
    if (!buf_add(b, "\"", 1))
        return false;
    for (size_t i = 0; i < n; i++)
        if (((clean[i] == '"' || clean[i] == '\\') && !buf_add(b, "\\", 1)) || !buf_add(b, &clean[i], 1))
            return false;
    return buf_add(b, "\"", 1);
}
