/*
 * datadog_profile.c - a profile in Datadog's names, and within its limits
 *
 * Its sample types are a closed list, in which whatever is no CPU time, allocation, wall time or lock is a
 * `tracepoint`, told apart by the label tracepoint_type: that is how ddprof sends page faults, context
 * switches and hardware events too.
 */
#include "datadog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/profile.h"

#include "backend.h"

static const char event_type[] = "tracepoint", event_unit[] = "events", event_label[] = "tracepoint_type";

/* ---- names ---- */

static const struct name {
    const char *type, *unit, *datadog;
} names[] = {
    {"samples", "count", "cpu-samples"},
    {"cpu", "nanoseconds", "cpu-time"},
    /* Events that the user called so, by label= and unit=. */
    {"alloc_samples", "count", "alloc-samples"},
    {"alloc_space", "bytes", "alloc-space"},
    {"inuse_objects", "count", "inuse-objects"},
    {"inuse_space", "bytes", "inuse-space"},
    {"wall_time", "nanoseconds", "wall-time"},
    {"wall_samples", "count", "wall-samples"},
    {"lock_acquire_wait", "nanoseconds", "lock-acquire-wait"},
    {"lock_acquire", "count", "lock-acquire"},
};

static const char *datadog_type(const char *type, const char *unit)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].type, type) == 0 && strcmp(names[i].unit, unit) == 0)
            return names[i].datadog;
    return NULL;
}

static bool rename_column(const void *ctx, const char *type, const char *unit, struct profile_column *out)
{
    const char *name = datadog_type(type, unit);

    (void)ctx;
    if (name)
        out->type = name;
    return true; /* the others are the tracepoints */
}

static const char *rename_label(const void *ctx, const char *key, const char *text)
{
    static const char *const keys[][2] = {
        {"thread_id", "thread id"},
        {"thread_name", "thread name"},
        {"pid", "process_id"},
        {"process_name", "process name"},
    };

    (void)ctx;
    (void)text;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strcmp(key, keys[i][0]) == 0)
            return keys[i][1];
    return key;
}

/* ---- events that Datadog has no type of ---- */

static const char *text_of(const struct profile *p, uint32_t id)
{
    return strtab_get(&p->strings, id);
}

static bool is_foreign(const struct profile *p, const struct profile_type *t)
{
    return !datadog_type(text_of(p, t->type), text_of(p, t->unit));
}

bool datadog_has_events(const struct profile *p)
{
    for (uint32_t i = 0; i < p->type_count; i++)
        if (is_foreign(p, &p->type[i]))
            return true;
    return false;
}

struct mover {
    struct profile *p;
    const struct profile_type *type; /* the old ones */
    bool foreign[PROFILE_TYPES_MAX]; /* of those: Datadog has none such */
    uint32_t types;
    struct map64 sets; /* (old label set, column) -> label set with the event's name */
};

/* What a value of theirs is, where it is not simply how often: "written (bytes)". */
static uint32_t event_name(struct mover *m, uint32_t column)
{
    const char *unit = text_of(m->p, m->type[column].unit);
    char text[400];

    snprintf(text, sizeof(text), strcmp(unit, "count") == 0 ? "%.256s" : "%.256s (%.100s)",
             text_of(m->p, m->type[column].type), unit);
    return profile_string(m->p, text);
}

static uint32_t set_with_event(struct mover *m, uint32_t set, uint32_t column)
{
    uint64_t key = (uint64_t)set << 32 | column;
    const uint64_t *known = map64_find(&m->sets, key);
    struct profile_label_set labels = {0};
    uint32_t made;

    if (known)
        return (uint32_t)*known;
    if (set < m->p->label_set_count)
        labels = m->p->label_set[set];
    labels.labels = MIN_OF(labels.labels, PROFILE_LABELS_MAX - 1);
    labels.label[labels.labels++] =
        (struct profile_label){profile_string(m->p, event_label), event_name(m, column)};
    made = profile_add_labels(m->p, labels.label, labels.labels);
    map64_put(&m->sets, key, made);
    return made;
}

