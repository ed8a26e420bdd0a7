/*
 * counters.h - what ended tasks counted, exactly: events beside the sampled ones, with rings of their own
 */
#ifndef RINGSIDE_PERF_COUNTERS_H
#define RINGSIDE_PERF_COUNTERS_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "ringside/event.h"

/* While events are armed. */
struct counters {
    struct counter {
        int ring_fd, fd; /* the event with the ring, and the one that counts */
    } counter[EVENTS_MAX];
    uint32_t count;
};

/* Counts for each task what an event samples that is about to be opened; false where it cannot. */
bool counters_add(struct counters *c, const struct perf_event_attr *sampled);
/* Takes the last one back. */
void counters_drop(struct counters *c);
/* Hands over all descriptors, two of each; how many. */
uint32_t counters_take(const struct counters *c, int *fds);

/* A descriptor that keeps the events of different tasks apart, or -1: see the comment there. */
int counters_separate(void);

#endif
