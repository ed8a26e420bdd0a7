/*
 * counts.c - what was counted but not sampled, of events other than CPU time: found out and shown, never
 * dropped
 *
 * As with CPU time (account.c), an inherited event starts each task with a full period to go, and samples are
 * lost when a ring is full; the kernel counts exactly all the same. What an ended task counted comes with
 * FEED_TASK_COUNT, what the whole tree did with the event's own count.
 *
 * A period that the kernel keeps changing (frequency=) leaves more: a sample says how long the period is now,
 * not how many events it took (perf_swevent_add resets last_period at each switch, kernel/events/core.c), so
 * samples may say more than there was. Their values are then scaled down to what was counted.
 *
 * Values that each event brings with it are not known for events nobody saw: they are taken to be as large as
 * the sampled ones on average, those of lost ones as large as those around them.
 */
#include "worker_private.h"

/* Records of events that a count includes come with the looks at the rings that follow it; this much later
 * all have. */
#define RECORDS_FOLLOW_NS (5 * NSEC_PER_MSEC)
/* So many samples are "lately". */
#define RECENT_SAMPLES    64

static bool counts_event(const struct worker *w, uint32_t event)
{
    return event < w->feed->info.events && event != w->feed->info.cpu_event;
}

static double value_of_one(const struct worker *w, uint32_t event, bool lost)
{
    const struct event_count *c = &w->live->counted[event];
    double each = w->feed->info.event[event].each;

    if (each > 0)
        return each;
    if (lost && c->lost > 0 && c->lost_value > 0)
        return c->lost_value / c->lost;
    return c->sampled ? c->value / (double)c->sampled : 0;
}

/* Without pid, as in account.c. */
static void show(struct worker *w, uint32_t event, const char *process_name, enum pseudo what, uint64_t n)
{
    double value = (double)n * value_of_one(w, event, what == PSEUDO_LOST);
    uint32_t name = period_text(w, process_name);
    struct owner o = {.process_name = name, .event = event};
    uint64_t words[2] = {word_pseudo(what), word_text(name)};

    w->live->counted[event].shown += n;
    if (value >= 0.5)
        stacks_add(w->stacks, words, name ? 2 : 1, owner_of(w, &o), 0, (uint64_t)(value + 0.5));
}

/*
 * Less than a period on each CPU is what sampling leaves over. More was lost, if anything was: of what is
 * inherited the kernel tells that for the whole tree only (__perf_output_begin).
 */
static void show_rest(struct worker *w, uint32_t event, const char *name, uint64_t rest)
{
    enum pseudo what = PSEUDO_ENDED_WITHIN_PERIOD;

    if (rest >= w->feed->info.event[event].period * w->feed->info.cpus)
        what = stats_get(w->stats, STATS_RECORDS_LOST) ? PSEUDO_LOST : PSEUDO_NOT_SAMPLED;
    show(w, event, name, what, rest);
}

void counts_take_sample(struct worker *w, struct task *task, const struct feed_sample *s)
{
    struct event_count *c = &w->live->counted[s->event];

    if (!counts_event(w, s->event))
        return;
    c->shown += s->counted;
    c->sampled += s->counted;
    c->value += (double)s->value;
    if (s->counted)
        c->recent += ((double)s->value / (double)s->counted - c->recent) / RECENT_SAMPLES;
    c->sampled_in_period += s->counted;
    if (w->feed->info.event[s->event].task_counts)
        account_events(w, account_of_task(w, task))[s->event] -= s->counted;
}

void counts_take_task(struct worker *w, struct task_account *a, const struct feed_record *r)
{
    if (!counts_event(w, r->u.task_count.event))
        return;
    account_events(w, a)[r->u.task_count.event] += r->u.task_count.value;
    a->counts_exact |= 1U << r->u.task_count.event;
}

