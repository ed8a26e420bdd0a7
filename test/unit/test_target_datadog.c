/*
 * test_target_datadog.c - what Datadog is sent, read back
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#include "../../src/target/datadog.h"

#include "pprof_read.h"
#include "target_world.h"

#define KEY "0123456789abcdef0123456789abcdef"

/* The two parts of a body, by the boundary that its headers name. */
struct parts {
    char *event;
    const char *file;
    size_t file_bytes;
};

static void take(const char **at, const char *text)
{
    size_t n = strlen(text);

    assert_memory_equal(*at, text, n);
    *at += n;
}

static void parts_read(struct parts *p, const struct world_request *r)
{
    static const char type[] = "Content-Type: multipart/form-data; boundary=";
    const char *start = strstr(r->headers, type), *at = r->body.data, *end = at + r->body.len, *next;
    char boundary[100], tail[110];

    assert_non_null(start);
    assert_int_equal(sscanf(start + sizeof(type) - 1, "%70[A-Za-z0-9-]\n", boundary), 1);
    snprintf(tail, sizeof(tail), "\r\n--%s", boundary);
    take(&at, tail + 2);
    take(&at, "\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n"
              "Content-Type: application/json\r\n\r\n");
    next = memmem(at, (size_t)(end - at), tail, strlen(tail));
    assert_non_null(next);
    p->event = strndup(at, (size_t)(next - at));
    at = next;
    take(&at, tail);
    take(&at,
         "\r\nContent-Disposition: form-data; name=\"profile.pprof\"; filename=\"profile.pprof\"\r\n\r\n");
    p->file = at;
    next = memmem(at, (size_t)(end - at), tail, strlen(tail));
    assert_non_null(next);
    p->file_bytes = (size_t)(next - at);
    at = next;
    take(&at, tail);
    take(&at, "--\r\n");
    assert_ptr_equal(at, end);
}

static void send_one(struct world *w, const struct profile *p, const struct target_identity *who,
                     struct parts *parts)
{
    world_convert(w, &(struct target_config){.url = "http://agent:8126"}, p, who, 7);
    parts_read(parts, &w->request[0]);
}

TEST(target_datadog__a_profile_is_one_multipart_request)
{
    struct target_identity who = world_identity();
    struct world w = {0};
    struct parts parts;
    struct pprof_read read;
    struct profile p;

    world_profile(&p);
    send_one(&w, &p, &who, &parts);
    assert_string_equal(w.request[0].method, "POST");
    assert_string_equal(w.request[0].path, "/profiling/v1/input");
    assert_non_null(
        strstr(w.request[0].headers, "\nDD-EVP-ORIGIN: ringside\nDD-EVP-ORIGIN-VERSION: 0.1.0\n"));
    assert_null(strstr(w.request[0].headers, "Datadog-"));
    assert_string_equal(
        parts.event,
        "{\"version\":\"4\",\"family\":\"native\",\"start\":\"2026-11-28T11:40:00.123456789Z\","
        "\"end\":\"2026-11-28T11:40:59.123456789Z\",\"attachments\":[\"profile.pprof\"],"
        "\"tags_profiler\":\"language:native,service:web,"
        "runtime-id:5b2c1f7e-0000-4000-8000-000000000001,process_id:4242,profile_seq:7,profiler_version:0.1."
        "0,"
        "host:h1,cpu_arch:amd64,include_kernel:false,ddprof.custom_ctx:container_id\","
        "\"info\":{\"application\":{\"service\":\"web\"},\"platform\":{\"hostname\":\"h1\",\"kernel_name\":"
        "\"Linux\"},"
        "\"profiler\":{\"activation\":\"manual\",\"ssi\":{\"mechanism\":\"none\"},\"version\":\"0.1.0\"}},"
        "\"internal\":{}}");
    pprof_read(&read, parts.file, parts.file_bytes);
    assert_int_equal(read.types, 2);
    assert_int_equal(read_column(&read, "cpu-samples", "count"), 0);
    assert_int_equal(read_column(&read, "cpu-time", "nanoseconds"), 1);
    assert_string_equal(read_string(&read, read.default_type), "cpu-time");
    assert_string_equal(read_string(&read, read.period_type[0]), "cpu-time");
    assert_int_equal(read.samples, 2);
    assert_int_equal(read_total(&read, 1), 40404040);
    assert_string_equal(read_label(&read, 0, "thread id"), "42");
    assert_string_equal(read_label(&read, 0, "thread name"), "worker");
    assert_string_equal(read_label(&read, 0, "process_id"), "4242");
    assert_string_equal(read_label(&read, 0, "process name"), "web");
    assert_string_equal(read_label(&read, 0, "container_id"), "c0ffee");
    assert_string_equal(read_frame(&read, 0, 0), "work");
    assert_string_equal(read_frame(&read, 0, 1), "main");
    pprof_read_release(&read);
    profile_release(&p);
    free(parts.event);
    world_release(&w);
}

