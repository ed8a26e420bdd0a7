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
