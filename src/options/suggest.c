/*
 * suggest.c - what somebody may have meant
 */
#include <stdio.h>
#include <string.h>

#include "table.h"

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

const char *option_suggest(const char *given, size_t n, bool negations, char out[OPTION_NAME_MAX])
{
    char word[OPTION_NAME_MAX], negated[OPTION_NAME_MAX];
    unsigned least;

    out[0] = '\0';
    if (n == 0 || n >= sizeof(word))
        return NULL;
    for (size_t i = 0; i < n; i++)
        word[i] = given[i] == '_' ? '-' : given[i];
    word[n] = '\0';
    least = MIN_OF((unsigned)n / 3, 3U) + 1;
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        consider(word, row->name, &least, out);
        for (size_t j = 0; j < OPTION_NAMES_MAX && row->also[j].name; j++)
            consider(word, row->also[j].name, &least, out);
        if (negations && row->type == OPTION_SWITCH) {
            snprintf(negated, sizeof(negated), "no-%s", row->name);
            consider(word, negated, &least, out);
        }
    }
    return out[0] ? out : NULL;
}