/* ---- JSON, strictly: RFC 8259 ---- */

static bool json_value(const char **at);

static void json_space(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static bool json_string(const char **at)
{
    if (*(*at)++ != '"')
        return false;
    while (**at != '"') {
        if ((unsigned char)**at < 0x20)
            return false;
        if (*(*at)++ == '\\' && !strchr("\"\\/bfnrt", *(*at)++)) /* \u is not written */
            return false;
    }
    (*at)++;
    return true;
}

/* Members of an object or elements of an array, up to end. */
static bool json_list(const char **at, char end)
{
    (*at)++;
    json_space(at);
    for (bool first = true; **at != end; first = false) {
        if (!first && *(*at)++ != ',')
            return false;
        if (end == '}' && (!json_string(at) || *(*at)++ != ':'))
            return false;
        if (!json_value(at))
            return false;
    }
    (*at)++;
    return true;
}

static bool json_value(const char **at)
{
    json_space(at);
    if (**at == '{' || **at == '[')
        return json_list(at, **at == '{' ? '}' : ']');
    return json_string(at);
}

static void is_json(const char *text)
{
    FREE_PTR char *clean = strdup(text);
    const char *at = text;

    utf8_clean(clean);
    assert_string_equal(text, clean);
    if (!json_value(&at) || *at)
        fail_msg("no JSON from here on: %.60s", at);
}

/* The text of a member, its escapes taken off. */
static char *member(const char *json, const char *name)
{
    char key[64], *out, *to;
    const char *at;

    snprintf(key, sizeof(key), "\"%s\":\"", name);
    at = strstr(json, key);
    assert_non_null(at);
    at += strlen(key);
    to = out = base_alloc(strlen(at) + 1);
    for (; *at != '"'; at++)
        *to++ = *at == '\\' ? *++at : *at;
    *to = '\0';
    return out;
}

/* ---- tags ---- */

/* What the checklist of the format asks of every tag, and how many there are that begin with each of these.
 */
static void tags_hold(const char *tags)
{
    static const struct {
        const char *key;
        int min, max;
    } counts[] = {{"language:", 1, 1},    {"service:", 1, 1},    {"runtime-id:", 1, 1},
                  {"profile_seq:", 1, 1}, {"process_id:", 1, 1}, {"env:", 0, 1},
                  {"version:", 0, 1},     {"host:", 0, 1},       {"git.commit.sha:", 0, 1}};
    FREE_PTR char *copy = strdup(tags);
    int n[ARRAY_LEN(counts)] = {0};
    char *rest = copy, *tag;

    while ((tag = strsep(&rest, ","))) {
        size_t length = strlen(tag);

        assert_true(length > 0 && length <= 200);
        assert_non_null(strchr(tag, ':'));
        assert_true(tag[0] != ':' && tag[length - 1] != ':');
        assert_true((tag[0] >= 'a' && tag[0] <= 'z') || (tag[0] >= 'A' && tag[0] <= 'Z'));
        assert_int_equal(strcspn(tag, " \t\r\n"), length);
        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
            n[i] += strncmp(tag, counts[i].key, strlen(counts[i].key)) == 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        assert_true(n[i] >= counts[i].min && n[i] <= counts[i].max);
}

/* The tags of who; have is one of them, have_not is none. */
static char *tags_of(const struct target_identity *who)
{
    struct profile p;
    struct world w = {0};
    struct parts parts;
    char *tags;

    world_profile(&p);
    send_one(&w, &p, who, &parts);
    is_json(parts.event);
    tags = member(parts.event, "tags_profiler");
    tags_hold(tags);
    free(parts.event);
    world_release(&w);
    profile_release(&p);
    return tags;
}

static bool have_tag(const char *tags, const char *tag)
{
    size_t n = strlen(tag);

    for (const char *at = tags; (at = strstr(at, tag)); at++)
        if ((at == tags || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

static void with_tags(const char *const *users, uint32_t n, const char *const *want, size_t wants)
{
    struct target_identity who = world_identity();
    FREE_PTR char *tags = NULL;

    who.environment = "prod";
    who.service_version = "1.2";
    who.tags = users;
    who.tag_count = n;
    tags = tags_of(&who);
    for (size_t i = 0; i < wants; i++)
        if (!have_tag(tags, want[i]))
            fail_msg("no %s in %s", want[i], tags);
}

TEST(target_datadog__tags_of_the_user_are_cleaned)
{
    static const char *const users[] = {"team:core,x",
                                        "Region:us east",
                                        "dup:1",
                                        "dup:2",
                                        "dup:1",
                                        "a,b:c",
                                        "noco",
                                        ":x",
                                        "x:",
                                        "x::",
                                        "9x:y",
                                        "_x:y",
                                        "y:caf\xc3\xa9",
                                        "z:\xff\n\"\\",
                                        "url:http://h/x"};
    static const char *const want[] = {"team:core_x", "Region:us_east", "dup:1",   "dup:2",
                                       "a_b:c",       "y:caf__",        "z:___\\", "url:http://h/x"};
    static const char *const none[] = {"noco", "9x:y", "_x:y", "x"};
    struct target_identity who = world_identity();
    FREE_PTR char *tags = NULL;

    with_tags(users, ARRAY_LEN(users), want, ARRAY_LEN(want));
    who.tags = users;
    who.tag_count = ARRAY_LEN(users);
    tags = tags_of(&who);
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        assert_false(have_tag(tags, none[i]));
    assert_non_null(strstr(tags, "dup:1"));
    assert_null(strstr(strstr(tags, "dup:1") + 1, "dup:1"));
}

TEST(target_datadog__what_the_options_say_beats_a_tag)
{
    static const char *const users[] = {
        "service:other", "env:other",  "version:other", "runtime-id:x",       "profile_seq:1",
        "language:x",    "host:other", "process_id:1",  "git.commit.sha:abc", "service-owner:me"};
    static const char *const want[] = {
        "service:web",   "env:prod",        "version:1.2",        "host:h1",
        "profile_seq:7", "language:native", "git.commit.sha:abc", "service-owner:me"};

    with_tags(users, ARRAY_LEN(users), want, ARRAY_LEN(want));
}

TEST(target_datadog__env_is_left_out_when_nobody_gave_one)
{
    static const char *const users[] = {"env:fromtags", "env:second", "version:3"};
    struct target_identity who = world_identity();
    FREE_PTR char *without = tags_of(&who), *with = NULL;

    assert_null(strstr(without, "env:"));
    assert_null(strstr(without, ",version:"));
    who.tags = users;
    who.tag_count = ARRAY_LEN(users);
    with = tags_of(&who);
    assert_true(have_tag(with, "env:fromtags"));
    assert_true(have_tag(with, "version:3"));
}

TEST(target_datadog__no_identity_breaks_the_event)
{
    FREE_PTR char *long_text = base_calloc(10241, 1);
    static const char *const texts[] = {"a\nb", "a,b",  "\"quoted\\\"",     "\xff\xfe",    "caf\xc3\xa9",
                                        "::",   ",",    "\x01\x7f",         " ",           "a\r\nX: y",
                                        "{}",   "%s%n", "\xf0\x9f\x98\x80", "\xed\xa0\x80"};

    memset(long_text, 'x', 10240);
    for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
        const char *text = i < ARRAY_LEN(texts) ? texts[i] : long_text;
        struct target_identity who = {
            .service = text,
            .environment = text,
            .service_version = text,
            .tags = &text,
            .tag_count = 1,
            .runtime_id = "5b2c1f7e-0000-4000-8000-000000000001",
            .host = text,
            .container_id = text,
            .entity_id = text,
            .external_env = text,
            .git_repository = text,
            .git_commit = text,
            .profiler_version = "0.1.0",
            .executable = text,
        };

        free(tags_of(&who));
    }
    memcpy(long_text + JSON_TEXT_MAX - 1, "\xc3\xa9", 2);
    free(tags_of(&(struct target_identity){
        .service = long_text, .runtime_id = "r", .host = "h", .profiler_version = long_text}));
}

TEST(target_datadog__thousands_of_tags_are_cut_off)
{
    struct target_identity who = world_identity();
    FREE_PTR const char **users = base_alloc(5000 * sizeof(*users));
    FREE_PTR char *texts = base_alloc(5000 * 16), *tags = NULL;

    for (uint32_t i = 0; i < 5000; i++) {
        users[i] = texts + i * 16;
        snprintf(texts + i * 16, 16, "key%u:value", i);
    }
    who.tags = users;
    who.tag_count = 5000;
    tags = tags_of(&who);
    assert_true(strlen(tags) <= 32 << 10);
    assert_true(have_tag(tags, "key0:value"));
}

TEST(target_datadog__the_repository_is_shown_without_credentials)
{
    static const char *const cases[][2] = {
        {"https://user:hush@github.com/a/b.git", "git.repository_url:https://github.com/a/b.git"},
        {"https://hush@github.com/a/b@c", "git.repository_url:https://github.com/a/b@c"},
        {"git@github.com:a/b.git", "git.repository_url:git@github.com:a/b.git"},
        {"https://github.com/a/b", "git.repository_url:https://github.com/a/b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct target_identity who = world_identity();
        FREE_PTR char *tags = NULL;

        who.git_repository = cases[i][0];
        tags = tags_of(&who);
        assert_true(have_tag(tags, cases[i][1]));
        assert_null(strstr(tags, "hush"));
    }
    for (size_t i = 0; i < 2; i++) { /* what cannot be told from a password */
        static const char *const unclear[] = {"https://me:hu/sh@github.com/a",
                                              "https://me:hush?@github.com/a"};
        struct target_identity who = world_identity();
        FREE_PTR char *tags = NULL;

        who.git_repository = unclear[i];
        tags = tags_of(&who);
        assert_null(strstr(tags, "git.repository_url"));
    }
}

/* ---- headers and places ---- */

static void has_header(const struct target_identity *who, const char *line, bool there)
{
    struct profile p;
    struct world w = {0};
    struct parts parts;

    world_profile(&p);
    send_one(&w, &p, who, &parts);
    assert_true((strstr(w.request[0].headers, line) != NULL) == there);
    assert_null(strchr(w.request[0].headers, '\r'));
    assert_null(strstr(w.request[0].headers, "\n\n"));
    free(parts.event);
    profile_release(&p);
    world_release(&w);
}

TEST(target_datadog__the_container_is_named_in_headers)
{
    struct target_identity who = world_identity();

    who.container_id = "c0ffee";
    has_header(&who, "\nDatadog-Container-ID: c0ffee\n", true);
    has_header(&who, "\nDatadog-Entity-ID: ci-c0ffee\n", true);
    who.container_id = NULL;
    who.entity_id = "in-1234";
    who.external_env = "it-false,cn-web";
    has_header(&who, "Datadog-Container-ID", false);
    has_header(&who, "\nDatadog-Entity-ID: in-1234\n", true);
    has_header(&who, "\nDatadog-External-Env: it-false,cn-web\n", true);
    who.external_env = "a\r\nDD-API-KEY: x";
    has_header(&who, "Datadog-External-Env", false);
    has_header(&who, "DD-API-KEY", false);
    who.container_id = "c0 ffee";
    who.entity_id = "x\ty";
    has_header(&who, "Datadog-Container-ID", false);
    has_header(&who, "Datadog-Entity-ID", false);
    who.external_env = "";
    has_header(&who, "Datadog-External-Env", false);
}

static void goes_to(struct target_config c, const char *path)
{
    struct target_identity who = world_identity();
    struct world w = {0};
    struct profile p;

    world_profile(&p);
    world_convert(&w, &c, &p, &who, 0);
    assert_string_equal(w.request[0].path, path);
    profile_release(&p);
    world_release(&w);
}

TEST(target_datadog__agent_and_intake_have_paths_of_their_own)
{
    goes_to((struct target_config){.url = "http://h"}, "/profiling/v1/input");
    goes_to((struct target_config){.url = "/run/x"}, "/profiling/v1/input");
    goes_to((struct target_config){.url = "http://h/pre/fix/"}, "/pre/fix/profiling/v1/input");
    goes_to((struct target_config){.url = "http://h/profiling/v1/input"}, "/profiling/v1/input");
    goes_to((struct target_config){.url = "https://intake.profile.x", .agentless = true, .api_key = KEY},
            "/api/v2/profile");
    goes_to((struct target_config){.url = "https://i.x/v1/input", .agentless = true, .api_key = KEY},
            "/v1/input");
    goes_to((struct target_config){.url = "https://i.x/api/v2/profile/", .agentless = true, .api_key = KEY},
            "/api/v2/profile");
    goes_to((struct target_config){.url = "http://localhost:1", .agentless = true, .api_key = KEY},
            "/api/v2/profile");
}

TEST(target_datadog__times_stay_times_at_the_ends_of_the_clock)
{
    static const uint64_t starts[] = {0, 1, UINT64_MAX - 5, UINT64_MAX / 2};
    struct target_identity who = world_identity();

    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        struct world w = {0};
        struct profile p;
        struct parts parts;
        FREE_PTR char *start = NULL, *end = NULL;

        world_profile(&p);
        p.time_wall_ns = starts[i];
        send_one(&w, &p, &who, &parts);
        start = member(parts.event, "start");
        end = member(parts.event, "end");
        assert_int_equal(strlen(start), 30);
        assert_int_equal(strlen(end), 30);
        assert_true(strcmp(start, end) <= 0);
        free(parts.event);
        profile_release(&p);
        world_release(&w);
    }
}

/* ---- the profile ---- */

static void converted(const struct profile *p, struct pprof_read *out)
{
    struct buf b;
    struct err e = {0};

    buf_init(&b, 64 << 20);
    assert_int_equal(datadog_pprof(p, &b, &e), 0);
    pprof_read(out, b.data, b.len);
    buf_release(&b);
}

TEST(target_datadog__events_without_a_type_of_their_own_are_tracepoints)
{
    struct profile p;
    struct pprof_read r;
    uint32_t labels, frame;
    int column;
    int64_t faults = 0, written = 0;

    world_profile_init(&p);
    profile_add_type(&p, "page_faults", "count");
    profile_add_type(&p, "alloc_space", "bytes");
    profile_add_type(&p, "written", "bytes");
    labels = world_labels(&p, "t", "p");
    frame = world_frame(&p, world_frame(&p, 0, "main"), "work");
    profile_add_sample(&p, frame, labels, (int64_t[]){1, 10, 100, 1000, 10000});
    profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){0, 0, 7, 0, 0});
    converted(&p, &r);
    assert_int_equal(r.types, 4);
    column = read_column(&r, "tracepoint", "events");
    assert_int_equal(column, 3);
    assert_int_equal(read_total(&r, read_column(&r, "cpu-samples", "count")), 1);
    assert_int_equal(read_total(&r, read_column(&r, "cpu-time", "nanoseconds")), 10);
    assert_int_equal(read_total(&r, read_column(&r, "alloc-space", "bytes")), 1000);
    assert_int_equal(r.samples, 4);
    for (size_t i = 0; i < r.samples; i++) {
        const char *type = read_label(&r, i, "tracepoint_type");

        assert_true((type != NULL) == (r.sample[i].value[column] != 0));
        if (type && strcmp(type, "page_faults") == 0)
            faults += r.sample[i].value[column];
        else if (type && strcmp(type, "written (bytes)") == 0)
            written += r.sample[i].value[column];
    }
    assert_int_equal(faults, 107);
    assert_int_equal(written, 10000);
    assert_string_equal(read_string(&r, r.default_type), "cpu-time");
    for (size_t i = 0; i < r.strings; i++) /* nothing of the old names is left over */
        assert_string_not_equal(r.string[i], "written");
    pprof_read_release(&r);
    profile_release(&p);
}

TEST(target_datadog__a_profile_of_events_only_has_one_type)
{
    struct target_identity who = world_identity();
    struct profile p;
    struct pprof_read r;
    struct world w = {0};
    struct parts parts;

    profile_init(&p);
    profile_add_type(&p, "page_faults", "count");
    profile_add_type(&p, "cpu_time", "nanoseconds"); /* of the user's, and not the one Datadog means */
    p.default_type = p.type[0].type;
    p.period_type = p.type[0];
    p.period = 101;
    p.time_wall_ns = WORLD_START;
    profile_add_sample(&p, world_frame(&p, 0, "main"), PROFILE_NO_LABELS, (int64_t[]){5, 6});
    send_one(&w, &p, &who, &parts);
    assert_non_null(strstr(parts.event, ",ddprof.custom_ctx:tracepoint_type\""));
    pprof_read(&r, parts.file, parts.file_bytes);
    assert_int_equal(r.types, 1);
    assert_int_equal(read_total(&r, read_column(&r, "tracepoint", "events")), 11);
    assert_string_equal(read_string(&r, r.default_type), "tracepoint");
    assert_string_equal(read_string(&r, r.period_type[0]), "tracepoint");
    assert_int_equal(r.period, 101);
    pprof_read_release(&r);
    free(parts.event);
    world_release(&w);
    profile_release(&p);
}

TEST(target_datadog__a_profile_without_samples_is_sent)
{
    struct target_identity who = world_identity();
    struct profile p;
    struct pprof_read r;
    struct world w = {0};
    struct parts parts;

    world_profile_init(&p);
    send_one(&w, &p, &who, &parts);
    pprof_read(&r, parts.file, parts.file_bytes);
    assert_int_equal(r.samples, 0);
    pprof_read_release(&r);
    free(parts.event);
    world_release(&w);
    profile_release(&p);
}

TEST(target_datadog__deep_stacks_end_in_a_frame_that_says_so)
{
    struct profile p;
    struct pprof_read r;
    uint32_t frame = 0;

    world_profile_init(&p);
    for (uint32_t i = 0; i < 2000; i++)
        frame = world_frame(&p, frame, i ? "recurse" : "main");
    profile_add_sample(&p, frame, PROFILE_NO_LABELS, (int64_t[]){1, 10});
    converted(&p, &r);
    assert_int_equal(r.sample[0].locations, 600);
    assert_string_equal(read_frame(&r, 0, 0), PROFILE_TOO_DEEP);
    assert_string_equal(read_frame(&r, 0, 599), "main");
    pprof_read_release(&r);
    profile_release(&p);
}

/* main -> mid -> leaf, all of different names; the first is the heaviest. */
static void wide_profile(struct profile *p, uint32_t stacks)
{
    uint32_t root, labels;
    char name[64];

    world_profile_init(p);
    labels = world_labels(p, "t", "p");
    root = world_frame(p, 0, "main");
    for (uint32_t i = 0; i < stacks; i++) {
        uint32_t frame = root;

        for (uint32_t d = 0; d < 20; d++) {
            snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash_u64((uint64_t)i * 100 + d + 1));
            frame = world_frame(p, frame, name);
        }
        profile_add_sample(p, frame, labels, (int64_t[]){i ? 1 : 1000, i ? 10 : 10000});
    }
}

static int pprof_within(const struct profile *p, size_t max, struct pprof_read *out)
{
    struct buf b;
    struct err e = {0};
    int folded;

    buf_init(&b, max);
    folded = datadog_pprof(p, &b, &e);
    if (folded >= 0) {
        assert_true(b.len <= max);
        pprof_read(out, b.data, b.len);
    } else {
        assert_non_null(strstr(e.text, "larger than"));
    }
    buf_release(&b);
    return folded;
}

TEST(target_datadog__what_is_too_large_is_folded_and_keeps_its_totals)
{
    static const size_t limits[] = {1 << 20, 100000, 40000, 10000, 4000, 800};
    struct profile p;
    struct pprof_read r;
    int folded, before = 0;
    size_t r_samples = 0;

    wide_profile(&p, 500);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        folded = pprof_within(&p, limits[i], &r);
        assert_true(folded >= before);
        assert_int_equal(read_total(&r, 0), 1000 + 499);
        assert_int_equal(read_total(&r, 1), 10000 + 4990);
        assert_int_equal(r.comments, folded ? 1 : 0);
        if (folded > 0) {
            assert_non_null(strstr(read_string(&r, r.comment[0]), "too large for Datadog: of 500 stacks"));
            assert_true(r.samples <= 500);
        }
        if (folded > 0 && folded < 7) /* the heaviest is whole */
            assert_int_equal(r.sample[0].locations, 21);
        before = folded;
        r_samples = r.samples;
        pprof_read_release(&r);
    }
    assert_int_equal(before, 7);
    assert_true(r_samples < 10); /* nothing is left but sums */
    assert_int_equal(pprof_within(&p, 50, &r), -1);
    profile_release(&p);
}

