/*
 * test_target_pyroscope.c - what Pyroscope is sent, judged by what its server refuses, and its answers
 */
#include "unit.h"

#include <ctype.h>

#include <pyroscope_push.pb-c.h>

#include "ringside/pprof.h"

#include "target_catch.h"

#define URL "pyroscope+http://127.0.0.1:4040"

typedef Push__V1__PushRequest Push;
typedef Push__V1__RawProfileSeries PushSeries;

static Push *unpack_push(const struct caught *r)
{
    Push *push = push__v1__push_request__unpack(NULL, r->bytes, r->body);

    assert_non_null(push);
    return push;
}

static void free_push(Push *push)
{
    push__v1__push_request__free_unpacked(push, NULL);
}

static const char *label(const PushSeries *s, const char *name)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (strcmp(s->labels[i]->name, name) == 0)
            return s->labels[i]->value;
    return NULL;
}

static void assert_uuid(const char *text)
{
    assert_int_equal(strlen(text), 36);
    for (int i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(text[i], '-');
        else
            assert_true(isxdigit((unsigned char)text[i]));
    assert_int_equal(text[14], '8');
    assert_non_null(strchr("89ab", text[19]));
}

static void assert_label_names(const PushSeries *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    assert_in_range(s->n_labels, 2, 27);
    for (size_t i = 0; i < s->n_labels; i++) {
        const char *name = s->labels[i]->name, *value = s->labels[i]->value;

        assert_in_range(strlen(name), 1, 1024);
        assert_in_range(strlen(value), 1, 2048);
        assert_int_equal(strspn(name, letters), strlen(name));
        assert_false(isdigit((unsigned char)name[0]));
        assert_true(i == 0 || strncmp(name, "__", 2) != 0);
        assert_ptr_equal(label(s, name), value); /* the only one of that name */
    }
}

/* Everything a server checks before it stores; returns the profile. */
static WireProfile *check_push(const struct caught *r, Push **out)
{
    Push *push = unpack_push(r);
    WireProfile *w;
    size_t bytes;

    assert_string_equal(r->method, "POST");
    assert_string_equal(r->headers, "Content-Type: application/proto\nConnect-Protocol-Version: 1\n");
    assert_int_equal(push->n_series, 1);
    assert_int_equal(push->series[0]->n_samples, 1);
    assert_string_equal(push->series[0]->labels[0]->name, "__name__");
    assert_non_null(label(push->series[0], "service_name"));
    assert_label_names(push->series[0]);
    assert_uuid(push->series[0]->samples[0]->id);
    w = unpack_pprof(push->series[0]->samples[0]->raw_profile.data,
                     push->series[0]->samples[0]->raw_profile.len, &bytes);
    assert_strict_pprof(w);
    assert_in_range(w->n_sample, 1, 16000);
    assert_true(bytes <= 4 << 20);
    for (size_t i = 0; i < w->n_string_table; i++)
        assert_true(strlen(w->string_table[i]) <= 65535);
    assert_false(has_label(w, "pid") || has_label(w, "thread_id"));
    if (out)
        *out = push;
    else
        free_push(push);
    return w;
}

TEST(target_pyroscope__pushes_cpu_time_as_its_pages_look_for_it)
{
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    WireProfile *w;
    Push *push;

    who.environment = "prod";
    who.service_version = "4.5";
    world_begin(&p, false);
    world_fill(&p, 10);
    assert_int_equal(convert(URL, &p, &who, &c), 1);
    assert_string_equal(c.request[0].path, "/push.v1.PusherService/Push");
    w = check_push(&c.request[0], &push);
    assert_string_equal(label(push->series[0], "__name__"), "process_cpu");
    assert_string_equal(label(push->series[0], "service_name"), "shop");
    assert_string_equal(label(push->series[0], "env"), "prod");
    assert_string_equal(label(push->series[0], "version"), "4.5");
    assert_string_equal(label(push->series[0], "hostname"), "host-1");
    assert_int_equal(push->series[0]->n_labels, 5);
    assert_int_equal(w->n_sample_type, 2);
    assert_string_equal(type_name(w, 0), "samples");
    assert_string_equal(type_name(w, 1), "cpu");
    assert_string_equal(w->string_table[w->period_type->type], "cpu");
    assert_string_equal(w->string_table[w->period_type->unit], "nanoseconds");
    assert_int_equal(w->period, 10101010);
    assert_int_equal(w->time_nanos, WORLD_TIME);
    assert_int_equal(w->duration_nanos, 10 * NSEC_PER_SEC);
    assert_int_equal(w->n_sample, 10); /* two threads of one name are one series */
    assert_int_equal(total_of(w, "samples"), 20);
    assert_int_equal(total_of(w, "cpu"), 202020200);
    assert_true(has_label(w, "thread_name") && has_label(w, "process_name"));
    free_pprof(w);
    free_push(push);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__gives_each_other_event_a_series_of_its_own)
{
    struct catcher c = {0};
    struct profile p;
    WireProfile *w;
    Push *push;

    world_begin(&p, true);
    world_fill(&p, 10);
    assert_int_equal(convert(URL "/prefix/", &p, &world_identity, &c), 2);
    assert_string_equal(c.request[1].path, "/prefix/push.v1.PusherService/Push");
    w = check_push(&c.request[0], NULL);
    assert_int_equal(w->n_sample_type, 2);
    assert_int_equal(total_of(w, "cpu"), 202020200);
    free_pprof(w);
    w = check_push(&c.request[1], &push);
    assert_string_equal(label(push->series[0], "__name__"), "page_faults");
    assert_int_equal(w->n_sample_type, 1);
    assert_int_equal(total_of(w, "page_faults"), 202);
    assert_string_equal(w->string_table[w->period_type->type], "page_faults");
    free_pprof(w);
    free_push(push);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__sends_nothing_for_an_empty_profile)
{
    struct catcher c = {0};
    struct profile p;
    int64_t none[3] = {0};

    world_begin(&p, true);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 0);
    profile_add_sample(&p, world_frame(&p, 0, "main"), PROFILE_NO_LABELS, none);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 0);
    none[2] = 1; /* a fault, but no time: one request */
    profile_add_sample(&p, 1, PROFILE_NO_LABELS, none);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__splits_what_has_too_many_samples)
{
    struct catcher c = {0};
    struct profile p;
    int64_t samples = 0, cpu = 0, faults = 0, last_time = 0;
    uint32_t functions = 0;
    char ids[8][37];

    world_begin(&p, true);
    world_fill(&p, 40001);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 4);
    for (uint32_t i = 0; i < c.requests; i++) {
        Push *push;
        WireProfile *w = check_push(&c.request[i], &push);

        if (i < 3) {
            samples += total_of(w, "samples");
            cpu += total_of(w, "cpu");
            functions += (uint32_t)w->n_sample;
        } else {
            faults += total_of(w, "page_faults");
        }
        /* Same series and same millisecond: the server would show one of them only. */
        assert_true(w->time_nanos / 1000000 > last_time / 1000000);
        last_time = w->time_nanos;
        assert_in_range(w->time_nanos, WORLD_TIME, WORLD_TIME + 10 * NSEC_PER_MSEC);
        snprintf(ids[i], sizeof(ids[i]), "%s", push->series[0]->samples[0]->id);
        for (uint32_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
        free_pprof(w);
        free_push(push);
    }
    assert_int_equal(samples, 80002);
    assert_int_equal(cpu, 80002LL * 10101010);
    assert_int_equal(functions, 40001);
    assert_int_equal(faults, 8001 * 101);
    catcher_release(&c);
    profile_release(&p);
}

