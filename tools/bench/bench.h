/*
 * bench.h - bench-unwind's parts: a recording in memory, and the unwinders it is replayed through
 */
#ifndef RINGSIDE_BENCH_H
#define RINGSIDE_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/feed.h"
#include "ringside/unwind.h"

struct err;
struct images;
struct process;
struct stats;

/* ---- load.c ---- */

struct recording {
    struct feed_info info;
    struct feed_record *record; /* everything they point to is a copy of ours */
    uint32_t count, cap;
    uint32_t samples; /* with user registers: those that are walked */
};

int recording_load(struct recording *r, const char *path, struct err *e);
void recording_release(struct recording *r);
/* Whether the unwinders walk this record for pid (0: any). */
bool recording_walks(const struct feed_record *r, uint32_t pid);
/* The process with the most samples. */
uint32_t recording_busiest(const struct recording *r);

/* ---- what a pass through an unwinder yields ---- */

struct pass {
    uint64_t cpu_ns; /* of the walks alone */
    uint64_t samples, frames, complete;
};

/* The walks of one pass, to compare: program counters, leaf first, sample after sample. */
struct walks {
    uint64_t *pc;
    uint64_t *end; /* of each sample's part of pc */
    uint64_t pcs, pc_cap;
    uint32_t count, cap;
};
void walks_add(struct walks *w, const uint64_t *pc, uint32_t n);
void walks_release(struct walks *w);

/* CPU time of the calling thread: other people's load does not count. */
uint64_t cpu_now_ns(void);

/* ---- ours.c: the worker's walk ---- */

struct ours;
struct ours *ours_new(const struct recording *r);
void ours_free(struct ours *o);
/*
 * One pass over the recording, walking each sample of pid (0: all) `times` times in a row; only the first
 * time is kept in *walks (may be NULL). The first pass of all reads the files.
 */
void ours_pass(struct ours *o, uint32_t pid, uint32_t times, struct pass *out, struct walks *walks);
/* Time a pass takes without any walk. */
uint64_t ours_apply_ns(struct ours *o);
/* The process as it was at its last sample; until the next call or pass. */
struct process *ours_process(struct ours *o, uint32_t pid);
struct images *ours_images(struct ours *o);
/* Whether a stack may end in the frame of this pc (exact: no return address): nothing calls it. */
bool ours_is_end(struct ours *o, struct process *p, uint64_t pc, bool exact);

/* ---- libdwfl.c: the walk of profilers that call libdwfl for each sample ---- */

struct libdwfl;
/* For samples of one process. NULL with *e. */
struct libdwfl *libdwfl_new(const struct recording *r, struct ours *ours, uint32_t pid, struct err *e);
void libdwfl_free(struct libdwfl *d);
void libdwfl_pass(struct libdwfl *d, struct pass *out, struct walks *walks);

#endif
