/*
 * gzip.h - one gzip member, made while bytes come in and handed on at once
 */
#ifndef RINGSIDE_PPROF_GZIP_H
#define RINGSIDE_PPROF_GZIP_H

#include <isa-l/igzip_lib.h>
#include <stddef.h>
#include <stdint.h>

struct byte_out;
struct err;

struct gzip {
    const struct byte_out *out; /* NULL: only counted */
    uint64_t taken;             /* bytes that came in */
    struct err *e;
    int failed;
    unsigned pending; /* bytes gathered in `in`: compressing crumbs is slow */
    unsigned char in[16384], made[16384];
    struct isal_zstream stream;
    _Alignas(16) unsigned char matches[ISAL_DEF_LVL1_SMALL];
};

/* Both are borrowed until gzip_end(). out NULL: bytes are counted and forgotten. */
void gzip_begin(struct gzip *z, const struct byte_out *out, struct err *e);
/* Failures are kept: the first one is what gzip_end() returns. */
void gzip_add(struct gzip *z, const void *bytes, size_t n);
int gzip_end(struct gzip *z);

#endif
