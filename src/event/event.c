/*
 * event.c - what follows from a spec: rates, sample types, who is the same as whom
 */
#include "ringside/event.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#include "event_private.h"
#include "ringside/arch.h"
#include "ringside/base.h"

static bool counts_nanoseconds(const struct event_spec *s)
{
    return s->kind == EVENT_SOFTWARE &&
           (s->perf_config == PERF_COUNT_SW_TASK_CLOCK || s->perf_config == PERF_COUNT_SW_CPU_CLOCK);
}

/*
 * The task clock counts nanoseconds in its hrtimer, so a period is exact and its samples are worth the same;
 * asking the kernel for a frequency instead would have it adjust a period that needs no adjusting.
 */
void event_set_frequency(struct event_spec *s, uint32_t hz)
{
    s->frequency_hz = hz ? hz : 1;
    s->period = counts_nanoseconds(s) ? NSEC_PER_SEC / s->frequency_hz : 0;
}

void event_from_row(struct event_spec *s, const struct event_row *row)
{
    snprintf(s->name, sizeof(s->name), "%s", row->name);
    s->kind = row->kind;
    s->perf_type = row->perf_type;
    s->perf_config = row->perf_config;
    if (row->frequency_hz)
        event_set_frequency(s, row->frequency_hz);
    else
        s->period = row->period;
}

uint64_t event_period_min(const struct event_spec *s)
{
    return counts_nanoseconds(s) ? CLOCK_PERIOD_MIN_NS : 1;
}

struct event_spec event_cpu(uint32_t frequency_hz, uint32_t stack_bytes)
{
    struct event_spec s;

    memset(&s, 0, sizeof(s));
    s.scale = 1;
    s.mode = EVENT_MODE_SUM;
    event_from_row(&s, event_row_find("sCPU", 4));
    event_set_frequency(&s, frequency_hz);
    s.rate_given = true;
    s.stack_bytes = MIN_OF(stack_bytes, EVENT_STACK_MAX) & ~7U;
    return s;
}

const struct event_row *event_row_find(const char *name, size_t n)
{
    for (size_t i = 0; i < event_table_rows; i++)
        if (strlen(event_table[i].name) == n && memcmp(event_table[i].name, name, n) == 0)
            return &event_table[i];
    return NULL;
}

static const struct event_row *row_of(const struct event_spec *s)
{
    if (s->kind != EVENT_HARDWARE && s->kind != EVENT_SOFTWARE)
        return NULL;
    return event_row_find(s->name, strlen(s->name));
}

bool event_same(const struct event_spec *a, const struct event_spec *b)
{
    return a->kind == b->kind && a->perf_config == b->perf_config && a->offset == b->offset &&
           strcmp(a->group, b->group) == 0 && strcmp(a->target, b->target) == 0 && a->weight == b->weight &&
           a->argument == b->argument && a->reg == b->reg && a->raw_offset == b->raw_offset &&
           a->raw_size == b->raw_size && strcmp(a->raw_field, b->raw_field) == 0;
}

const char *event_sample_type(const struct event_spec *s)
{
    const struct event_row *row = row_of(s);

    if (s->label[0])
        return s->label;
    return row ? row->type : s->name;
}

const char *event_sample_unit(const struct event_spec *s)
{
    const struct event_row *row = row_of(s);

    if (s->unit[0])
        return s->unit;
    if (s->weight != EVENT_WEIGHT_PERIOD)
        return "value";
    return row ? row->unit : "count";
}

bool event_needs_kernel(const struct event_spec *s)
{
    const struct event_row *row = row_of(s);

    switch (s->kind) {
    case EVENT_TRACEPOINT:
    case EVENT_KPROBE:
    case EVENT_KRETPROBE:
        return true;
    default:
        return row && row->needs_kernel;
    }
}

/* Tracepoints of system calls are hit with the process's registers as it made the call. */
static bool at_system_call(const struct event_spec *s)
{
    return s->kind == EVENT_TRACEPOINT &&
           (strcmp(s->group, "syscalls") == 0 || strcmp(s->group, "raw_syscalls") == 0);
}

int event_weight_register(const struct event_spec *s)
{
    if (s->weight == EVENT_WEIGHT_REGISTER)
        return s->reg;
    if (s->weight == EVENT_WEIGHT_ARGUMENT)
        return arch_reg_argument(s->argument, at_system_call(s));
    return -1;
}