/* Names of 8000 bytes: 3000 of them are 24 MB, while there are few samples. */
TEST(target_pyroscope__splits_what_is_too_large)
{
    struct catcher c = {0};
    struct profile p;
    int64_t cpu = 0;

    world_begin(&p, false);
    world_add_long_names(&p, 3000);
    assert_in_range(convert(URL, &p, &world_identity, &c), 6, 12);
    for (uint32_t i = 0; i < c.requests; i++) {
        WireProfile *w = check_push(&c.request[i], NULL);

        cpu += total_of(w, "cpu");
        free_pprof(w);
    }
    assert_int_equal(cpu, 3000LL * 2999 / 2);
    catcher_release(&c);
    profile_release(&p);
}

/* Deep stacks without much text: 40 MB of frames. As few parts as can be, up to an eighth. */
TEST(target_pyroscope__fills_the_parts_it_sends)
{
    struct catcher c = {0};
    struct profile p;
    int64_t cpu = 0;
    uint64_t whole;

    world_begin(&p, false);
    for (uint32_t i = 0; i < 900; i++)
        world_frame(&p, 0, "f");
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t frame = 0;

        for (uint32_t d = 0; d < 900; d++)
            frame = profile_add_frame(&p, frame, 1 + (i + d) % 900);
        profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){1, i});
    }
    whole = pprof_size(&p);
    assert_true(whole > 30 << 20);
    assert_in_range(convert(URL, &p, &world_identity, &c), whole / (4 << 20), whole * 9 / 8 / (4 << 20) + 1);
    for (uint32_t i = 0; i < c.requests; i++) {
        WireProfile *w = check_push(&c.request[i], NULL);

        cpu += total_of(w, "cpu");
        free_pprof(w);
    }
    assert_int_equal(cpu, 20000LL * 19999 / 2);
    catcher_release(&c);
    profile_release(&p);
}

