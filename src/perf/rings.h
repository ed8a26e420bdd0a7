/*
 * rings.h - the rings of all CPUs together: mapped as large as the locked-memory limit allows, and shared
 */
#ifndef RINGSIDE_PERF_RINGS_H
#define RINGSIDE_PERF_RINGS_H

#include <stdint.h>

struct err;
struct perf_armed;
struct ring;

/*
 * A ring for each CPU, of armed->ring_pages data pages or fewer: *pages says how many. All events of a CPU
 * write to its ring. -1 with *e, and none is mapped.
 */
int rings_map(struct ring *ring, const struct perf_armed *armed, const int *fds, uint32_t *pages,
              struct err *e);

#endif
