/*
 * test_target_otlp.c - profiles as requests of OTLP, decoded and held against the format's rules and the
 * profile they were made of
 */
#include "otlp_rules.h"

#include "ringside/profile.h"
#include "ringside/target.h"

static const char *const tags[] = {"team:core",  "region:eu:west", "host.name:given",
                                   "team:twice", "bare",           ":no"};
static const struct target_identity someone = {
    .service = "web",
    .environment = "prod",
    .service_version = "1.2",
    .tags = tags,
    .tag_count = ARRAY_LEN(tags),
    .runtime_id = "0f8fad5b-d9cb-469f-a165-70867728950e",
    .host = "found",
    .container_id = "c0ffee",
    .git_repository = "https://me:secret@example.org/x.git",
    .git_commit = "abc",
    .profiler_version = "0.1.0",
    .executable = "/usr/bin/w\xe9"
                  "b",
    .pid = 42,
};

static struct target *open_target(const char *url)
{
    struct err e = {0};
    struct target *t = target_new(&(struct target_config){.url = url}, &e);

    if (!t)
        fail_msg("%s", e.text);
    return t;
}

static void convert_as(const struct profile *p, uint64_t number, struct caught *c)
{
    struct target *t = open_target("otlp+http://h:4318");
    struct err e = {0};
    int sent;

    *c = (struct caught){0};
    sent = target_convert(t, &(struct target_job){p, &someone, number}, &(struct target_emit){catch, c}, &e);
    assert_int_equal(sent, c->requests);
    target_free(t);
}

static void convert(const struct profile *p, struct caught *c)
{
    convert_as(p, 0, c);
}
/* ---- profiles ---- */

static uint64_t next(uint64_t *state)
{
    return *state = hash_u64(*state + 0x9e3779b97f4a7c15ULL);
}

static void begin(struct profile *p)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->default_type = profile_string(p, "cpu");
    p->period_type = p->type[1];
    p->period = 10000000;
    p->time_wall_ns = 1700000000000000000ULL;
    p->duration_ns = 59 * NSEC_PER_SEC;
    profile_add_comment(p, "ringside test");
    profile_add_comment(p, "event: sCPU");
}

static uint32_t add_mapping(struct profile *p, const char *file, const char *build_id)
{
    return profile_add_mapping(p, &(struct profile_mapping){.start = 0x1000,
                                                            .limit = 0x900000,
                                                            .filename = profile_string(p, file),
                                                            .build_id = profile_string(p, build_id),
                                                            .has_functions = true});
}

static uint32_t add_location(struct profile *p, uint32_t mapping, uint64_t address, const char *name)
{
    uint32_t function = name ? profile_add_function(p, name, name) : 0;

    return profile_add_location(
        p, &(struct profile_location){.mapping = mapping, .address = address, .function = function});
}

static uint32_t add_labels(struct profile *p, const char *thread, const char *process)
{
    struct profile_label l[] = {{profile_string(p, "thread_id"), profile_string(p, thread)},
                                {profile_string(p, "process_name"), profile_string(p, process)}};

    return profile_add_labels(p, l, 2);
}

/* main called from two processes, a function in the kernel above it; the threads differ, which is not sent.
 */
static void fill_small(struct profile *p)
{
    uint32_t app, kernel, main_frame, kernel_frame, statement;

    begin(p);
    app = add_mapping(p, "/usr/bin/app", "ab12");
    kernel = add_mapping(p, "[kernel.kallsyms]", "");
    add_location(p, app, 0x1100, "main");
    add_location(p, kernel, 0x2200, "do_syscall_64");
    add_location(p, 0, 0, "[kernel: not permitted]");
    add_location(p, app, 0x9999, "never sampled");
    main_frame = profile_add_frame(p, 0, 1);
    kernel_frame = profile_add_frame(p, main_frame, 2);
    statement = profile_add_frame(p, profile_add_frame(p, 0, 1), 3); /* main again, under another id */
    profile_add_sample(p, main_frame, add_labels(p, "1", "app"), (int64_t[]){3, 30000000});
    profile_add_sample(p, main_frame, add_labels(p, "2", "app"), (int64_t[]){4, 40000000});
    profile_add_sample(p, main_frame, add_labels(p, "3", "child"), (int64_t[]){1, 10000000});
    profile_add_sample(p, kernel_frame, PROFILE_NO_LABELS, (int64_t[]){2, 20000000});
    profile_add_sample(p, statement, add_labels(p, "1", "app"), (int64_t[]){0, 24000000});
    profile_add_sample(p, kernel_frame, add_labels(p, "1", "idle"), (int64_t[]){0, 0});
}

