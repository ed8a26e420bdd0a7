/*
 * stats.h - counters, declared once, kept in a page that outlives the process that counts
 *
 * Counting is a plain addition: one writer (the worker), any reader. Names are what a profile's comments and
 * reports say.
 */
#ifndef RINGSIDE_STATS_H
#define RINGSIDE_STATS_H

#include <stdint.h>

#define STATS_COUNTERS(X)                                                                                    \
    X(RECORDS, "records")                                                                                    \
    X(SAMPLES, "samples")                                                                                    \
    X(SAMPLES_LOST, "samples_lost")       /* ring overflow: PERF_FORMAT_LOST, per task */                    \
    X(RECORDS_LOST, "records_lost")       /* ring overflow: PERF_RECORD_LOST, any record */                  \
    X(RECORDS_TORN, "records_torn")       /* lengths that contradict each other */                           \
    X(RECORDS_LATE, "records_late")       /* older than what was already processed */                        \
    X(RECORDS_SKIPPED, "records_skipped") /* readers died of their like */                                   \
    X(THROTTLED, "throttled")                                                                                \
    X(WAKEUPS, "wakeups")                                                                                    \
    X(FRAMES, "frames")                                                                                      \
    X(STACKS_COMPLETE, "stacks_complete")                                                                    \
    X(STACKS_TRUNCATED, "stacks_truncated")     /* the copied stack ran out */                               \
    X(STACKS_NO_ROW, "stacks_no_row")           /* no call-frame information and no usable frame pointer */  \
    X(STACKS_BAD_STATE, "stacks_bad_state")     /* a read or a register the walk needed was not there */     \
    X(STACKS_NO_PROGRESS, "stacks_no_progress") /* the same pc and CFA twice */                              \
    X(STACKS_TOO_DEEP, "stacks_too_deep")                                                                    \
    X(STACKS_SPLICED, "stacks_spliced") /* truncated, completed from an earlier sample */                    \
    X(STACKS_NO_USER, "stacks_no_user") /* sample without user registers */                                  \
    X(PC_CACHE_MISSES, "pc_cache_misses")                                                                    \
    X(ROWS_COMPILED, "rows_compiled")                                                                        \
    X(ROWS_DROPPED, "rows_dropped") /* cap on rows of one image */                                           \
    X(IMAGES_OPENED, "images_opened")                                                                        \
    X(IMAGES_FAILED, "images_failed")   /* could not be opened or is not an ELF file of ours */              \
    X(IMAGES_DROPPED, "images_dropped") /* cap on images */                                                  \
    X(PROCESSES_SEEN, "processes_seen")                                                                      \
    X(PROCESSES_DROPPED, "processes_dropped")     /* cap on processes */                                     \
    X(PROCESSES_FORGOTTEN, "processes_forgotten") /* to make room for others */                              \
    X(PROCESSES_UNWATCHED, "processes_unwatched") /* exec gave them other rights, and took the events */     \
    X(MAPPINGS_DROPPED, "mappings_dropped")       /* cap on mappings of one process */                       \
    X(LEDGER_DROPPED, "ledger_dropped")           /* what a former worker left and made no sense */          \
    X(STACKS_DROPPED, "stacks_dropped")           /* cap on distinct stacks of one period */                 \
    X(SYMBOLS_LOADED, "symbols_loaded")                                                                      \
    X(PROFILES_WRITTEN, "profiles_written")                                                                  \
    X(PROFILES_FAILED, "profiles_failed")                                                                    \
    X(UPLOADS_DELIVERED, "uploads_delivered")                                                                \
    X(UPLOADS_RETRIED, "uploads_retried")                                                                    \
    X(UPLOADS_REFUSED, "uploads_refused")       /* for good, by the server */                                \
    X(SPOOL_DROPPED_FULL, "spool_dropped_full") /* oldest out: the spool's limit */                          \
    X(SPOOL_DROPPED_OLD, "spool_dropped_old")                                                                \
    X(SPOOL_UNREADABLE, "spool_unreadable") /* files in the spool that are no entries */

enum stats_id {
#define STATS_ENUM(id, name) STATS_##id,
    STATS_COUNTERS(STATS_ENUM)
#undef STATS_ENUM
        STATS_COUNT
};

struct stats {
    uint64_t value[STATS_COUNT];
};

/* A zeroed shared anonymous page: children of the caller count into the same numbers. Never NULL. */
struct stats *stats_new(void);
void stats_free(struct stats *s);

static inline void stats_add(struct stats *s, enum stats_id id, uint64_t n)
{
    s->value[id] += n;
}
static inline uint64_t stats_get(const struct stats *s, enum stats_id id)
{
    return s->value[id];
}
const char *stats_name(enum stats_id id);

/* What the calling process itself has used since it started. */
struct stats_self {
    uint64_t cpu_ns;         /* user and system */
    uint64_t peak_rss_bytes; /* high-water mark of resident memory */
};
void stats_self(struct stats_self *out);

#endif