/* One sample that is too large by itself: its names give way, its values do not. */
TEST(target_pyroscope__shortens_names_of_a_stack_that_is_too_large)
{
    struct catcher c = {0};
    struct profile p;
    char *name = malloc(60001);
    uint32_t frame = 0;
    WireProfile *w;

    world_begin(&p, false);
    memset(name, 'x', 60000);
    name[60000] = '\0';
    for (uint32_t i = 0; i < 900; i++) {
        name[snprintf(name, 32, "%u", i)] = '_';
        frame = world_frame(&p, frame, name);
    }
    profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){7, 70});
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check_push(&c.request[0], NULL);
    assert_int_equal(w->sample[0]->n_location_id, 900);
    assert_int_equal(total_of(w, "cpu"), 70);
    free_pprof(w);
    free(name);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__cuts_names_at_what_the_server_takes)
{
    struct catcher c = {0};
    struct profile p;
    char *name = malloc(70001);
    WireProfile *w;

    memset(name, 'x', 70000);
    name[70000] = '\0';
    world_begin(&p, false);
    profile_add_sample(&p, world_frame(&p, 0, name), PROFILE_NO_LABELS, (int64_t[]){1, 5});
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check_push(&c.request[0], NULL);
    assert_int_equal(total_of(w, "cpu"), 5);
    free_pprof(w);
    free(name);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__cuts_stacks_at_what_the_server_takes)
{
    struct catcher c = {0};
    struct profile p;
    uint32_t frame = 0;
    WireProfile *w;
    bool shown = false;

    world_begin(&p, false);
    for (uint32_t i = 0; i < 3000; i++)
        frame = world_frame(&p, frame, i % 2 ? "odd" : "even");
    profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){1, 5});
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check_push(&c.request[0], NULL);
    assert_int_equal(w->sample[0]->n_location_id, 1000);
    for (size_t i = 0; i < w->n_string_table; i++)
        shown |= strcmp(w->string_table[i], PROFILE_TOO_DEEP) == 0;
    assert_true(shown);
    assert_int_equal(total_of(w, "cpu"), 5);
    free_pprof(w);
    catcher_release(&c);
    profile_release(&p);
}