struct shape {
    uint32_t samples, locations, depth, names, processes;
};

/* Anything goes that profile.h allows, and equal rows under several ids as well. */
static void fill_random(struct profile *p, uint64_t seed, const struct shape *s)
{
    char text[64];
    uint32_t sets[200];

    begin(p);
    profile_add_type(p, "page-faults", "count");
    profile_add_type(p, "off_cpu", "nanoseconds");
    for (uint32_t i = 0; i < 6; i++) {
        snprintf(text, sizeof(text), "/lib/lib%u.so", i % 4);
        add_mapping(p, i == 5 ? "[kernel.kallsyms]" : text, i % 4 == 3 ? "" : "00ff");
    }
    for (uint32_t i = 0; i < s->locations; i++) {
        snprintf(text, sizeof(text), "name_%u", (uint32_t)(next(&seed) % s->names));
        add_location(p, (uint32_t)(next(&seed) % 7), next(&seed) % (s->locations * 2),
                     next(&seed) % 10 ? text : NULL);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(sets); i++) {
        snprintf(text, sizeof(text), "p%u", (uint32_t)(next(&seed) % s->processes));
        sets[i] = add_labels(p, i % 2 ? "1" : "2", text);
    }
    for (uint32_t i = 0; i < s->samples; i++) {
        uint32_t frame = p->frame_count ? (uint32_t)(next(&seed) % (p->frame_count + 1)) : 0;
        int64_t count = (int64_t)(next(&seed) % 3);

        for (uint32_t k = (uint32_t)(next(&seed) % s->depth) + 1; k > 0; k--)
            frame = profile_add_frame(p, frame, (uint32_t)(next(&seed) % s->locations) + 1);
        profile_add_sample(p, frame,
                           next(&seed) % 5 ? sets[next(&seed) % ARRAY_LEN(sets)] : PROFILE_NO_LABELS,
                           (int64_t[]){count, count ? count * 10000000 : (int64_t)(next(&seed) % 9999999),
                                       (int64_t)(next(&seed) % 4), (int64_t)(next(&seed) % 2)});
    }
}
/* ---- totals ---- */

static int64_t total(const struct caught *c, const char *type)
{
    int64_t sum = 0;

    for (int i = 0; i < c->requests; i++) {
        const Profile *p = find_profile(c->request[i], type);

        for (size_t k = 0; p && k < p->n_samples; k++)
            sum += p->samples[k]->values[0];
    }
    return sum;
}

static int64_t total_of(const struct profile *p, uint32_t type)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < p->sample_count; i++)
        sum += p->value[p->sample[i].first_value + type];
    return sum;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_u64(hash ^ hash_bytes(text, strlen(text)));
}

/* What a reader sees of a sample: file, address and function of each frame, the process. */
static uint64_t sample_seen(const Request *r, const Sample *s)
{
    const Dictionary *d = r->dictionary;
    uint64_t hash = 1;

    for (size_t i = 0; i < d->stack_table[s->stack_index]->n_location_indices; i++) {
        const Location *l = d->location_table[d->stack_table[s->stack_index]->location_indices[i]];
        int32_t function = l->n_lines ? l->lines[0]->function_index : 0;

        hash = hash_text(hash, text_of(r, d->mapping_table[l->mapping_index]->filename_strindex));
        hash = hash_text(hash, text_of(r, d->function_table[function]->name_strindex));
        hash = hash_u64(hash ^ l->address);
    }
    if (s->n_attribute_indices) {
        const Attribute *a = d->attribute_table[s->attribute_indices[0]];

        assert_string_equal(text_of(r, a->key_strindex), "process_name");
        hash = hash_text(hash, a->value->string_value);
    }
    return hash;
}

