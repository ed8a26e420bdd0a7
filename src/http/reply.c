/*
 * reply.c - status, the two headers of interest, and the beginning of the body
 *
 * The lines come from whoever listens at the other end: nothing is believed about their length or contents.
 */
#include "reply.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "ringside/http.h"

void reply_init(struct reply *r, time_t (*date)(const char *, const time_t *))
{
    memset(r, 0, sizeof(*r));
    r->date = date;
    r->retry_after_ms = -1;
    buf_init(&r->body, HTTP_REPLY_MAX);
}

void reply_release(struct reply *r)
{
    buf_release(&r->body);
}

/* "HTTP/1.1 503 Service Unavailable", "HTTP/2 200" */
static int parse_status(const char *line, size_t n)
{
    const char *blank = memchr(line, ' ', n);
    int status = 0;

    if (!blank || n - (size_t)(blank - line) < 4)
        return 0;
    for (int i = 1; i <= 3; i++) {
        if (blank[i] < '0' || blank[i] > '9')
            return 0;
        status = status * 10 + blank[i] - '0';
    }
    return status;
}

/* The value of a header when the line is one of that name: without blanks around it, cut to size. */
static bool header_value(const char *line, size_t n, const char *name, char value[128])
{
    size_t named = strlen(name), len = 0;

    if (n <= named || strncasecmp(line, name, named) != 0 || line[named] != ':')
        return false;
    for (size_t i = named + 1; i < n && len < 127; i++) {
        if (len == 0 && isspace((unsigned char)line[i]))
            continue;
        value[len++] = line[i] ? line[i] : '?';
    }
    while (len && isspace((unsigned char)value[len - 1]))
        len--;
    value[len] = '\0';
    utf8_clean(value);
    return true;
}

static int64_t clamp_ms(int64_t ms)
{
    return ms < 0 ? 0 : MIN_OF(ms, HTTP_RETRY_AFTER_MAX_MS);
}

/* RFC 9110 section 10.2.3. A time that has passed, and a negative number (which is not in the grammar), mean
 * now. */
static int64_t parse_retry_after(const struct reply *r, const char *value)
{
    size_t digits = strspn(value + (*value == '-'), "0123456789");
    int64_t seconds = 0;
    time_t when;

    if (digits && !value[digits + (*value == '-')]) {
        for (; *value >= '0' && *value <= '9' && seconds <= HTTP_RETRY_AFTER_MAX_MS; value++)
            seconds = seconds * 10 + *value - '0';
        return clamp_ms(seconds * 1000);
    }
    when = r->date(value, NULL);
    if (when == -1)
        return -1;
    seconds = (int64_t)when - (int64_t)(clock_wall_ns() / NSEC_PER_SEC);
    return clamp_ms(MIN_OF(seconds, HTTP_RETRY_AFTER_MAX_MS) * 1000);
}

static void begin(struct reply *r, int status)
{
    r->status = status;
    r->retry_after_ms = -1;
    r->content_type[0] = '\0';
}

bool reply_header(struct reply *r, const char *line, size_t n)
{
    char value[128];

    if (n > REPLY_HEADERS_MAX - r->header_bytes) {
        r->headers_refused = true;
        return false;
    }
    r->header_bytes += n;
    if (r->complete) /* a trailer */
        return true;
    if (n == 0 || line[0] == '\r' || line[0] == '\n')
        r->complete = r->status >= 200;
    else if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
        begin(r, parse_status(line, n));
    else if (header_value(line, n, "Content-Type", value))
        memcpy(r->content_type, value, sizeof(value));
    else if (header_value(line, n, "Retry-After", value))
        r->retry_after_ms = parse_retry_after(r, value);
    return true;
}

bool reply_body(struct reply *r, const void *bytes, size_t n)
{
    size_t fits = MIN_OF(n, HTTP_REPLY_MAX - r->body.len);

    buf_add(&r->body, bytes, fits);
    r->body_cut = fits < n;
    return !r->body_cut;
}