static bool has_comment(const WireProfile *w, const char *part)
{
    for (size_t i = 0; i < w->n_comment; i++)
        if (strstr(w->string_table[w->comment[i]], part))
            return true;
    return false;
}

/* So many processes with so many threads each. */
static void convert_crowd(uint32_t processes, uint32_t threads, WireProfile **w)
{
    struct catcher c = {0};
    struct profile p;
    uint32_t frame;
    char names[2][32];

    world_begin(&p, false);
    frame = world_frame(&p, 0, "main");
    for (uint32_t i = 0; i < processes * threads; i++) {
        snprintf(names[0], sizeof(names[0]), "process-%u", i / threads);
        snprintf(names[1], sizeof(names[1]), "thread-%u", i % threads);
        profile_add_sample(&p, frame, world_labels(&p, i / threads, names[0], i, names[1]),
                           (int64_t[]){1, 10});
    }
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    *w = check_push(&c.request[0], NULL);
    assert_int_equal(total_of(*w, "cpu"), 10LL * processes * threads);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__drops_names_that_would_make_too_many_series)
{
    WireProfile *w;

    convert_crowd(8, 8, &w);
    assert_int_equal(w->n_sample, 64);
    assert_true(has_label(w, "thread_name") && has_label(w, "process_name"));
    assert_false(has_comment(w, "left out"));
    free_pprof(w);
    convert_crowd(5, 13, &w);
    assert_int_equal(w->n_sample, 5);
    assert_true(!has_label(w, "thread_name") && has_label(w, "process_name"));
    assert_true(has_comment(w, "left out: thread names"));
    free_pprof(w);
    convert_crowd(65, 1, &w);
    assert_int_equal(w->n_sample, 1);
    assert_true(!has_label(w, "thread_name") && !has_label(w, "process_name"));
    assert_true(has_comment(w, "left out: thread and process names"));
    free_pprof(w);
}

static char *long_text(size_t n, const char *start)
{
    char *text = malloc(n + 1);

    memset(text, 'y', n);
    memcpy(text, start, strlen(start));
    text[n] = '\0';
    return text;
}

TEST(target_pyroscope__sends_only_labels_the_server_takes)
{
    char *long_key = long_text(3000, "long"), *long_value = long_text(9000, "value:"), *many[40];
    const char *tags[60] = {"team:core",      "a-b.c:1",    "__name__:x", "__internal:2",
                            "9lives:3",       "\xc3\xa9:4", "env:other",  "hostname:evil",
                            "process_name:z", ":no name",   "empty:",     "bare",
                            "a_b_c:late",     long_key,     long_value,   "ctl:a\x01\xff\"\\b"};
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    Push *push;

    for (uint32_t i = 0; i < 40; i++) {
        many[i] = malloc(16);
        snprintf(many[i], 16, "many%u:v", i);
        tags[16 + i] = many[i];
    }
    who.tags = tags;
    who.tag_count = 56;
    who.environment = "prod\xff";
    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL, &p, &who, &c), 1);
    free_pprof(check_push(&c.request[0], &push));
    assert_string_equal(label(push->series[0], "team"), "core");
    assert_string_equal(label(push->series[0], "a_b_c"), "1");
    assert_string_equal(label(push->series[0], "env"), "prod?");
    assert_string_equal(label(push->series[0], "hostname"), "host-1");
    assert_string_equal(label(push->series[0], "__name__"), "process_cpu");
    assert_string_equal(label(push->series[0], "_internal"), "2");
    assert_string_equal(label(push->series[0], "_9lives"), "3");
    assert_string_equal(label(push->series[0], "bare"), "true");
    assert_string_equal(label(push->series[0], "ctl"), "a??\"\\b");
    assert_null(label(push->series[0], "process_name"));
    assert_null(label(push->series[0], "empty"));
    assert_int_equal(strlen(label(push->series[0], "value")), 1024);
    assert_int_equal(push->series[0]->n_labels, 25);
    free_push(push);
    for (uint32_t i = 0; i < 40; i++)
        free(many[i]);
    free(long_key);
    free(long_value);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__tells_where_the_source_is_but_not_how_to_get_in)
{
    static const char *const urls[][2] = {
        {"https://github.com/a/b.git", "https://github.com/a/b.git"},
        {"https://me:s3cr3t@github.com/a/b", "https://github.com/a/b"},
        {"https://me:s3cr@3t@github.com:443/a@b", "https://github.com:443/a@b"},
        {"ssh://git@[::1]:22/a", "ssh://[::1]:22/a"},
        {"http://[::1]:80/a?x", "http://[::1]:80/a?x"},
        {"git@github.com:a/b.git", "git@github.com:a/b.git"},
        {"https://me:s3c/r3t@github.com/a", NULL},
        {"https://", "https://"},
        {"", NULL},
    };
    struct target_identity who = world_identity;
    struct profile p;

    world_begin(&p, false);
    world_fill(&p, 1);
    who.git_commit = "abc123";
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct catcher c = {0};
        const char *value;
        Push *push;

        who.git_repository = urls[i][0];
        assert_int_equal(convert(URL, &p, &who, &c), 1);
        push = unpack_push(&c.request[0]);
        value = label(push->series[0], "service_repository");
        if (urls[i][1])
            assert_string_equal(value, urls[i][1]);
        else
            assert_null(value);
        assert_string_equal(label(push->series[0], "service_git_ref"), "abc123");
        free_push(push);
        catcher_release(&c);
    }
    profile_release(&p);
}