static uint64_t sample_meant(const struct profile *p, const struct profile_sample *s)
{
    uint64_t hash = 1;

    for (uint32_t f = s->frame; f; f = p->frame[f - 1].caller) {
        const struct profile_location *l = &p->location[p->frame[f - 1].location - 1];
        const struct profile_mapping *m = l->mapping ? &p->mapping[l->mapping - 1] : NULL;
        /* Files without a build id are not named. */
        uint32_t file =
            m && (m->build_id || strtab_get(&p->strings, m->filename)[0] == '[') ? m->filename : 0;
        uint32_t name = l->function ? p->function[l->function - 1].name : 0;

        hash = hash_text(hash, strtab_get(&p->strings, file));
        hash = hash_text(hash, file || name ? strtab_get(&p->strings, name) : "[unknown]");
        hash = hash_u64(hash ^ l->address);
    }
    if (s->label_set != PROFILE_NO_LABELS)
        hash = hash_text(hash, strtab_get(&p->strings, p->label_set[s->label_set].label[1].text));
    return hash;
}

static void add_to(struct map64 *m, uint64_t key, int64_t value)
{
    const uint64_t *known = map64_find(m, key);

    map64_put(m, key, (known ? *known : 0) + (uint64_t)value);
}

/* The values of a column, stack by stack. */
static void check_values(const struct caught *c, const struct profile *p, const char *type, uint32_t column)
{
    struct map64 meant, seen;

    map64_init(&meant);
    map64_init(&seen);
    for (uint32_t i = 0; i < p->sample_count; i++)
        if (p->value[p->sample[i].first_value + column])
            add_to(&meant, sample_meant(p, &p->sample[i]), p->value[p->sample[i].first_value + column]);
    for (int i = 0; i < c->requests; i++) {
        const Profile *w = find_profile(c->request[i], type);

        for (size_t k = 0; w && k < w->n_samples; k++) {
            add_to(&seen, sample_seen(c->request[i], w->samples[k]), w->samples[k]->values[0]);
            assert_non_null(map64_find(&meant, sample_seen(c->request[i], w->samples[k])));
        }
    }
    assert_int_equal(seen.used, meant.used);
    for (int i = 0; i < c->requests; i++) {
        const Profile *w = find_profile(c->request[i], type);

        for (size_t k = 0; w && k < w->n_samples; k++) {
            uint64_t key = sample_seen(c->request[i], w->samples[k]);

            assert_int_equal(*map64_find(&seen, key), *map64_find(&meant, key));
        }
    }
    map64_release(&meant);
    map64_release(&seen);
}

static void check_cpu_total(const struct caught *c, const struct profile *p)
{
    int64_t sent = total(c, "samples") * (int64_t)p->period, exact = total_of(p, 1);

    assert_true(llabs(sent - exact) <= (int64_t)p->period / 2);
}
/* ---- conversion ---- */

TEST(otlp__sends_a_small_profile_as_it_is)
{
    struct profile p;
    struct caught c;
    const Profile *cpu;

    fill_small(&p);
    convert(&p, &c);
    assert_int_equal(c.requests, 1);
    assert_string_equal(c.path, "/v1development/profiles");
    check_all(&c);
    assert_int_equal(c.request[0]->resource_profiles[0]->scope_profiles[0]->n_profiles, 1);
    cpu = find_profile(c.request[0], "samples");
    assert_string_equal(text_of(c.request[0], cpu->sample_type->unit_strindex), "count");
    assert_string_equal(text_of(c.request[0], cpu->period_type->type_strindex), "cpu");
    assert_string_equal(text_of(c.request[0], cpu->period_type->unit_strindex), "nanoseconds");
    assert_int_equal(cpu->period, 10000000);
    assert_int_equal(cpu->time_unix_nano, 1700000000000000000);
    assert_int_equal(cpu->duration_nano, 59000000000);
    assert_int_equal(cpu->n_samples, 4); /* two threads are one, the last has nothing */
    assert_int_equal(cpu->samples[0]->values[0], 7);
    assert_int_equal(cpu->samples[1]->values[0], 1);
    assert_int_equal(cpu->samples[2]->values[0], 2);
    assert_int_equal(cpu->samples[3]->values[0], 2); /* 24 ms that were not sampled */
    assert_int_equal(c.request[0]->dictionary->n_location_table, 1 + 3);
    release(&c);
    profile_release(&p);
}

/* Attribute of a location, a mapping or a profile; NULL where there is none. */
static const Attribute *attribute(const Request *r, const int32_t *index, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(text_of(r, r->dictionary->attribute_table[index[i]]->key_strindex), key) == 0)
            return r->dictionary->attribute_table[index[i]];
    return NULL;
}

