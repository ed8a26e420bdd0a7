/*
 * test_http_reply.c - what is kept of a reply, and loading the library
 */
#include "unit.h"

#include <dlfcn.h>
#include <string.h>

#include "../../src/http/library.h"
#include "../../src/http/reply.h"
#include "ringside/http.h"

/* Must be the first: nothing unloads it. */
TEST(http_library__is_not_there_before_it_is_needed)
{
    struct library curl;
    void *handle = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_NOLOAD);

    assert_null(handle);
    assert_int_equal(library_load(&curl, LIBRARY_NAME, NULL), 0);
    handle = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(handle);
    dlclose(handle);
    library_release(&curl);
}

static void lines(struct reply *r, const char *const *line)
{
    for (; *line; line++)
        assert_true(reply_header(r, *line, strlen(*line)));
}

/* What a Retry-After of that value comes to. */
static int64_t retry_after(const struct library *curl, const char *value)
{
    char line[600];
    struct reply r;
    int64_t ms;

    reply_init(&r, curl->getdate);
    snprintf(line, sizeof(line), "Retry-After:%s\r\n", value);
    lines(&r, (const char *const[]){"HTTP/1.1 429 Too Many Requests\r\n", line, "\r\n", NULL});
    assert_true(r.complete);
    assert_int_equal(r.status, 429);
    ms = r.retry_after_ms;
    reply_release(&r);
    return ms;
}

TEST(http_reply__reads_retry_after_in_seconds)
{
    static const struct {
        const char *value;
        int64_t ms;
    } cases[] = {
        {" 0", 0},
        {" 120", 120000},
        {"7  ", 7000},
        {" 3600", HTTP_RETRY_AFTER_MAX_MS},
        {" 3601", HTTP_RETRY_AFTER_MAX_MS},
        {" 99999999999999999999999999999999999999", HTTP_RETRY_AFTER_MAX_MS},
        {" 9223372036854775807", HTTP_RETRY_AFTER_MAX_MS},
        {" -5", 0},
        {" -99999999999999999999999", 0},
        {"", -1},
        {" soon", -1},
        {" -", -1},
        {" 12 apples", -1},
    };
    struct library curl;

    assert_int_equal(library_load(&curl, LIBRARY_NAME, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(retry_after(&curl, cases[i].value), cases[i].ms);
    library_release(&curl);
}

TEST(http_reply__reads_retry_after_as_a_date)
{
    /* The three forms of RFC 9110 section 5.6.7. */
    static const char *const forms[] = {" %a, %d %b %Y %H:%M:%S GMT", " %A, %d-%b-%y %H:%M:%S GMT",
                                        " %a %b %e %H:%M:%S %Y"};
    time_t when = time(NULL) + 1800;
    struct library curl;

    assert_int_equal(library_load(&curl, LIBRARY_NAME, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        char text[64];
        int64_t ms;

        strftime(text, sizeof(text), forms[i], gmtime(&when));
        ms = retry_after(&curl, text);
        assert_true(ms > 0 && ms <= 1800 * 1000);
    }
    assert_int_equal(retry_after(&curl, " Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(retry_after(&curl, " Fri, 31 Dec 9999 23:59:59 GMT"), HTTP_RETRY_AFTER_MAX_MS);
    library_release(&curl);
}

TEST(http_reply__takes_the_last_of_several_replies)
{
    struct reply r;

    reply_init(&r, NULL);
    lines(&r, (const char *const[]){"HTTP/1.1 100 Continue\r\n", "Retry-After: 9\r\n", "\r\n", NULL});
    assert_false(r.complete);
    lines(&r,
          (const char *const[]){"HTTP/2 202 \r\n", "content-type:  text/plain; charset=utf-8 \r\n", NULL});
    assert_false(r.complete);
    lines(&r, (const char *const[]){"\r\n", NULL});
    assert_true(r.complete);
    assert_int_equal(r.status, 202);
    assert_int_equal(r.retry_after_ms, -1);
    assert_string_equal(r.content_type, "text/plain; charset=utf-8");
    lines(&r, (const char *const[]){"Retry-After: 5\r\n", "HTTP/1.1 500 No\r\n", NULL}); /* trailers */
    assert_int_equal(r.status, 202);
    assert_int_equal(r.retry_after_ms, -1);
    reply_release(&r);
}

TEST(http_reply__cuts_and_cleans_what_is_kept)
{
    char line[400] = "Content-Type: \x1b[31m";
    struct reply r;

    memset(line + strlen(line), 'a', 300);
    reply_init(&r, NULL);
    lines(&r, (const char *const[]){"HTTP/1.1 200 OK\n", line, "Content-Typ: b\n", "\n", NULL});
    assert_int_equal(strlen(r.content_type), sizeof(r.content_type) - 1);
    assert_memory_equal(r.content_type, "?[31maaa", 8);
    reply_release(&r);
}

TEST(http_reply__bounds_headers_and_body)
{
    static char bytes[HTTP_REPLY_MAX];
    size_t lines_taken = 0;
    struct reply r;

    reply_init(&r, NULL);
    while (reply_header(&r, "X: 0123456789\r\n", 15))
        lines_taken++;
    assert_int_equal(lines_taken, REPLY_HEADERS_MAX / 15);
    assert_true(r.headers_refused);
    assert_false(r.complete);
    assert_true(reply_body(&r, bytes, 1));
    assert_true(reply_body(&r, bytes, HTTP_REPLY_MAX - 1));
    assert_false(r.body_cut);
    assert_false(reply_body(&r, bytes, 1));
    assert_int_equal(r.body.len, HTTP_REPLY_MAX);
    reply_release(&r);
    reply_init(&r, NULL);
    assert_false(reply_body(&r, bytes, SIZE_MAX)); /* only what fits is looked at */
    assert_int_equal(r.body.len, HTTP_REPLY_MAX);
    reply_release(&r);
}

TEST(http_library__says_what_is_missing)
{
    struct library curl;
    struct err e = {0};

    assert_int_equal(library_load(&curl, "libringside-no-such-library.so.4", &e), -1);
    assert_non_null(strstr(e.text, "libringside-no-such-library.so.4"));
    assert_non_null(strstr(e.text, "package libcurl4"));
    assert_int_equal(library_load(&curl, "libc.so.6", &e), -1);
    assert_string_equal(e.text, "libc.so.6: it has no curl_global_init");
    library_release(&curl);
}