/* A label's value is cut between characters. */
TEST(target_pyroscope__cuts_values_into_valid_text)
{
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    Push *push;
    char value[3000] = "";
    const char *version;

    for (int shift = 0; shift < 3; shift++) {
        memset(value, 'a', (size_t)shift);
        for (size_t at = (size_t)shift; at + 4 < sizeof(value); at += 3)
            memcpy(value + at, "\xe2\x82\xac", 4);
        who.service_version = value;
        world_begin(&p, false);
        world_fill(&p, 1);
        assert_int_equal(convert(URL, &p, &who, &c), 1);
        push = unpack_push(&c.request[0]);
        version = label(push->series[0], "version");
        assert_in_range(strlen(version), 1022, 1024);
        assert_int_equal((strlen(version) - (size_t)shift) % 3, 0);
        assert_memory_equal(version, value, strlen(version));
        free_push(push);
        catcher_release(&c);
        profile_release(&p);
    }
}

TEST(target_pyroscope__takes_no_name_with_a_hyphen_or_colon)
{
    struct catcher c = {0};
    struct profile p;
    WireProfile *w;
    Push *push;

    profile_init(&p);
    profile_add_type(&p, "cache-misses:u", "my unit");
    p.period_type = p.type[0];
    p.time_wall_ns = WORLD_TIME;
    p.duration_ns = 1;
    profile_add_sample(&p, world_frame(&p, 0, "main"), PROFILE_NO_LABELS, (int64_t[]){3});
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check_push(&c.request[0], &push);
    assert_string_equal(label(push->series[0], "__name__"), "cache_misses_u");
    assert_string_equal(type_name(w, 0), "cache_misses_u");
    assert_string_equal(w->string_table[w->sample_type[0]->unit], "my_unit");
    assert_string_equal(w->string_table[w->period_type->type], "cache_misses_u");
    free_pprof(w);
    free_push(push);
    catcher_release(&c);
    profile_release(&p);
}

static bool same_bytes(const struct profile *p)
{
    struct catcher a = {0}, b = {0};
    bool same = true;

    assert_int_equal(convert(URL, p, &world_identity, &a), 2);
    assert_int_equal(convert(URL, p, &world_identity, &b), 2);
    for (uint32_t i = 0; i < 2; i++)
        same = same && a.request[i].bytes == b.request[i].bytes &&
               memcmp(a.request[i].body, b.request[i].body, a.request[i].bytes) == 0;
    catcher_release(&a);
    catcher_release(&b);
    return same;
}

