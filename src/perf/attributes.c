/*
 * attributes.c - see attributes.h
 *
 * perf_event_open(2); kernel/events/core.c, SYSCALL_DEFINE5(perf_event_open) for which errno means what.
 */
#include "attributes.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arm.h"
#include "ringside/arch.h"
#include "ringside/base.h"
#include "ringside/perf.h"

/* A ring should hold this much of a CPU that is busy all the time. */
#define RING_HOLDS_MS         250
#define RING_BYTES_MIN        (512U << 10)
#define RING_BYTES_MAX        (4U << 20)
/* Where a program may make every sample at once: calls of a function, a tracepoint's hits. */
#define RING_BYTES_BURST      (16U << 20)
/* All rings together: a host with many CPUs gets smaller ones. */
#define RINGS_BYTES_MAX       (128U << 20)
/* Record header, registers, kernel callchain: what a sample takes beside its stack. */
#define SAMPLE_OVERHEAD_BYTES 512
#define KERNEL_FRAMES_MAX     127
/* Taken for an event that comes as often as the program makes it come. */
#define UNKNOWN_RATE_HZ       2000

int attributes_open(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
    return (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int attributes_open_first(struct perf_event *event, bool needs_kernel, pid_t pid, int cpu)
{
    for (;;) {
        int fd = attributes_open(&event->attr, pid, cpu);

        if (fd >= 0 || !attributes_step_down(&event->attr, errno))
            return fd;
        if (needs_kernel && event->attr.exclude_kernel) { /* nothing of it would be left */
            errno = EACCES;
            return -1;
        }
    }
}

static bool is_cpu_time(const struct event_spec *spec)
{
    return spec->perf_type == PERF_TYPE_SOFTWARE && spec->perf_config == PERF_COUNT_SW_TASK_CLOCK &&
           spec->weight == EVENT_WEIGHT_PERIOD && spec->scale == 1;
}

/* What every event asks of the kernel. */
static void attr_init(struct perf_event_attr *attr, const struct event_spec *spec)
{
    *attr = (struct perf_event_attr){
        .size = sizeof(*attr),
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN |
                       PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_LOST,
        .disabled = 1,
        .inherit = 1,
        .sample_id_all = 1,
        .exclude_hv = 1,
        .exclude_callchain_user = 1, /* the user part is unwound from the stack copy */
        .sample_max_stack = KERNEL_FRAMES_MAX,
        .sample_regs_user = arch_perf_reg_mask(),
        .sample_stack_user = spec->stack_bytes,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        /* Any record wakes a profiler that sleeps for want of them; a busy one does not listen (feed.c). */
        .watermark = 1,
        .wakeup_watermark = 1,
    };
}

/* Mappings, names, starts and ends. */
void attributes_track_processes(struct perf_event_attr *attr)
{
    attr->mmap = 1;
    attr->mmap2 = 1;
    attr->build_id = 1;
    attr->comm = 1;
    attr->comm_exec = 1;
    attr->task = 1;
}

static void set_rate(struct perf_event_attr *attr, const struct event_spec *spec)
{
    if (spec->period) {
        attr->sample_period = spec->period;
        return;
    }
    attr->freq = 1;
    attr->sample_freq = spec->frequency_hz;
    attr->sample_type |= PERF_SAMPLE_PERIOD; /* the kernel keeps changing it */
}

static void set_weight(struct perf_event *event, const struct event_spec *spec,
                       const struct perf_target *target)
{
    int reg = event_weight_register(spec);

    event->weight = (struct perf_weight){
        .kind = spec->weight,
        .reg = (uint8_t)MAX_OF(reg, 0),
        .raw_size = target->raw_size,
        .raw_signed = target->raw_signed,
        .raw_offset = target->raw_offset,
        .scale = spec->scale,
    };
    if (spec->weight == EVENT_WEIGHT_RAW || spec->weight == EVENT_WEIGHT_FIELD)
        event->attr.sample_type |= PERF_SAMPLE_RAW;
    if (reg < 0 || spec->kind != EVENT_KPROBE)
        return;
    event->attr.sample_type |= PERF_SAMPLE_REGS_INTR; /* of the kernel function */
    event->attr.sample_regs_intr = event->attr.sample_regs_user;
}

/* Of a CPU: what the clock of a task counts, but for the time in which none ran there. */
static void sample_a_cpu(struct perf_event_attr *attr)
{
    attr->inherit = 0;
    if (attr->type != PERF_TYPE_SOFTWARE || attr->config != PERF_COUNT_SW_TASK_CLOCK)
        return;
    attr->config = PERF_COUNT_SW_CPU_CLOCK;
    attr->exclude_idle = 1;
}

void attributes_make(struct perf_event *event, const struct event_spec *spec,
                     const struct perf_target *target, enum attributes_scope scope)
{
    *event = (struct perf_event){.cpu_time = is_cpu_time(spec)};
    attr_init(&event->attr, spec);
    event->attr.type = target->type;
    event->attr.config = target->config;
    event->attr.config1 = target->config1;
    event->attr.config2 = target->config2;
    event->attr.enable_on_exec = scope == ATTRIBUTES_SELF;
    set_rate(&event->attr, spec);
    set_weight(event, spec, target);
    if (scope == ATTRIBUTES_HOST)
        sample_a_cpu(&event->attr);
}

bool attributes_step_down(struct perf_event_attr *attr, int code)
{
    if ((code == EACCES || code == EPERM) && !attr->exclude_kernel) {
        attr->exclude_kernel = 1;
        attr->sample_type &= ~(uint64_t)PERF_SAMPLE_CALLCHAIN;
        attr->exclude_callchain_user = 0;
        attr->sample_max_stack = 0;
        return true;
    }
    if (code == EOVERFLOW && attr->sample_max_stack) {
        attr->sample_max_stack = 0; /* as deep as kernel.perf_event_max_stack permits: it is set to less */
        return true;
    }
    if (code != EINVAL && code != E2BIG)
        return false;
    if (attr->read_format & PERF_FORMAT_LOST) {
        attr->read_format &= ~(uint64_t)PERF_FORMAT_LOST; /* before 6.0 */
        return true;
    }
    if (attr->build_id) {
        attr->build_id = 0; /* before 5.12 */
        return true;
    }
    return false;
}

/* Samples a second of one CPU that is busy all the time; a guess where that is up to the program. */
static uint64_t samples_per_second(const struct perf_event_attr *attr)
{
    if (attr->freq)
        return attr->sample_freq;
    if (attr->type == PERF_TYPE_SOFTWARE &&
        (attr->config == PERF_COUNT_SW_TASK_CLOCK || attr->config == PERF_COUNT_SW_CPU_CLOCK))
        return NSEC_PER_SEC / MAX_OF(attr->sample_period, 1);
    return UNKNOWN_RATE_HZ;
}

uint64_t perf_bytes_per_second(const struct perf_armed *armed)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < armed->events; i++) {
        const struct perf_event_attr *attr = &armed->event[i].attr;

        bytes += samples_per_second(attr) * (attr->sample_stack_user + SAMPLE_OVERHEAD_BYTES);
    }
    return bytes;
}

