/*
 * gaps.c - between workers: how much CPU time nobody sampled
 *
 * Rings go with the worker that mapped them, and what was in them; until the next one has mapped its own, no
 * sample is taken. The kernel's count goes on. Some times a second it is read and kept beside what was
 * sampled until then. The next worker reads it again: what was used since then, in the share that is sampled
 * while there is a worker, less what was sampled since then, is missing because of the death. Where kernel
 * mode is sampled, that share is all.
 *
 * Where rings stay, they may overflow meanwhile. The kernel says so in front of the first record that has
 * room again (perf_output_begin).
 */
#include <stdlib.h>

#include "worker_private.h"

#define LOOK_INTERVAL_NS (250 * NSEC_PER_MSEC)
/* Of less time the share means nothing. */
#define SHARE_FROM_NS    (100 * NSEC_PER_MSEC)
/* Who followed one that was lost may be lost as well, with all that lies in the rings: for so long that is
 * little. */
#define WARY_NS          (10 * NSEC_PER_SEC)
/* Reading counts of many CPUs and tasks takes long: it shall not take more than this part of the time. */
#define LOOK_PART        256

static bool is_of_interest(const struct worker *w)
{
    return w->config->ledger && w->feed->info.cpu_event != FEED_NO_EVENT;
}

static uint64_t sampled_ns(const struct worker *w)
{
    return w->live->shown_ns - MIN_OF(w->live->shown_ns, w->live->unsampled_ns);
}

/* How much of the time in which there was a worker was sampled; of a moment nothing is known. */
static double sampled_part(const struct worker *w)
{
    const struct live *l = w->live;
    const struct feed_info *info = &w->feed->info;

    if (info->event[info->cpu_event].kernel && !w->config->whole_host)
        return 1;
    if (l->seen_total_ns < SHARE_FROM_NS)
        return 0;
    return MIN_OF((double)l->seen_sampled_ns / (double)l->seen_total_ns, 1.0);
}

/* What is missing since the former worker looked. */
static uint64_t missing_ns(struct worker *w)
{
    const struct live *l = w->live;
    struct feed_totals totals = {0};
    uint64_t sampled = sampled_ns(w), used, expected;

    w->feed->ops->totals(w->feed, w->feed->info.cpu_event, &totals);
    if (!totals.known || totals.value <= l->looked_total_ns || sampled < l->looked_sampled_ns)
        return 0;
    used = totals.value - l->looked_total_ns;
    expected = (uint64_t)((double)used * sampled_part(w));
    sampled -= l->looked_sampled_ns;
    return expected > sampled ? expected - sampled : 0;
}

void gaps_open(struct worker *w)
{
    struct gaps *g = &w->gaps;

    if (!w->recovered || !is_of_interest(w))
        return;
    w->kept.lost_some |= w->config->history && w->config->history->restarts;
    g->cpus = g->open = MAX_OF(w->feed->info.cpus, 1U);
    g->closed = base_calloc(g->cpus, sizeof(*g->closed));
    g->since_ns = clock_mono_ns();
    w->live->gap_ns += missing_ns(w);
    gaps_look(w); /* it is not missing twice */
}

bool gaps_are_feared(const struct worker *w)
{
    return w->kept.lost_some && clock_mono_ns() - w->gaps.since_ns < WARY_NS;
}

void gaps_release(struct worker *w)
{
    free(w->gaps.closed);
    w->gaps.closed = NULL;
    w->gaps.open = 0;
}

void gaps_look(struct worker *w)
{
    uint64_t now_ns, took_ns;
    struct feed_totals totals = {0};

    if (!is_of_interest(w))
        return;
    now_ns = clock_mono_ns();
    if (now_ns < w->gaps.next_look_ns)
        return;
    w->feed->ops->totals(w->feed, w->feed->info.cpu_event, &totals);
    took_ns = clock_mono_ns() - now_ns;
    w->gaps.next_look_ns = now_ns + MAX_OF(LOOK_INTERVAL_NS, took_ns * LOOK_PART);
    if (!totals.known)
        return;
    if (w->gaps.looked && totals.value > w->live->looked_total_ns) {
        w->live->seen_total_ns += totals.value - w->live->looked_total_ns;
        w->live->seen_sampled_ns += sampled_ns(w) - MIN_OF(sampled_ns(w), w->live->looked_sampled_ns);
    }
    w->gaps.looked = true;
    w->live->looked_total_ns = totals.value; /* first: who dies in between makes a gap smaller, not larger */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    w->live->looked_sampled_ns = sampled_ns(w);
}

void gaps_over(struct worker *w, const struct feed_record *r)
{
    struct gaps *g = &w->gaps;

    if (r->cpu >= g->cpus || g->closed[r->cpu])
        return;
    g->closed[r->cpu] = 1;
    if (--g->open == 0)
        gaps_release(w);
}

void gaps_no_room(struct worker *w, const struct feed_record *r)
{
    const struct gaps *g = &w->gaps;

    if (!g->open || r->cpu >= g->cpus || g->closed[r->cpu] || r->u.lost.records >= UINT32_MAX)
        return;
    w->live->gap_ns += r->u.lost.records * feed_period_ns(&w->feed->info);
}

uint64_t gaps_take(struct worker *w, uint64_t lost)
{
    uint64_t part = MIN_OF(lost, w->live->gap_ns);

    w->live->gap_ns -= part;
    return part;
}

void gaps_settle(struct worker *w)
{
    w->live->gap_ns = 0;
}
