/*
 * test_target.c - what URLs and credentials mean to a target, and what replies do
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/target.h"

#include "target_world.h"

#define API_KEY "0123456789abcdef0123456789abcdef"

static struct target *made(const char *url)
{
    return world_target(&(struct target_config){.url = url});
}

static void is_named(const char *url, const char *name)
{
    struct target *t = made(url);

    assert_string_equal(target_name(t), name);
    target_free(t);
}

/* The message has part in it, and never `secret`. */
static void refused(const struct target_config *c, const char *part)
{
    struct err e = {0};

    assert_null(target_new(c, &e));
    if (!strstr(e.text, part))
        print_error("%s: %s\n", c->url, e.text);
    assert_non_null(strstr(e.text, part));
    assert_null(strstr(e.text, "hush"));
}

static void url_refused(const char *url, const char *part)
{
    refused(&(struct target_config){.url = url}, part);
}

TEST(target__kind_and_port_follow_from_the_url)
{
    is_named("http://host", "datadog http://host:8126");
    is_named("host", "datadog http://host:8126");
    is_named("HOST:9000/x/", "datadog http://host:9000/x/");
    is_named("datadog+http://host:4040", "datadog http://host:4040");
    is_named("unix:///var/run/datadog/apm.socket", "datadog unix:///var/run/datadog/apm.socket");
    is_named("unix:///var/run/a%20b", "datadog unix:///var/run/a b");
    is_named("/run/apm.socket", "datadog unix:///run/apm.socket");
    is_named("http://host:4040", "pyroscope http://host:4040");
    is_named("https://host:7070/in", "parca https://host:7070/in");
    is_named("host:4318", "otlp http://host:4318");
    is_named("pyroscope+http://host", "pyroscope http://host:4040");
    is_named("pyroscope+https://host", "pyroscope https://host:443");
    is_named("parca+host", "parca http://host:7070");
    is_named("put+https://host/a/{service}/?X=1", "put https://host:443/a/{service}/");
    is_named("post+http://[::1]/x", "post http://[::1]:80/x");
    is_named("http://user:hush@host", "datadog http://host:8126");
}

TEST(target__kinds_are_known_in_front_of_a_plus)
{
    assert_int_equal(target_kind_prefix("pyroscope+TOKEN"), 10);
    assert_int_equal(target_kind_prefix("put+x"), 4);
    assert_int_equal(target_kind_prefix("pyroscope"), 0);
    assert_int_equal(target_kind_prefix("TOKEN+pyroscope+x"), 0);
    assert_int_equal(target_kind_prefix("+x"), 0);
    assert_int_equal(target_kind_prefix(""), 0);
}

TEST(target__an_unknown_kind_is_told_with_the_nearest)
{
    url_refused("pyrscope+http://h", "'pyrscope+' is no kind of target; did you mean 'pyroscope+'?");
    url_refused("Parca+http://h", "did you mean 'parca+'?");
    url_refused("jaegertracing+http://h", "'jaegertracing+' is no kind of target: datadog+");
    url_refused("pyrscope+h:1", "did you mean 'pyroscope+'?");
    url_refused("ftp://h", "'ftp://' is neither");
    url_refused("pyroscope+unix:///run/x", "pyroscope is not reached by a unix socket");
}

TEST(target__no_message_shows_a_credential)
{
    url_refused("pyrscope+http://u:hush@h", "did you mean 'pyroscope+'?");
    url_refused("u+hush@h", "in front of a user name");
    url_refused("http://hush:hu/sh@h", "'@' too many");
    url_refused("http://hush:80/hush@h", "'@' too many");
    url_refused("http://u:hush?hush@h", "'@' too many");
    url_refused("http://u:hush@hush@h", "'@' too many");
    url_refused("http://u:hush#1@h", "no '#' part");
    url_refused("http://u:hush%@h", "'%' without two");
    url_refused("http://u:hush 1@h", "is 0x20");
    url_refused("http://u:hush@h:x", "port 'x'");
    url_refused("u:hush@h", "in front of a user name");
    url_refused("http://:hush@h", "no user name");
    url_refused("http://u%3Ahush@h", "the user name has a ':'");
    url_refused("http://u:hush%0a@h", "the password has a control character");
    url_refused("http://h/?hush", "has no '?' part");
    url_refused("put+http://h/{x}?hush", "'{x}'");
}

