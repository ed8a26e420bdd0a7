/*
 * fuzz_http.c - any bytes as the lines and the body of a server's reply, Retry-After among them
 */
#include "ringside/http.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/http/library.h"
#include "../../src/http/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct reply *r)
{
    if (r->retry_after_ms < -1 || r->retry_after_ms > HTTP_RETRY_AFTER_MAX_MS)
        abort();
    if (r->status < 0 || r->status > 999 || (r->complete && r->status < 200))
        abort();
    if (!memchr(r->content_type, '\0', sizeof(r->content_type)) || r->header_bytes > REPLY_HEADERS_MAX ||
        r->body.len > HTTP_REPLY_MAX)
        abort();
    for (const char *c = r->content_type; *c; c++)
        if ((unsigned char)*c < ' ')
            abort();
}

/* Lines are given as libcurl gives them: each in memory of its own, not terminated by a zero. */
static bool give(struct reply *r, const uint8_t *bytes, size_t n,
                 bool (*take)(struct reply *, const void *, size_t))
{
    void *copy = malloc(n ? n : 1);
    bool going;

    if (n)
        memcpy(copy, bytes, n);
    going = take(r, copy, n);
    check(r);
    free(copy);
    return going;
}

static bool take_line(struct reply *r, const void *bytes, size_t n)
{
    return reply_header(r, bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct library curl;
    struct reply r;

    if (!curl.handle && library_load(&curl, LIBRARY_NAME, NULL) < 0)
        abort();
    reply_init(&r, curl.getdate);
    while (n && !r.complete) {
        const uint8_t *end = memchr(data, '\n', n);
        size_t line = end ? (size_t)(end - data) + 1 : n;

        if (!give(&r, data, line, take_line))
            break;
        data += line;
        n -= line;
    }
    while (n) {
        size_t part = MIN_OF(n, (size_t)data[0] * 512 + 1);

        if (!give(&r, data, part, reply_body))
            break;
        data += part;
        n -= part;
    }
    reply_release(&r);
    return 0;
}
