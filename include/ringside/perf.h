/*
 * perf.h - a feed from perf_event_open: the ladder of attributes, the rings, the decoder of records
 *
 * Two sides. The process to be profiled arms itself with perf_arm(); the profiler maps what it is sent with
 * perf_feed_new().
 */
#ifndef RINGSIDE_PERF_H
#define RINGSIDE_PERF_H

#include "ringside/event.h"
#include "ringside/feed.h"

#include <linux/perf_event.h>
#include <sys/types.h>

struct err;
struct stats;

#define PERF_CPUS_MAX 1024

/* What was armed; plain data that travels beside the descriptors. */
struct perf_armed {
    struct perf_event_attr attr; /* as the kernel took it */
    uint32_t cpus;
    uint32_t ring_pages; /* data pages of each ring: what the profiler should try first */
    char event[64];
};

/*
 * Opens the event on the calling process for each CPU it may run on, inherited by all it starts, counting
 * from its next exec. Fills fds (room for PERF_CPUS_MAX, close-on-exec, owned by the caller). -1 with *e:
 * text for a person, cause and remedy.
 */
int perf_arm(const struct event_spec *spec, struct perf_armed *armed, int *fds, struct err *e);

/* Turns an errno of perf_event_open or of mapping a ring into cause and remedy, with the values that matter.
 */
void perf_explain(int code, struct err *e);

/* How the feed's owner joins its waiting: a descriptor that wakes it, and what to think of it then. */
struct perf_control {
    int fds[2];                                 /* -1: none */
    enum feed_wait (*ready)(void *ctx, int fd); /* FEED_READY: nothing special */
    void *ctx;
};

/*
 * Maps the rings (halving them on the locked-memory limit) of descriptors it then owns. NULL with *e when not
 * even the smallest ring can be mapped. control may be NULL.
 */
struct feed *perf_feed_new(const struct perf_armed *armed, const int *fds, const struct perf_control *control,
                           struct stats *stats, struct err *e);

/* ---- for tests and fuzzing ---- */

/*
 * Decodes one raw record of n bytes (aligned to 8). False when it is torn, contradicts itself, or is of a
 * kind nobody needs; *torn tells which. Pointers in *out point into bytes.
 */
bool perf_decode(const struct perf_event_attr *attr, const void *bytes, size_t n, struct feed_record *out,
                 bool *torn);

#endif
