/*
 * reshape.c - a profile made of another one: columns and labels renamed or left out, a part of the samples,
 * and only what these name
 */
#include "ringside/profile.h"

#include <stdlib.h>
#include <string.h>

#include "profile_private.h"

enum { LABELS_UNKNOWN, LABELS_NONE, LABELS_FIRST };

struct reshaper {
    const struct profile_reshape *how;
    const struct profile *in;
    struct profile *out;
    uint32_t column[PROFILE_TYPES_MAX]; /* of in, for each of out */
    uint32_t *string, *mapping, *function, *location,
        *frame;           /* id in `in` -> id in out; 0: not copied so far */
    uint32_t *label_set;  /* index in `in` -> LABELS_UNKNOWN, LABELS_NONE, or index in out + LABELS_FIRST */
    uint32_t *depth;      /* of each frame of in; NULL: no limit */
    uint32_t *stem;       /* of each: itself, or of a deep one the caller that is still below the limit */
    uint32_t *path;       /* frames on the way to one that is copied */
    uint32_t path_cap;    /* of path */
    uint32_t deep;        /* location of PROFILE_TOO_DEEP; 0: not needed so far */
    struct map64 deep_of; /* frame of out -> the PROFILE_TOO_DEEP called from it */
    struct map64 sets;    /* hash of a label set -> its index in out */
    struct map64 sample;  /* (frame, label set) of out -> index of the sample */
};

static uint32_t *new_ids(uint32_t count)
{
    return base_calloc((size_t)count + 1, sizeof(uint32_t));
}

/* ---- texts ---- */

