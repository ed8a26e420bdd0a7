/*
 * gzip.h - one gzip member, made while bytes come in and handed on at once
 */
#ifndef RINGSIDE_PPROF_GZIP_H
#define RINGSIDE_PPROF_GZIP_H

#include <stddef.h>
#include <zlib.h>

struct byte_out;
struct err;

struct gzip {
    z_stream stream;
    const struct byte_out *out;
    struct err *e;
    int failed;
    unsigned pending; /* bytes gathered in `in`: deflate() is slow on crumbs */
    unsigned char in[16384], made[16384];
};

/* Both are borrowed until gzip_end(). level: zlib's, 1 (fast) to 9. */
int gzip_begin(struct gzip *z, const struct byte_out *out, int level, struct err *e);
/* Failures are kept: the first one is what gzip_end() returns. */
void gzip_add(struct gzip *z, const void *bytes, size_t n);
int gzip_end(struct gzip *z);

#endif
