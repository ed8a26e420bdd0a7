/*
 * reply.h - what a server answers, gathered line by line within limits
 */
#ifndef RINGSIDE_HTTP_REPLY_H
#define RINGSIDE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ringside/base.h"

#define REPLY_HEADERS_MAX 65536 /* bytes of all header lines, interim replies and trailers too */

struct reply {
    time_t (*date)(const char *text, const time_t *unused); /* curl_getdate */
    int status;                                             /* of the last status line */
    bool complete;        /* its headers are all there and it is not an interim one: the status stands */
    bool headers_refused; /* too many bytes */
    bool body_cut;        /* there is more than HTTP_REPLY_MAX */
    size_t header_bytes;
    int64_t retry_after_ms; /* -1: none */
    char content_type[128];
    struct buf body;
};

void reply_init(struct reply *r, time_t (*date)(const char *, const time_t *));
void reply_release(struct reply *r);
/* One line with its end, as libcurl gives them; an empty one ends the headers. False: stop reading. */
bool reply_header(struct reply *r, const char *line, size_t n);
bool reply_body(struct reply *r, const void *bytes, size_t n);

#endif