/* What the compressor makes of equal bytes depends on where they are, once in some hundred times: wherever
 * the second and third try find them, it is not that again. */
TEST(target_pyroscope__makes_the_same_bytes_of_the_same_profile)
{
    struct profile p;
    bool same = false;

    world_begin(&p, true);
    world_fill(&p, 100);
    for (size_t try = 0; try < 3 && !same; try++) {
        void *elsewhere = base_alloc(1 + 4000 * try);

        same = same_bytes(&p);
        free(elsewhere);
    }
    assert_true(same);
    profile_release(&p);
}

TEST(target_pyroscope__stops_when_a_request_is_not_taken)
{
    struct catcher c = {.refuse_from = 2};
    struct profile p;

    world_begin(&p, true);
    world_fill(&p, 10);
    assert_int_equal(convert(URL, &p, &world_identity, &c), -1);
    assert_int_equal(c.requests, 1);
    catcher_release(&c);
    profile_release(&p);
}

/* ---- /ingest ---- */

/* The value of a parameter, decoded. */
static char *parameter(const char *path, const char *name)
{
    char key[32], *out = calloc(strlen(path) + 1, 1), *to = out;
    const char *at;

    snprintf(key, sizeof(key), "%s=", name);
    at = strchr(path, '?');
    while (at && strncmp(at + 1, key, strlen(key)) != 0)
        at = strchr(at + 1, '&');
    if (!at)
        fail_msg("no %s in %s", name, path);
    for (at += 1 + strlen(key); *at && *at != '&'; at++) {
        unsigned byte = (unsigned char)*at;

        if (*at == '%') {
            assert_int_equal(sscanf(at + 1, "%2x", &byte), 1);
            at += 2;
        } else {
            assert_non_null(
                strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *at));
        }
        *to++ = (char)byte;
    }
    return out;
}

static void assert_parameter(const char *path, const char *name, const char *value)
{
    char *have = parameter(path, name);

    assert_string_equal(have, value);
    free(have);
}

TEST(target_pyroscope__ingest_is_the_bare_profile_and_a_name)
{
    const char *tags[] = {"team: a,b}c ", "x:y=z {", "blank:  "};
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    WireProfile *w;

    who.environment = "prod";
    who.tags = tags;
    who.tag_count = ARRAY_LEN(tags);
    world_begin(&p, true);
    world_fill(&p, 10);
    assert_int_equal(convert(URL "/pyroscope/ingest", &p, &who, &c), 2);
    assert_string_equal(c.request[0].method, "POST");
    assert_string_equal(c.request[0].headers, "Content-Type: application/octet-stream\n");
    assert_ptr_equal(strstr(c.request[0].path, "/pyroscope/ingest?name="), c.request[0].path);
    assert_parameter(c.request[0].path, "name", "shop{env=prod,hostname=host-1,team=a_b_c,x=y=z {}");
    assert_parameter(c.request[0].path, "from", "1795198494000000000");
    assert_parameter(c.request[0].path, "until", "1795198504000000000");
    assert_parameter(c.request[0].path, "format", "pprof");
    assert_parameter(c.request[0].path, "spyName", "ringside");
    w = unpack_pprof(c.request[0].body, c.request[0].bytes, NULL);
    assert_strict_pprof(w);
    assert_int_equal(total_of(w, "cpu"), 202020200);
    free_pprof(w);
    w = unpack_pprof(c.request[1].body, c.request[1].bytes, NULL);
    assert_int_equal(w->n_sample_type, 1);
    assert_int_equal(total_of(w, "page_faults"), 202);
    free_pprof(w);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__ingest_keeps_a_service_name_that_is_no_name_of_an_app)
{
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;

    who.service = "my shop, caf\xc3\xa9 {1}";
    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL "/ingest", &p, &who, &c), 1);
    assert_parameter(c.request[0].path, "name",
                     "my_shop__caf____1_{service_name=my shop_ caf\xc3\xa9 {1_,hostname=host-1}");
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_pyroscope__ingest_leaves_out_what_the_server_takes_for_nothing_or_for_its_own)
{
    const char *tags[] = {"a:\xc2\xa0", "b:\xe2\x80\x87 \xe3\x80\x80", "c: \xe1\x9a\x80x\xc2\x85 ",
                          "pyroscope_spy:other"};
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;

    who.tags = tags;
    who.tag_count = ARRAY_LEN(tags);
    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL "/ingest", &p, &who, &c), 1);
    assert_parameter(c.request[0].path, "name", "shop{hostname=host-1,c=x}");
    catcher_release(&c);
    profile_release(&p);
}

