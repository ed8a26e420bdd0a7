/*
 * kernel.h - names of kernel addresses, out of /proc/kallsyms
 */
#ifndef RINGSIDE_SYMBOL_KERNEL_H
#define RINGSIDE_SYMBOL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "ktable.h"

struct batch;
struct procfs_kallsyms_file;

/* What is kept from one pass to the next; all zero at first. */
struct kernel {
    struct ktable table; /* made by the second pass: the first may be the only one */
    bool passed;
    bool have; /* addresses were told: with kernel.kptr_restrict they are all zero */
};

/* Room for the names of one batch. */
struct kernel_names;

/*
 * Names an empty batch and settles it, from the table when that covers it, else by a pass over a kallsyms
 * file, which may leave a table of at most table_max bytes. The names live in what is
 * returned, to be freed with free().
 */
struct kernel_names *kernel_resolve(struct kernel *k, const struct procfs_kallsyms_file *file,
                                    size_t table_max, struct batch *b);
void kernel_release(struct kernel *k);

#endif
