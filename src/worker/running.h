/*
 * running.h - what ran already when profiling began: processes that were attached to, or a whole host
 */
#ifndef RINGSIDE_WORKER_RUNNING_H
#define RINGSIDE_WORKER_RUNNING_H

#include <stdint.h>

struct process;
struct worker;
struct worker_attached;

/* NULL: it was not attached to. */
const struct worker_attached *running_find(const struct worker *w, uint32_t pid);

/* Learns of those that were attached to. */
void running_open(struct worker *w);

/* Before a record is taken: of a host's processes those that were sampled longest ago are forgotten, if need
 * be. */
void running_make_room(struct worker *w);

/* Text of the container that a process runs in, where they may run in different ones; 0: none. */
uint32_t running_container(struct worker *w, struct process *p);

/*
 * The end of a period of a whole host: what was lost. All else is in the samples, which a CPU's clock takes
 * at the same distance whatever runs there.
 */
void running_account(struct worker *w);

#endif
