/*
 * kernel.c - one pass over kallsyms, the costliest of all: making 120 thousand lines takes the kernel 30 ms
 *
 * It gives starts without sizes, and each line is gone after its call: the name is copied when it wins a
 * slot. Lines are in order of address, first the kernel's, then those of modules (scripts/kallsyms.c sorts;
 * kernel/kallsyms.c, get_ksymbol_mod), so the pass ends behind the last address asked for; should lines ever
 * come in disorder, it goes to the end.
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
    uint64_t last;  /* address of the line before */
    uint32_t first; /* slot at or above it */
    bool disorder;
    bool any;
    char text[][NAME_BYTES]; /* of slot[i].below */
};

/* The slot at or above the line's address: a step on from the line before, as long as they are in order. */
static uint32_t seek(struct kernel_names *k, uint64_t addr)
{
    const struct batch *b = k->batch;

    if (addr < k->last) {
        k->disorder = true;
        k->first = batch_lower_bound(b, addr);
    }
    while (k->first < b->n && b->addr[k->first] < addr)
        k->first++;
    k->last = addr;
    return k->first;
}

static void copy_name(char out[NAME_BYTES], const char *name, const char *module)
{
    size_t n = strnlen(name, NAME_BYTES - 1);

    memcpy(out, name, n);
    out[n] = '\0';
    if (*module)
        snprintf(out + n, NAME_BYTES - n, " [%s]", module);
}

static bool offer_line(void *ctx, uint64_t addr, char type, const char *name, const char *module)
{
    struct kernel_names *k = ctx;
    struct candidate c = {.start = addr, .end = UINT64_MAX, .name = name, .function = true};
    uint32_t first;

    if (addr == 0)
        return true;
    first = seek(k, addr);
    c.local = type == 't';
    c.weak = type == 'w' || type == 'W';
    /* nm(1): t and w are code; anything else only tells where code ends. */
    if (c.local || c.weak || type == 'T') {
        k->any = true;
        if (!batch_offer(k->batch, &c, first))
            return false;
    } else {
        batch_boundary(k->batch, addr, first);
    }
    if (first == k->batch->n)
        return k->disorder;
    if (k->batch->slot[first].below.name == name) {
        copy_name(k->text[first], name, module);
        k->batch->slot[first].below.name = k->text[first];
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
