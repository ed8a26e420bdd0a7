/*
 * info.c - see info.h
 */
#include "info.h"

#include <string.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/perf.h"

static void describe_event(struct feed_event *out, const struct perf_event *event)
{
    *out = (struct feed_event){
        .period = event->attr.freq ? 0 : event->attr.sample_period,
        .each = event->weight.kind == EVENT_WEIGHT_PERIOD ? event->weight.scale : 0,
        .stack_bytes = event->attr.sample_stack_user,
        .kernel = !event->attr.exclude_kernel,
        .task_counts = event->counted,
    };
    _Static_assert(sizeof(out->name) == sizeof(event->name) && sizeof(out->type) == sizeof(event->type) &&
                       sizeof(out->unit) == sizeof(event->unit),
                   "texts are as long on both sides");
    memcpy(out->name, event->name, sizeof(out->name));
    memcpy(out->type, event->type, sizeof(out->type));
    memcpy(out->unit, event->unit, sizeof(out->unit));
}

void info_fill(struct feed_info *info, const struct perf_armed *armed)
{
    info->events = armed->events;
    info->cpu_event = FEED_NO_EVENT;
    info->cpus = armed->cpus;
    for (uint32_t i = 0; i < armed->events; i++) {
        const struct perf_event *event = &armed->event[i];

        describe_event(&info->event[i], event);
        if (!event->cpu_time || info->cpu_event != FEED_NO_EVENT)
            continue;
        info->cpu_event = i;
        info->frequency_hz =
            (uint32_t)((NSEC_PER_SEC + event->attr.sample_period / 2) / MAX_OF(event->attr.sample_period, 1));
    }
}
