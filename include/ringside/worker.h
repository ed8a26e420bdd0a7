/*
 * worker.h - the pipeline: records in, profiles out
 *
 * Knows nothing of perf, privileges or how the target was started: a recorded feed runs through it as a live
 * one does.
 */
#ifndef RINGSIDE_WORKER_H
#define RINGSIDE_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct deliver;
struct feed;
struct sink;
struct stats;

struct worker_config {
    const char *service;
    const char *version; /* of Ringside, for the profile's comments */
    /* Texts that nobody gave are NULL. */
    const char *environment, *service_version, *runtime_id;
    const char *const *tags;
    uint32_t tag_count;
    uint32_t processes_max; /* at once; 0: as many as there is room for */
    bool show_samples;
    uint32_t period_s;      /* one profile each; 0: a single one at the end */
    pid_t root_pid;         /* first process of the target; 0 in a replay */
    uint64_t root_clock_ns; /* its process clock when profiling began */
    const uint64_t
        *charged_ns;   /* CPU time wait4 reported for the whole tree; set by the end of the feed, else 0 */
    struct sink *sink; /* NULL: no local files */
    struct deliver *deliver; /* NULL: nothing is sent; the caller flushes it in the end */
    struct stats *stats;
};

/* Runs until the feed ends or is told to stop, then writes the last profile. Returns 0, or -1 when a profile
 * could not be delivered. */
int worker_run(const struct worker_config *config, struct feed *feed);

#endif
