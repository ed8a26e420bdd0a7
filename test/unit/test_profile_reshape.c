/*
 * test_profile_reshape.c - what stays, what goes and what is added up when a profile is made out of another
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/profile.h"

static const char *text_of(const struct profile *p, uint32_t id)
{
    assert_true(id < p->strings.count);
    return strtab_get(&p->strings, id);
}

static uint32_t add_call(struct profile *p, uint32_t caller, const char *name, uint64_t address,
                         uint32_t mapping)
{
    struct profile_location l = {address, mapping, profile_add_function(p, name, name)};

    return profile_add_frame(p, caller, profile_add_location(p, &l));
}

static uint32_t add_labels(struct profile *p, const char *const *pairs, uint32_t n)
{
    struct profile_label labels[PROFILE_LABELS_MAX];

    for (uint32_t i = 0; i < n; i++)
        labels[i] =
            (struct profile_label){profile_string(p, pairs[2 * i]), profile_string(p, pairs[2 * i + 1])};
    return profile_add_labels(p, labels, n);
}

/* main calls work, in two threads; work also faults. */
static void make_small(struct profile *p)
{
    const char *const first[] = {"thread_id", "7", "thread_name", "worker", "process_name", "prog"};
    const char *const second[] = {"thread_id", "8", "thread_name", "worker", "process_name", "prog"};
    uint32_t main_frame, work, sets[2];

    profile_init(p);
    profile_add_type(p, "page_faults", "count");
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->period_type = p->type[2];
    p->default_type = p->type[2].type;
    p->period = 10000000;
    p->time_wall_ns = 1700000000000000000ULL;
    p->duration_ns = 5000000000ULL;
    profile_add_mapping(p, &(struct profile_mapping){0x1000, 0x2000, 0x1000, profile_string(p, "/bin/prog"),
                                                     profile_string(p, "aa"), true});
    profile_add_mapping(p,
                        &(struct profile_mapping){0x1000, 0x9000, 0x1000, profile_string(p, "/lib/never.so"),
                                                  profile_string(p, "bb"), true});
    profile_add_mapping(p,
                        &(struct profile_mapping){0x5000, 0x6000, 0x5000, profile_string(p, "/lib/work.so"),
                                                  profile_string(p, "cc"), true});
    add_call(p, 0, "nobody_calls_me", 0x1001, 2);
    main_frame = add_call(p, 0, "main", 0x1010, 1);
    work = add_call(p, main_frame, "work", 0x5010, 3);
    sets[0] = add_labels(p, first, 3);
    sets[1] = add_labels(p, second, 3);
    profile_add_sample(p, work, sets[0], (int64_t[]){0, 3, 30});
    profile_add_sample(p, work, sets[1], (int64_t[]){0, 4, 40});
    profile_add_sample(p, main_frame, sets[0], (int64_t[]){101, 0, 0});
    profile_add_comment(p, "a comment");
}

static bool cpu_only(const void *ctx, const char *type, const char *unit, struct profile_column *out)
{
    assert_string_equal(ctx, "ctx");
    assert_string_equal(out->unit, unit);
    if (strcmp(type, "cpu") == 0)
        out->type = "cpu-time";
    return strcmp(type, "page_faults") != 0;
}

static const char *no_thread_id(const void *ctx, const char *key, const char *text)
{
    assert_string_equal(ctx, "ctx");
    assert_true(text[0]);
    if (strcmp(key, "thread_id") == 0)
        return NULL;
    return strcmp(key, "thread_name") == 0 ? "thread name" : key;
}

