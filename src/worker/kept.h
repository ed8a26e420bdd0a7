/*
 * kept.h - what the worker keeps in the ledger beside stacks and images: the state of the run
 *
 * Two kinds. `kept` changes rarely and belongs together: a copy of the worker's is published as a whole, in
 * turns at two places, so that one of them is always complete. `live` changes with samples, each number by
 * itself.
 */
#ifndef RINGSIDE_WORKER_KEPT_H
#define RINGSIDE_WORKER_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/feed.h"
#include "ringside/process.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

struct worker;

/* What the last profile has told, and the next one need not. */
struct told {
    struct stats counters;
    struct worker_history history;
    uint64_t profiler_cpu_ns;
};

enum { EXPORTED_SHOWN = 1, EXPORTED_FILE = 2, EXPORTED_SENT = 4, EXPORTED_FILE_BEGUN = 8 };

struct export_mark {
    uint32_t attempts; /* 0: no export is going on */
    uint32_t done;     /* EXPORTED_ bits */
    bool last;         /* of the run */
    uint64_t wall_ns, duration_ns;
};

struct kept {
    uint64_t period_start_ns;
    uint64_t shown_ns;   /* of CPU time, by profiles that are finished */
    uint32_t generation; /* of the stacks that belong to the period */
    uint32_t root_pid;
    uint32_t main_image; /* id of the target's own binary, 0 while unknown */
    char root_name[TASK_NAME_BYTES];
    bool task_times_seen;
    bool inheritors_ended; /* a task other than the first, which no FEED_TASK_COUNT reports */
    bool failed;           /* a profile could not be delivered */
    bool finished;         /* the last profile is out */
    bool lost_some;        /* a worker's death took time along, or ledger content */
    struct export_mark export;
    struct told told;
};

/* An event other than CPU time: how much of it was counted, sampled and shown. In events; value in its unit.
 */
struct event_count {
    uint64_t shown;   /* over the run: samples, and frames that say what was not sampled */
    uint64_t advance; /* of that, what period ends have shown of living tasks without samples */
    uint64_t sampled, sampled_in_period;
    double value;               /* of the sampled ones */
    double recent;              /* value of one of them lately */
    double lost, lost_value;    /* records lost so far, and what they would have been worth at the time */
    uint64_t total, total_lost; /* as last read, with total_known */
    uint8_t total_known;        /* flags in shared memory: any byte is a number, not any is a bool */
    double scale;               /* of this period's values */
};

/* The last record that was added up. Its worker may die before the ring is told that it was read. */
struct taken {
    uint64_t time_ns;
    uint32_t tid;
    uint16_t kind, event;
};

struct live {
    uint64_t shown_ns;     /* what all profiles so far and this period add up to */
    uint64_t lost_told;    /* samples of a whole host: shown as lost */
    uint64_t unsampled_ns; /* of that, what has no samples */
    /* The kernel's count when it was read last, and what was sampled until then: see gaps.c. */
    uint64_t looked_total_ns, looked_sampled_ns;
    /* The same of all stretches in which a worker lived. */
    uint64_t seen_total_ns, seen_sampled_ns;
    uint64_t gap_ns; /* what was lost because there was no worker, and was not shown yet */
    struct taken taken;
    uint32_t owners, text_bytes;
    uint32_t process_slots, task_slots;
    uint8_t unaccounted; /* tasks were sampled that have no account */
    uint32_t image_read; /* an export is reading this image; 0: none */
    struct event_count counted[FEED_EVENTS_MAX];
};

/* Finds the ledger's state, or begins one. True when a former worker was here; its numbers are checked. */
bool kept_open(struct worker *w);
/* After w->kept was changed. */
void kept_publish(struct worker *w);
/* Of what the ledger holds of the period; shows what a former worker took along. */
void kept_settle(struct worker *w);

#endif
