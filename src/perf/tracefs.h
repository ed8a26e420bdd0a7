/*
 * tracefs.h - tracepoints as the kernel lists them
 */
#ifndef RINGSIDE_PERF_TRACEFS_H
#define RINGSIDE_PERF_TRACEFS_H

#include "ringside/perf.h"

/* The folder of all tracepoints, open; -1 with *e: not mounted, not readable, or not there, and what helps.
 */
int tracefs_open(const struct perf_machine *m, struct err *e);
/* Where it is: tracefs[0] or [1]. */
const char *tracefs_path(const struct perf_machine *m);

/* Its number; -1 with *e: no such tracepoint (the nearest one), or not readable. */
long tracefs_id(const struct perf_machine *m, const char *group, const char *name, struct err *e);

/* Fills in where the field is. NAME, or NAME[INDEX] of an array. */
int tracefs_field(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                  struct err *e);

/* The same from the text of a format file. */
int tracefs_parse_field(const char *format, const char *field, struct perf_target *out, struct err *e);

/* How many tracepoints there are, in how many groups. */
void tracefs_count(int events_fd, unsigned *groups, unsigned *tracepoints);

#endif