TEST(target__credentials_are_taken_out_of_the_url)
{
    struct target *t = made("pyroscope+https://us%40er:p%3Aw%2Fd@host/prefix/");

    assert_string_equal(target_endpoint(t)->user, "us@er");
    assert_string_equal(target_endpoint(t)->password, "p:w/d");
    assert_string_equal(target_endpoint(t)->url, "https://host:443");
    target_free(t);
    t = made("pyroscope+https://user@host");
    assert_string_equal(target_endpoint(t)->user, "user");
    assert_string_equal(target_endpoint(t)->password, "");
    target_free(t);
}

TEST(target__a_user_in_the_url_beats_that_of_the_options)
{
    struct target_config c = {.url = "http://a:1@localhost", .user = "b", .password = "2"};
    struct target *t = world_target(&c);

    assert_string_equal(target_endpoint(t)->user, "a");
    assert_string_equal(target_endpoint(t)->password, "1");
    target_free(t);
    c.user = c.password = NULL;
    c.bearer_token = "token";
    t = world_target(&c);
    assert_string_equal(target_endpoint(t)->user, "a");
    assert_null(target_endpoint(t)->headers[0]);
    target_free(t);
    c = (struct target_config){.url = "http://localhost", .user = "b", .password = "2"};
    t = world_target(&c);
    assert_string_equal(target_endpoint(t)->user, "b");
    assert_string_equal(target_endpoint(t)->password, "2");
    target_free(t);
}

TEST(target__headers_and_bearer_token_go_with_every_request)
{
    static const char *const headers[] = {"X-One: 1", "X-Two:2"};
    struct target *t = world_target(&(struct target_config){.url = "parca+http://localhost",
                                                            .bearer_token = "tok",
                                                            .headers = headers,
                                                            .header_count = 2,
                                                            .ca_file = "/ca",
                                                            .timeout_ms = 5});
    const struct http_endpoint *e = target_endpoint(t);

    assert_string_equal(e->headers[0], "Authorization: Bearer tok");
    assert_string_equal(e->headers[1], "X-One: 1");
    assert_string_equal(e->headers[2], "X-Two:2");
    assert_null(e->headers[3]);
    assert_string_equal(e->ca_file, "/ca");
    assert_null(e->cert_file);
    assert_int_equal(e->timeout_ms, 5);
    target_free(t);
}

TEST(target__a_header_that_requests_have_goes_once)
{
    static const char *const headers[] = {"content-type: text/plain", "X-Mine: 1", "Content-Encoding: br",
                                          "dd-api-key: x"};
    static const char *const urls[] = {"http://localhost", "pyroscope+http://localhost",
                                       "parca+http://localhost", "otlp+http://localhost"};

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct target *t = world_target(
            &(struct target_config){.url = urls[i], .headers = headers, .header_count = ARRAY_LEN(headers)});

        assert_string_equal(target_endpoint(t)->headers[0], "X-Mine: 1");
        assert_null(target_endpoint(t)->headers[1]);
        target_free(t);
    }
}

