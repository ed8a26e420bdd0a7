/*
 * blank.c - white space as Go's unicode.IsSpace has it (the property White_Space of Unicode), in UTF-8
 *
 * A value of nothing else is an empty one to servers, which some of them refuse.
 */
#include "blank.h"

#include <string.h>

#include "ringside/base.h"

static const char *const blanks[] = {
    " ",
    "\t",
    "\n",
    "\v",
    "\f",
    "\r",
    "\xc2\x85",     /* U+0085 */
    "\xc2\xa0",     /* U+00A0 */
    "\xe1\x9a\x80", /* U+1680 */
    "\xe2\x80\x80", /* U+2000 to U+200A */
    "\xe2\x80\x81",
    "\xe2\x80\x82",
    "\xe2\x80\x83",
    "\xe2\x80\x84",
    "\xe2\x80\x85",
    "\xe2\x80\x86",
    "\xe2\x80\x87",
    "\xe2\x80\x88",
    "\xe2\x80\x89",
    "\xe2\x80\x8a",
    "\xe2\x80\xa8", /* U+2028, U+2029 */
    "\xe2\x80\xa9",
    "\xe2\x80\xaf", /* U+202F */
    "\xe2\x81\x9f", /* U+205F */
    "\xe3\x80\x80", /* U+3000 */
};

/* Length of the blank that text begins with, 0 when it begins with something else. */
static size_t blank_at(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(blanks); i++)
        if (strncmp(text, blanks[i], strlen(blanks[i])) == 0)
            return strlen(blanks[i]);
    return 0;
}

static size_t blank_before(const char *text, size_t end)
{
    for (size_t i = 0; i < ARRAY_LEN(blanks); i++) {
        size_t n = strlen(blanks[i]);

        if (n <= end && memcmp(text + end - n, blanks[i], n) == 0)
            return n;
    }
    return 0;
}

const char *blank_skip(const char *text)
{
    for (size_t n; (n = blank_at(text)); text += n)
        ;
    return text;
}

size_t blank_trim(const char *text, size_t n)
{
    for (size_t blank; (blank = blank_before(text, n)); n -= blank)
        ;
    return n;
}