/* A spool's entry takes paths of 4095 bytes. */
TEST(target_pyroscope__ingest_leaves_out_labels_that_do_not_fit_a_path)
{
    char *text = calloc(9001, 1), url[2100] = URL;
    const char *tags[] = {"long:", "short:1"};
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;

    for (uint32_t i = 0; i < 3000; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 3);
    tags[0] = text;
    memcpy(text, "long:", 5);
    text[5] = text[6] = text[7] = text[8] = 'x';
    who.tags = tags;
    who.tag_count = ARRAY_LEN(tags);
    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL "/ingest", &p, &who, &c), 1);
    assert_true(strlen(c.request[0].path) < 4000);
    assert_non_null(strstr(c.request[0].path, "long%3Dxxx"));
    assert_parameter(c.request[0].path, "format", "pprof");
    catcher_release(&c);
    memset(url + strlen(url), '/', 1);
    memset(url + strlen(url), 'a', 2030 - strlen(url));
    strcat(url, "/ingest");
    who.service = text + 9;
    assert_int_equal(convert(url, &p, &who, &c), 1);
    assert_true(strlen(c.request[0].path) < 4000);
    assert_non_null(strstr(c.request[0].path, "hostname%3Dhost-1%2Cshort%3D1%7D&from="));
    assert_null(strstr(c.request[0].path, "long"));
    assert_parameter(c.request[0].path, "format", "pprof");
    catcher_release(&c);
    profile_release(&p);
    free(text);
}

/* ---- options ---- */

TEST(target_pyroscope__checks_the_tenant)
{
    char longest[152];
    const char *good[] = {"a", "Team_1.x!*'()-", longest}, *bad[] = {".", "..", "a b", "a/b", "a|b", longest};
    struct target_config config = {.url = URL};
    const char *const header[] = {"x-scope-orgid: 7"};
    struct target *t;
    struct err e = {0};
    char line[200];

    memset(longest, 'a', sizeof(longest));
    longest[150] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        config.tenant = good[i];
        t = target_new(&config, &e);
        assert_non_null(t);
        snprintf(line, sizeof(line), "X-Scope-OrgID: %s", good[i]);
        assert_string_equal(target_endpoint(t)->headers[0], line);
        target_free(t);
    }
    longest[150] = 'a';
    longest[151] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        config.tenant = bad[i];
        assert_null(target_new(&config, &e));
        assert_non_null(strstr(e.text, "tenant"));
    }
    config = (struct target_config){.url = URL, .tenant = "a", .headers = header, .header_count = 1};
    assert_null(target_new(&config, &e));
    config.tenant = NULL;
    t = target_new(&config, &e);
    assert_non_null(t);
    target_free(t);
}

TEST(target_pyroscope__a_url_with_the_whole_path_is_taken_as_it_is)
{
    struct catcher c = {0};
    struct profile p;

    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL "/push.v1.PusherService/Push", &p, &world_identity, &c), 1);
    assert_string_equal(c.request[0].path, "/push.v1.PusherService/Push");
    catcher_release(&c);
    profile_release(&p);
}

/* ---- replies ---- */

