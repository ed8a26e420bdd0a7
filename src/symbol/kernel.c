/*
 * kernel.c - one pass over kallsyms, the costliest of all: making 120 thousand lines takes the kernel 30 ms
 *
 * It gives starts without sizes, and each line is gone after its call: the name is copied when it wins a
 * slot. Lines are in order of address, first the kernel's, then those of modules (scripts/kallsyms.c sorts;
 * kernel/kallsyms.c, get_ksymbol_mod), so the pass ends behind the last address asked for; should lines ever
 * come in disorder, it goes to the end.
 *
 * A short run needs one pass and keeps nothing. A second one tells that each period brings new functions;
 * then a table is worth more than its memory, since a period's samples may cost less than a pass.
 */
#include "kernel.h"

#include <string.h>

#include "batch.h"
#include "ringside/base.h"
#include "ringside/procfs.h"

#define NAME_BYTES KTABLE_NAME /* of the kernel's KSYM_NAME_LEN 512: longer Rust names are cut */

struct kernel_names {
    struct kernel *kernel;
    struct batch *batch;
    uint64_t last;  /* address of the line before */
    uint32_t first; /* slot at or above it */
    bool disorder;
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

static void copy_text(char out[NAME_BYTES], const char *text)
{
    size_t n = strnlen(text, NAME_BYTES - 1);

    memcpy(out, text, n);
    out[n] = '\0';
}

/* False when the pass may end: nothing that is asked for lies behind the line. */
static bool offer_line(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to)
{
    struct kernel_names *k = ctx;
    struct batch *b = k->batch;
    struct candidate c = {.start = s->addr, .end = UINT64_MAX, .name = s->text, .function = true};
    uint32_t first;

    if (s->addr == 0)
        return true;
    k->kernel->have = true;
    first = seek(k, s->addr);
    c.local = s->type == 't';
    c.weak = s->type == 'w' || s->type == 'W';
    /* Anything else only tells where code ends. */
    if (!ktable_is_code(s->type))
        batch_boundary(b, s->addr, first);
    else if (!batch_offer(b, &c, first))
        return false;
    if (first == b->n)
        return k->disorder;
    *skip_to = k->disorder ? 0 : b->addr[first];
    if (b->slot[first].below.name == s->text) {
        copy_text(k->text[first], s->text);
        b->slot[first].below.name = k->text[first];
    }
    return true;
}

/* "name\t[module]" into "name [module]". */
static void show_module(char *text)
{
    char *tab = strchr(text, '\t'), *end;

    if (!tab)
        return;
    *tab = tab[1] == '[' ? ' ' : '\0';
    end = strchr(tab, ']');
    if (end)
        end[1] = '\0';
}

/* All lines of the kernel proper go into the table; behind them it is as without one. */
static bool keep_line(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to)
{
    struct kernel_names *k = ctx;
    bool keeps = ktable_add(&k->kernel->table, s), go_on = offer_line(k, s, skip_to);

    if (keeps)
        *skip_to = 0;
    return keeps || go_on;
}

static void read_lines(struct kernel_names *names, const struct procfs_kallsyms_file *file, size_t table_max)
{
    struct kernel *k = names->kernel;
    bool keep = k->passed && !k->table.complete;

    k->passed = true;
    if (!keep) {
        procfs_kallsyms(file, offer_line, names, NULL);
        return;
    }
    ktable_init(&k->table, table_max);
    if (procfs_kallsyms(file, keep_line, names, NULL) < 0)
        k->table.failed = true;
    ktable_finish(&k->table);
    log_debug(symbol, "kernel symbols kept: %zu bytes", k->table.bytes.len);
}

struct kernel_names *kernel_resolve(struct kernel *k, const struct procfs_kallsyms_file *file,
                                    size_t table_max, struct batch *b)
{
    struct kernel_names *names = base_calloc(1, sizeof(*names) + (size_t)b->n * NAME_BYTES);

    names->kernel = k;
    names->batch = b;
    if (b->n && ktable_covers(&k->table, b->addr[0], b->addr[b->n - 1]))
        ktable_each(&k->table, offer_line, names);
    else
        read_lines(names, file, table_max);
    batch_settle(b);
    for (uint32_t i = 0; i < b->n; i++)
        show_module(names->text[i]);
    return names;
}

void kernel_release(struct kernel *k)
{
    ktable_release(&k->table);
    *k = (struct kernel){0};
}
