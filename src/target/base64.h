/*
 * base64.h - base64 while bytes come in (RFC 4648 section 4: with padding, in one line); private to the
 * module
 */
#ifndef RINGSIDE_TARGET_BASE64_H
#define RINGSIDE_TARGET_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

struct base64 {
    struct buf *out;
    uint8_t rest[3]; /* bytes that are no group of three yet */
    uint8_t rests;
    bool full; /* out took no more */
};

/* What is encoded is appended to out, borrowed until base64_end(). */
void base64_begin(struct base64 *b, struct buf *out);
/* Fits struct byte_out. -1 with *e when out is full. */
int base64_write(void *base64, const void *bytes, size_t n, struct err *e);
/* False when out is full. */
bool base64_end(struct base64 *b);

#endif
