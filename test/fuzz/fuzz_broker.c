/*
 * fuzz_broker.c - any bytes as what a worker asks its supervisor for; what is taken makes sense
 */
#include "../../src/supervisor/broker.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct broker_request *r)
{
    struct procfs_wish w = {
        .kind = (enum procfs_kind)r->kind, .pid = r->pid, .start = r->start, .end = r->end, .path = r->path};
    char path[PATH_MAX + 64];

    if (r->kind == BROKER_MEMORY) {
        if (r->size == 0 || r->size > BROKER_MEMORY_MAX || r->at < r->start || r->at + r->size > r->end ||
            r->at + r->size < r->at)
            abort();
        return;
    }
    if (!procfs_path(&w, path, sizeof(path)) || path[0] != '/')
        abort();
    if (r->kind != PROCFS_HERE && strncmp(path, "/proc/", 6) != 0)
        abort();
}

/* What is missing of a request is zero, so that short inputs get far. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct broker_request raw = {0}, r;

    if (broker_decode(data, n, &r))
        check(&r);
    memcpy(&raw, data, MIN_OF(n, sizeof(raw)));
    if (broker_decode(&raw, sizeof(raw), &r))
        check(&r);
    return 0;
}
