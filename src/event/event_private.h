/*
 * event_private.h - between the files of the module
 */
#ifndef RINGSIDE_EVENT_PRIVATE_H
#define RINGSIDE_EVENT_PRIVATE_H

#include "ringside/base.h"
#include "ringside/event.h"

#define EVENT_PERIOD_MAX    (UINT64_MAX >> 1) /* perf_event_open refuses the top bit */
/* perf_swevent_start_hrtimer (kernel/events/core.c) takes this for anything shorter. */
#define CLOCK_PERIOD_MIN_NS 10000
/* PERF_MAX_TRACE_SIZE, include/linux/trace_events.h: no tracepoint's record is longer. */
#define RAW_RECORD_MAX      8192

/* Name, numbers and default rate of a table event. */
void event_from_row(struct event_spec *s, const struct event_row *row);
const struct event_row *event_row_find(const char *name, size_t n);
/* Bounds of the period: the clocks cannot tick faster than so. */
uint64_t event_period_min(const struct event_spec *s);

#endif
