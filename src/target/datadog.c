/*
 * datadog.c - Datadog: the agent's forwarder, or its intake
 */
#include "ringside/base.h"

#include "backend.h"

static int datadog_convert(const struct target *t, const struct profile *p, const struct target_identity *who,
                           uint64_t number, const struct target_emit *emit, struct err *e)
{
    (void)p;
    (void)who;
    (void)number;
    (void)emit;
    return err_set(e, 0, "%s is not supported yet", t->backend->kind);
}

const struct backend backend_datadog = {
    .kind = "datadog", .port = 8126, .unix_socket = true, .convert = datadog_convert};
