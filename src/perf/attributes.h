/*
 * attributes.h - what the kernel is asked for with an event, and what is given up when it refuses
 */
#ifndef RINGSIDE_PERF_ATTRIBUTES_H
#define RINGSIDE_PERF_ATTRIBUTES_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct event_spec;
struct perf_armed;
struct perf_event;
struct perf_target;

/* Whose events they will be. */
enum attributes_scope {
    ATTRIBUTES_SELF, /* the calling process's, from its next exec on */
    ATTRIBUTES_TASK, /* a running thread's and those of all that it starts; asleep until they are enabled */
    ATTRIBUTES_HOST, /* a CPU's, whatever runs there; likewise */
};

/* All that can be wished for. first: the event that also tells about processes. */
void attributes_make(struct perf_event *event, const struct event_spec *spec,
                     const struct perf_target *target, enum attributes_scope scope);
void attributes_track_processes(struct perf_event_attr *attr);

/* Gives up the next thing an older or stricter kernel may refuse. False when nothing is left to give up. */
bool attributes_step_down(struct perf_event_attr *attr, int code);

/* What the profile calls the event: as it was armed, not as it was asked for. */
void attributes_name(struct perf_event *event, const struct event_spec *spec);

/* Data pages each ring should have. */
uint32_t attributes_ring_pages(const struct perf_armed *armed);

/* A descriptor, or -1 with errno. */
int attributes_open(const struct perf_event_attr *attr, pid_t pid, int cpu);

/*
 * Steps down until it can be opened; *event is then as the kernel took it. needs_kernel: nothing of it is
 * left in user mode. A descriptor, or -1 with errno.
 */
int attributes_open_first(struct perf_event *event, bool needs_kernel, pid_t pid, int cpu);

#endif
