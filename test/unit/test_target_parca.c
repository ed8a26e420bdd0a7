/*
 * test_target_parca.c - what Parca's gateway is sent, read by a strict reader of JSON, and its answers
 */
#include "unit.h"

#include <ctype.h>

#include "target_catch.h"

#include "../../src/target/base64.h"

#define URL "parca+http://127.0.0.1:7070"

/* ---- reading ---- */

struct reader {
    const char *at;
};

static void expect(struct reader *r, const char *text)
{
    if (strncmp(r->at, text, strlen(text)) != 0)
        fail_msg("expected %s at %.40s", text, r->at);
    r->at += strlen(text);
}

static bool accept(struct reader *r, const char *text)
{
    if (strncmp(r->at, text, strlen(text)) != 0)
        return false;
    r->at += strlen(text);
    return true;
}

/* A string in quotes, its escapes resolved; the caller's to free. */
static char *read_string(struct reader *r)
{
    char *out = malloc(strlen(r->at) + 1), *to = out;
    unsigned code;

    expect(r, "\"");
    for (; *r->at != '"'; r->at++) {
        assert_true((unsigned char)*r->at >= 0x20); /* also not the end */
        if (*r->at != '\\') {
            *to++ = *r->at;
            continue;
        }
        r->at++;
        if (*r->at == 'u') {
            assert_int_equal(sscanf(r->at + 1, "%4x", &code), 1);
            r->at += 4;
            *to++ = (char)code;
        } else {
            assert_non_null(strchr("\"\\/", *r->at));
            *to++ = *r->at;
        }
    }
    r->at++;
    *to = '\0';
    return out;
}

static uint8_t *decode_base64(const char *text, size_t *n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t *out = malloc(strlen(text) + 1);
    unsigned bits = 0, have = 0;

    assert_int_equal(strlen(text) % 4, 0);
    for (*n = 0; *text && *text != '='; text++) {
        const char *letter = strchr(letters, *text);

        assert_non_null(letter);
        bits = bits << 6 | (unsigned)(letter - letters);
        have += 6;
        if (have >= 8)
            out[(*n)++] = (uint8_t)(bits >> (have -= 8));
    }
    assert_int_equal(bits & ((1U << have) - 1), 0); /* what is left over is zero */
    assert_int_equal(strlen(text), have == 4 ? 2 : have == 2 ? 1 : 0);
    assert_int_equal(strspn(text, "="), strlen(text));
    return out;
}

struct sent {
    char *name[64], *value[64];
    uint32_t labels;
    uint8_t *profile;
    size_t bytes;
};

static const char *label(const struct sent *s, const char *name)
{
    for (uint32_t i = 0; i < s->labels; i++)
        if (strcmp(s->name[i], name) == 0)
            return s->value[i];
    return NULL;
}

/* The body has exactly this form, no key more. */
static void read_body(const struct caught *c, struct sent *s)
{
    struct reader r = {(const char *)c->body};
    char *text;

    *s = (struct sent){0};
    assert_int_equal(strlen(r.at), c->bytes);
    expect(&r, "{\"series\":[{\"labels\":{\"labels\":[");
    do {
        assert_true(s->labels < ARRAY_LEN(s->name));
        expect(&r, "{\"name\":");
        s->name[s->labels] = read_string(&r);
        expect(&r, ",\"value\":");
        s->value[s->labels++] = read_string(&r);
        expect(&r, "}");
    } while (accept(&r, ","));
    expect(&r, "]},\"samples\":[{\"rawProfile\":");
    text = read_string(&r);
    expect(&r, "}]}],\"normalized\":true}");
    assert_string_equal(r.at, "");
    s->profile = decode_base64(text, &s->bytes);
    free(text);
}

static void free_sent(struct sent *s)
{
    for (uint32_t i = 0; i < s->labels; i++) {
        free(s->name[i]);
        free(s->value[i]);
    }
    free(s->profile);
}

