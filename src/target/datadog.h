/*
 * datadog.h - the parts of what Datadog is sent; private to the module
 */
#ifndef RINGSIDE_TARGET_DATADOG_H
#define RINGSIDE_TARGET_DATADOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct profile;
struct target_job;

#define DATADOG_ATTACHMENT "profile.pprof"
/* "A profile larger than 10 MiB is skipped" (libdatadog, internal/profile/mod.rs): compressed, that is. */
#define DATADOG_PPROF_MAX  (10U << 20)
#define DATADOG_TAG_MAX    200
#define DATADOG_FRAMES_MAX 600 /* with the one that says that there were more */
#define DATADOG_FOLDED     "[folded: the profile was too large]"

/* event.json. */
int datadog_event(const struct target_job *job, struct buf *out, struct err *e);
/* tags_profiler: "key:value" with commas between. */
int datadog_tags(const struct target_job *job, struct buf *out, struct err *e);
/* p has values for which Datadog has no type, and which it gets as tracepoints. */
bool datadog_has_events(const struct profile *p);
/* in with Datadog's names. */
void datadog_profile(struct profile *out, const struct profile *in);
/*
 * in as gzip pprof of at most out's maximum. Where that is not enough, small stacks are folded, and a comment
 * says so. Returns how many times more was folded, 0: nothing; -1 with *e.
 */
int datadog_pprof(const struct profile *in, struct buf *out, struct err *e);

#endif
