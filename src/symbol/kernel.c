/*
 * kernel.c - kallsyms gives starts without sizes, and each line is gone after its call: the name is copied
 * when it wins a slot
 */
#include "kernel.h"

#include <stdio.h>
#include <string.h>

#include "batch.h"
#include "ringside/base.h"
#include "ringside/procfs.h"

#define NAME_BYTES 256 /* of the kernel's KSYM_NAME_LEN 512: longer Rust names are cut */

struct kernel_names {
    struct batch *batch;
    bool any;
    char text[][NAME_BYTES]; /* of slot[i].below */
};

static bool offer_line(void *ctx, uint64_t addr, char type, const char *name, const char *module)
{
    struct kernel_names *k = ctx;
    struct candidate c = {.start = addr, .end = UINT64_MAX, .name = name, .function = true};
    struct batch_slot *slot;
    uint32_t i;

    if (addr == 0)
        return true;
    /* nm(1): t and w are code; anything else only tells where code ends. */
    if (!strchr("tTwW", type)) {
        batch_boundary(k->batch, addr);
        return true;
    }
    k->any = true;
    c.local = type == 't';
    c.weak = type == 'w' || type == 'W';
    if (!batch_offer(k->batch, &c))
        return false;
    i = batch_lower_bound(k->batch, addr);
    if (i == k->batch->n)
        return true;
    slot = &k->batch->slot[i];
    if (slot->below.name == name) {
        snprintf(k->text[i], NAME_BYTES, *module ? "%s [%s]" : "%s", name, module);
        slot->below.name = k->text[i];
    }
    return true;
}

struct kernel_names *kernel_resolve(const char *path, struct batch *b, bool *have)
{
    struct kernel_names *k = base_calloc(1, sizeof(*k) + (size_t)b->n * NAME_BYTES);

    k->batch = b;
    procfs_kallsyms(path, offer_line, k, NULL);
    batch_settle(b);
    *have = k->any;
    return k;
}