/* What the server checks (its page of formats, sections 3 and 9). */
static WireProfile *check(const struct caught *c, struct sent *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    WireProfile *w;

    assert_string_equal(c->method, "POST");
    assert_string_equal(c->headers, "Content-Type: application/json\n");
    read_body(c, s);
    assert_string_equal(s->name[0], "__name__");
    for (uint32_t i = 0; i < s->labels; i++) {
        assert_true(s->name[i][0] && s->value[i][0] && !isdigit((unsigned char)s->name[i][0]));
        assert_int_equal(strspn(s->name[i], letters), strlen(s->name[i]));
        assert_ptr_equal(label(s, s->name[i]), s->value[i]);
    }
    w = unpack_pprof(s->profile, s->bytes, NULL);
    assert_strict_pprof(w);
    for (size_t i = 0; i < w->n_location; i++) {
        const Perftools__Profiles__Location *l = w->location[i];

        if (l->mapping_id) {
            assert_true(l->address >= w->mapping[l->mapping_id - 1]->memory_start);
            assert_true(l->address < w->mapping[l->mapping_id - 1]->memory_limit);
        }
    }
    return w;
}

/* ---- what is sent ---- */

TEST(target_parca__writes_cpu_time_as_its_pages_look_for_it)
{
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    struct sent s;
    WireProfile *w;

    who.environment = "prod";
    who.service_version = "4.5";
    who.git_repository = "https://me:s3cr3t@github.com/a/b";
    who.git_commit = "abc123";
    world_begin(&p, false);
    world_fill(&p, 10);
    assert_int_equal(convert(URL, &p, &who, &c), 1);
    assert_string_equal(c.request[0].path, "/api/profiles/writeraw");
    w = check(&c.request[0], &s);
    assert_string_equal(label(&s, "__name__"), "process_cpu");
    assert_string_equal(label(&s, "job"), "shop");
    assert_string_equal(label(&s, "service_name"), "shop");
    assert_string_equal(label(&s, "env"), "prod");
    assert_string_equal(label(&s, "version"), "4.5");
    assert_string_equal(label(&s, "node"), "host-1");
    assert_string_equal(label(&s, "service_repository"), "https://github.com/a/b");
    assert_string_equal(label(&s, "service_git_ref"), "abc123");
    assert_int_equal(s.labels, 8);
    assert_string_equal(type_name(w, 0), "samples");
    assert_string_equal(type_name(w, 1), "cpu");
    assert_string_equal(w->string_table[w->period_type->type], "cpu");
    assert_int_equal(w->time_nanos, WORLD_TIME);
    assert_int_equal(w->duration_nanos, 10 * NSEC_PER_SEC);
    assert_int_equal(total_of(w, "cpu"), 202020200);
    assert_true(has_label(w, "comm") && has_label(w, "thread_comm"));
    assert_false(has_label(w, "pid") || has_label(w, "thread_id"));
    free_pprof(w);
    free_sent(&s);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_parca__gives_each_other_event_a_series_of_its_own)
{
    struct catcher c = {0};
    struct profile p;
    struct sent s;
    WireProfile *w;

    world_begin(&p, true);
    world_fill(&p, 10);
    assert_int_equal(convert(URL "/prefix", &p, &world_identity, &c), 2);
    assert_string_equal(c.request[1].path, "/prefix/api/profiles/writeraw");
    w = check(&c.request[1], &s);
    assert_string_equal(label(&s, "__name__"), "page_faults");
    assert_int_equal(w->n_sample_type, 1);
    assert_int_equal(total_of(w, "page_faults"), 202);
    free_pprof(w);
    free_sent(&s);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_parca__escapes_what_json_has_to)
{
    static const char *const tags[] = {"quote:a\"b",    "slash:a\\b/", "caf\xc3\xa9:\xc3\xa9\xe2\x82\xac",
                                       "ctl:a\nb\x7f",  "end:\\",      "bad:\xff",
                                       "we ird-key.x:1"};
    struct target_identity who = world_identity;
    struct catcher c = {0};
    struct profile p;
    struct sent s;

    who.service = "sh\"op\\";
    who.tags = tags;
    who.tag_count = ARRAY_LEN(tags);
    world_begin(&p, false);
    world_fill(&p, 1);
    assert_int_equal(convert(URL, &p, &who, &c), 1);
    free_pprof(check(&c.request[0], &s));
    assert_string_equal(label(&s, "job"), "sh\"op\\");
    assert_string_equal(label(&s, "quote"), "a\"b");
    assert_string_equal(label(&s, "slash"), "a\\b/");
    assert_string_equal(label(&s, "caf__"), "\xc3\xa9\xe2\x82\xac");
    assert_string_equal(label(&s, "ctl"), "a?b\x7f");
    assert_string_equal(label(&s, "end"), "\\");
    assert_string_equal(label(&s, "bad"), "?");
    assert_string_equal(label(&s, "we_ird_key_x"), "1");
    free_sent(&s);
    catcher_release(&c);
    profile_release(&p);
}

