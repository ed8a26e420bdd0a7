/*
 * arm.h - what the ways to arm events, and reading them, have in common
 */
#ifndef RINGSIDE_PERF_ARM_H
#define RINGSIDE_PERF_ARM_H

#include <stdint.h>

struct err;
struct event_spec;
struct perf_armed;
struct perf_target;

/* What one CPU that is busy all the time writes into its ring; a guess for events that the program makes. */
uint64_t perf_bytes_per_second(const struct perf_armed *armed);

/* How many; room for PERF_CPUS_MAX. */
uint32_t arm_online_cpus(int *cpus);

/*
 * What the event comes to here. A probe that is to be inherited must be defined in tracefs (define.c): 1 with
 * *not_defined where it cannot. not_defined NULL: it will not be inherited. -1 with *e: no such thing.
 */
int arm_find_target(struct perf_armed *armed, const struct event_spec *spec, struct perf_target *target,
                    struct err *not_defined, struct err *e);

void arm_close(const int *fds, uint32_t n);

#endif
