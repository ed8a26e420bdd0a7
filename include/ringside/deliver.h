/*
 * deliver.h - finished profiles to every target, until each has them, refuses them, or they are too old
 *
 * One queue a target, in order; one request of each is under way at a time; who is down does not delay the
 * others. Never blocks but in deliver_flush(). Single-threaded; the profiler only.
 */
#ifndef RINGSIDE_DELIVER_H
#define RINGSIDE_DELIVER_H

#include <stdbool.h>
#include <stdint.h>

struct deliver;
struct err;
struct profile;
struct stats;
struct target;
struct target_identity;

struct deliver_config {
    struct target *const *target; /* borrowed, as are the texts of who */
    uint32_t targets;
    const struct target_identity *who;
    const char *spool_folder; /* NULL: in memory only; needed while it is opened, as is agent */
    uint64_t spool_bytes_max, spool_age_max_ns, memory_bytes_max;
    const char *agent; /* User-Agent */
    struct stats *stats;
    /* Of the run's next profile; NULL: it begins with 0. For who goes on where another process was lost. */
    uint64_t *number;
};

/* NULL with *e: there is no libcurl. Begins to send what earlier runs left. */
struct deliver *deliver_open(const struct deliver_config *config, struct err *e);
/* Converts and queues, and does a step. -1, after a message, when some target does not get it. */
int deliver_profile(struct deliver *d, const struct profile *p);

/* Readable when deliver_step() has something to do; constant. */
int deliver_fd(const struct deliver *d);
void deliver_step(struct deliver *d);
/* Whether a step now may take longer than rings of records last: some target is encrypted, and the first
 * connection of a run reads all certificates the system trusts (35 to 80 ms). */
bool deliver_is_slow(const struct deliver *d);

/* What ends a flush early: asked() is called while one of the descriptors (-1: none) is readable; true: end.
 */
struct deliver_stop {
    int fd[2];
    bool (*asked)(void *ctx, int fd);
    void *ctx;
};
/* Sends what is left for at most timeout_ms. Then says in the log what is not delivered,
 * why, and where it stays. stop may be NULL. Returns the number of profiles' requests that are left. */
uint32_t deliver_flush(struct deliver *d, uint32_t timeout_ms, const struct deliver_stop *stop);
void deliver_close(struct deliver *d);

#endif
