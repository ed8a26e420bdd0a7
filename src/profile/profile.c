/*
 * profile.c - the arrays of a finished profile: interning, growth up to a cap
 */
#include "ringside/profile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profile_private.h"

void profile_init(struct profile *p)
{
    *p = (struct profile){0};
    strtab_init(&p->strings, PROFILE_STRING_BYTES);
    map64_init(&p->function_index);
}

void profile_release(struct profile *p)
{
    strtab_release(&p->strings);
    map64_release(&p->function_index);
    free(p->mapping);
    free(p->function);
    free(p->location);
    free(p->frame);
    free(p->value);
    free(p->sample);
    free(p->label_set);
    free(p->comment);
    *p = (struct profile){0};
}

/* Room for `more` rows after count; false, and counted, at the cap. The array comes back through the return
 * value. */
static void *rows_grow(struct profile *p, void *rows, uint32_t *cap, uint64_t need, size_t row_bytes)
{
    uint64_t bigger = *cap ? *cap : 32;

    if (need <= *cap)
        return rows;
    if (need > PROFILE_ROWS_MAX) {
        p->dropped++;
        return NULL;
    }
    while (bigger < need)
        bigger *= 2;
    *cap = (uint32_t)bigger;
    return base_realloc(rows, bigger * row_bytes);
}

/* Makes room for n more rows of p->field; false at the cap. */
#define ROOM(p, field, n)                                                                                    \
    ({                                                                                                       \
        void *rows_ = rows_grow(p, (p)->field, &(p)->field##_cap, (uint64_t)(p)->field##_count + (n),        \
                                sizeof(*(p)->field));                                                        \
        if (rows_)                                                                                           \
            (p)->field = rows_;                                                                              \
        rows_ != NULL;                                                                                       \
    })

uint32_t profile_string(struct profile *p, const char *text)
{
    size_t n = strlen(text);
    FREE_PTR char *clean = NULL;

    if (utf8_is_plain(text, n))
        return strtab_add_n(&p->strings, text, n);
    clean = base_strdup(text);
    utf8_clean(clean);
    return strtab_add_n(&p->strings, clean, n);
}

void profile_add_type(struct profile *p, const char *type, const char *unit)
{
    if (p->type_count == PROFILE_TYPES_MAX) {
        p->dropped++;
        return;
    }
    p->type[p->type_count++] = (struct profile_type){profile_string(p, type), profile_string(p, unit)};
}

uint32_t profile_add_mapping(struct profile *p, const struct profile_mapping *m)
{
    if (!ROOM(p, mapping, 1))
        return 0;
    p->mapping[p->mapping_count] = *m;
    return ++p->mapping_count;
}

uint32_t profile_add_function(struct profile *p, const char *name, const char *system_name)
{
    uint32_t id = profile_string(p, name);
    struct profile_function f = {id, system_name == name ? id : profile_string(p, system_name)};

    return profile_add_function_ids(p, &f);
}

uint32_t profile_add_function_ids(struct profile *p, const struct profile_function *f)
{
    uint64_t key = (uint64_t)f->name << 32 | f->system_name;
    const uint64_t *known = map64_find(&p->function_index, key);

    if (known)
        return (uint32_t)*known;
    if (!ROOM(p, function, 1))
        return 0;
    p->function[p->function_count++] = *f;
    map64_put(&p->function_index, key, p->function_count);
    return p->function_count;
}

uint32_t profile_add_location(struct profile *p, const struct profile_location *l)
{
    if (!ROOM(p, location, 1))
        return 0;
    p->location[p->location_count] = *l;
    return ++p->location_count;
}

static bool labels_have_key(const struct profile_label_set *set, uint32_t key)
{
    for (uint32_t i = 0; i < set->labels; i++)
        if (set->label[i].key == key)
            return true;
    return false;
}

uint32_t profile_add_labels(struct profile *p, const struct profile_label *labels, uint32_t n)
{
    struct profile_label_set set = {0};

    for (uint32_t i = 0; i < n; i++) {
        if (labels[i].key == 0 || labels[i].text == 0 || labels_have_key(&set, labels[i].key))
            continue;
        if (set.labels == PROFILE_LABELS_MAX) {
            p->dropped++;
            break;
        }
        set.label[set.labels++] = labels[i];
    }
    if (!ROOM(p, label_set, 1))
        return PROFILE_NO_LABELS;
    p->label_set[p->label_set_count] = set;
    return p->label_set_count++;
}

uint32_t profile_add_frame(struct profile *p, uint32_t caller, uint32_t location)
{
    if (location == 0 || location > p->location_count || caller > p->frame_count) {
        p->dropped++;
        return PROFILE_NO_FRAME;
    }
    if (!ROOM(p, frame, 1))
        return PROFILE_NO_FRAME;
    p->frame[p->frame_count++] = (struct profile_frame){.location = location, .caller = caller};
    return p->frame_count;
}

void profile_add_sample(struct profile *p, uint32_t frame, uint32_t label_set, const int64_t *values)
{
    if (p->type_count == 0 || frame == 0 || frame > p->frame_count) {
        p->dropped++;
        return;
    }
    if (!ROOM(p, sample, 1) || !ROOM(p, value, p->type_count))
        return;
    p->sample[p->sample_count++] =
        (struct profile_sample){.frame = frame, .label_set = label_set, .first_value = p->value_count};
    memcpy(p->value + p->value_count, values, p->type_count * sizeof(*values));
    p->value_count += p->type_count;
}

void profile_add_comment(struct profile *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (text[0] && ROOM(p, comment, 1))
        p->comment[p->comment_count++] = profile_string(p, text);
}
