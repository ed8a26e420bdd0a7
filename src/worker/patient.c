/*
 * patient.c - a profile to somebody slow
 *
 * A disk may take its time, and so may who reads a pipe: that is no silence of ours, for which the supervisor
 * would put another worker in our place, who would write it all once more.
 */
#include "ringside/pprof.h"

#include "worker_private.h"

struct slow_out {
    const struct worker *w;
    const struct byte_out *out;
};

static int write_slowly(void *ctx, const void *bytes, size_t n, struct err *e)
{
    const struct slow_out *slow = ctx;
    int result;

    worker_alive(slow->w, true);
    result = slow->out->write(slow->out->ctx, bytes, n, e);
    worker_alive(slow->w, false);
    return result;
}

int write_patiently(const struct worker *w, const struct profile *p, const struct byte_out *out,
                    struct err *e)
{
    struct slow_out slow = {w, out};
    int result;

    worker_alive(w, false);
    result = pprof_write(p, &(struct byte_out){write_slowly, &slow}, e);
    worker_alive(w, true); /* until the caller goes on: what is written gets its name */
    return result;
}
