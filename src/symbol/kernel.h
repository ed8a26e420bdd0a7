/*
 * kernel.h - names of kernel addresses, out of /proc/kallsyms
 */
#ifndef RINGSIDE_SYMBOL_KERNEL_H
#define RINGSIDE_SYMBOL_KERNEL_H

#include <stdbool.h>

struct batch;

/* Room for the names of one batch. */
struct kernel_names;

/*
 * One pass over a kallsyms file (NULL: the system's) into an empty batch, settled. *have: it told addresses
 * (with kernel.kptr_restrict they are all zero). The names live in what is returned, to be freed with free().
 */
struct kernel_names *kernel_resolve(const char *path, struct batch *b, bool *have);

#endif
