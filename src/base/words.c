/*
 * words.c - how alike two words are, and pointing at one of them
 */
#include "ringside/base.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: Levenshtein's distance, where swapped neighbours count once. */
unsigned word_distance(const char *a, const char *b)
{
    unsigned row[3][WORD_MAX + 1];
    size_t na = strnlen(a, WORD_MAX - 1), nb = strnlen(b, WORD_MAX - 1);
    unsigned *before = row[0], *last = row[1], *now = row[2];

    for (size_t j = 0; j <= nb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *spare = before;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);

            best = MIN_OF(best, MIN_OF(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]))
                best = MIN_OF(best, before[j - 2] + 1);
            now[j] = best;
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[nb];
}

/* Columns of the line shown, and how much of them is left of the place at most. */
#define SHOWN_MAX  60
#define SHOWN_LEFT 30

static bool continues_letter(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Where the shown part begins: far enough right for the place to be in it, at the start of a letter. */
static size_t first_shown(const char *text, size_t length, size_t at)
{
    size_t from = length > SHOWN_MAX && at > SHOWN_LEFT ? at - SHOWN_LEFT : 0;

    if (from && length - from < SHOWN_MAX)
        from = length - SHOWN_MAX;
    while (from && continues_letter(text[from]))
        from--;
    return from;
}

int err_point(struct err *e, const char *text, size_t at, size_t n)
{
    char line[SHOWN_MAX + 8], marks[SHOWN_MAX + 8];
    size_t length = strlen(text), from, shown, used = 0;
    size_t had;

    if (!e || at > length)
        return -1;
    from = first_shown(text, length, at);
    shown = MIN_OF(length - from, (size_t)SHOWN_MAX);
    memcpy(line, text + from, shown);
    line[shown] = '\0';
    utf8_clean(line);
    for (size_t i = 0; i < shown && from + i < at; i++)
        if (!continues_letter(line[i]))
            marks[used++] = ' ';
    marks[used++] = '^';
    for (size_t i = at - from + 1; i < shown && i < at - from + n; i++)
        if (!continues_letter(line[i]))
            marks[used++] = '~';
    marks[used] = '\0';
    had = strlen(e->text);
    snprintf(e->text + had, sizeof(e->text) - had, "\n  %s\n  %s", line, marks);
    return -1;
}