TEST(target__headers_of_framing_are_refused_before_anything_starts)
{
    static const char *const names[] = {"connection: close", "Content-Length: 1",
                                        "Transfer-Encoding: chunked", "EXPECT:"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        refused(&(struct target_config){.url = "put+http://h/x", .headers = &names[i], .header_count = 1},
                "cannot be set");
}

/* What was said of p, converted for url. */
static void convert_one(const char *url, const struct profile *p, const struct target_identity *who,
                        struct world *w)
{
    world_convert(w, &(struct target_config){.url = url}, p, who, 0);
}

TEST(target__a_service_of_blanks_has_a_name)
{
    static const char *const blanks[] = {" ", "\t ", "\xc2\xa0", "\xe2\x80\x83\xe3\x80\x80 "};

    for (size_t i = 0; i < ARRAY_LEN(blanks); i++) {
        struct target_identity who = world_identity();
        struct world w = {0};
        struct profile p;

        who.service = blanks[i];
        world_profile(&p);
        convert_one("put+http://h/{service}", &p, &who, &w);
        convert_one("http://h", &p, &who, &w);
        convert_one("pyroscope+http://h", &p, &who, &w);
        convert_one("pyroscope+http://h/ingest", &p, &who, &w);
        assert_string_equal(w.request[0].path, "/unnamed");
        assert_non_null(memmem(w.request[1].body.data, w.request[1].body.len, "service:unnamed,", 16));
        assert_non_null(
            memmem(w.request[2].body.data, w.request[2].body.len, "\x0cservice_name\x12\x07unnamed", 22));
        assert_ptr_equal(strstr(w.request[3].path, "/ingest?name=unnamed%7Bhostname%3Dh1%7D&"),
                         w.request[3].path);
        world_release(&w);
        profile_release(&p);
    }
}

TEST(target__the_main_binary_is_the_first_mappings)
{
    struct target_identity who = world_identity();
    struct world w = {0};
    struct profile p;

    world_profile(&p);
    convert_one("http://h", &p, &who, &w);
    profile_add_mapping(
        &p, &(struct profile_mapping){.limit = 0x2000, .filename = profile_string(&p, "/usr/bin/shop")});
    convert_one("http://h", &p, &who, &w);
    who.executable = "/bin/given";
    convert_one("http://h", &p, &who, &w);
    assert_null(memmem(w.request[0].body.data, w.request[0].body.len, "entrypoint", 10));
    assert_non_null(memmem(w.request[1].body.data, w.request[1].body.len, "entrypoint.name:shop,", 21));
    assert_non_null(memmem(w.request[2].body.data, w.request[2].body.len, "entrypoint.name:given,", 22));
    world_release(&w);
    profile_release(&p);
}

TEST(target__credentials_that_cannot_be_sent_are_refused)
{
    static const char *const authorization[] = {"authorization: Basic hush"};
    static const char *const two_lines[] = {"X: hush\r\nHost: hush"}, *const no_name[] = {"hush"},
                             *const blank[] = {"X y: hush"};
    struct target_config c = {.url = "http://localhost"};

    c.password = "hush";
    refused(&c, "no user name");
    c.user = "u:hush";
    refused(&c, "the user name has a ':'");
    c.user = "u";
    c.password = "hush\n";
    refused(&c, "the password has a control character");
    c.password = "hush";
    c.bearer_token = "hush";
    refused(&c, "a user name and a bearer token");
    c.user = c.password = NULL;
    c.bearer_token = "hu sh";
    refused(&c, "the bearer token has a space");
    c.bearer_token = "hush\r\nX: y";
    refused(&c, "the bearer token has a space or a control");
    c.bearer_token = "hush";
    c.headers = authorization;
    c.header_count = 1;
    refused(&c, "an Authorization header and a bearer token");
    c.bearer_token = NULL;
    c.headers = two_lines;
    refused(&c, "header X: there is a control character");
    c.headers = no_name;
    refused(&c, "a header has to be 'Name: value'");
    c.headers = blank;
    refused(&c, "a header has to be 'Name: value'");
    c.header_count = 0;
    c.tenant = "hush\n";
    refused(&c, "the tenant has a control character");
}

TEST(target__agentless_needs_a_key_that_looks_like_one)
{
    struct target_config c = {.url = "https://intake.profile.datadoghq.com", .agentless = true};
    struct target *t;

    refused(&c, "an API key is needed");
    c.api_key = "hush";
    refused(&c, "the API key is none of Datadog's");
    c.api_key = "0123456789ABCDEF0123456789abcdef";
    refused(&c, "the API key is none of Datadog's");
    c.api_key = "0123456789abcdef0123456789abcde\n";
    refused(&c, "the API key is none of Datadog's");
    c.api_key = API_KEY;
    t = world_target(&c);
    assert_string_equal(target_endpoint(t)->headers[0], "DD-API-KEY: " API_KEY);
    assert_string_equal(target_endpoint(t)->url, "https://intake.profile.datadoghq.com:443");
    target_free(t);
    c.url = "http://intake.profile.datadoghq.com";
    refused(&c, "the API key is not sent unencrypted");
    c.url = "/run/x";
    refused(&c, "not for a unix socket");
}

TEST(target__the_intake_is_no_agent)
{
    refused(&(struct target_config){.url = "https://intake.profile.datadoghq.eu"}, "with --agentless");
}

TEST(target__a_key_alone_does_not_mean_agentless)
{
    struct target *t = world_target(&(struct target_config){.url = "http://agent:8126", .api_key = "hush"});

    assert_null(target_endpoint(t)->headers[0]);
    target_free(t);
}

/* ---- keys ---- */

static void keys(const struct target_config *a, const struct target_config *b, bool same)
{
    struct target *x = world_target(a), *y = world_target(b);

    assert_int_equal(strlen(target_key(x)), 16);
    assert_int_equal(strspn(target_key(x), "0123456789abcdef"), 16);
    if ((strcmp(target_key(x), target_key(y)) == 0) != same)
        print_error("%s, %s\n", a->url, b->url);
    assert_true((strcmp(target_key(x), target_key(y)) == 0) == same);
    target_free(x);
    target_free(y);
}

static void url_keys(const char *a, const char *b, bool same)
{
    keys(&(struct target_config){.url = a}, &(struct target_config){.url = b}, same);
}

TEST(target__a_key_is_of_place_and_account_and_of_no_secret)
{
    const char *url = "pyroscope+http://localhost";

    url_keys("http://host", "HOST:8126", true);
    url_keys("http://host", "http://host:8126/profiling/v1/input", true);
    url_keys("http://host", "https://host:8126", false);
    url_keys("http://host", "http://host2", false);
    url_keys("http://host/a", "http://host/b", false);
    url_keys("http://host:1", "http://host:2", false);
    url_keys("/run/a", "/run/b", false);
    url_keys("/run/a", "unix:///run/a", true);
    url_keys("put+http://h/a", "post+http://h/a", false);
    url_keys("put+http://h/a", "put+http://h/a/", false);
    url_keys("http://u:1@localhost", "http://u:2@localhost", true);
    url_keys("http://u:1@localhost", "http://v:1@localhost", false);
    keys(&(struct target_config){.url = url, .bearer_token = "1"},
         &(struct target_config){.url = url, .bearer_token = "2"}, true);
    keys(&(struct target_config){.url = url, .tenant = "1"},
         &(struct target_config){.url = url, .tenant = "2"}, false);
}

TEST(target__a_key_is_the_same_in_every_version)
{
    struct target *t = made("http://localhost:8126");

    /* What is spooled under it waits for a run that may be of another version. */
    assert_string_equal(target_key(t), "f7f17f05ceb26665");
    target_free(t);
}

/* ---- replies ---- */

static enum target_verdict judge(const char *url, int status, const char *body, char *words)
{
    struct target *t = made(url);
    struct http_reply r = {.status = status,
                           .error = "",
                           .content_type = "",
                           .body = body,
                           .body_bytes = body ? strlen(body) : 0};
    enum target_verdict verdict = target_judge(t, &r, words);

    target_free(t);
    return verdict;
}

TEST(target__a_status_says_what_becomes_of_the_request)
{
    static const struct {
        int status;
        enum target_verdict verdict;
    } cases[] = {{200, TARGET_DELIVERED}, {202, TARGET_DELIVERED}, {204, TARGET_DELIVERED},
                 {301, TARGET_REFUSED},   {400, TARGET_REFUSED},   {401, TARGET_REFUSED},
                 {403, TARGET_REFUSED},   {404, TARGET_REFUSED},   {407, TARGET_RETRY},
                 {408, TARGET_RETRY},     {413, TARGET_REFUSED},   {429, TARGET_RETRY},
                 {500, TARGET_RETRY},     {502, TARGET_RETRY},     {503, TARGET_RETRY},
                 {599, TARGET_RETRY},     {0, TARGET_RETRY},       {600, TARGET_REFUSED}};
    static const char *const urls[] = {"http://h", "/run/x", "put+http://h/x", "post+http://h/x"};
    char words[TARGET_WORDS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t u = 0; u < ARRAY_LEN(urls); u++)
            assert_int_equal(judge(urls[u], cases[i].status, NULL, words), cases[i].verdict);
}

TEST(target__what_a_proxy_says_of_itself_is_no_refusal)
{
    static const char *const urls[] = {"http://h", "pyroscope+http://h", "parca+http://h", "otlp+http://h",
                                       "put+http://h/x"};
    char words[TARGET_WORDS_MAX];

    for (size_t u = 0; u < ARRAY_LEN(urls); u++) {
        assert_int_equal(judge(urls[u], 407, "<html><title>Proxy", words), TARGET_RETRY);
        assert_string_equal(words, "the proxy wants a user and password");
    }
}

TEST(target__words_are_what_a_person_can_read)
{
    static const char *const cases[][2] = {
        {NULL, ""},
        {"", ""},
        {" two\r\n\tlines \n", "two lines"},
        {"{\"code\":\"x\",\"message\":\"tenant \\\"a\\\"\\nis\\u00e9 over\"}", "tenant \"a\" isu00e9 over"},
        {"{\"error\":{\"message\" : \"deep\"}}", "deep"},
        {"{\"message\":\"never ends\\", "never ends\\"},
        {"{\"message\":\"\"}", "{\"message\":\"\"}"},
        {"{\"message\":42}", "{\"message\":42}"},
        {"{\"message\"", "{\"message\""},
        {"<?xml?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
         "Request has expired"},
        {"<html>\r\n<head><title>405 Not Allowed</title></head>", "405 Not Allowed"},
        {"<title>", "<title>"},
        {"caf\xe9\x1b[31m", "caf??[31m"},
        {"\xc2\x9b"
         "31m\x7f caf\xc3\xa9 \xc2\xa0",
         "??31m? caf\xc3\xa9 \xc2\xa0"}, /* U+009B */
    };
    char words[TARGET_WORDS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        judge("post+http://h/x", 500, cases[i][0], words);
        assert_string_equal(words, cases[i][1]);
    }
}

TEST(target__a_delivery_needs_no_words)
{
    static const char *const urls[] = {"http://h", "pyroscope+http://h", "parca+http://h", "put+http://h/x"};
    char words[TARGET_WORDS_MAX];

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        assert_int_equal(judge(urls[i], 200, "{}", words), TARGET_DELIVERED);
        assert_string_equal(words, "");
    }
}

