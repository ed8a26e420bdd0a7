/*
 * profiler.h - the profiler's side of the hand-over, and what the two sides say to each other
 */
#ifndef RINGSIDE_SUPERVISOR_PROFILER_H
#define RINGSIDE_SUPERVISOR_PROFILER_H

#include <sys/types.h>

#include "ringside/launch.h"
#include "ringside/perf.h"

struct options;
struct rights;
struct target_list;

/* Data of LAUNCH_RINGS. */
struct hello {
    pid_t pid; /* of the process that becomes the target */
    struct perf_armed armed;
};
_Static_assert(sizeof(struct hello) <= LAUNCH_MESSAGE_MAX, "hello is one message");

static inline size_t hello_bytes(const struct hello *h)
{
    return offsetof(struct hello, armed) + perf_armed_bytes(&h->armed);
}

static inline uint32_t hello_fds(const struct hello *h)
{
    return perf_armed_fds(&h->armed);
}

/* What a run is to do; of the process that was forked. */
struct run {
    const struct options *options;
    const char *version; /* of Ringside */
    const struct target_list *targets;
    const struct rights *rights;
};

/*
 * Life of the profiler process from just after its fork to its exit status. socket: its end of the hand-over,
 * owned.
 */
int profiler_main(const struct run *run, int socket);

#endif