TEST(otlp__says_what_each_frame_is)
{
    struct profile p;
    struct caught c;
    const Dictionary *d;
    const Attribute *a;

    fill_small(&p);
    convert(&p, &c);
    d = c.request[0]->dictionary;
    for (size_t i = 1; i < d->n_location_table; i++) {
        const Location *l = d->location_table[i];
        const char *file = text_of(c.request[0], d->mapping_table[l->mapping_index]->filename_strindex);

        a = attribute(c.request[0], l->attribute_indices, l->n_attribute_indices, "profile.frame.type");
        if (file[0] == '\0')
            assert_null(a);
        else
            assert_string_equal(a->value->string_value, file[0] == '[' ? "kernel" : "native");
    }
    a = attribute(c.request[0], d->mapping_table[1]->attribute_indices,
                  d->mapping_table[1]->n_attribute_indices, "process.executable.build_id.gnu");
    assert_string_equal(a->value->string_value, "ab12");
    release(&c);
    profile_release(&p);
}

TEST(otlp__says_whose_profile_it_is)
{
    struct profile p;
    struct caught c;
    const Request *r;
    bool pid = false;

    fill_small(&p);
    convert(&p, &c);
    r = c.request[0];
    assert_string_equal(resource_text(r, "service.name"), "web");
    assert_string_equal(resource_text(r, "service.version"), "1.2");
    assert_string_equal(resource_text(r, "deployment.environment.name"), "prod");
    assert_string_equal(resource_text(r, "service.instance.id"), someone.runtime_id);
    assert_string_equal(resource_text(r, "container.id"), "c0ffee");
    assert_string_equal(resource_text(r, "process.executable.path"), "/usr/bin/w?b");
    assert_string_equal(resource_text(r, "process.executable.name"), "w?b");
    assert_string_equal(resource_text(r, "vcs.ref.head.revision"), "abc");
    assert_string_equal(resource_text(r, "vcs.repository.url.full"), "https://example.org/x.git");
    assert_string_equal(resource_text(r, "team"), "core"); /* the first of two */
    assert_string_equal(resource_text(r, "region"), "eu:west");
    assert_string_equal(resource_text(r, "host.name"), "given");
    assert_string_equal(resource_text(r, "bare"), "");
    assert_int_equal(r->resource_profiles[0]->resource->dropped_attributes_count, 2);
    for (size_t i = 0; i < r->resource_profiles[0]->resource->n_attributes; i++) {
        const KeyValue *a = r->resource_profiles[0]->resource->attributes[i];

        if (strcmp(a->key, "process.pid") != 0)
            continue;
        assert_int_equal(a->value->value_case, INT_VALUE);
        assert_int_equal(a->value->int_value, 42);
        pid = true;
    }
    assert_true(pid);
    release(&c);
    profile_release(&p);
}

/* Pyroscope makes a label of each, and takes 30 with its own; one that is there twice costs all. */
TEST(otlp__leaves_out_tags_that_would_cost_the_profile_in_pyroscope)
{
    const char *many[64] = {"service_name:other", "__name__:memory", "__delta__:x"};
    struct target *t = open_target("otlp+http://h");
    struct target_identity who = someone;
    struct caught c = {0};
    char texts[64][16];
    uint32_t tags_left = 0;
    const Opentelemetry__Proto__Resource__V1__Resource *r;
    struct profile p;
    struct err e;

    for (uint32_t i = 3; i < ARRAY_LEN(many); i++) {
        snprintf(texts[i], sizeof(texts[i]), "key%u:v", i);
        many[i] = texts[i];
    }
    who.tags = many;
    who.tag_count = ARRAY_LEN(many);
    fill_small(&p);
    assert_int_equal(
        target_convert(t, &(struct target_job){&p, &who, 0}, &(struct target_emit){catch, &c}, &e), 1);
    r = c.request[0]->resource_profiles[0]->resource;
    assert_true(r->n_attributes <= 25);
    for (size_t i = 0; i < r->n_attributes; i++) {
        assert_string_not_equal(r->attributes[i]->key, "service_name");
        assert_int_not_equal(r->attributes[i]->key[0], '_');
        tags_left += strncmp(r->attributes[i]->key, "key", 3) == 0;
    }
    assert_true(tags_left >= 14);
    assert_int_equal(tags_left + r->dropped_attributes_count, 64);
    assert_string_equal(resource_text(c.request[0], "key3"), "v"); /* the last go */
    assert_string_equal(resource_text(c.request[0], "vcs.ref.head.revision"), "abc");
    release(&c);
    target_free(t);
    profile_release(&p);
}

