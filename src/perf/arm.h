/*
 * arm.h - what arming and reading have in common
 */
#ifndef RINGSIDE_PERF_ARM_H
#define RINGSIDE_PERF_ARM_H

#include <stdint.h>

struct perf_armed;

/* What one CPU that is busy all the time writes into its ring; a guess for events that the program makes. */
uint64_t perf_bytes_per_second(const struct perf_armed *armed);

#endif