TEST(profile_reshape__renames_leaves_out_and_adds_up)
{
    struct profile_reshape how = {.ctx = "ctx", .column = cpu_only, .label = no_thread_id};
    struct profile p, q;

    make_small(&p);
    profile_reshape(&q, &p, &how);
    assert_int_equal(q.type_count, 2);
    assert_string_equal(text_of(&q, q.type[1].type), "cpu-time");
    assert_int_equal(q.period_type.type, q.type[1].type);
    assert_int_equal(q.period_type.unit, q.type[1].unit);
    assert_int_equal(q.default_type, q.type[1].type);
    assert_int_equal(q.period, 10000000);
    assert_int_equal(q.time_wall_ns, p.time_wall_ns);
    assert_int_equal(q.duration_ns, p.duration_ns);
    /* The two threads are one line now; the fault has no value left. */
    assert_int_equal(q.sample_count, 1);
    assert_int_equal(q.value[0], 7);
    assert_int_equal(q.value[1], 70);
    assert_int_equal(q.label_set_count, 1);
    assert_int_equal(q.label_set[0].labels, 2);
    assert_string_equal(text_of(&q, q.label_set[0].label[0].key), "thread name");
    assert_string_equal(text_of(&q, q.label_set[0].label[0].text), "worker");
    assert_int_equal(q.comment_count, 1);
    assert_string_equal(text_of(&q, q.comment[0]), "a comment");
    profile_release(&q);
    profile_release(&p);
}

TEST(profile_reshape__copies_only_what_samples_name_and_the_main_mapping)
{
    static const char *const gone[] = {"/lib/never.so", "bb", "nobody_calls_me"};
    struct profile p, q;

    make_small(&p);
    profile_reshape(&q, &p, &(struct profile_reshape){0});
    assert_int_equal(q.mapping_count, 2);
    assert_string_equal(text_of(&q, q.mapping[0].filename), "/bin/prog");
    assert_string_equal(text_of(&q, q.mapping[1].filename), "/lib/work.so");
    assert_int_equal(q.function_count, 2);
    assert_int_equal(q.location_count, 2);
    assert_int_equal(q.frame_count, 2);
    assert_int_equal(q.sample_count, 3);
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        for (uint32_t s = 0; s < q.strings.count; s++)
            assert_string_not_equal(strtab_get(&q.strings, s), gone[i]);
    profile_release(&q);

    /* Not even a sample names it. */
    profile_reshape(&q, &p, &(struct profile_reshape){.first_sample = 3});
    assert_int_equal(q.sample_count, 0);
    assert_int_equal(q.mapping_count, 1);
    assert_string_equal(text_of(&q, q.mapping[0].filename), "/bin/prog");
    profile_release(&q);
    profile_release(&p);
}

static bool faults_only(const void *ctx, const char *type, const char *unit, struct profile_column *out)
{
    (void)ctx, (void)unit, (void)out;
    return strcmp(type, "page_faults") == 0;
}

TEST(profile_reshape__gives_a_period_type_to_what_is_left)
{
    struct profile p, q;

    make_small(&p);
    profile_reshape(&q, &p, &(struct profile_reshape){.column = faults_only});
    assert_int_equal(q.type_count, 1);
    assert_string_equal(text_of(&q, q.period_type.type), "page_faults");
    assert_string_equal(text_of(&q, q.period_type.unit), "count");
    assert_int_equal(q.default_type, q.type[0].type);
    assert_int_equal(q.period, 1);
    assert_int_equal(q.sample_count, 1);
    assert_int_equal(q.value[0], 101);
    profile_release(&q);
    profile_release(&p);
}

static bool nothing(const void *ctx, const char *type, const char *unit, struct profile_column *out)
{
    (void)ctx, (void)type, (void)unit, (void)out;
    return false;
}

TEST(profile_reshape__without_columns_or_samples_is_empty)
{
    struct profile p, q;

    make_small(&p);
    profile_reshape(&q, &p, &(struct profile_reshape){.column = nothing});
    assert_int_equal(q.type_count, 0);
    assert_int_equal(q.sample_count, 0);
    profile_release(&q);
    profile_release(&p);
    profile_init(&p);
    profile_reshape(&q, &p, &(struct profile_reshape){.frames_max = 3});
    assert_int_equal(q.sample_count, 0);
    assert_int_equal(q.mapping_count, 0);
    profile_release(&q);
    profile_release(&p);
}

