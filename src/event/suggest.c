/*
 * suggest.c - what somebody may have meant
 */
#include <string.h>
#include <strings.h>

#include "event_private.h"

/* A third of the letters may be wrong. */
void event_nearest_init(struct event_nearest *n, const char *word)
{
    size_t length = strlen(word);

    *n = (struct event_nearest){
        .word = word,
        .distance = length < WORD_MAX ? MIN_OF((unsigned)length / 3, 3U) + 1 : 0,
    };
}

void event_nearest_offer(struct event_nearest *n, const char *name)
{
    size_t length = strlen(n->word);
    bool begins = length >= 4 && strncasecmp(n->word, name, length) == 0;
    unsigned distance = begins ? 0 : word_distance(n->word, name);

    if (distance >= n->distance)
        return;
    n->distance = distance;
    n->name = name;
}