/* The server answers 500 to names its parser does not take. */
TEST(target_parca__takes_no_name_the_server_cannot_read)
{
    struct catcher c = {0};
    struct profile p;
    struct sent s;
    WireProfile *w;

    profile_init(&p);
    profile_add_type(&p, "9 cache-misses:u", "my unit");
    p.period_type = p.type[0];
    p.time_wall_ns = WORLD_TIME;
    p.duration_ns = 1;
    profile_add_sample(&p, world_frame(&p, 0, "main"), PROFILE_NO_LABELS, (int64_t[]){3});
    p.location[0].mapping = 0;
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check(&c.request[0], &s);
    assert_string_equal(label(&s, "__name__"), "_9_cache_misses_u");
    assert_string_equal(w->string_table[w->sample_type[0]->unit], "my_unit");
    free_pprof(w);
    free_sent(&s);
    catcher_release(&c);
    profile_release(&p);
}

TEST(target_parca__sends_a_large_profile_whole_and_an_empty_one_not_at_all)
{
    struct catcher c = {0};
    struct profile p;
    struct sent s;
    WireProfile *w;

    world_begin(&p, false);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 0);
    world_fill(&p, 40000);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 1);
    w = check(&c.request[0], &s);
    assert_int_equal(w->n_sample, 40000);
    assert_int_equal(total_of(w, "samples"), 80000);
    free_pprof(w);
    free_sent(&s);
    catcher_release(&c);
    profile_release(&p);
}

/* Names of 8000 bytes, 6000 of them: 48 MB. */
TEST(target_parca__splits_what_is_too_large_for_a_message)
{
    struct catcher c = {0};
    struct profile p;
    int64_t cpu = 0;

    world_begin(&p, false);
    world_add_long_names(&p, 6000);
    assert_int_equal(convert(URL, &p, &world_identity, &c), 2);
    for (uint32_t i = 0; i < c.requests; i++) {
        struct sent s;
        WireProfile *w = check(&c.request[i], &s);

        cpu += total_of(w, "cpu");
        free_pprof(w);
        free_sent(&s);
    }
    assert_int_equal(cpu, 6000LL * 5999 / 2);
    catcher_release(&c);
    profile_release(&p);
}

/* ---- base64 ---- */

/* RFC 4648 section 10. */
TEST(target_parca__base64_is_as_the_rfc_has_it)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xef\xbe", "/+++"}};

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct base64 b;
        struct buf out;

        buf_init(&out, 100);
        base64_begin(&b, &out);
        assert_int_equal(base64_write(&b, pairs[i][0], strlen(pairs[i][0]), NULL), 0);
        assert_true(base64_end(&b));
        assert_int_equal(out.len, strlen(pairs[i][1]));
        assert_memory_equal(out.data ? out.data : "", pairs[i][1], out.len);
        buf_release(&out);
    }
}