TEST(target__words_are_cut_to_what_fits)
{
    char words[TARGET_WORDS_MAX], body[2000];

    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    memcpy(body + TARGET_WORDS_MAX - 2, "\xc3\xa9", 2);
    judge("post+http://h/x", 500, body, words);
    assert_int_equal(strlen(words), TARGET_WORDS_MAX - 1);
    assert_int_equal(words[TARGET_WORDS_MAX - 2], '?');
    judge("http://h", 404, body, words);
    assert_true(strlen(words) < TARGET_WORDS_MAX);
}

TEST(target__words_that_repeat_a_credential_are_not_shown)
{
    static const char *const headers[] = {"X-Api-Key: hush-hush"}, *const none[] = {"X-Team: core"};
    struct target_config configs[] = {
        {.url = "post+http://localhost/x?sig=hush-hush"},
        {.url = "post+http://u:hush-hush@localhost/x"},
        {.url = "pyroscope+http://localhost", .user = "u", .password = "hush-hush"},
        {.url = "otlp+http://localhost", .bearer_token = "hush-hush"},
        {.url = "parca+http://localhost", .headers = headers, .header_count = 1},
        {.url = "http://localhost", .headers = headers, .header_count = 1},
    };
    /* dTpodXNoLWh1c2g= is u:hush-hush */
    static const char said[] =
        "you sent: Authorization: Basic dTpodXNoLWh1c2g= X: hush-hush /x?sig=hush-hush";
    struct http_reply reply = {.status = 400, .error = "", .body = said, .body_bytes = sizeof(said) - 1};
    char words[TARGET_WORDS_MAX];
    struct target *t;

    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        t = world_target(&configs[i]);
        assert_int_equal(target_judge(t, &reply, words), TARGET_REFUSED);
        assert_string_equal(words, "what it said repeats a credential, and is not shown");
        if (configs[i].password) {
            reply.body_bytes = strcspn(said, "=") + 1; /* the encoded form alone */
            target_judge(t, &reply, words);
            assert_string_equal(words, "what it said repeats a credential, and is not shown");
            reply.body_bytes = sizeof(said) - 1;
        }
        target_free(t);
    }
    t = world_target(&(struct target_config){.url = "http://localhost", .headers = none, .header_count = 1});
    reply.body = "core dumped";
    reply.body_bytes = 11;
    target_judge(t, &reply, words);
    assert_string_equal(words, "core dumped");
    target_free(t);
}

TEST(target__no_reply_is_told_in_the_words_of_the_transport)
{
    struct target *t = made("http://h");
    char words[TARGET_WORDS_MAX];

    assert_int_equal(target_judge(t, &(struct http_reply){.error = "connection refused"}, words),
                     TARGET_RETRY);
    assert_string_equal(words, "connection refused");
    target_free(t);
}

TEST(target__refusals_of_datadog_say_what_to_do)
{
    char words[TARGET_WORDS_MAX];
    struct target *t;

    judge("http://h", 404, "404 page not found\n", words);
    assert_string_equal(
        words,
        "the agent takes no profiles (it is older than 7.20, or this is no agent): 404 page not found");
    judge("http://h", 413, NULL, words);
    assert_string_equal(words, "the profile is too large");
    judge("put+http://h/x", 409, "<html>", words);
    assert_non_null(strstr(words, "create_full_put_path"));
    t = world_target(
        &(struct target_config){.url = "https://intake.profile.x", .agentless = true, .api_key = API_KEY});
    target_judge(t, &(struct http_reply){.status = 403, .error = ""}, words);
    assert_string_equal(words, "the API key is not of this site, or not valid");
    target_free(t);
}
