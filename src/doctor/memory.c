/*
 * memory.c - room for the rings: what the kernel allows, what a run wants, what it got when it tried
 *
 * kernel/events/core.c, perf_mmap(): perf_event_mlock_kb times the CPUs that are online is free for all
 * processes of a user together; what is beyond counts against RLIMIT_MEMLOCK of the process. CAP_IPC_LOCK, or
 * perf_event_paranoid below 0, lifts both.
 */
#include <stdio.h>

#include "report.h"

static void size_text(uint64_t kb, char *out, size_t max)
{
    if (kb >= 1024 && kb % 1024 == 0)
        snprintf(out, max, "%llu MiB", (unsigned long long)kb / 1024);
    else
        snprintf(out, max, "%llu KiB", (unsigned long long)kb);
}

static bool is_unlimited(const struct report *r)
{
    return place_is_capable(&r->place, PLACE_CAP_IPC_LOCK) ||
           (r->place.paranoid != PLACE_UNKNOWN && r->place.paranoid < 0);
}

static void say_limit(const struct report *r, struct finding *f)
{
    const struct doctor_machine *m = r->machine;
    char per_cpu[32] = "unknown", beyond[32] = "unlimited";

    if (is_unlimited(r)) {
        finding_say(f, "; there is no limit (CAP_IPC_LOCK)");
        return;
    }
    if (r->place.mlock_kb != PLACE_UNKNOWN)
        size_text((uint64_t)r->place.mlock_kb, per_cpu, sizeof(per_cpu));
    if (m->locked_bytes != UINT64_MAX)
        size_text(m->locked_bytes >> 10, beyond, sizeof(beyond));
    finding_say(
        f,
        "; the limit is %s x %u CPUs for all of this user's processes (kernel.perf_event_mlock_kb) and "
        "%s for each process beyond that (ulimit -l)",
        per_cpu, m->cpus_online, beyond);
}

static void add_values(struct report *r, struct finding *f)
{
    const struct doctor_machine *m = r->machine;

    finding_number(f, "cpus", r->rehearsal.cpus);
    finding_number(f, "ring_kb_wanted", r->rehearsal.wanted_ring_kb);
    finding_number(f, "ring_kb", r->rehearsal.got_ring_kb);
    finding_flag(f, "task_counts", !r->rehearsal.counts_lost);
    finding_number(f, "perf_event_mlock_kb", r->place.mlock_kb);
    finding_number(f, "memlock_kb",
                   m->locked_bytes == UINT64_MAX ? PLACE_UNKNOWN : (long)(m->locked_bytes >> 10));
    finding_flag(f, "unlimited", is_unlimited(r));
}

static void judge_rings(struct report *r, struct finding *f)
{
    const struct doctor_rehearsal *got = &r->rehearsal;

    if (!got->got_ring_kb)
        finding_set(f, STATE_BLOCKING,
                    "Without rings nothing can be sampled. Commands run as ever, without a profile.");
    /* Half of it still holds what comes while the profiler is not scheduled for a tenth of a second. */
    else if (2 * got->got_ring_kb < got->wanted_ring_kb)
        finding_set(f, STATE_LIMITED,
                    "A ring should hold a quarter of a second of samples of a busy CPU; smaller ones "
                    "overflow when the profiler has to wait for one. What is lost is counted.");
    else if (got->counts_lost)
        finding_set(
            f, STATE_LIMITED,
            "No room is left for the exact time of each task: that of short ones is in the total, but not "
            "under their names.");
    else
        return;
    finding_remedy(r, f, PLACE_NEED_MEMORY);
}

static void examine_rings(struct report *r)
{
    const struct doctor_rehearsal *got = &r->rehearsal;
    struct finding *f = finding_add(r, "rings", "locked memory for rings", AFFECTS_RUN);
    char wanted[32], size[32];

    size_text(got->wanted_ring_kb, wanted, sizeof(wanted));
    size_text(got->got_ring_kb, size, sizeof(size));
    if (got->got_ring_kb)
        finding_say(f, "%u x %s", got->cpus, size);
    else
        finding_say(f, "not even the smallest rings could be mapped");
    if (got->got_ring_kb != got->wanted_ring_kb)
        finding_say(f, " instead of %u x %s", got->cpus, wanted);
    say_limit(r, f);
    add_values(r, f);
    judge_rings(r, f);
}

#define OWN_DESCRIPTORS                                                                                      \
    64 /* of the profiler and of the command's first moments: files, sockets, libraries                      \
        */

static void examine_descriptors(struct report *r)
{
    struct finding *f = finding_add(r, "descriptors", "descriptors", AFFECTS_RUN);
    uint64_t need = r->rehearsal.descriptors, have = r->machine->descriptors;

    finding_say(f, "%llu, for %u event%s on %u CPUs", (unsigned long long)need, r->rehearsal.events,
                r->rehearsal.events == 1 ? "" : "s", r->rehearsal.cpus);
    if (have != UINT64_MAX)
        finding_say(f, ", of %llu", (unsigned long long)have);
    finding_number(f, "needed", (long)need);
    finding_number(f, "limit", (long)MIN_OF(have, (uint64_t)INT64_MAX));
    if (need + OWN_DESCRIPTORS <= have)
        return;
    finding_set(f, need >= have ? STATE_BLOCKING : STATE_LIMITED,
                "Each event takes one descriptor per CPU; files to be unwound take some more.");
    finding_remedy(r, f, PLACE_NEED_FILES);
}

void examine_memory(struct report *r)
{
    if (r->cause != PERF_CAUSE_NONE || !r->rehearsal.cpus)
        return;
    examine_rings(r);
    examine_descriptors(r);
}
