/*
 * pending.c - kinds of targets whose URLs are understood already, while what they are sent is not written yet
 *
 * Each of these goes when its file comes.
 */
#include "ringside/base.h"

#include "backend.h"

static int convert_nothing(const struct target *t, const struct profile *p, const struct target_identity *who,
                           uint64_t number, const struct target_emit *emit, struct err *e)
{
    (void)p;
    (void)who;
    (void)number;
    (void)emit;
    return err_set(e, 0, "%s is not supported yet", t->backend->kind);
}

const struct backend backend_otlp = {.kind = "otlp", .port = 4318, .convert = convert_nothing};
