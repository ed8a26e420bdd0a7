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
struct ledger;
struct procfs_door;
struct sink;
struct stats;

/* Of a run whose worker is not the first: plain numbers that its supervisor keeps. */
struct worker_history {
    uint32_t restarts;      /* workers before this one that did not end in order */
    uint32_t refreshes;     /* and those that did, with WORKER_AGAIN */
    uint32_t hurried;       /* of these, the last in a row that lived less than a minute */
    uint64_t gap_ns;        /* wall time without a worker so far */
    uint64_t former_cpu_ns; /* CPU time of the workers before, and of who started them */
};

/* A process that ran already when profiling began. */
struct worker_attached {
    pid_t pid;
    uint64_t clock_ns; /* its process clock then */
};

struct worker_config {
    const char *service;
    const char *version; /* of Ringside, for the profile's comments */
    /* Texts that nobody gave are NULL. */
    const char *environment, *service_version, *runtime_id;
    const char *const *tags;
    uint32_t tag_count;
    uint32_t processes_max; /* at once; 0: as many as there is room for */
    bool show_samples;
    uint32_t period_s;                      /* one profile each; 0: a single one at the end */
    pid_t root_pid;                         /* first process of the target; 0 in a replay */
    uint64_t root_clock_ns;                 /* its process clock when profiling began */
    const struct worker_attached *attached; /* the first of them is the root */
    uint32_t attached_count;
    bool whole_host;            /* all processes, known from when they are first sampled; no root */
    const uint64_t *charged_ns; /* CPU time wait4 reported for the whole tree; 0: not known */
    struct sink *sink;          /* NULL: no local files */
    const struct procfs_door
        *door;               /* to files of the target we may not open ourselves; NULL: there is none */
    int kallsyms_fd;         /* /proc/kallsyms, opened with the right to see addresses; 0: none */
    struct deliver *deliver; /* NULL: nothing is sent; the caller flushes it in the end */
    struct stats *stats;
    struct ledger *ledger;                /* NULL: what was counted dies with the worker */
    const struct worker_history *history; /* NULL: of a first worker */
    /*
     * Called before and after every wait and from time to time in long work: whoever watches takes silence
     * for a hang. asleep: until the feed wakes it, which may be never. NULL: nobody watches.
     */
    void (*alive)(void *ctx, bool asleep);
    /* The feed ended by itself: returns when *charged_ns is known, or will not be. NULL: there is no waiting.
     */
    void (*await_charge)(void *ctx);
    void *watch_ctx;           /* of both */
    uint64_t memory_bytes_max; /* resident; 0: no limit. Beyond it the worker ends with WORKER_AGAIN */
    uint32_t profiles_max;     /* after so many likewise; 0: never */
};

enum worker_end {
    WORKER_DONE,   /* the feed ended or was told to stop, and the last profile is written */
    WORKER_FAILED, /* the same, but a profile could not be delivered */
    WORKER_AGAIN   /* start another one, with the same ledger and feed */
};

/* Runs until the feed ends or is told to stop, then writes the last profile. */
enum worker_end worker_run(const struct worker_config *config, struct feed *feed);

#endif
