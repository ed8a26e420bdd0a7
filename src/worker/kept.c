/*
 * kept.c - see kept.h
 */
#include "kept.h"

#include <math.h>
#include <string.h>

#include "ringside/ledger.h"

#include "worker_private.h"

#define RUN_MAGIC 0x72756e7061676501ULL
/* More than any count or time of a run: beyond, a number makes no sense. */
#define PLAUSIBLE (1ULL << 60)

struct run_page {
    uint64_t magic;
    struct kept_copy {
        uint64_t sequence, check;
        struct kept kept;
    } copy[2];
    struct live live;
};

static struct run_page *page_of(const struct worker *w)
{
    size_t bytes;

    return ledger_at(w->ledger, LEDGER_RUN, &bytes);
}

static uint64_t check_of(const struct kept_copy *c)
{
    return hash_bytes(&c->kept, sizeof(c->kept)) ^ hash_u64(c->sequence + 1);
}

/* Whoever dies half-way leaves a copy whose check is wrong, and the other one. */
void kept_publish(struct worker *w)
{
    struct kept_copy *c = &page_of(w)->copy[++w->kept_sequence & 1];

    c->sequence = w->kept_sequence;
    memcpy(&c->kept, &w->kept, sizeof(c->kept));
    c->check = check_of(c);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static const struct kept_copy *newest_copy(const struct run_page *p)
{
    const struct kept_copy *found = NULL;

    for (int i = 0; i < 2; i++) {
        const struct kept_copy *c = &p->copy[i];

        if (c->check == check_of(c) && (!found || c->sequence > found->sequence))
            found = c;
    }
    return found;
}

static bool is_number(double x)
{
    return isfinite(x) && x >= 0 && x < (double)PLAUSIBLE;
}

static void check_counted(struct event_count *c)
{
    if (c->shown < PLAUSIBLE && c->advance < PLAUSIBLE && c->sampled < PLAUSIBLE &&
        c->sampled_in_period < PLAUSIBLE && is_number(c->value) && is_number(c->recent) &&
        is_number(c->lost) && is_number(c->lost_value)) {
        c->scale = 1;
        return;
    }
    *c = (struct event_count){0};
}

static void check_live(struct live *l)
{
    for (size_t i = 0; i < ARRAY_LEN(l->counted); i++)
        check_counted(&l->counted[i]);
    if (l->gap_ns >= PLAUSIBLE)
        l->gap_ns = 0;
}

static void check_kept(struct kept *k)
{
    uint64_t now_ns = clock_mono_ns();

    k->period_start_ns = MIN_OF(k->period_start_ns, now_ns);
    k->root_name[sizeof(k->root_name) - 1] = '\0';
}

bool kept_open(struct worker *w)
{
    struct run_page *p = page_of(w);
    bool used = p->magic == RUN_MAGIC;
    const struct kept_copy *found = used ? newest_copy(p) : NULL;

    w->live = &p->live;
    if (found) {
        w->kept = found->kept;
        w->kept_sequence = found->sequence;
        check_kept(&w->kept);
        check_live(w->live);
        return true;
    }
    if (used)
        log_error(worker, "what was counted before this worker cannot be read: it is lost");
    memset(p, 0, sizeof(*p));
    w->kept.root_pid = (uint32_t)w->config->root_pid;
    w->kept.period_start_ns = clock_mono_ns();
    w->kept.lost_some = used;
    kept_publish(w);
    p->magic = RUN_MAGIC;
    return false;
}

/* CPU time that the period's entries show. */
static uint64_t entries_ns(const struct worker *w)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < stacks_entry_count(w->stacks); i++) {
        const struct stacks_entry *e = stacks_entry_at(w->stacks, i);

        if (w->owner[e->owner].event == w->feed->info.cpu_event)
            sum += e->value;
    }
    return sum;
}

/*
 * The number that went up with each sample against what is there: a sample whose worker died over it, and
 * entries that made no sense. More than there was altogether it cannot be.
 */
void kept_settle(struct worker *w)
{
    uint64_t before_ns = w->live->shown_ns, there_ns = w->kept.shown_ns + entries_ns(w);
    struct feed_totals totals = {0};

    w->live->shown_ns = there_ns;
    if (w->feed->info.cpu_event == FEED_NO_EVENT || before_ns <= there_ns)
        return;
    w->feed->ops->totals(w->feed, w->feed->info.cpu_event, &totals);
    if (before_ns < PLAUSIBLE && (!totals.known || before_ns <= totals.value))
        account_lost(w, before_ns - there_ns);
    w->kept.lost_some = true;
    kept_publish(w);
}