/* One sample for the columns that stay, and one for each event. */
static void move_sample(struct mover *m, const struct profile_sample *s, const int64_t *old)
{
    int64_t values[PROFILE_TYPES_MAX] = {0};
    uint32_t n = 0;
    bool any = false;

    for (uint32_t i = 0; i < m->types; i++)
        if (!m->foreign[i]) {
            values[n++] = old[i];
            any |= old[i] != 0;
        }
    if (any)
        profile_add_sample(m->p, s->frame, s->label_set, values);
    for (uint32_t i = 0; i < m->types; i++) {
        if (!m->foreign[i] || old[i] == 0)
            continue;
        memset(values, 0, sizeof(values));
        values[n] = old[i];
        profile_add_sample(m->p, s->frame, set_with_event(m, s->label_set, i), values);
    }
}

static void move_types(struct mover *m)
{
    struct profile *p = m->p;
    uint32_t period = p->period_type.type, by_default = p->default_type;

    p->type_count = 0;
    for (uint32_t i = 0; i < m->types; i++)
        if (!m->foreign[i])
            profile_add_type(p, text_of(p, m->type[i].type), text_of(p, m->type[i].unit));
    profile_add_type(p, event_type, event_unit);
    for (uint32_t i = 0; i < m->types; i++) {
        if (m->foreign[i] && m->type[i].type == period)
            p->period_type = p->type[p->type_count - 1];
        if (m->foreign[i] && m->type[i].type == by_default)
            p->default_type = p->type[p->type_count - 1].type;
    }
}

/* In place; p is ours. */
static void move_events(struct profile *p)
{
    struct profile_type type[PROFILE_TYPES_MAX];
    struct mover m = {.p = p, .type = type, .types = p->type_count};
    struct profile_sample *sample = p->sample;
    uint32_t samples = p->sample_count;
    int64_t *value = p->value;

    memcpy(type, p->type, sizeof(type));
    for (uint32_t i = 0; i < m.types; i++)
        m.foreign[i] = is_foreign(p, &type[i]);
    p->sample = NULL;
    p->sample_count = p->sample_cap = 0;
    p->value = NULL;
    p->value_count = p->value_cap = 0;
    map64_init(&m.sets);
    move_types(&m);
    for (uint32_t i = 0; i < samples; i++)
        move_sample(&m, &sample[i], value + sample[i].first_value);
    map64_release(&m.sets);
    free(sample);
    free(value);
}

void datadog_profile(struct profile *out, const struct profile *in)
{
    static const struct profile_reshape how = {
        .column = rename_column, .label = rename_label, .frames_max = DATADOG_FRAMES_MAX};
    struct profile moved;

    if (!datadog_has_events(in)) {
        profile_reshape(out, in, &how);
        return;
    }
    profile_reshape(&moved, in, &(struct profile_reshape){0});
    move_events(&moved);
    profile_reshape(out, &moved, &how);
    profile_release(&moved);
}

/* ---- too large ---- */

struct heavy {
    double share; /* of the largest column of its own */
    uint32_t sample;
};

static int by_share(const void *a, const void *b)
{
    const struct heavy *x = a, *y = b;

    if (x->share != y->share)
        return x->share < y->share ? 1 : -1;
    return x->sample < y->sample ? -1 : 1;
}

/* All samples, the heaviest first. */
static struct heavy *weigh(const struct profile *p)
{
    struct heavy *list = base_calloc(p->sample_count, sizeof(*list));
    double total[PROFILE_TYPES_MAX] = {0};

    for (uint32_t i = 0; i < p->sample_count; i++)
        for (uint32_t t = 0; t < p->type_count; t++)
            total[t] += (double)p->value[p->sample[i].first_value + t];
    for (uint32_t i = 0; i < p->sample_count; i++) {
        list[i].sample = i;
        for (uint32_t t = 0; t < p->type_count; t++) {
            double share = total[t] > 0 ? (double)p->value[p->sample[i].first_value + t] / total[t] : 0;

            list[i].share = MAX_OF(list[i].share, share);
        }
    }
    qsort(list, p->sample_count, sizeof(*list), by_share);
    return list;
}

struct folder {
    struct profile *p;
    uint32_t *depth; /* of each frame, by id */
    uint32_t frames_max, location;
    struct map64 folded; /* frame -> the one that stands for what it called */
};

