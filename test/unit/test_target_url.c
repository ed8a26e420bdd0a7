/*
 * test_target_url.c - URLs taken apart; what is taken, libcurl understands in the same way
 */
#include "unit.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

#include "../../src/target/url.h"

static void taken(const char *text, struct url *u)
{
    struct err e = {0};

    if (url_parse(text, u, &e) < 0)
        fail_msg("%s: %s", text, e.text);
}

static void refused(const char *text, const char *part)
{
    struct err e = {0};
    struct url u;

    if (url_parse(text, &u, &e) == 0)
        fail_msg("%s was taken", text);
    if (!strstr(e.text, part))
        fail_msg("%s: %s", text, e.text);
}

TEST(target_url__all_parts_are_found)
{
    struct url u;

    taken("HTTPS://Us:p%20w@Example.COM:8443/a/b;c=d?x=y&z?", &u);
    assert_int_equal(u.scheme, URL_HTTPS);
    assert_true(u.has_user);
    assert_string_equal(u.user, "Us");
    assert_string_equal(u.password, "p w");
    assert_string_equal(u.host, "example.com");
    assert_int_equal(u.port, 8443);
    assert_string_equal(u.path, "/a/b;c=d");
    assert_string_equal(u.query, "x=y&z?");
    taken("h?q", &u);
    assert_int_equal(u.scheme, URL_NONE);
    assert_string_equal(u.host, "h");
    assert_int_equal(u.port, 0);
    assert_string_equal(u.path, "");
    assert_string_equal(u.query, "q");
    taken("unix:///run/a%2bb", &u);
    assert_int_equal(u.scheme, URL_UNIX);
    assert_string_equal(u.path, "/run/a+b");
    taken("UNIX:///run/a%3fb", &u);
    assert_int_equal(u.scheme, URL_UNIX);
    assert_string_equal(u.path, "/run/a?b");
    taken("/run/a%2bb", &u);
    assert_int_equal(u.scheme, URL_UNIX);
    assert_string_equal(u.path, "/run/a%2bb");
    taken("http://[2001:DB8:0:0::1]", &u);
    assert_string_equal(u.host, "[2001:db8::1]");
}

TEST(target_url__hosts_have_one_meaning)
{
    static const char *const good[] = {"h",         "a-b.c_d",          "1.2.3.4",   "a.1b", "x1",
                                       "localhost", "[::ffff:1.2.3.4]", "h.ns.svc.", "1a.",  "a.0xg"};
    static const char *const bad[] = {
        "127.1", "0x7f.1", "0x7f000001", "2130706433", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
        "a..b",  ".a",     "a..",        ".",          "1.2.3.4.",  "127.1.",    "a.1",
        "a.0x",  "-%41",   "h%2e",       "a,b",        "a*b",       "(a)",       "$x"};
    struct url u;

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        taken(good[i], &u);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(bad[i], bad[i]);
    refused("http://[::1", "no ']'");
    refused("http://[::1]x", "between ']'");
    refused("http://[]", "no IPv6 address");
    refused("http://[1.2.3.4]", "no IPv6 address");
    refused("http://[fe80::1%25eth0]", "no IPv6 address that all readers of URLs take: it has a zone");
    refused("http://::1", "no host");
    refused("http://", "no host");
    refused("http:///x", "no host");
    refused("http://:80", "no host");
    refused("", "empty");
}

TEST(target_url__ports_are_numbers_from_1_to_65535)
{
    struct url u;

    taken("h:1", &u);
    taken("h:65535", &u);
    assert_int_equal(u.port, 65535);
    refused("h:0", "port 0 is not from 1 to 65535");
    refused("h:65536", "port 65536");
    refused("h:99999999999999999999", "port 99999999999999999999");
    refused("h:", "no port");
    refused("h:8126x", "port '8126x' is not a number");
    refused("h:+1", "port '+1'");
    refused("h:80:80", "port '80:80'");
}