static const char *one_key(const void *ctx, const char *key, const char *text)
{
    (void)ctx, (void)text;
    return strcmp(key, "process_name") == 0 ? "" : "same";
}

TEST(profile_reshape__a_label_set_has_no_key_twice_and_none_without_a_name)
{
    struct profile p, q;

    make_small(&p);
    profile_reshape(&q, &p, &(struct profile_reshape){.label = one_key});
    assert_int_equal(q.label_set_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(q.label_set[i].labels, 1);
        assert_string_equal(text_of(&q, q.label_set[i].label[0].text), i ? "8" : "7");
    }
    profile_release(&q);
    profile_release(&p);
}

TEST(profile_reshape__saturates)
{
    struct profile p, q;

    make_small(&p);
    p.value[2] = INT64_MAX - 5;
    p.value[5] = 6;
    profile_reshape(&q, &p, &(struct profile_reshape){.ctx = "ctx", .label = no_thread_id});
    assert_int_equal(q.value[1], 7);
    assert_int_equal(q.value[2], INT64_MAX);
    profile_release(&q);
    profile_release(&p);
}

static uint32_t depth_of(const struct profile *p, uint32_t frame)
{
    uint32_t n = 0;

    for (; frame; frame = p->frame[frame - 1].caller)
        n++;
    return n;
}

static const char *function_at(const struct profile *p, uint32_t frame)
{
    uint32_t f = p->location[p->frame[frame - 1].location - 1].function;

    return text_of(p, p->function[f - 1].name);
}

TEST(profile_reshape__cuts_deep_stacks_at_the_leaf_and_shows_it)
{
    struct profile p, q;
    uint32_t frame = 0;
    char name[16];

    profile_init(&p);
    profile_add_type(&p, "cpu", "nanoseconds");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        frame = add_call(&p, frame, name, 0x1000U + (unsigned)i, 0);
        profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){1});
    }
    for (uint32_t max = 1; max <= 101; max++) {
        int64_t total = 0;

        profile_reshape(&q, &p, &(struct profile_reshape){.frames_max = max});
        for (uint32_t i = 0; i < q.sample_count; i++) {
            assert_true(depth_of(&q, q.sample[i].frame) <= max);
            total += q.value[i];
        }
        assert_int_equal(total, 100);
        assert_int_equal(q.sample_count, MIN_OF(max + 1, 100U));
        if (max < 100) {
            frame = q.sample[max].frame;
            assert_string_equal(function_at(&q, frame), PROFILE_TOO_DEEP);
            assert_int_equal(depth_of(&q, frame), max);
            assert_int_equal(q.value[max], 100 - max);
            /* A stack that just fits is whole. */
            snprintf(name, sizeof(name), "f%u", max - 1);
            assert_string_equal(function_at(&q, q.sample[max - 1].frame), name);
        }
        profile_release(&q);
    }
    profile_release(&p);
}

TEST(profile_reshape__cuts_long_texts_between_characters)
{
    /* 1 + 1 + 2 + 3 bytes */
    static const char whole[] = "ab\xc3\xa9\xe2\x82\xac";
    static const size_t left[] = {0, 1, 2, 2, 4, 4, 4, 7, 7};
    struct profile p, q;

    profile_init(&p);
    profile_add_type(&p, "t", "u");
    profile_add_sample(&p, add_call(&p, 0, whole, 1, 0), PROFILE_NO_LABELS, (int64_t[]){1});
    for (uint32_t max = 1; max < ARRAY_LEN(left); max++) {
        profile_reshape(&q, &p, &(struct profile_reshape){.text_max = max});
        assert_int_equal(strlen(function_at(&q, 1)), left[max]);
        assert_memory_equal(function_at(&q, 1), whole, left[max]);
        profile_release(&q);
    }
    profile_release(&p);
}

/* ---- random profiles ---- */

struct random {
    uint64_t state;
};

