/*
 * suggest.c - what somebody may have meant
 */
#include <stdio.h>
#include <string.h>

#include "table.h"

/* Optimal string alignment: Levenshtein's distance, where swapped neighbours count once. */
unsigned word_distance(const char *a, const char *b)
{
    unsigned row[3][OPTION_NAME_MAX + 1];
    size_t na = strnlen(a, OPTION_NAME_MAX - 1), nb = strnlen(b, OPTION_NAME_MAX - 1);
    unsigned *before = row[0], *last = row[1], *now = row[2];

    for (size_t j = 0; j <= nb; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        unsigned *spare = before;

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = MIN_OF(best, MIN_OF(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN_OF(best, before[j - 2] + 1);
            now[j] = best;
        }
        before = last;
        last = now;
        now = spare;
    }
    return last[nb];
}

/* A third of the letters may be wrong, and a beginning of four letters says enough. */
static unsigned how_far(const char *given, const char *name)
{
    size_t n = strlen(given);

    if (n >= 4 && strncmp(given, name, n) == 0)
        return 0;
    return word_distance(given, name);
}

static void consider(const char *given, const char *name, unsigned *least, char out[OPTION_NAME_MAX])
{
    unsigned distance = how_far(given, name);

    if (distance >= *least)
        return;
    *least = distance;
    snprintf(out, OPTION_NAME_MAX, "%s", name);
}

const char *option_suggest(const char *given, size_t n, char out[OPTION_NAME_MAX])
{
    char word[OPTION_NAME_MAX], negated[OPTION_NAME_MAX];
    unsigned least;

    if (n == 0 || n >= sizeof(word))
        return NULL;
    for (size_t i = 0; i < n; i++)
        word[i] = given[i] == '_' ? '-' : given[i];
    word[n] = '\0';
    least = MIN_OF((unsigned)n / 3, 3U) + 1;
    out[0] = '\0';
    for (size_t i = 0; i < option_count; i++) {
        consider(word, option_table[i].name, &least, out);
        if (option_table[i].type == OPTION_SWITCH) {
            snprintf(negated, sizeof(negated), "no-%s", option_table[i].name);
            consider(word, negated, &least, out);
        }
    }
    return out[0] ? out : NULL;
}