TEST(target_parca__base64_does_not_mind_how_bytes_come)
{
    uint8_t bytes[5000], *back;
    size_t n;

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)hash_u64(i);
    for (size_t step = 1; step < 2000; step = step * 5 / 3 + 1) {
        struct base64 b;
        struct buf out;

        buf_init(&out, 1 << 20);
        base64_begin(&b, &out);
        for (size_t at = 0; at < sizeof(bytes); at += step)
            assert_int_equal(base64_write(&b, bytes + at, MIN_OF(step, sizeof(bytes) - at), NULL), 0);
        assert_true(base64_end(&b));
        buf_add(&out, "", 1);
        back = decode_base64(out.data, &n);
        assert_int_equal(n, sizeof(bytes));
        assert_memory_equal(back, bytes, n);
        free(back);
        buf_release(&out);
    }
}

TEST(target_parca__base64_says_when_there_is_no_room)
{
    for (size_t max = 0; max < 8; max++) {
        struct base64 b;
        struct buf out;
        struct err e = {0};

        buf_init(&out, max);
        base64_begin(&b, &out);
        assert_int_equal(base64_write(&b, "fooba", 5, &e), max < 4 ? -1 : 0);
        assert_false(base64_end(&b));
        buf_release(&out);
    }
}

/* ---- replies ---- */

static enum target_verdict judge(int status, const char *body)
{
    struct target *t = new_target(URL);
    struct http_reply r = {.status = status,
                           .error = "",
                           .retry_after_ms = -1,
                           .content_type = "application/json",
                           .body = body};
    char words[TARGET_WORDS_MAX];
    enum target_verdict v;

    r.body_bytes = body ? strlen(body) : 0;
    v = target_judge(t, &r, words);
    target_free(t);
    return v;
}

TEST(target_parca__judges_replies)
{
    assert_int_equal(judge(200, "{}"), TARGET_DELIVERED);
    assert_int_equal(judge(0, NULL), TARGET_RETRY);
    assert_int_equal(judge(400, "{\"code\":3,\"message\":\"id is not sequential\",\"details\":[]}"),
                     TARGET_REFUSED);
    assert_int_equal(judge(401, "{\"code\":16}"), TARGET_REFUSED);
    assert_int_equal(judge(403, "{\"code\":7}"), TARGET_REFUSED);
    assert_int_equal(judge(404, "404 page not found"), TARGET_REFUSED);
    assert_int_equal(judge(413, ""), TARGET_REFUSED);
    assert_int_equal(judge(501, "{\"code\":12}"), TARGET_REFUSED);
    assert_int_equal(judge(409, "{\"code\":10}"), TARGET_RETRY);
    assert_int_equal(judge(409, "{\"code\":6}"), TARGET_REFUSED);
    assert_int_equal(judge(429, "{\"code\":8}"), TARGET_RETRY);
    assert_int_equal(judge(499, "{\"code\":1}"), TARGET_RETRY);
    assert_int_equal(judge(503, "{\"code\":14}"), TARGET_RETRY);
    assert_int_equal(judge(504, "{\"code\":4}"), TARGET_RETRY);
    assert_int_equal(judge(408, ""), TARGET_RETRY);
    assert_int_equal(judge(502, "<html>bad gateway"), TARGET_RETRY);
    /* It looks as if another try could help, and cannot. */
    assert_int_equal(judge(500, "{\"code\":2,\"message\":\"unexpected token\"}"), TARGET_REFUSED);
    assert_int_equal(judge(500, "{\"code\":13}"), TARGET_RETRY);
    assert_int_equal(judge(500, "a proxy's words"), TARGET_RETRY);
    assert_int_equal(judge(500, NULL), TARGET_RETRY);
}