static int same_path(void *ctx, const struct target_request *r, struct err *e)
{
    (void)e;
    assert_string_equal(r->path, ctx);
    return 0;
}

TEST(otlp__a_path_is_taken_as_it_was_given)
{
    static const char *const cases[][2] = {{"otlp+http://h", "/v1development/profiles"},
                                           {"otlp+http://h/", "/v1development/profiles"},
                                           {"otlp+http://h/x/profiles", "/x/profiles"},
                                           {"otlp+http://h/x/profiles/", "/x/profiles/"}};
    struct profile p;
    struct err e;

    fill_small(&p);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct target *t = open_target(cases[i][0]);
        struct target_emit emit = {same_path, (void *)cases[i][1]};

        assert_int_equal(target_convert(t, &(struct target_job){&p, &someone, 0}, &emit, &e), 1);
        target_free(t);
    }
    profile_release(&p);
}

TEST(otlp__hands_on_the_comments)
{
    struct profile p;
    struct caught c;
    const Profile *cpu;
    const Attribute *a;

    fill_small(&p);
    convert(&p, &c);
    cpu = find_profile(c.request[0], "samples");
    a = attribute(c.request[0], cpu->attribute_indices, cpu->n_attribute_indices, "pprof.profile.comment");
    assert_int_equal(a->value->value_case, ARRAY_VALUE);
    assert_int_equal(a->value->array_value->n_values, 3);
    assert_string_equal(a->value->array_value->values[0]->string_value, "ringside test");
    assert_string_equal(a->value->array_value->values[1]->string_value, "event: sCPU");
    release(&c);
    profile_release(&p);
}

TEST(otlp__keeps_every_value_of_random_profiles)
{
    static const struct shape shapes[] = {{1, 1, 1, 1, 1},
                                          {50, 20, 6, 10, 3},
                                          {400, 100, 12, 40, 30},
                                          {3000, 900, 30, 300, 5},
                                          {2000, 5, 40, 2, 60}};

    for (uint64_t seed = 0; seed < 10; seed++) {
        struct profile p;
        struct caught c;

        fill_random(&p, seed, &shapes[seed % ARRAY_LEN(shapes)]);
        convert(&p, &c);
        check_all(&c);
        check_cpu_total(&c, &p);
        check_values(&c, &p, "page_faults", 2);
        check_values(&c, &p, "off_cpu", 3);
        release(&c);
        profile_release(&p);
    }
}

TEST(otlp__makes_each_event_a_profile_with_the_default_first)
{
    static const struct {
        const char *type, *period_type, *period_unit;
        int64_t period;
    } expected[] = {{"page_faults", "page_faults", "count", 1},
                    {"samples", "cpu", "nanoseconds", 10000000},
                    {"off_cpu", "", "", 0}};
    struct profile p;
    struct caught c;

    fill_random(&p, 7, &(struct shape){100, 10, 5, 5, 2});
    p.default_type = profile_string(&p, "page-faults");
    convert(&p, &c);
    assert_int_equal(c.requests, 1);
    assert_int_equal(c.request[0]->resource_profiles[0]->scope_profiles[0]->n_profiles, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const Profile *w = c.request[0]->resource_profiles[0]->scope_profiles[0]->profiles[i];

        assert_string_equal(text_of(c.request[0], w->sample_type->type_strindex), expected[i].type);
        assert_string_equal(text_of(c.request[0], w->period_type->type_strindex), expected[i].period_type);
        assert_string_equal(text_of(c.request[0], w->period_type->unit_strindex), expected[i].period_unit);
        assert_int_equal(w->period, expected[i].period);
    }
    release(&c);
    profile_release(&p);
}

/* Time in crumbs far below a period: none of them is a period, their sum is. */
TEST(otlp__loses_no_time_to_rounding)
{
    struct profile p;
    struct caught c;

    begin(&p);
    for (uint32_t i = 0; i < 1000; i++) {
        char name[32];

        snprintf(name, sizeof(name), "f%u", i);
        profile_add_sample(&p, profile_add_frame(&p, 0, add_location(&p, 0, 0, name)), PROFILE_NO_LABELS,
                           (int64_t[]){0, 1234567});
    }
    convert(&p, &c);
    check_all(&c);
    assert_int_equal(total(&c, "samples"), 123); /* of 123.4567 */
    release(&c);
    profile_release(&p);
}