TEST(target_url__characters_that_have_to_be_escaped_are_refused)
{
    refused("http://h/a b", "character 11 is 0x20, which has to be written as %20");
    refused("http://h/\xc3\xa9", "0xc3");
    refused("http://b\xc3\xbc"
            "cher.de/",
            "as xn--");
    refused("http://h/a\nb", "0x0a");
    refused("http://h/a\\b", "0x5c");
    refused("http://h/%", "character 10: '%' without");
    refused("http://h/%4", "'%' without");
    refused("http://h/%4g", "'%' without");
    refused("http://h/#x", "'#'");
    refused("http://h/a@b", "'@' too many");
    refused(" http://h", "0x20");
    refused("unix:///a%00b", "control character");
    refused("unix:///a?x=y", "a socket has no '?' part");
    refused("unix://host/a", "by its whole path");
    refused("/a\nb", "control character");
    refused("http://u%00:x@h", "control character");
}

TEST(target_url__dots_for_folders_are_refused)
{
    static const char *const bad[] = {"/..",      "/.",    "/../a",  "/a/../b", "/a/./b",
                                      "/%2e%2E/", "/.%2e", "/a/%2e", "//.."},
                             *const good[] = {"",       "/",    "/a",   "/.a",  "/...",
                                              "/a../b", "/..a", "/a.b", "/%2ea"};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(url_has_dot_segment(bad[i]));
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_false(url_has_dot_segment(good[i]));
    refused("http://h/a/../b", "'.' or '..'");
}

static char *repeat(const char *before, char c, size_t n, const char *behind)
{
    char *text = base_alloc(strlen(before) + n + strlen(behind) + 1), *at = stpcpy(text, before);

    memset(at, c, n);
    strcpy(at + n, behind);
    return text;
}

static void refused_repeat(const char *before, size_t n, const char *behind, const char *part)
{
    FREE_PTR char *text = repeat(before, 'a', n, behind);

    refused(text, part);
}

TEST(target_url__every_part_has_a_length)
{
    refused_repeat("http://", 64, "", "no host name");
    refused_repeat("http://", 300, "", "longer than 253");
    refused_repeat("http://h/", 2047, "", "the path is longer");
    refused_repeat("http://h?", 2048, "", "the query is longer");
    refused_repeat("http://", 1024, "@h", "the user name is longer");
    refused_repeat("http://u:", 1024, "@h", "the password is longer");
    refused_repeat("/", 107, "", "the socket's path is longer than 107");
    refused_repeat("unix:///", 107, "", "the socket's path is longer than 107");
    refused_repeat("http://[", 50, "]", "no IPv6 address");
    refused("unix://run/x", "whole path");
    refused("unix:///", "no path of a socket");
}

TEST(target_url__loopback_is_this_machine_only)
{
    static const char *const here[] = {"localhost", "LOCALHOST:1", "a.localhost", "127.0.0.1",
                                       "127.9.9.9", "[::1]",       "[0:0::1]"};
    static const char *const there[] = {"localhost.com", "127.0.0.1.com", "xlocalhost",
                                        "128.0.0.1",     "[::2]",         "h"};
    struct url u;

    for (size_t i = 0; i < ARRAY_LEN(here); i++) {
        taken(here[i], &u);
        assert_true(url_is_loopback(&u));
    }
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        taken(there[i], &u);
        assert_false(url_is_loopback(&u));
    }
}

/* ---- against libcurl ---- */

struct libcurl {
    CURLU *(*url)(void);
    void (*cleanup)(CURLU *);
    CURLUcode (*set)(CURLU *, CURLUPart, const char *, unsigned);
    CURLUcode (*get)(CURLU *, CURLUPart, char **, unsigned);
    void (*free)(void *);
};

static bool libcurl_load(struct libcurl *c)
{
    void *lib = dlopen("libcurl.so.4", RTLD_NOW);

    if (!lib)
        return false;
    *(void **)&c->url = dlsym(lib, "curl_url");
    *(void **)&c->cleanup = dlsym(lib, "curl_url_cleanup");
    *(void **)&c->set = dlsym(lib, "curl_url_set");
    *(void **)&c->get = dlsym(lib, "curl_url_get");
    *(void **)&c->free = dlsym(lib, "curl_free");
    return c->url && c->cleanup && c->set && c->get && c->free;
}

static void part_is(const struct libcurl *c, CURLU *u, CURLUPart part, unsigned flags, const char *want)
{
    char *have = NULL;
    CURLUcode code = c->get(u, part, &have, flags);

    assert_string_equal(code == CURLUE_OK ? have : "", want);
    c->free(have);
}

/* Each a piece in the place of its kind; all combinations are tried. */
static const char *const schemes[] = {"http://", "https://", "HTTP://", "",
                                      "http:/",  "http:",    "ftp://",  "://"};
