/*
 * gzip.c - zlib's deflate with the gzip wrapper (RFC 1952); no file name and no time in the header, so that
 * equal profiles are equal bytes
 */
#include "gzip.h"

#include <string.h>

#include "ringside/base.h"

#define WINDOW_GZIP  (15 + 16) /* largest window; +16 asks for the gzip wrapper (zlib.h, deflateInit2) */
#define MEMORY_LEVEL 8         /* zlib's default: 256 KiB together with the window */

int gzip_begin(struct gzip *z, const struct byte_out *out, int level, struct err *e)
{
    z->stream = (z_stream){0};
    z->out = out;
    z->e = e;
    z->failed = 0;
    z->pending = 0;
    if (deflateInit2(&z->stream, level, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(e, 0, "start zlib: %s", z->stream.msg ? z->stream.msg : "refused");
    return 0;
}

/* Compresses what is pending; Z_FINISH also writes the trailer. */
static void gzip_run(struct gzip *z, int flush)
{
    z->stream.next_in = z->in;
    z->stream.avail_in = z->pending;
    z->pending = 0;
    do {
        size_t made;

        z->stream.next_out = z->made;
        z->stream.avail_out = sizeof(z->made);
        deflate(&z->stream, flush); /* cannot fail on a stream in order: zlib.h */
        made = sizeof(z->made) - z->stream.avail_out;
        if (made && z->out->write(z->out->ctx, z->made, made, z->e) < 0)
            z->failed = -1;
    } while (z->stream.avail_out == 0 && !z->failed);
}

void gzip_add(struct gzip *z, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    while (n && !z->failed) {
        size_t part = MIN_OF(n, sizeof(z->in) - z->pending);

        memcpy(z->in + z->pending, p, part);
        z->pending += (unsigned)part;
        p += part;
        n -= part;
        if (z->pending == sizeof(z->in))
            gzip_run(z, Z_NO_FLUSH);
    }
}

int gzip_end(struct gzip *z)
{
    if (!z->failed)
        gzip_run(z, Z_FINISH);
    deflateEnd(&z->stream);
    return z->failed;
}
