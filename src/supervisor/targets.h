/*
 * targets.h - from options to the servers of this run
 */
#ifndef RINGSIDE_SUPERVISOR_TARGETS_H
#define RINGSIDE_SUPERVISOR_TARGETS_H

#include <stdint.h>

struct err;
struct options;
struct target;

#define TARGETS_MAX 16

struct target_list {
    struct target *at[TARGETS_MAX];
    uint32_t count;
};

/* Opens and sends nothing but for the files with tokens and certificates, which must be there. -1 with *e:
 * the option or variable that is wrong. */
int targets_make(const struct options *o, struct target_list *out, struct err *e);
void targets_release(struct target_list *list);

/* The spool's folder as an absolute path, from the heap; NULL: profiles wait in memory. */
char *targets_spool_folder(const struct options *o);

#endif
