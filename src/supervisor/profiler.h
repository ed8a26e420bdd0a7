/*
 * profiler.h - the profiler's side of the hand-over, and what the two sides say to each other
 */
#ifndef RINGSIDE_SUPERVISOR_PROFILER_H
#define RINGSIDE_SUPERVISOR_PROFILER_H

#include <sys/types.h>

#include "ringside/perf.h"

struct options;

/* Data of LAUNCH_RINGS. */
struct hello {
    struct perf_armed armed;
    pid_t pid; /* of the process that becomes the target */
};

/*
 * Life of the profiler process from just after its fork to its exit status. socket: its end of the hand-over,
 * owned.
 */
int profiler_main(const struct options *options, const char *version, int socket);

#endif