static enum target_verdict judge(int status, const char *type, const char *body, char words[TARGET_WORDS_MAX])
{
    struct target *t = new_target(URL);
    struct http_reply r = {.status = status,
                           .error = "",
                           .retry_after_ms = -1,
                           .content_type = type,
                           .body = body,
                           .body_bytes = strlen(body)};
    enum target_verdict v = target_judge(t, &r, words);

    target_free(t);
    return v;
}

TEST(target_pyroscope__judges_by_status)
{
    static const int retry[] = {408, 429, 500, 502, 503, 504, 599},
                     refused[] = {301, 400, 401, 403, 404, 405, 409, 413, 415, 422, 501};
    char words[TARGET_WORDS_MAX];

    assert_int_equal(judge(200, "", "", words), TARGET_DELIVERED);
    assert_int_equal(judge(200, "application/proto", "", words), TARGET_DELIVERED);
    assert_int_equal(judge(0, "", "", words), TARGET_RETRY);
    for (size_t i = 0; i < ARRAY_LEN(retry); i++)
        assert_int_equal(judge(retry[i], "text/html", "<html>", words), TARGET_RETRY);
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        assert_int_equal(judge(refused[i], "text/html", "<html>", words), TARGET_REFUSED);
}

TEST(target_pyroscope__a_page_for_people_is_no_success)
{
    char words[TARGET_WORDS_MAX];

    assert_int_equal(judge(200, "text/html; charset=utf-8", "<html>Log in</html>", words), TARGET_RETRY);
    assert_non_null(strstr(words, "HTML"));
}

TEST(target_pyroscope__judges_by_the_code_where_the_status_leaves_it_open)
{
    char words[TARGET_WORDS_MAX];

    assert_int_equal(judge(409, "application/json", "{\"code\":\"aborted\",\"message\":\"m\"}", words),
                     TARGET_RETRY);
    assert_string_equal(words, "m");
    assert_int_equal(judge(409, "application/json", "{\"code\":\"already_exists\"}", words), TARGET_REFUSED);
    assert_int_equal(judge(499, "application/json", "{ \"code\" : \"canceled\" }", words), TARGET_RETRY);
    assert_int_equal(judge(500, "application/json", "{\"code\":\"unknown\"}", words), TARGET_RETRY);
    assert_int_equal(judge(500, "application/json", "{\"code\":\"data_loss\"}", words), TARGET_RETRY);
    assert_int_equal(judge(500, "application/json", "{\"code\":\"invalid_argument\"}", words),
                     TARGET_REFUSED);
    assert_int_equal(judge(429, "application/json", "{\"code\":\"resource_exhausted\"}", words),
                     TARGET_RETRY);
    assert_int_equal(judge(503, "application/json", "{\"code\":\"unavailable\"}", words), TARGET_RETRY);
    assert_int_equal(judge(503, "application/json", "{\"code\":\"something new\"}", words), TARGET_RETRY);
    /* A status that is never worth another try is not, whatever is in the body. */
    assert_int_equal(judge(400, "application/json", "{\"code\":\"unavailable\"}", words), TARGET_REFUSED);
    assert_int_equal(judge(422, "application/json", "{\"code\":\"internal\"}", words), TARGET_REFUSED);
    assert_int_equal(judge(501, "application/json", "{\"code\":\"internal\"}", words), TARGET_REFUSED);
}

TEST(target_pyroscope__survives_any_reply)
{
    static const char *const bodies[] = {
        "\"code\"",       "{\"code\"",          "{\"code\":",
        "{\"code\":\"",   "{\"code\"}",         "{\"code\" \"code\":1}",
        "{\"code\":{}}",  "\"code\":\"code\":", "{\"message\":\"\\\"code\\\":\\\"aborted\\\"\"}",
        "{\"code\":null}"};
    char words[TARGET_WORDS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_int_equal(judge(409, "application/json", bodies[i], words), TARGET_REFUSED);
}
