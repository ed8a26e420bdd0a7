/*
 * arm.c - opens the events on the calling process, stepping down one attribute at a time where the kernel
 * refuses
 *
 * perf_event_open(2); kernel/events/core.c, SYSCALL_DEFINE5(perf_event_open) for which errno means what.
 */
#include "ringside/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arm.h"
#include "attributes.h"
#include "counters.h"
#include "probes.h"
#include "ringside/base.h"
#include "whom.h"

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

/* "0-3,8", as /sys has it. */
uint32_t arm_online_cpus(int *cpus)
{
    char text[4096];
    uint32_t n = 0;

    if (read_small_file(AT_FDCWD, "/sys/devices/system/cpu/online", text, sizeof(text), NULL) < 0)
        return allowed_cpus(cpus);
    for (char *at = text; *at >= '0' && *at <= '9';) {
        long first = strtol(at, &at, 10), last = *at == '-' ? strtol(at + 1, &at, 10) : first;

        for (long cpu = first; cpu <= last && cpu < PERF_CPUS_MAX && n < PERF_CPUS_MAX; cpu++)
            cpus[n++] = (int)cpu;
        at += *at == ',';
    }
    return n ? n : allowed_cpus(cpus);
}

void arm_close(const int *fds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        close(fds[i]);
}

struct arming {
    struct perf_armed *armed;
    enum attributes_scope scope;
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
    pid_t pid = a->scope == ATTRIBUTES_HOST ? -1 : 0;

    if (i == 0)
        return attributes_open_first(event, a->needs_kernel, pid, a->cpu[i]);
    return attributes_open(&event->attr, pid, a->cpu[i]);
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
            arm_close(a->fds, i);
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

int arm_find_target(struct perf_armed *armed, const struct event_spec *spec, struct perf_target *target,
                    struct err *not_defined, struct err *e)
{
    const struct perf_machine *m = perf_this_machine();

    if (perf_resolve(m, spec, target, e) < 0)
        return -1;
    if (!is_probe(spec) || !not_defined)
        return 0;
    if (!armed->probes)
        perf_remove_probes(m, 0, false); /* what a killed profiler left behind */
    if (probes_define(m, spec, target, not_defined) < 0)
        return 1;
    armed->probes = true;
    return 0;
}

/* 1: its turn comes later. */
static int arm_one(struct arming *a, const struct event_spec *spec, struct err *e)
{
    struct perf_event *event = &a->armed->event[a->armed->events];
    struct perf_target target;
    int code = arm_find_target(a->armed, spec, &target, a->uninherited ? NULL : &a->not_defined, e);

    if (code != 0)
        return code;
    if ((a->armed->events + 1) * a->cpus + 2 * EVENTS_MAX + 1 > PERF_FDS_MAX)
        return err_set(e, EMFILE, "event %s: %u CPUs times %u events are more than %d descriptors",
                       spec->name, a->cpus, a->armed->events + 1, PERF_FDS_MAX);
    attributes_make(event, spec, &target, a->scope);
    if (a->uninherited)
        event->attr.inherit = 0;
    if (a->armed->events == 0)
        attributes_track_processes(&event->attr);
    /* Exact counts complete exact periods only (account.c, counts.c). Before the event: counters_separate().
     */
    event->counted = event->attr.inherit && !event->attr.freq && counters_add(&a->counters, &event->attr);
    a->needs_kernel = event_needs_kernel(spec);
    code = open_all(a, event);
    if (code) {
        if (event->counted)
            counters_drop(&a->counters);
        if (a->scope == ATTRIBUTES_HOST)
            whom_explain_host(spec->name, code, e);
        else
            perf_explain_event(spec, code, e);
        return -1;
    }
    if (a->uninherited && a->scope == ATTRIBUTES_SELF)
        log_warn(perf, "%s: in the command's first thread only, not in others and not in its children: %s",
                 spec->name, a->not_defined.text);
    attributes_name(event, spec);
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
    if (a->scope == ATTRIBUTES_HOST || (a->armed->events < 2 && !a->armed->probes))
        return;
    fd = counters_separate();
    if (fd < 0) {
        log_warn(perf, "counts of events may be mixed up: %s", strerror(errno));
        return;
    }
    *a->fds = fd;
    a->armed->separator = true;
}

/* When every event had its turn. */
static int arm_finish(struct arming *a, int *fds, const struct err *first, struct err *e)
{
    a->armed->cpus = a->cpus;
    join_counters(a);
    if (!a->cpus)
        return err_set(e, 0, "no processor to profile on");
    if (!a->armed->events) {
        arm_close(fds, perf_armed_fds(a->armed));
        if (a->armed->probes)
            perf_remove_probes(perf_this_machine(), getpid(), false);
        if (e)
            *e = *first;
        return -1;
    }
    a->armed->ring_pages = attributes_ring_pages(a->armed);
    return 0;
}

int perf_arm(const struct event_list *events, struct perf_armed *armed, int *fds, struct err *e)
{
    struct arming a = {.armed = armed, .scope = ATTRIBUTES_SELF, .fds = fds};
    struct err first = {0};
    uint32_t done = 0;

    *armed = (struct perf_armed){0};
    a.cpus = allowed_cpus(a.cpu);
    arm_list(&a, events, &done, &first);
    a.uninherited = true;
    arm_list(&a, events, &done, &first);
    return arm_finish(&a, fds, &first, e);
}

int perf_arm_host(const struct event_list *events, struct perf_armed *armed, int *fds, struct err *e)
{
    /* Nothing is inherited, as nothing belongs to a task. */
    struct arming a = {.armed = armed, .scope = ATTRIBUTES_HOST, .fds = fds, .uninherited = true};
    struct err first = {0};
    uint32_t done = 0;

    *armed = (struct perf_armed){.whole_host = true};
    a.cpus = arm_online_cpus(a.cpu);
    arm_list(&a, events, &done, &first);
    return arm_finish(&a, fds, &first, e);
}