static uint32_t pick(struct random *r, uint32_t below)
{
    r->state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_u64(r->state) >> 16) % below;
}

static void make_random(struct profile *p, struct random *r)
{
    static const char *const keys[] = {"thread_id", "thread_name", "pid", "process_name", "container_id"};
    uint32_t columns = pick(r, 5) + 1, frames, samples, sets = pick(r, 20);
    char text[32];

    profile_init(p);
    for (uint32_t i = 0; i < columns; i++) {
        snprintf(text, sizeof(text), "type%u", i);
        profile_add_type(p, text, i % 2 ? "count" : "bytes");
    }
    p->period_type = p->type[pick(r, columns)];
    p->default_type = p->type[pick(r, columns)].type;
    for (uint32_t i = pick(r, 6); i > 0; i--) {
        snprintf(text, sizeof(text), "/lib/%u.so", i);
        profile_add_mapping(p, &(struct profile_mapping){i, i + 1, 0, profile_string(p, text), 0, true});
    }
    for (uint32_t i = pick(r, 50) + 1; i > 0; i--) {
        struct profile_location l = {i, pick(r, p->mapping_count + 1), 0};

        snprintf(text, sizeof(text), "f%u", pick(r, 20));
        if (pick(r, 4))
            l.function = profile_add_function(p, text, text);
        profile_add_location(p, &l);
    }
    frames = pick(r, 300) + 1;
    for (uint32_t i = 0; i < frames; i++)
        profile_add_frame(p, pick(r, p->frame_count + 1), pick(r, p->location_count) + 1);
    for (uint32_t i = 0; i < sets; i++) {
        struct profile_label label[5];

        for (uint32_t k = 0; k < 5; k++) {
            snprintf(text, sizeof(text), "v%u", pick(r, 3));
            label[k] = (struct profile_label){profile_string(p, keys[k]), profile_string(p, text)};
        }
        profile_add_labels(p, label, pick(r, 6));
    }
    samples = pick(r, 400);
    for (uint32_t i = 0; i < samples; i++) {
        int64_t values[5];

        for (uint32_t k = 0; k < 5; k++)
            values[k] = pick(r, 3) ? 0 : pick(r, 1000);
        profile_add_sample(p, pick(r, frames) + 1, pick(r, sets + 1), values);
    }
}

/* A stack and labels as a number: the texts, as a reader sees them. */
static uint64_t meaning(const struct profile *p, const struct profile_sample *s, bool drop_thread)
{
    uint64_t h = 1;

    for (uint32_t f = s->frame; f; f = p->frame[f - 1].caller) {
        const struct profile_location *l = &p->location[p->frame[f - 1].location - 1];
        const char *name = l->function ? text_of(p, p->function[l->function - 1].name) : "";
        const char *file = l->mapping ? text_of(p, p->mapping[l->mapping - 1].filename) : "";

        h = hash_u64(h * 31 + l->address);
        h = hash_u64(h ^ hash_bytes(name, strlen(name)));
        h = hash_u64(h ^ hash_bytes(file, strlen(file)));
    }
    for (uint32_t i = 0; s->label_set < p->label_set_count && i < p->label_set[s->label_set].labels; i++) {
        const struct profile_label *l = &p->label_set[s->label_set].label[i];
        const char *key = text_of(p, l->key), *text = text_of(p, l->text);

        if (drop_thread && strcmp(key, "thread_id") == 0)
            continue;
        if (strcmp(key, "thread name") == 0)
            key = "thread_name";
        h = hash_u64(h ^ hash_bytes(key, strlen(key)));
        h = hash_u64(h * 7 ^ hash_bytes(text, strlen(text)));
    }
    return h;
}

static void add_meaning(struct map64 *m, const struct profile *p, uint32_t column, bool drop_thread)
{
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t key = meaning(p, &p->sample[i], drop_thread);
        uint64_t value = (uint64_t)p->value[p->sample[i].first_value + column], *known = map64_find(m, key);

        if (value)
            map64_put(m, key, (known ? *known : 0) + value);
    }
}