/* Length of a text of which at most max bytes stay, without a piece of a character at its end (RFC 3629). */
static size_t cut_length(const char *text, size_t max)
{
    size_t n = strnlen(text, max + 1);

    if (n <= max)
        return n;
    for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static uint32_t copy_text(struct reshaper *r, const char *text)
{
    size_t n = r->how->text_max ? cut_length(text, r->how->text_max) : strlen(text);

    return strtab_add_n(&r->out->strings, text, n);
}

/* Texts of in are clean: profile_string() saw to it. */
static uint32_t copy_string(struct reshaper *r, uint32_t id)
{
    if (id && !r->string[id])
        r->string[id] = copy_text(r, strtab_get(&r->in->strings, id));
    return r->string[id];
}

/* ---- what a sample names ---- */

static uint32_t copy_mapping(struct reshaper *r, uint32_t id)
{
    struct profile_mapping m;

    if (id == 0 || id > r->in->mapping_count)
        return 0;
    if (r->mapping[id])
        return r->mapping[id];
    m = r->in->mapping[id - 1];
    m.filename = copy_string(r, m.filename);
    m.build_id = copy_string(r, m.build_id);
    r->mapping[id] = profile_add_mapping(r->out, &m);
    return r->mapping[id];
}

static uint32_t copy_function(struct reshaper *r, uint32_t id)
{
    struct profile_function f;

    if (id == 0 || id > r->in->function_count)
        return 0;
    if (r->function[id])
        return r->function[id];
    f = r->in->function[id - 1];
    f.name = copy_string(r, f.name);
    f.system_name = copy_string(r, f.system_name);
    r->function[id] = profile_add_function_ids(r->out, &f);
    return r->function[id];
}

static uint32_t copy_location(struct reshaper *r, uint32_t id)
{
    struct profile_location l = r->in->location[id - 1];

    if (r->location[id])
        return r->location[id];
    l.mapping = copy_mapping(r, l.mapping);
    l.function = copy_function(r, l.function);
    r->location[id] = profile_add_location(r->out, &l);
    return r->location[id];
}

/* ---- stacks ---- */

static void push_path(struct reshaper *r, uint32_t n, uint32_t frame)
{
    if (n == r->path_cap) {
        r->path_cap = r->path_cap ? r->path_cap * 2 : 256;
        r->path = base_realloc(r->path, r->path_cap * sizeof(*r->path));
    }
    r->path[n] = frame;
}

static uint32_t copy_whole_frame(struct reshaper *r, uint32_t id)
{
    uint32_t n = 0, above;

    for (above = id; above && !r->frame[above]; above = r->in->frame[above - 1].caller)
        push_path(r, n++, above);
    above = above ? r->frame[above] : 0;
    while (n-- > 0) {
        uint32_t frame = r->path[n];

        above = profile_add_frame(r->out, above, copy_location(r, r->in->frame[frame - 1].location));
        r->frame[frame] = above;
    }
    return above;
}

static uint32_t deep_location(struct reshaper *r)
{
    uint32_t name;

    if (!r->deep) {
        name = profile_add_function(r->out, PROFILE_TOO_DEEP, PROFILE_TOO_DEEP);
        r->deep = profile_add_location(r->out, &(struct profile_location){.function = name});
    }
    return r->deep;
}

/* Callers come before whom they call, so one pass tells all depths. */
static void measure_depths(struct reshaper *r)
{
    if (!r->how->frames_max)
        return;
    r->depth = new_ids(r->in->frame_count);
    r->stem = new_ids(r->in->frame_count);
    for (uint32_t id = 1; id <= r->in->frame_count; id++) {
        uint32_t caller = r->in->frame[id - 1].caller;

        r->depth[id] = r->depth[caller] + 1;
        r->stem[id] = r->depth[id] < r->how->frames_max ? id : r->stem[caller];
    }
}

static uint32_t copy_frame(struct reshaper *r, uint32_t id)
{
    const uint64_t *known;
    uint32_t below;

    if (!r->depth || r->depth[id] <= r->how->frames_max)
        return copy_whole_frame(r, id);
    below = r->stem[id] ? copy_whole_frame(r, r->stem[id]) : 0;
    known = map64_find(&r->deep_of, below);
    if (known)
        return (uint32_t)*known;
    id = profile_add_frame(r->out, below, deep_location(r));
    map64_put(&r->deep_of, below, id);
    return id;
}

/* ---- labels ---- */

static bool have_key(const struct profile_label_set *set, uint32_t key)
{
    for (uint32_t i = 0; i < set->labels; i++)
        if (set->label[i].key == key)
            return true;
    return false;
}

static void filter_labels(struct reshaper *r, const struct profile_label_set *from,
                          struct profile_label_set *to)
{
    *to = (struct profile_label_set){0};
    for (uint32_t i = 0; i < from->labels; i++) {
        const char *key = strtab_get(&r->in->strings, from->label[i].key);
        uint32_t id;

        if (r->how->label)
            key = r->how->label(r->how->ctx, key, strtab_get(&r->in->strings, from->label[i].text));
        id = key ? profile_string(r->out, key) : 0;
        if (id && !have_key(to, id))
            to->label[to->labels++] = (struct profile_label){id, copy_string(r, from->label[i].text)};
    }
}

/* Index in out; equal sets are one, but for the unlikely two of one hash. */
static uint32_t intern_labels(struct reshaper *r, const struct profile_label_set *set)
{
    size_t bytes = set->labels * sizeof(set->label[0]);
    uint64_t hash = hash_bytes(set->label, bytes);
    const uint64_t *known = map64_find(&r->sets, hash);
    uint32_t index;

    if (known && r->out->label_set[*known].labels == set->labels &&
        memcmp(r->out->label_set[*known].label, set->label, bytes) == 0)
        return (uint32_t)*known;
    index = profile_add_labels(r->out, set->label, set->labels);
    if (index != PROFILE_NO_LABELS)
        map64_put(&r->sets, hash, index);
    return index;
}

static uint32_t copy_labels(struct reshaper *r, uint32_t index)
{
    struct profile_label_set set;
    uint32_t copy = PROFILE_NO_LABELS;

    if (index >= r->in->label_set_count)
        return PROFILE_NO_LABELS;
    if (r->label_set[index] == LABELS_UNKNOWN) {
        filter_labels(r, &r->in->label_set[index], &set);
        if (set.labels)
            copy = intern_labels(r, &set);
        r->label_set[index] = copy == PROFILE_NO_LABELS ? LABELS_NONE : copy + LABELS_FIRST;
    }
    return r->label_set[index] == LABELS_NONE ? PROFILE_NO_LABELS : r->label_set[index] - LABELS_FIRST;
}

/* ---- samples ---- */

static bool take_values(const struct reshaper *r, const struct profile_sample *s, int64_t *values)
{
    bool any = false;

    for (uint32_t i = 0; i < r->out->type_count; i++) {
        values[i] = r->in->value[s->first_value + r->column[i]];
        any |= values[i] != 0;
    }
    return any;
}

static void add_values(int64_t *to, const int64_t *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (__builtin_add_overflow(to[i], values[i], &to[i]))
            to[i] = values[i] > 0 ? INT64_MAX : INT64_MIN;
}

static void copy_sample(struct reshaper *r, const struct profile_sample *s)
{
    int64_t values[PROFILE_TYPES_MAX];
    uint32_t frame, set, before = r->out->sample_count;
    const uint64_t *known;
    uint64_t key;

    if (!take_values(r, s, values))
        return;
    frame = copy_frame(r, s->frame);
    set = copy_labels(r, s->label_set);
    key = (uint64_t)frame << 32 | set;
    known = map64_find(&r->sample, key);
    if (known) {
        add_values(r->out->value + r->out->sample[*known].first_value, values, r->out->type_count);
        return;
    }
    profile_add_sample(r->out, frame, set, values);
    if (r->out->sample_count > before)
        map64_put(&r->sample, key, before);
}

/* ---- the whole ---- */

static bool same_type(const struct profile_type *a, const struct profile_type *b)
{
    return a->type == b->type && a->unit == b->unit;
}

/* One column of in; false: left out. */
static bool copy_column(struct reshaper *r, uint32_t i)
{
    const struct profile *in = r->in;
    struct profile_column c = {strtab_get(&in->strings, in->type[i].type),
                               strtab_get(&in->strings, in->type[i].unit)};

    if (r->how->column && !r->how->column(r->how->ctx, c.type, c.unit, &c))
        return false;
    r->column[r->out->type_count] = i;
    profile_add_type(r->out, c.type, c.unit);
    return true;
}

static void copy_types(struct reshaper *r)
{
    const struct profile *in = r->in;
    struct profile *out = r->out;
    struct profile_type *last = NULL, *period = NULL, *by_default = NULL;

    for (uint32_t i = 0; i < in->type_count; i++) {
        if (!copy_column(r, i))
            continue;
        last = &out->type[out->type_count - 1];
        if (same_type(&in->type[i], &in->period_type))
            period = last;
        if (in->type[i].type == in->default_type)
            by_default = last;
    }
    if (!last)
        return;
    out->period_type = period ? *period : *last;
    out->period = period ? in->period : 1;
    out->default_type = by_default ? by_default->type : last->type;
}

static void copy_samples(struct reshaper *r)
{
    uint32_t from = MIN_OF(r->how->first_sample, r->in->sample_count), n = r->in->sample_count - from;

    if (r->how->samples)
        n = MIN_OF(n, r->how->samples);
    for (uint32_t i = 0; i < n && r->out->type_count; i++)
        copy_sample(r, &r->in->sample[from + i]);
}

static void reshaper_init(struct reshaper *r)
{
    r->string = new_ids(r->in->strings.count);
    r->mapping = new_ids(r->in->mapping_count);
    r->function = new_ids(r->in->function_count);
    r->location = new_ids(r->in->location_count);
    r->frame = new_ids(r->in->frame_count);
    r->label_set = new_ids(r->in->label_set_count);
    map64_init(&r->deep_of);
    map64_init(&r->sets);
    map64_init(&r->sample);
}

static void reshaper_release(struct reshaper *r)
{
    free(r->string);
    free(r->mapping);
    free(r->function);
    free(r->location);
    free(r->frame);
    free(r->label_set);
    free(r->depth);
    free(r->stem);
    free(r->path);
    map64_release(&r->deep_of);
    map64_release(&r->sets);
    map64_release(&r->sample);
}

void profile_reshape(struct profile *out, const struct profile *in, const struct profile_reshape *how)
{
    struct reshaper r = {.how = how, .in = in, .out = out};

    profile_init(out);
    reshaper_init(&r);
    measure_depths(&r);
    copy_types(&r);
    out->time_wall_ns = in->time_wall_ns;
    out->duration_ns = in->duration_ns;
    out->dropped = in->dropped;
    if (in->mapping_count)
        copy_mapping(&r, 1);
    copy_samples(&r);
    for (uint32_t i = 0; i < in->comment_count; i++)
        profile_add_comment(out, "%s", strtab_get(&in->strings, in->comment[i]));
    reshaper_release(&r);
}