TEST(otlp__splits_what_is_too_large_without_losing_anything)
{
    static const struct shape shapes[] = {{24000, 3000, 3, 3000, 2}, {2500, 9000, 300, 9000, 2}};

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        struct profile p;
        struct caught c;

        fill_random(&p, i, &shapes[i]);
        convert(&p, &c);
        assert_true(c.requests > 1);
        check_all(&c);
        check_cpu_total(&c, &p);
        check_values(&c, &p, "page_faults", 2);
        check_values(&c, &p, "off_cpu", 3);
        for (int k = 1; k < c.requests; k++) {
            const Profile *a = find_profile(c.request[k - 1], "samples");
            const Profile *b = find_profile(c.request[k], "samples");

            assert_memory_not_equal(a->profile_id.data, b->profile_id.data, 16);
            assert_int_equal(b->time_unix_nano, a->time_unix_nano + NSEC_PER_MSEC);
        }
        release(&c);
        profile_release(&p);
    }
}

TEST(otlp__sends_nothing_of_a_profile_without_values)
{
    struct profile p;
    struct caught c;

    begin(&p);
    convert(&p, &c);
    assert_int_equal(c.requests, 0);
    profile_add_sample(&p, profile_add_frame(&p, 0, add_location(&p, 0, 0, "f")), PROFILE_NO_LABELS,
                       (int64_t[]){0, 0});
    convert(&p, &c);
    assert_int_equal(c.requests, 0);
    profile_release(&p);
}

TEST(otlp__gives_equal_profiles_equal_bytes_and_others_other_ids)
{
    struct profile p;
    struct caught a, b;

    fill_small(&p);
    convert_as(&p, 3, &a);
    convert_as(&p, 3, &b);
    assert_int_equal(a.body[0].len, b.body[0].len);
    assert_memory_equal(a.body[0].data, b.body[0].data, a.body[0].len);
    release(&b);
    convert_as(&p, 4, &b);
    assert_memory_not_equal(find_profile(a.request[0], "samples")->profile_id.data,
                            find_profile(b.request[0], "samples")->profile_id.data, 16);
    release(&a);
    release(&b);
    profile_release(&p);
}

TEST(otlp__folds_more_process_names_than_make_sense_as_series)
{
    struct profile p;
    struct caught c;
    uint32_t attributes = 0;

    fill_random(&p, 1, &(struct shape){5000, 10, 2, 10, 150});
    convert(&p, &c);
    check_all(&c);
    check_cpu_total(&c, &p);
    assert_int_equal(total(&c, "page_faults"), total_of(&p, 2));
    for (size_t i = 1; i < c.request[0]->dictionary->n_attribute_table; i++)
        attributes +=
            strcmp(text_of(c.request[0], c.request[0]->dictionary->attribute_table[i]->key_strindex),
                   "process_name") == 0;
    assert_int_equal(attributes, 65);
    release(&c);
    profile_release(&p);
}

TEST(otlp__stops_when_a_request_is_not_taken)
{
    struct target *t = open_target("otlp+http://h/base/v2/profiles");
    struct caught c = {.refuse = 2};
    struct profile p;
    struct err e = {0};

    fill_random(&p, 0, &(struct shape){40000, 300, 3, 300, 2});
    assert_int_equal(
        target_convert(t, &(struct target_job){&p, &someone, 0}, &(struct target_emit){catch, &c}, &e), -1);
    assert_int_equal(c.requests, 1);
    assert_string_equal(c.path, "/base/v2/profiles");
    assert_non_null(strstr(e.text, "no room"));
    release(&c);
    profile_release(&p);
    target_free(t);
}
TEST(otlp__is_decoded_by_protoc)
{
    struct profile p;
    struct caught c;

    if (!have_protoc())
        skip();
    fill_small(&p);
    convert(&p, &c);
    check_protoc(c.body[0].data, c.body[0].len);
    release(&c);
    profile_release(&p);
    fill_random(&p, 5, &(struct shape){300, 60, 20, 50, 4});
    convert(&p, &c);
    check_protoc(c.body[0].data, c.body[0].len);
    release(&c);
    profile_release(&p);
}