static void assert_same_meaning(const struct map64 *a, const struct map64 *b, const struct profile *p,
                                bool drop)
{
    assert_int_equal(a->used, b->used);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        uint64_t key = meaning(p, &p->sample[i], drop);
        const uint64_t *x = map64_find(a, key), *y = map64_find(b, key);

        assert_int_equal(x ? *x : 0, y ? *y : 0);
    }
}

/* Every id is one that exists, every row is named by someone, no sample is there twice or without a value. */
static void assert_tight(const struct profile *p)
{
    uint8_t *location = calloc(p->location_count + 1, 1), *function = calloc(p->function_count + 1, 1);
    uint8_t *mapping = calloc(p->mapping_count + 1, 1), *frame = calloc(p->frame_count + 1, 1);
    struct map64 seen;

    map64_init(&seen);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const struct profile_sample *s = &p->sample[i];
        bool any = false;

        for (uint32_t f = s->frame; f; f = p->frame[f - 1].caller) {
            assert_in_range(f, 1, p->frame_count);
            frame[f] = location[p->frame[f - 1].location] = 1;
        }
        for (uint32_t k = 0; k < p->type_count; k++)
            any |= p->value[s->first_value + k] != 0;
        assert_true(any);
        assert_null(map64_find(&seen, (uint64_t)s->frame << 32 | s->label_set));
        map64_put(&seen, (uint64_t)s->frame << 32 | s->label_set, 1);
        assert_true(s->label_set == PROFILE_NO_LABELS || p->label_set[s->label_set].labels > 0);
    }
    for (uint32_t i = 1; i <= p->frame_count; i++)
        assert_true(frame[i]);
    for (uint32_t i = 1; i <= p->location_count; i++) {
        assert_true(location[i]);
        mapping[p->location[i - 1].mapping] = function[p->location[i - 1].function] = 1;
    }
    for (uint32_t i = 2; i <= p->mapping_count; i++)
        assert_true(mapping[i]);
    for (uint32_t i = 1; i <= p->function_count; i++)
        assert_true(function[i]);
    assert_int_equal(p->dropped, 0);
    map64_release(&seen);
    free(location);
    free(function);
    free(mapping);
    free(frame);
}

TEST(profile_reshape__keeps_the_meaning_of_random_profiles)
{
    struct random r = {1};
    struct profile p, q;

    for (int round = 0; round < 300; round++) {
        bool drop = round % 2;
        struct profile_reshape how = {.ctx = "ctx", .label = drop ? no_thread_id : NULL};

        make_random(&p, &r);
        profile_reshape(&q, &p, &how);
        assert_tight(&q);
        assert_int_equal(q.type_count, p.type_count);
        for (uint32_t k = 0; k < p.type_count; k++) {
            struct map64 before, after;

            map64_init(&before);
            map64_init(&after);
            add_meaning(&before, &p, k, drop);
            add_meaning(&after, &q, k, false);
            assert_same_meaning(&before, &after, &p, drop);
            map64_release(&before);
            map64_release(&after);
        }
        profile_release(&q);
        profile_release(&p);
    }
}

TEST(profile_reshape__parts_add_up_to_the_whole)
{
    struct random r = {2};
    struct profile p, q;

    for (int round = 0; round < 100; round++) {
        struct map64 before, after;
        uint32_t at = 0, n;

        make_random(&p, &r);
        map64_init(&before);
        map64_init(&after);
        add_meaning(&before, &p, 0, false);
        for (; at < p.sample_count; at += n) {
            n = pick(&r, 60) + 1;
            profile_reshape(&q, &p, &(struct profile_reshape){.first_sample = at, .samples = n});
            assert_true(q.sample_count <= n);
            assert_tight(&q);
            add_meaning(&after, &q, 0, false);
            profile_release(&q);
        }
        assert_same_meaning(&before, &after, &p, false);
        map64_release(&before);
        map64_release(&after);
        profile_release(&p);
    }
}