uint32_t attributes_ring_pages(const struct perf_armed *armed)
{
    uint64_t bytes = RING_BYTES_MIN, want;

    want = MIN_OF(perf_bytes_per_second(armed) * RING_HOLDS_MS / 1000, (uint64_t)RING_BYTES_MAX);
    for (uint32_t i = 0; i < armed->events; i++)
        if (armed->event[i].attr.type == PERF_TYPE_TRACEPOINT && armed->event[i].attr.sample_period == 1)
            want = RING_BYTES_BURST;
    while (bytes < want)
        bytes *= 2;
    while (bytes > RING_BYTES_MIN / 4 && bytes * armed->cpus > RINGS_BYTES_MAX)
        bytes /= 2;
    return (uint32_t)(bytes / (uint64_t)sysconf(_SC_PAGESIZE));
}

/* A sample type's name has small letters, digits and '_' only: readers put it on command lines. */
static void name_type(const char *from, char *to, size_t bytes)
{
    size_t n = 0;

    if (!isalpha((unsigned char)from[0]))
        to[n++] = 'e';
    for (; *from && n < bytes - 1; from++)
        to[n++] = isalnum((unsigned char)*from) ? (char)tolower((unsigned char)*from) : '_';
    to[n] = '\0';
}

void attributes_name(struct perf_event *event, const struct event_spec *spec)
{
    const struct perf_event_attr *attr = &event->attr;

    snprintf(event->name, sizeof(event->name), "%s%s %s=%llu", spec->name, attr->exclude_kernel ? ":u" : "",
             attr->freq ? "frequency" : "period", (unsigned long long)attr->sample_period);
    name_type(event_sample_type(spec), event->type, sizeof(event->type));
    snprintf(event->unit, sizeof(event->unit), "%s", event_sample_unit(spec));
}
