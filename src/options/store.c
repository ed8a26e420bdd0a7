/*
 * store.c - what was given for each option, strongest layer first, and the memory behind it
 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 4000

struct option_chunk {
    struct option_chunk *next;
    _Alignas(max_align_t) char bytes[];
};

void *option_take(struct option_store *s, size_t bytes)
{
    size_t need = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct option_chunk *chunk;

    if (need > s->left) {
        size_t size = MAX_OF(need, (size_t)CHUNK_BYTES);

        chunk = base_calloc(1, sizeof(*chunk) + size);
        chunk->next = s->chunks;
        s->chunks = chunk;
        s->left = size;
    }
    s->left -= need;
    return s->chunks->bytes + s->left; /* taken from the end, so that one number tells what is left */
}

char *option_take_text(struct option_store *s, const char *text, size_t n)
{
    char *copy = option_take(s, n + 1);

    memcpy(copy, text, n);
    return copy;
}

void option_store_release(struct option_store *s)
{
    while (s->chunks) {
        struct option_chunk *chunk = s->chunks;

        s->chunks = chunk->next;
        free(chunk);
    }
    *s = (struct option_store){0};
}

bool option_texts_add(struct option_store *s, struct option_texts *list, const char *text)
{
    bool power_of_two = (list->count & (list->count - 1)) == 0; /* of 0 too: the capacity is the next power */

    if (list->count == OPTION_TEXTS_MAX)
        return false;
    if (power_of_two) {
        const char **more = option_take(s, MAX_OF(2 * list->count, 1U) * sizeof(*more));

        if (list->count)
            memcpy(more, list->at, list->count * sizeof(*more));
        list->at = more;
    }
    list->at[list->count++] = text;
    return true;
}

/* Does what is given now leave in place what was given before? */
static bool is_weaker(const struct option_row *row, const struct option_origin *now,
                      const struct option_origin *before)
{
    if (now->source == before->source)
        return now->source == SOURCE_SHARED && now->order > before->order;
    /* Where a tracer sends says less about profiles than a file that was written for them. */
    if (row->type == OPTION_URLS && before->source == SOURCE_SHARED)
        return now->source == SOURCE_DEFAULT;
    return now->source < before->source;
}

static bool adds(const struct option_row *row, const struct option_origin *now,
                 const struct option_origin *before)
{
    /* Of other tools' variables one says where profiles go: who is traced by two does not profile for both.
     */
    if (row->type == OPTION_URLS && now->source == SOURCE_SHARED)
        return false;
    return option_repeats(row) && now->source == before->source;
}

/*
 * Behind what was given before. Shared variables are put in the order of the row: that of the environment is
 * different on each host, and --show-config is there to be compared.
 */
static void insert(struct option_setting *setting, struct option_given *given)
{
    struct option_given **at = &setting->first;

    while (*at && (*at)->origin.order <= given->origin.order)
        at = &(*at)->next;
    given->next = *at;
    *at = given;
}

void option_give(struct option_store *s, const struct option_row *row, const char *text,
                 struct option_origin origin)
{
    struct option_setting *setting = &s->at[option_index(row)];
    struct option_given *given;

    if (setting->first && !adds(row, &origin, &setting->first->origin)) {
        if (is_weaker(row, &origin, &setting->first->origin))
            return;
        setting->first = NULL;
    }
    given = option_take(s, sizeof(*given));
    *given = (struct option_given){.text = text, .origin = origin};
    insert(setting, given);
}

const char *option_origin_name(const struct option_row *row, const struct option_origin *origin, char *out,
                               size_t bytes)
{
    switch (origin->source) {
    case SOURCE_SHARED:
    case SOURCE_VARIABLE:
        snprintf(out, bytes, "variable %s", origin->name);
        break;
    case SOURCE_FILE:
        snprintf(out, bytes, "%s:%u: %s", origin->name, origin->line, row->name);
        break;
    default:
        snprintf(out, bytes, "option --%s", row->name);
    }
    return out;
}
