/*
 * ktable.h - the code symbols of the kernel proper, packed: a second reading of kallsyms is the last
 *
 * The kernel's own text does not move while it runs; modules and BPF programs come and go, and are not kept.
 */
#ifndef RINGSIDE_SYMBOL_KTABLE_H
#define RINGSIDE_SYMBOL_KTABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/base.h"

#define KTABLE_NAME 256 /* bytes with the NUL; longer names are cut */

struct procfs_ksym;

struct ktable {
    struct buf bytes;      /* see ktable.c */
    uint64_t start, end;   /* addresses it answers for; equal: none */
    uint64_t before;       /* address of the line before, while it is filled */
    size_t last;           /* where the last entry's type is, while it is filled */
    bool complete, failed; /* no more lines are taken */
};

/* Type letters of kallsyms that are code, as in nm(1). */
bool ktable_is_code(char type);

/* At most so many bytes. */
void ktable_init(struct ktable *t, size_t max);
void ktable_release(struct ktable *t);

/* Takes the lines of kallsyms one by one, as long as it returns true: to the end of the kernel's own. */
bool ktable_add(struct ktable *t, const struct procfs_ksym *s);
/* After the last line. False, and empty for good, when it did not fit or lines came in disorder. */
bool ktable_finish(struct ktable *t);

/* All of [first, last] is inside. */
bool ktable_covers(const struct ktable *t, uint64_t first, uint64_t last);
/* Calls each as procfs_kallsyms() does, of a table that covers something. Of what is not code only the first
 * in a row is shown, nameless. */
void ktable_each(const struct ktable *t,
                 bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to), void *ctx);

#endif
