/*
 * rings.h - the rings of all CPUs mapped together, as large as the locked-memory limit allows
 */
#ifndef RINGSIDE_PERF_RINGS_H
#define RINGSIDE_PERF_RINGS_H

#include <stdint.h>

struct err;
struct ring;

/* n descriptors with a ring each, of *pages data pages or fewer; *pages then says how many. -1 with *e, and
 * none is mapped. */
int rings_map(struct ring *ring, uint32_t n, const int *fds, uint32_t *pages, struct err *e);

#endif
