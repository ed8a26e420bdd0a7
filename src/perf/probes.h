/*
 * probes.h - the kernel's dynamic PMUs, and where a symbol lies in a file
 */
#ifndef RINGSIDE_PERF_PROBES_H
#define RINGSIDE_PERF_PROBES_H

#include "ringside/perf.h"

/* Type and configuration of a probe; symbols of files are looked up. */
int probes_resolve(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                   struct err *e);

/*
 * Puts the probe that *t says into the kernel's list of tracepoints (define.c), and that into *t. -1 with *e,
 * *t as it was: tracefs is not there, or not to be written to.
 */
int probes_define(const struct perf_machine *m, const struct event_spec *s, struct perf_target *t,
                  struct err *e);

/* Number of the PMU "kprobe" or "uprobe"; -1 with *e when this kernel has none. */
long probes_pmu(const struct perf_machine *m, const char *pmu, struct err *e);

/* Offset in an ELF file of a function it defines. */
int probes_find_symbol(const char *path, const char *symbol, uint64_t *offset, struct err *e);

#endif