static const char *const users[] = {"",       "u@",    "u:p@", "u:@",  "u%40x:p%2f%3a@", ":p@",
                                    "u:p:q@", "u:p/@", "@",    "a@b@", "u%00@",          "u:#@"};
static const char *const hosts[] = {"h",          "Example.com", "1.2.3.4", "127.1",     "0x7f.1",
                                    "0177.0.0.1", "1.2.3.4.",    "h.",      "a..b",      "[::1]",
                                    "[1::0:0:2]", "[::1%25lo]",  "[::g]",   "",          "a_b",
                                    "a%41",       "xn--a",       "h\\x",    "4294967295"};
static const char *const ports[] = {"", ":1", ":65535", ":65536", ":", ":0", ":08", ":x", ":8x", ":-1"};
static const char *const rests[] = {"",         "/",         "/a/b",     "/a//b/",         "/..",    "/a/./b",
                                    "/a%2e%2e", "/%2e%2e/b", "?q",       "/?q=1&r",        "/a?b?c", "/a#f",
                                    "/{x}",     "/a%zz",     "/a;b=c,d", "/~a'b(c)*!$&+=", "/a\tb",  "/:80"};

static void compare(const struct libcurl *c, const char *text, const struct url *mine)
{
    char port[8];
    CURLU *u = c->url();
    FREE_PTR char *whole = base_alloc(strlen(text) + 8);

    /* What has no scheme gets http: libcurl would guess one from the host's name. */
    sprintf(whole, "%s%s", mine->scheme == URL_NONE ? "http://" : "", text);
    if (c->set(u, CURLUPART_URL, whole, 0) != CURLUE_OK)
        fail_msg("libcurl refuses %s", whole);
    snprintf(port, sizeof(port), "%u", mine->port);
    part_is(c, u, CURLUPART_PORT, 0, mine->port ? port : "");
    part_is(c, u, CURLUPART_USER, CURLU_URLDECODE, mine->user);
    part_is(c, u, CURLUPART_PASSWORD, CURLU_URLDECODE, mine->password);
    part_is(c, u, CURLUPART_PATH, 0, mine->path[0] ? mine->path : "/");
    part_is(c, u, CURLUPART_QUERY, 0, mine->query);
    part_is(c, u, CURLUPART_SCHEME, 0, mine->scheme == URL_HTTPS ? "https" : "http");
    c->cleanup(u);
}

/* The host as written by us goes to libcurl: it must be what it says, with any IPv6 address in our form. */
static void compare_host(const struct libcurl *c, const struct url *mine)
{
    char text[300];
    CURLU *u = c->url();

    snprintf(text, sizeof(text), "http://%s:1", mine->host);
    assert_int_equal(c->set(u, CURLUPART_URL, text, 0), CURLUE_OK);
    part_is(c, u, CURLUPART_HOST, 0, mine->host);
    c->cleanup(u);
}

TEST(target_url__what_is_taken_means_the_same_to_libcurl)
{
    struct libcurl c;
    struct url u;
    char text[200];
    uint32_t same = 0;

    if (!libcurl_load(&c)) {
        print_message("skipped: libcurl is not installed\n");
        skip();
    }
    for (size_t i = 0;
         i < ARRAY_LEN(schemes) * ARRAY_LEN(users) * ARRAY_LEN(hosts) * ARRAY_LEN(ports) * ARRAY_LEN(rests);
         i++) {
        size_t n = i;
        const char *scheme = schemes[n % ARRAY_LEN(schemes)];
        const char *user = users[(n /= ARRAY_LEN(schemes)) % ARRAY_LEN(users)];
        const char *host = hosts[(n /= ARRAY_LEN(users)) % ARRAY_LEN(hosts)];
        const char *port = ports[(n /= ARRAY_LEN(hosts)) % ARRAY_LEN(ports)];
        const char *rest = rests[(n / ARRAY_LEN(ports)) % ARRAY_LEN(rests)];

        snprintf(text, sizeof(text), "%s%s%s%s%s", scheme, user, host, port, rest);
        if (url_parse(text, &u, NULL) < 0 || u.scheme == URL_UNIX)
            continue;
        compare(&c, text, &u);
        compare_host(&c, &u);
        same++;
    }
    assert_true(same > 2000);
}
