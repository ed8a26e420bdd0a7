/*
 * event.h - what to sample, as text and as struct event_spec; opens nothing
 */
#ifndef RINGSIDE_EVENT_H
#define RINGSIDE_EVENT_H

#include <stdint.h>

struct event_spec {
    const char *name;   /* "sCPU" */
    uint32_t perf_type; /* PERF_TYPE_* */
    uint64_t perf_config;
    uint64_t period;      /* in the event's own unit: nanoseconds of CPU for sCPU */
    uint32_t stack_bytes; /* of user stack copied with a sample; a multiple of 8, at most EVENT_STACK_MAX */
};

#define EVENT_STACK_MAX 65528U

/* Time a task spends on a CPU, sampled frequency_hz (1 or more) times a second of it. */
struct event_spec event_cpu(uint32_t frequency_hz, uint32_t stack_bytes);

#endif
