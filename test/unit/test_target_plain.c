/*
 * test_target_plain.c - the names that files get elsewhere, and that the file is the file
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#include "pprof_read.h"
#include "target_world.h"

static void goes_to(const char *url, const struct target_identity *who, const char *method, const char *path)
{
    struct world w = {0};
    struct pprof_read read;
    struct profile p;

    world_profile(&p);
    world_convert(&w, &(struct target_config){.url = url}, &p, who, 0);
    assert_string_equal(w.request[0].method, method);
    assert_string_equal(w.request[0].path, path);
    assert_string_equal(w.request[0].headers, "Content-Type: application/octet-stream\n");
    pprof_read(&read, w.request[0].body.data, w.request[0].body.len);
    assert_int_equal(read_total(&read, read_column(&read, "cpu", "nanoseconds")), 40404040);
    assert_string_equal(read_label(&read, 0, "thread_id"), "42");
    pprof_read_release(&read);
    profile_release(&p);
    world_release(&w);
}

static void refused(const char *url, const char *part)
{
    struct err e = {0};

    assert_null(target_new(&(struct target_config){.url = url}, &e));
    if (!strstr(e.text, part))
        print_error("%s: %s\n", url, e.text);
    assert_non_null(strstr(e.text, part));
}

TEST(target_plain__a_path_that_ends_in_a_slash_gets_a_name)
{
    struct target_identity who = world_identity();

    goes_to("put+http://store/a/", &who, "PUT", "/a/web-20261128T114000Z-pid4242-5b2c1f7e-0001.pb.gz");
    goes_to("put+http://store", &who, "PUT", "/web-20261128T114000Z-pid4242-5b2c1f7e-0001.pb.gz");
    goes_to("post+http://store/a/", &who, "POST", "/a/web-20261128T114000Z-pid4242-5b2c1f7e-0001.pb.gz");
    goes_to("post+http://store/take", &who, "POST", "/take");
    goes_to("put+https://store/one%20place/x.pb.gz?X-Sig=abc", &who, "PUT", "/one%20place/x.pb.gz");
}

TEST(target_plain__words_in_braces_are_replaced)
{
    struct target_identity who = world_identity();

    who.environment = "prod";
    who.service_version = "1.2";
    goes_to("put+http://s/{env}/{service}/{version}/{host}-{pid}-{time}-{number}-{run}.pb.gz", &who, "PUT",
            "/prod/web/1.2/h1-4242-20261128T114000Z-0001-5b2c1f7e.pb.gz");
    goes_to("put+http://s/{runtime_id}/", &who, "PUT",
            "/5b2c1f7e-0000-4000-8000-000000000001/web-20261128T114000Z-pid4242-5b2c1f7e-0001.pb.gz");
    who.environment = NULL;
    who.service_version = "";
    goes_to("put+http://s/{env}{version}", &who, "PUT", "/nonenone");
}

TEST(target_plain__a_value_stays_one_part_of_the_name)
{
    static const char *const cases[][2] = {
        {"a/b c?", "a_b%20c_"},
        {"..", "_."},
        {".", "_"},
        {"../../etc/passwd", "_._.._etc_passwd"},
        {"..\\x", "_._x"},
        {"a%2Fb", "a%252Fb"},
        {"x#y&z=1", "x%23y%26z%3D1"},
        {"a\r\nHost: b", "a__Host%3A%20b"},
        {"caf\xc3\xa9", "caf%C3%A9"},
        {"caf\xe9", "caf_"},
        {"{host}", "%7Bhost%7D"},
    };
    struct target_identity who = world_identity();
    char want[512];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        who.service = cases[i][0];
        snprintf(want, sizeof(want), "/p/%s/x", cases[i][1]);
        goes_to("put+http://s/p/{service}/x", &who, "PUT", want);
    }
}

TEST(target_plain__a_long_value_is_cut_between_characters)
{
    struct target_identity who = world_identity();
    char name[10001], want[700] = "/";
    struct profile p;
    struct world w = {0};

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    memcpy(name + 99, "\xc3\xa9", 2);
    who.service = name;
    memset(want + 1, 'a', 99);
    want[100] = '\0';
    goes_to("put+http://s/{service}", &who, "PUT", want);
    /* A template of nothing but long values: all of what the URL may have still fits a spool's entry, or says
     * so. */
    world_profile(&p);
    who.host = "\x01";
    memset(name, '+', sizeof(name) - 1);
    for (size_t i = 0; i < 40; i++) {
        char url[512] = "put+http://s/";
        struct target_emit emit = {world_keep, &w};
        struct target *t;
        int sent;

        for (size_t k = 0; k <= i; k++)
            strcat(url, "{service}/");
        t = world_target(&(struct target_config){.url = url});
        sent = target_convert(t, &(struct target_job){&p, &who, 0}, &emit, NULL);
        assert_int_equal(sent, i < 12 ? 1 : -1);
        assert_true(sent == -1 || strlen(w.request[0].path) < 4000);
        world_release(&w);
        target_free(t);
    }
    profile_release(&p);
}

TEST(target_plain__unknown_words_and_lonely_braces_are_refused)
{
    refused("put+http://s/{servce}/", "'{servce}'");
    refused("put+http://s/{}", "'{}'");
    refused("put+http://s/{service", "'{service'");
    refused("put+http://s/a}b", "'}'");
    refused("post+http://s/{{service}}", "'{{service}'");
    refused("http://s/{service}", "put+ and post+");
    refused("pyroscope+http://s/{service}", "put+ and post+");
    refused("otlp+http://s/{service}", "put+ and post+");
}

TEST(target_plain__the_query_is_a_secret_of_the_endpoint)
{
    const struct target_config config = {.url = "put+https://s/x?X-Amz-Signature=hush"};
    struct target *t = world_target(&config),
                  *other =
                      world_target(&(struct target_config){.url = "put+https://s/x?X-Amz-Signature=changed"});

    assert_string_equal(target_endpoint(t)->query, "X-Amz-Signature=hush");
    assert_string_equal(target_endpoint(t)->url, "https://s:443");
    assert_null(strstr(target_name(t), "hush"));
    assert_string_equal(target_key(t), target_key(other));
    target_free(t);
    target_free(other);
}

TEST(target_plain__a_content_type_of_the_users_replaces_ours)
{
    static const char *const headers[] = {"content-type: application/gzip", "x-ms-blob-type: BlockBlob"};
    struct target_identity who = world_identity();
    struct world w = {0};
    struct profile p;

    world_profile(&p);
    world_convert(
        &w, &(struct target_config){.url = "put+http://localhost/x", .headers = headers, .header_count = 2},
        &p, &who, 0);
    assert_string_equal(w.request[0].headers, "");
    world_release(&w);
    profile_release(&p);
}
