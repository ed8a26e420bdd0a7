/*
 * comments.c - what a reader needs to trust a profile: whose it is, how it was taken, what was lost, what it
 * cost
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "ringside/profile.h"

#include "worker_private.h"

static uint64_t since(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static uint64_t counted(const struct worker *w, enum stats_id id)
{
    return since(stats_get(w->stats, id), w->kept.told.counters.value[id]);
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void add_event_comment(struct profile *p, const struct feed_info *info, uint32_t i)
{
    const struct feed_event *event = &info->event[i];
    char rate[24] = "";

    if (i == info->cpu_event)
        snprintf(rate, sizeof(rate), "%u Hz, ", info->frequency_hz);
    profile_add_comment(p, "event: %s, %sstack copy %u bytes, ring %u KiB on each of %u CPUs", event->name,
                        rate, event->stack_bytes, info->ring_bytes >> 10, info->cpus);
}

static void add_if_given(struct profile *p, const char *what, const char *text)
{
    if (text)
        profile_add_comment(p, "%s: %s", what, text);
}

static void add_identity(struct profile *p, const struct worker_config *config)
{
    profile_add_comment(p, "ringside %s", config->version);
    profile_add_comment(p, "service: %s", config->service);
    add_if_given(p, "environment", config->environment);
    add_if_given(p, "version", config->service_version);
    add_if_given(p, "runtime id", config->runtime_id);
    for (uint32_t i = 0; i < config->tag_count; i++)
        add_if_given(p, "tag", config->tags[i]);
}

static void add_capture(struct profile *p, const struct feed_info *info)
{
    const struct feed_event *main_event =
        &info->event[info->cpu_event == FEED_NO_EVENT ? 0 : info->cpu_event];
    struct utsname uts;

    for (uint32_t i = 0; i < info->events; i++)
        add_event_comment(p, info, i);
    profile_add_comment(p, "kernel mode: %s", main_event->kernel ? "sampled" : "not permitted");
    if (uname(&uts) == 0)
        profile_add_comment(p, "kernel: %s %s %s", uts.sysname, uts.release, uts.machine);
}

/* Only where something is not as it should be: who reads the profile then knows that others may be missing.
 */
static void add_deliveries(const struct worker *w, struct profile *p)
{
    uint64_t retried = counted(w, STATS_UPLOADS_RETRIED), refused = counted(w, STATS_UPLOADS_REFUSED);
    uint64_t full = counted(w, STATS_SPOOL_DROPPED_FULL), old = counted(w, STATS_SPOOL_DROPPED_OLD);
    uint64_t unreadable = counted(w, STATS_SPOOL_UNREADABLE);

    if (retried || refused)
        profile_add_comment(p, "uploads: delivered %llu, failed and tried again %llu, refused %llu",
                            (unsigned long long)counted(w, STATS_UPLOADS_DELIVERED),
                            (unsigned long long)retried, (unsigned long long)refused);
    if (full || old || unreadable)
        profile_add_comment(p, "dropped undelivered: no room %llu, too old %llu, unreadable %llu",
                            (unsigned long long)full, (unsigned long long)old,
                            (unsigned long long)unreadable);
}

/* Workers that died and others that made room: since the last profile. */
static void add_history(const struct worker *w, struct profile *p, const struct worker_history *now)
{
    const struct worker_history *told = &w->kept.told.history;
    uint64_t restarts = since(now->restarts, told->restarts), gap_ns = since(now->gap_ns, told->gap_ns);
    uint64_t refreshes = since(now->refreshes, told->refreshes);

    if (restarts)
        profile_add_comment(p, "profiler restarts: %llu, time without one: %.3f s",
                            (unsigned long long)restarts, (double)gap_ns / 1e9);
    if (refreshes)
        profile_add_comment(p, "profiler refreshes: %llu", (unsigned long long)refreshes);
    if (counted(w, STATS_PROCESSES_UNWATCHED))
        profile_add_comment(p,
                            "processes that may not be profiled (set-user-id, set-group-id, capabilities, "
                            "unreadable): %llu",
                            (unsigned long long)counted(w, STATS_PROCESSES_UNWATCHED));
    if (counted(w, STATS_LEDGER_DROPPED))
        profile_add_comment(p, "dropped after a restart: %llu",
                            (unsigned long long)counted(w, STATS_LEDGER_DROPPED));
}

static void add_caps(const struct worker *w, struct profile *p)
{
    if (counted(w, STATS_PROCESSES_FORGOTTEN))
        profile_add_comment(p, "processes forgotten to make room: %llu",
                            (unsigned long long)counted(w, STATS_PROCESSES_FORGOTTEN));
}

void add_comments(struct worker *w, struct profile *p, uint64_t duration_ns)
{
    uint64_t samples = counted(w, STATS_SAMPLES);
    uint64_t incomplete = counted(w, STATS_STACKS_NO_ROW) + counted(w, STATS_STACKS_BAD_STATE) +
                          counted(w, STATS_STACKS_NO_PROGRESS);
    struct worker_history history;
    struct stats_self self;
    uint64_t cpu_ns;

    add_identity(p, w->config);
    add_capture(p, &w->feed->info);
    profile_add_comment(
        p, "samples: %llu, lost: %llu, records lost: %llu, late: %llu, torn: %llu, throttled: %llu",
        (unsigned long long)samples, (unsigned long long)counted(w, STATS_SAMPLES_LOST),
        (unsigned long long)counted(w, STATS_RECORDS_LOST),
        (unsigned long long)counted(w, STATS_RECORDS_LATE),
        (unsigned long long)counted(w, STATS_RECORDS_TORN), (unsigned long long)counted(w, STATS_THROTTLED));
    profile_add_comment(
        p,
        "stacks: complete %.2f %%, truncated %.2f %%, incomplete %.2f %%, completed from earlier samples "
        "%.2f %%",
        share(samples - MIN_OF(samples, incomplete + counted(w, STATS_STACKS_TRUNCATED) +
                                            counted(w, STATS_STACKS_TOO_DEEP)),
              samples),
        share(counted(w, STATS_STACKS_TRUNCATED) + counted(w, STATS_STACKS_TOO_DEEP), samples),
        share(incomplete, samples), share(counted(w, STATS_STACKS_SPLICED), samples));
    stats_self(&self);
    history = w->config->history ? *w->config->history : (struct worker_history){0};
    cpu_ns = history.former_cpu_ns + self.cpu_ns;
    profile_add_comment(p, "profiler: %.3f ms CPU in %.3f s, peak memory %.1f MiB, wake-ups %llu",
                        (double)(cpu_ns - MIN_OF(cpu_ns, w->kept.told.profiler_cpu_ns)) / 1e6,
                        (double)duration_ns / 1e9, (double)self.peak_rss_bytes / 1048576.0,
                        (unsigned long long)counted(w, STATS_WAKEUPS));
    add_caps(w, p);
    add_history(w, p, &history);
    add_deliveries(w, p);
    /* Not when the period ends: what is counted while this profile is delivered, or while nothing runs, is in
     * the next one. */
    w->telling = (struct told){.counters = *w->stats, .history = history, .profiler_cpu_ns = cpu_ns};
}