void counts_take_lost(struct worker *w, uint64_t n)
{
    for (uint32_t event = 0; event < w->feed->info.events; event++) {
        struct event_count *c = &w->live->counted[event];

        if (c->sampled < RECENT_SAMPLES) /* that is not an average yet */
            continue;
        c->lost += (double)n;
        c->lost_value += (double)n * c->recent;
    }
}

void counts_end_task(struct worker *w, struct task_account *a, const char *process_name)
{
    for (uint32_t event = 0; a->counts_exact && !a->unknown && event < w->feed->info.events; event++) {
        uint64_t events = account_events(w, a)[event], paid;
        struct event_count *c = &w->live->counted[event];

        /* The first task is not reported; and a torn record must not make a debt of a surplus. */
        if (!(a->counts_exact & 1U << event) || (int64_t)events <= 0)
            continue;
        paid = MIN_OF(events, c->advance);
        c->advance -= paid;
        a->counts_exact &= ~(1U << event);
        show_rest(w, event, process_name, events - paid);
    }
}

/* ---- the end of a period ---- */

static void read_totals(struct worker *w)
{
    struct feed_totals totals;

    for (uint32_t event = 0; event < w->feed->info.events; event++) {
        w->feed->ops->totals(w->feed, event, &totals);
        w->live->counted[event].total_known = totals.known;
        w->live->counted[event].total = totals.value;
        w->live->counted[event].total_lost = totals.lost_samples;
    }
    w->counted_at_ns = clock_mono_ns();
}

uint64_t counts_settled_ns(struct worker *w)
{
    if (w->feed->info.events == 1 && !counts_event(w, 0))
        return 0;
    if (!w->counted_at_ns)
        read_totals(w);
    return w->counted_at_ns + RECORDS_FOLLOW_NS;
}

/* What living tasks may have counted since their last samples, and will show at the next or at their end. */
static uint64_t still_coming(struct worker *w, uint32_t event)
{
    uint64_t tasks = 0;
    uint32_t at = 0;

    for (struct process *p; (p = processes_next(w->processes, &at));)
        tasks += p->task_count;
    return tasks * w->feed->info.cpus * w->feed->info.event[event].period;
}

/* Samples of an adjusted period stand for more than there was: their values go down to it. */
static void scale_down(struct event_count *c, uint64_t excess)
{
    excess = MIN_OF(excess, c->sampled_in_period);
    if (excess)
        c->scale = (double)(c->sampled_in_period - excess) / (double)c->sampled_in_period;
    c->shown -= excess;
}

static void end_period(struct worker *w, uint32_t event, bool last)
{
    struct event_count *c = &w->live->counted[event];
    uint64_t coming = last ? 0 : still_coming(w, event);

    if (!c->total_known)
        return;
    if (last)
        stats_add(w->stats, STATS_SAMPLES_LOST, c->total_lost);
    if (c->shown > c->total) {
        if (!w->feed->info.event[event].period)
            scale_down(c, c->shown - c->total);
        return;
    }
    if (c->total - c->shown <= coming)
        return;
    c->advance += last ? 0 : c->total - c->shown - coming;
    show_rest(w, event, w->kept.root_name, c->total - c->shown - coming);
}

void counts_end_period(struct worker *w, bool last)
{
    if (last)
        read_totals(w);
    for (uint32_t event = 0; event < w->feed->info.events; event++) {
        w->live->counted[event].scale = 1;
        if (counts_event(w, event))
            end_period(w, event, last);
    }
}

void counts_give_up(struct worker *w)
{
    for (uint32_t event = 0; event < w->feed->info.events; event++) {
        struct event_count *c = &w->live->counted[event];

        c->shown -= MIN_OF(c->shown, c->sampled_in_period);
    }
}

void counts_begin_period(struct worker *w)
{
    w->counted_at_ns = 0;
    for (uint32_t event = 0; event < w->feed->info.events; event++)
        w->live->counted[event].sampled_in_period = 0;
}