/* At least the inner half goes: of a shallow stack, too, it is the innermost names that are its own. */
static uint32_t fold_frame(struct folder *f, uint32_t frame)
{
    uint32_t frames = MIN_OF(f->frames_max, f->depth[frame] / 2);
    const uint64_t *known;
    uint32_t made;

    while (f->depth[frame] > frames)
        frame = f->p->frame[frame - 1].caller;
    known = map64_find(&f->folded, frame);
    if (known)
        return (uint32_t)*known;
    made = profile_add_frame(f->p, frame, f->location);
    map64_put(&f->folded, frame, made);
    return made;
}

/* All but the `keep` heaviest samples lose what is beyond their outermost frames. In place. */
static void fold(struct profile *p, uint32_t keep, uint32_t frames_max)
{
    uint32_t function = profile_add_function(p, DATADOG_FOLDED, DATADOG_FOLDED);
    struct folder f = {.p = p, .frames_max = frames_max};
    struct heavy *list = weigh(p);

    f.location = profile_add_location(p, &(struct profile_location){.function = function});
    f.depth = base_calloc((size_t)p->frame_count + 1, sizeof(*f.depth));
    for (uint32_t i = 0; i < p->frame_count; i++)
        f.depth[i + 1] = f.depth[p->frame[i].caller] + 1;
    map64_init(&f.folded);
    for (uint32_t i = keep; i < p->sample_count; i++) {
        struct profile_sample *s = &p->sample[list[i].sample];

        s->frame = fold_frame(&f, s->frame);
    }
    profile_add_comment(
        p, "too large for Datadog: of %u stacks, %u were cut to their outer half, at most %u frames",
        p->sample_count, p->sample_count - MIN_OF(keep, p->sample_count), frames_max);
    map64_release(&f.folded);
    free(f.depth);
    free(list);
}

static const char *no_label(const void *ctx, const char *key, const char *text)
{
    (void)ctx;
    (void)text;
    return strcmp(key, event_label) == 0 ? key : NULL;
}

/*
 * keep: of as many of the heaviest stacks as would fit if all took the same, how many 64ths stay whole; the
 * others keep at most frames_max frames. The last step, of one frame alone, always fits.
 */
static const struct fold_step {
    uint32_t keep, frames_max;
    bool labels;
} steps[] = {{60, 16, true}, {48, 8, true}, {40, 4, true}, {32, 2, true},
             {32, 1, true},  {8, 1, true},  {0, 1, false}, {0, 0, false}};

static int pprof_folded(const struct profile *p, double share, const struct fold_step *step, struct buf *out,
                        struct err *e)
{
    struct profile copy, merged;
    uint32_t keep = (uint32_t)(p->sample_count * share * step->keep / 64);
    int result;

    profile_reshape(&copy, p, &(struct profile_reshape){0});
    fold(&copy, step->keep ? MAX_OF(keep, 1U) : 0, step->frames_max);
    profile_reshape(&merged, &copy, &(struct profile_reshape){.label = step->labels ? NULL : no_label});
    profile_release(&copy);
    result = target_pprof(&merged, out, e);
    profile_release(&merged);
    return result;
}

/* Takes what fits, and goes on counting for a while. */
struct meter {
    struct buf *out;
    uint64_t bytes;
};
#define METER_MAX 8 /* times what fits */

static int take_or_count(void *ctx, const void *bytes, size_t n, struct err *e)
{
    struct meter *m = ctx;

    m->bytes += n;
    if (m->bytes > METER_MAX * (uint64_t)m->out->max)
        return err_set(e, 0, "the profile is larger than %llu bytes", (unsigned long long)m->bytes);
    if (m->bytes <= m->out->max)
        buf_add(m->out, bytes, n);
    return 0;
}

int datadog_pprof(const struct profile *in, struct buf *out, struct err *e)
{
    struct meter meter = {.out = out};
    struct profile p;
    int step = 0, result;

    datadog_profile(&p, in);
    result = pprof_write(&p, &(struct byte_out){take_or_count, &meter}, e);
    if (meter.bytes > out->max)
        result = -1;
    for (; result < 0 && step < (int)ARRAY_LEN(steps); step++) {
        out->len = 0;
        result = pprof_folded(&p, (double)out->max / (double)meter.bytes, &steps[step], out, e);
    }
    profile_release(&p);
    return result < 0 ? -1 : step;
}
