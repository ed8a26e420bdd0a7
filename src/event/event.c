/*
 * event.c - the events that can be sampled
 */
#include "ringside/event.h"

#include <linux/perf_event.h>

#include "ringside/base.h"

/*
 * The task clock counts nanoseconds in its hrtimer, so a period is exact and its samples are worth the same;
 * asking the kernel for a frequency instead would have it adjust a period that needs no adjusting.
 */
struct event_spec event_cpu(uint32_t frequency_hz, uint32_t stack_bytes)
{
    uint32_t hz = frequency_hz ? frequency_hz : 1;

    return (struct event_spec){
        .name = "sCPU",
        .perf_type = PERF_TYPE_SOFTWARE,
        .perf_config = PERF_COUNT_SW_TASK_CLOCK,
        .period = NSEC_PER_SEC / hz,
        .stack_bytes = MIN_OF(stack_bytes, EVENT_STACK_MAX) & ~7U,
    };
}
