/*
 * arm.c - opens the events on the calling process, stepping down one attribute at a time where the kernel
 * refuses
 *
 * perf_event_open(2); kernel/events/core.c, SYSCALL_DEFINE5(perf_event_open) for which errno means what.
 */
#include "ringside/perf.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ringside/arch.h"
#include "ringside/base.h"

/* A ring should hold this much of a CPU that is busy all the time. */
#define RING_HOLDS_MS         250
#define RING_BYTES_MIN        (512U << 10)
#define RING_BYTES_MAX        (4U << 20)
/* All rings together: a host with many CPUs gets smaller ones. */
#define RINGS_BYTES_MAX       (128U << 20)
/* Record header, registers, kernel callchain: what a sample takes beside its stack. */
#define SAMPLE_OVERHEAD_BYTES 512
#define KERNEL_FRAMES_MAX     127

static int perf_event_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
    return (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static void attr_init(struct perf_event_attr *attr, const struct event_spec *spec)
{
    *attr = (struct perf_event_attr){
        .size = sizeof(*attr),
        .type = spec->perf_type,
        .config = spec->perf_config,
        .sample_period = spec->period,
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN |
                       PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_LOST,
        .disabled = 1,
        .enable_on_exec = 1,
        .inherit = 1,
        .inherit_stat = 1,
        .mmap = 1,
        .mmap2 = 1,
        .build_id = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
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
    if (attr->inherit_stat) {
        attr->inherit_stat = 0;
        return true;
    }
    return false;
}

static uint32_t ring_pages(const struct event_spec *spec, uint32_t cpus)
{
    uint64_t per_second =
        NSEC_PER_SEC / MAX_OF(spec->period, 1) * (spec->stack_bytes + SAMPLE_OVERHEAD_BYTES);
    uint64_t want = MIN_OF(per_second * RING_HOLDS_MS / 1000, (uint64_t)RING_BYTES_MAX);
    uint64_t bytes = RING_BYTES_MIN;

    while (bytes < want)
        bytes *= 2;
    while (bytes > RING_BYTES_MIN / 4 && bytes * cpus > RINGS_BYTES_MAX)
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

/* What the profile calls the event: as it was armed, not as it was asked for. */
static void name_event(struct perf_armed *armed, const struct event_spec *spec)
{
    snprintf(armed->event, sizeof(armed->event), "%s%s period=%llu", spec->name,
             armed->attr.exclude_kernel ? ":u" : "", (unsigned long long)spec->period);
}

/* The first CPU decides on the attributes: one decoder reads the rings of all. */
static int open_one(struct perf_armed *armed, int cpu)
{
    for (;;) {
        int fd = perf_event_open(&armed->attr, 0, cpu);

        if (fd >= 0 || armed->cpus || !attr_step_down(&armed->attr, errno))
            return fd;
    }
}

int perf_arm(const struct event_spec *spec, struct perf_armed *armed, int *fds, struct err *e)
{
    int cpus[PERF_CPUS_MAX];
    uint32_t allowed = allowed_cpus(cpus);

    *armed = (struct perf_armed){0};
    attr_init(&armed->attr, spec);
    for (uint32_t i = 0; i < allowed; i++) {
        int fd = open_one(armed, cpus[i]);

        if (fd < 0 && errno == ENODEV)
            continue; /* went offline since */
        if (fd < 0) {
            perf_explain(errno, e);
            close_all(fds, armed->cpus);
            return -1;
        }
        fds[armed->cpus++] = fd;
    }
    if (!armed->cpus)
        return err_set(e, 0, "no processor to profile on");
    armed->ring_pages = ring_pages(spec, armed->cpus);
    name_event(armed, spec);
    return 0;
}