/* Of names that nothing shortens, in stacks so shallow that there is little to cut. */
static uint32_t whole_of_shallow(uint32_t depth, uint32_t stacks, size_t max)
{
    struct profile p;
    struct pprof_read r;
    char name[4097] = "";
    uint32_t root, whole = 0;

    world_profile_init(&p);
    root = depth > 1 ? world_frame(&p, 0, "main") : 0;
    for (uint32_t i = 0; i < stacks; i++) {
        for (uint32_t at = 0; at + 16 < sizeof(name); at += 16)
            snprintf(name + at, 17, "%016llx", (unsigned long long)hash_u64(((uint64_t)i << 32) + at + 1));
        profile_add_sample(&p, world_frame(&p, root, name), PROFILE_NO_LABELS, (int64_t[]){1, stacks - i});
    }
    assert_true(pprof_within(&p, max, &r) >= 0);
    assert_int_equal(read_total(&r, 0), stacks);
    assert_int_equal(read_total(&r, 1), (int64_t)stacks * (stacks + 1) / 2);
    for (uint32_t i = 0; i < r.samples; i++)
        whole += strcmp(read_frame(&r, i, 0), DATADOG_FOLDED) != 0;
    pprof_read_release(&r);
    profile_release(&p);
    return whole;
}

TEST(target_datadog__of_shallow_stacks_with_long_names_as_many_stay_as_fit)
{
    /* 500 of them take a megabyte. */
    assert_true(whole_of_shallow(2, 500, 700000) >= 250);
    assert_true(whole_of_shallow(2, 500, 100000) >= 30);
    assert_true(whole_of_shallow(1, 500, 700000) >= 250);
    assert_int_equal(whole_of_shallow(1, 500, 1000), 0);
}
