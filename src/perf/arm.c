/*
 * arm.c - opens the events on the calling process, stepping down one attribute at a time where the kernel
 * refuses
 *
 * perf_event_open(2); kernel/events/core.c, SYSCALL_DEFINE5(perf_event_open) for which errno means what.
 */
#include "ringside/perf.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arm.h"
#include "counters.h"
#include "probes.h"
#include "ringside/arch.h"
#include "ringside/base.h"

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

static int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
    return (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
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
        .enable_on_exec = 1,
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

/* The first event also tells about processes: mappings, names, starts and ends. */
static void track_processes(struct perf_event_attr *attr)
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

/* Gives up the next thing an older or stricter kernel may refuse. False when nothing is left to give up. */
static bool attr_step_down(struct perf_event_attr *attr, int code)
{
    if ((code == EACCES || code == EPERM) && !attr->exclude_kernel) {
        attr->exclude_kernel = 1;
        attr->sample_type &= ~(uint64_t)PERF_SAMPLE_CALLCHAIN;
        attr->exclude_callchain_user = 0;
        attr->sample_max_stack = 0;
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
    if (attr->type == PERF_TYPE_SOFTWARE && attr->config == PERF_COUNT_SW_TASK_CLOCK)
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

static uint32_t ring_pages(const struct perf_armed *armed)
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

/* The CPUs this process may run on: all that its children will use, unless they widen their affinity. */
static uint32_t allowed_cpus(int *cpus)
{
    size_t bytes = CPU_ALLOC_SIZE(PERF_CPUS_MAX);
    cpu_set_t *set = base_alloc(bytes);
    uint32_t n = 0;

    memset(set, 0, bytes);
    if (sched_getaffinity(0, bytes, set) == 0)
        for (int cpu = 0; cpu < PERF_CPUS_MAX; cpu++)
            if (CPU_ISSET_S(cpu, bytes, set))
                cpus[n++] = cpu;
    CPU_FREE(set);
    return n;
}

static void close_all(const int *fds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        close(fds[i]);
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

/* What the profile calls the event: as it was armed, not as it was asked for. */
static void name_event(struct perf_event *event, const struct event_spec *spec)
{
    const struct perf_event_attr *attr = &event->attr;

    snprintf(event->name, sizeof(event->name), "%s%s %s=%llu", spec->name, attr->exclude_kernel ? ":u" : "",
             attr->freq ? "frequency" : "period", (unsigned long long)attr->sample_period);
    name_type(event_sample_type(spec), event->type, sizeof(event->type));
    snprintf(event->unit, sizeof(event->unit), "%s", event_sample_unit(spec));
}

struct arming {
    struct perf_armed *armed;
    int *fds; /* of the event being armed */
    int cpu[PERF_CPUS_MAX];
    uint32_t cpus;
    bool needs_kernel;
    bool uninherited;       /* the turn of events that only the first task can have */
    struct err not_defined; /* why there are such */
    struct counters counters;
};

/*
 * Opens the event on one CPU. The first CPU decides on the attributes: one decoder reads the rings of all.
 */
static int open_one(const struct arming *a, struct perf_event *event, uint32_t i)
{
    for (;;) {
        int fd = perf_event_open(&event->attr, 0, a->cpu[i]);

        if (fd >= 0 || i > 0 || !attr_step_down(&event->attr, errno))
            return fd;
        if (a->needs_kernel && event->attr.exclude_kernel) { /* nothing of it would be left */
            errno = EACCES;
            return -1;
        }
    }
}

/* CPUs that went offline since they were looked up leave the list; only the first event may find that. */
static void forget_cpu(struct arming *a, uint32_t i)
{
    memmove(&a->cpu[i], &a->cpu[i + 1], (a->cpus - i - 1) * sizeof(a->cpu[0]));
    a->cpus--;
}

/* 0, or an errno. */
static int open_all(struct arming *a, struct perf_event *event)
{
    uint32_t i = 0;

    while (i < a->cpus) {
        int fd = open_one(a, event, i), code = errno;

        if (fd >= 0) {
            a->fds[i++] = fd;
        } else if (code == ENODEV && a->armed->events == 0) {
            forget_cpu(a, i);
        } else {
            close_all(a->fds, i);
            return code;
        }
    }
    return 0;
}

static bool is_probe(const struct event_spec *spec)
{
    return spec->kind == EVENT_KPROBE || spec->kind == EVENT_KRETPROBE || spec->kind == EVENT_UPROBE ||
           spec->kind == EVENT_URETPROBE;
}

/*
 * A probe that cannot be defined in tracefs must not be inherited (define.c). It is armed after the others:
 * the first event is the one that tells about all processes.
 */
static int find_target(struct arming *a, const struct event_spec *spec, struct perf_target *target,
                       struct err *e)
{
    const struct perf_machine *m = perf_this_machine();

    if (perf_resolve(m, spec, target, e) < 0)
        return -1;
    if (!is_probe(spec) || a->uninherited)
        return 0;
    if (!a->armed->probes)
        perf_remove_probes(m, 0, false); /* what a killed profiler left behind */
    if (probes_define(m, spec, target, &a->not_defined) == 0) {
        a->armed->probes = true;
        return 0;
    }
    return 1;
}

/* 1: its turn comes later. */
static int arm_one(struct arming *a, const struct event_spec *spec, struct err *e)
{
    struct perf_event *event = &a->armed->event[a->armed->events];
    struct perf_target target;
    int code = find_target(a, spec, &target, e);

    if (code != 0)
        return code;
    if ((a->armed->events + 1) * a->cpus + 2 * EVENTS_MAX + 1 > PERF_FDS_MAX)
        return err_set(e, EMFILE, "event %s: %u CPUs times %u events are more than %d descriptors",
                       spec->name, a->cpus, a->armed->events + 1, PERF_FDS_MAX);
    *event = (struct perf_event){.cpu_time = is_cpu_time(spec)};
    attr_init(&event->attr, spec);
    event->attr.type = target.type;
    event->attr.config = target.config;
    event->attr.config1 = target.config1;
    event->attr.config2 = target.config2;
    set_rate(&event->attr, spec);
    event->attr.inherit = !a->uninherited;
    set_weight(event, spec, &target);
    if (a->armed->events == 0)
        track_processes(&event->attr);
    /* Exact counts complete exact periods only (account.c, counts.c). Before the event: counters_separate().
     */
    event->counted = event->attr.inherit && !event->attr.freq && counters_add(&a->counters, &event->attr);
    a->needs_kernel = event_needs_kernel(spec);
    code = open_all(a, event);
    if (code) {
        if (event->counted)
            counters_drop(&a->counters);
        perf_explain_event(spec, code, e);
        return -1;
    }
    if (a->uninherited)
        log_warn(perf, "%s: in the command's first thread only, not in others and not in its children: %s",
                 spec->name, a->not_defined.text);
    name_event(event, spec);
    event->attr.config1 = event->attr.config2 = 0; /* pointers, maybe */
    a->armed->events++;
    a->fds += a->cpus;
    return 0;
}

/* The events of a list, but for those whose bits are set in *done; sets them of all that are settled. */
static void arm_list(struct arming *a, const struct event_list *events, uint32_t *done, struct err *first)
{
    struct err why = {0};

    for (uint32_t i = 0; i < events->count && a->cpus; i++) {
        int result = *done >> i & 1 ? 0 : arm_one(a, &events->spec[i], &why);

        if (result <= 0)
            *done |= 1U << i;
        if (result >= 0)
            continue;
        if (!first->text[0])
            *first = why;
        if (events->count > 1)
            log_warn(perf, "left out: %s", why.text);
    }
}

/* Behind the events' descriptors: what else was opened. */
static void join_counters(struct arming *a)
{
    int fd;

    a->fds += counters_take(&a->counters, a->fds);
    a->armed->counters = a->counters.count;
    if (a->armed->events < 2 && !a->armed->probes)
        return;
    fd = counters_separate();
    if (fd < 0) {
        log_warn(perf, "counts of events may be mixed up: %s", strerror(errno));
        return;
    }
    *a->fds = fd;
    a->armed->separator = true;
}

int perf_arm(const struct event_list *events, struct perf_armed *armed, int *fds, struct err *e)
{
    struct arming a = {.armed = armed, .fds = fds};
    struct err first = {0};
    uint32_t done = 0;

    *armed = (struct perf_armed){0};
    a.cpus = allowed_cpus(a.cpu);
    arm_list(&a, events, &done, &first);
    a.uninherited = true;
    arm_list(&a, events, &done, &first);
    armed->cpus = a.cpus;
    join_counters(&a);
    if (!a.cpus)
        return err_set(e, 0, "no processor to profile on");
    if (!armed->events) {
        close_all(fds, perf_armed_fds(armed));
        if (armed->probes)
            perf_remove_probes(perf_this_machine(), getpid(), false);
        if (e)
            *e = first;
        return -1;
    }
    armed->ring_pages = ring_pages(armed);
    return 0;
}
