/*
 * ledger.c - one mapping, cut into parts
 */
#include "ringside/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ringside/base.h"

#define PAGE_BYTES    4096U
/* Where memory is not promised beyond what there is (vm.overcommit_memory 2), all of it counts as used. */
#define SMALLEST_PART 64U /* of full size */

/* Bytes of each part at full size: of what one may contain when all maximums are reached. */
static const size_t full_bytes[LEDGER_PARTS] = {
    [LEDGER_RUN] = 64U << 10,        [LEDGER_STACKS] = 8U << 20,    [LEDGER_ENTRIES] = 8U << 20,
    [LEDGER_WORDS] = 64U << 20,      [LEDGER_OWNERS] = 2U << 20,    [LEDGER_TEXTS] = 2U << 20,
    [LEDGER_IMAGES] = 6U << 20,      [LEDGER_PROCESSES] = 2U << 20, [LEDGER_TASKS] = 4U << 20,
    [LEDGER_TASK_EVENTS] = 8U << 20,
};

struct ledger {
    char *base;
    size_t bytes;
    bool shared;
    size_t at[LEDGER_PARTS + 1]; /* offsets; the last is the end */
};

static size_t round_up(size_t n)
{
    return (n + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

static void lay_out(struct ledger *l, size_t divisor)
{
    size_t at = 0;

    for (int part = 0; part < LEDGER_PARTS; part++) {
        l->at[part] = at;
        at += part == LEDGER_RUN ? full_bytes[part] : round_up(full_bytes[part] / divisor);
    }
    l->at[LEDGER_PARTS] = l->bytes = at;
}

static struct ledger *make(bool shared, struct err *e)
{
    struct ledger *l = base_calloc(1, sizeof(*l));
    int kind = shared ? MAP_SHARED : MAP_PRIVATE;

    l->shared = shared;
    for (size_t divisor = 1; divisor <= SMALLEST_PART; divisor *= 4) {
        void *p;

        lay_out(l, divisor);
        p = mmap(NULL, l->bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            continue;
        l->base = p;
        madvise(p, l->bytes, MADV_NOHUGEPAGE); /* a huge page for each part would be 20 MB */
        return l;
    }
    err_set(e, errno, "memory for the ledger");
    free(l);
    return NULL;
}

struct ledger *ledger_new(struct err *e)
{
    return make(true, e);
}

struct ledger *ledger_new_private(void)
{
    struct err e;
    struct ledger *l = make(false, &e);

    if (l)
        return l;
    log_error(ledger, "%s", e.text);
    exit(1); /* as every out-of-memory */
}

void ledger_free(struct ledger *l)
{
    if (!l)
        return;
    munmap(l->base, l->bytes);
    free(l);
}

void *ledger_at(const struct ledger *l, enum ledger_part part, size_t *bytes)
{
    *bytes = l->at[part + 1] - l->at[part];
    return l->base + l->at[part];
}

void ledger_give_back(const struct ledger *l, enum ledger_part part, size_t keep)
{
    size_t bytes = l->at[part + 1] - l->at[part];

    keep = round_up(keep);
    if (keep < bytes &&
        madvise(l->base + l->at[part] + keep, bytes - keep, l->shared ? MADV_REMOVE : MADV_DONTNEED) < 0)
        log_debug(ledger, "memory that is not needed stays in use");
}
