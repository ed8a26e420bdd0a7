/*
 * plain.c - the file itself, put under a name of its own, or posted
 */
#include "ringside/base.h"

#include "backend.h"

#define FILE_BYTES_MAX (64U << 20)

static int convert(const struct target *t, const char *method, const struct profile *p,
                   const struct target_emit *emit, struct err *e)
{
    struct buf body;
    int result;

    buf_init(&body, FILE_BYTES_MAX);
    result = target_pprof(p, &body, e);
    if (result == 0)
        result = emit->request(emit->ctx,
                               &(struct target_request){.method = method,
                                                        .path = t->path,
                                                        .headers = "Content-Type: application/gzip\n",
                                                        .body = body.data,
                                                        .body_bytes = body.len},
                               e);
    buf_release(&body);
    return result < 0 ? -1 : 1;
}

static int convert_put(const struct target *t, const struct profile *p, const struct target_identity *who,
                       uint64_t number, const struct target_emit *emit, struct err *e)
{
    (void)who;
    (void)number;
    return convert(t, "PUT", p, emit, e);
}

static int convert_post(const struct target *t, const struct profile *p, const struct target_identity *who,
                        uint64_t number, const struct target_emit *emit, struct err *e)
{
    (void)who;
    (void)number;
    return convert(t, "POST", p, emit, e);
}

const struct backend backend_put = {.kind = "put", .port = 80, .query = true, .convert = convert_put};
const struct backend backend_post = {.kind = "post", .port = 80, .query = true, .convert = convert_post};
