/*
 * counters.c - see counters.h
 *
 * With inherit_stat the kernel writes a PERF_RECORD_READ for each event of a task that ends
 * (kernel/events/core.c, sync_child_event). It writes on the CPU where the task ends, into the ring of the
 * event, also of one that is for another CPU; but a ring stands one writing CPU only (kernel/events/
 * ring_buffer.c: local_t, and a nesting count without lock). Two that write at once may leave the count
 * behind, and then nothing that is written to this ring is ever shown again. So the sampled events do not
 * have inherit_stat. One event for all CPUs counts beside each, and its records go to a ring where nothing
 * else is: one that dies is noticed and made anew (feed.c).
 *
 * That ring belongs to an event that never says anything: an inherited event for all CPUs may not have one
 * (perf_mmap), but may write to that of an event that is not inherited and is on the same task
 * (perf_event_set_output). With remove_on_exec it is on the task no longer when the command runs.
 */
#include "counters.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"

static int open_on_self(struct perf_event_attr *attr)
{
    return (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* What all have in common: records end as those of the sampled events do. */
static void attr_init(struct perf_event_attr *attr, uint32_t type, uint64_t config)
{
    *attr = (struct perf_event_attr){
        .size = sizeof(*attr),
        .type = type,
        .config = config,
        .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .disabled = 1,
        .sample_id_all = 1,
        .exclude_hv = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
}

static int open_ring_event(void)
{
    struct perf_event_attr attr;
    int fd;

    attr_init(&attr, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
    attr.exclude_kernel = 1;
    attr.remove_on_exec = 1;
    fd = open_on_self(&attr);
    if (fd >= 0)
        return fd;
    /* Before 5.13 it stays: the first task and its children then have no events in common, which costs. */
    attr.remove_on_exec = 0;
    return open_on_self(&attr);
}

static int open_counting_event(const struct perf_event_attr *sampled)
{
    struct perf_event_attr attr;
    int fd;

    attr_init(&attr, sampled->type, sampled->config);
    attr.config1 = sampled->config1;
    attr.config2 = sampled->config2;
    attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attr.exclude_kernel = sampled->exclude_kernel;
    attr.enable_on_exec = 1;
    attr.inherit = 1;
    attr.inherit_stat = 1;
    fd = open_on_self(&attr);
    if (fd >= 0 || (errno != EACCES && errno != EPERM))
        return fd;
    attr.exclude_kernel = 1; /* as it will be with the sampled one */
    return open_on_self(&attr);
}

bool counters_add(struct counters *c, const struct perf_event_attr *sampled)
{
    struct counter *next = &c->counter[c->count];

    next->ring_fd = open_ring_event();
    if (next->ring_fd < 0)
        return false;
    next->fd = open_counting_event(sampled);
    if (next->fd < 0) {
        close(next->ring_fd);
        return false;
    }
    c->count++;
    return true;
}

void counters_drop(struct counters *c)
{
    c->count--;
    close(c->counter[c->count].fd);
    close(c->counter[c->count].ring_fd);
}

uint32_t counters_take(const struct counters *c, int *fds)
{
    for (uint32_t i = 0; i < c->count; i++) {
        *fds++ = c->counter[i].ring_fd;
        *fds++ = c->counter[i].fd;
    }
    return 2 * c->count;
}

/*
 * When the kernel switches between two tasks that have the same events by inheritance, it leaves the events
 * in place and exchanges the tasks they are said to belong to (perf_event_context_sched_out). Two things go
 * wrong:
 * - Exact counts are exchanged with them, the first of one task with the first of the other and so on
 *   (perf_event_sync_stat), but a child's events are in an order of their own (perf_event_init_context: by
 * CPU and PMU), so that page faults are added to CPU time. With a single event the orders are the same, if
 * what is for all CPUs was opened first.
 * - A uprobe's event goes by the task that it was made for (hw.target, __uprobe_perf_filter). When that ends
 *   and another has the event, the breakpoint is taken out of a process that is to be probed.
 * An inherited event with PERF_SAMPLE_READ forbids the exchange everywhere (nr_no_switch_fast, Linux 6.13).
 * On older kernels an event that is not inherited does so between the first task and its children
 * (inherit_task_group); a child and its own children have one order. Neither ever has anything to say.
 */
int counters_separate(void)
{
    struct perf_event_attr attr;
    int fd;

    attr_init(&attr, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY);
    attr.exclude_kernel = 1;
    attr.sample_type = PERF_SAMPLE_READ | PERF_SAMPLE_TID;
    attr.sample_period = 1;
    attr.inherit = 1;
    fd = open_on_self(&attr);
    if (fd >= 0)
        return fd;
    attr.inherit = 0;
    return open_on_self(&attr);
}
