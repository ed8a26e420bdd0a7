/*
 * worker.c - the loop: records in time order, a profile per period, and the end
 */
#include "ringside/worker.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/deliver.h"
#include "ringside/elfio.h"
#include "ringside/ledger.h"
#include "ringside/procfs.h"

#include "worker_private.h"

/* Images without a mapping that stay known over a period's end: the next compiler run will want them again.
 */
#define IMAGES_KEPT         256
/* After so many deaths over one export, what it was to show is given up. */
#define EXPORT_ATTEMPTS_MAX 3
/* Frames of a usual stack. */
#define WORDS_PER_STACK     32
/* Records between two signs of life. */
#define ALIVE_RECORDS       256

static const struct image_limits image_limits = {
    .images = 16384,
    .open_files = 256,
    .cfi = {.rows = 1 << 20, .rules = 65535},
};
static const struct process_limits process_limits = {.processes = 16384, .tasks = 65536, .mappings = 8192};
static const struct stacks_limits stacks_limits = {.stacks = 1 << 18, .words = 1 << 23, .entries = 1 << 18};
static const struct symbols_config symbols_config = {.table_bytes = 16 << 20};

/* ---- set-up ---- */

/* Counts alone must never fill what a worker may have: no successor would come below it. */
static struct stacks_limits limits_of_counts(const struct worker *w)
{
    struct stacks_limits limits = stacks_limits;
    uint64_t bytes = w->config->memory_bytes_max / 4;

    if (bytes) {
        limits.words = (uint32_t)MIN_OF(limits.words, bytes / sizeof(uint64_t));
        limits.stacks = limits.entries = MIN_OF(limits.stacks, limits.words / WORDS_PER_STACK);
    }
    limits.owners = w->owners;
    return limits;
}

/* The ledger's numbers are taken over in the order in which they refer to each other. */
static void open_counts(struct worker *w)
{
    struct stacks_limits limits;

    owners_open(w);
    limits = limits_of_counts(w);
    w->stacks = stacks_new(&limits, w->ledger);
    if (stacks_dropped(w->stacks)) {
        stats_add(w->stats, STATS_LEDGER_DROPPED, stacks_dropped(w->stacks));
        log_error(worker, "%u counts of the worker before make no sense", stacks_dropped(w->stacks));
    }
    accounts_open(w);
    if (w->recovered && stacks_generation(w->stacks) == w->kept.generation) {
        kept_settle(w);
        return;
    }
    stacks_clear(w->stacks); /* what is there was exported, or nobody knows */
    owners_clear(w);
    w->kept.generation = stacks_generation(w->stacks);
    w->live->shown_ns = w->kept.shown_ns;
    kept_publish(w);
}

static void open_names(struct worker *w)
{
    struct symbols_config config = symbols_config;

    config.door = w->config->door;
    config.kallsyms.fd = w->config->kallsyms_fd;
    w->symbols = symbols_new(&config, w->images, w->stats);
}

static void worker_init(struct worker *w, const struct worker_config *config, struct feed *feed)
{
    struct process_limits limits = process_limits;
    struct image_limits files = image_limits;

    *w = (struct worker){.config = config, .feed = feed, .stats = config->stats};
    elf_guard_install();
    w->own_ledger = config->ledger ? NULL : ledger_new_private();
    w->ledger = config->ledger ? config->ledger : w->own_ledger;
    w->recovered = kept_open(w);
    w->resent = w->recovered ? w->live->taken : (struct taken){0};
    limits.door = files.door = config->door;
    w->images = images_new(&files, w->stats);
    stats_add(w->stats, STATS_LEDGER_DROPPED, images_keep(w->images, w->ledger));
    if (config->processes_max)
        limits.processes = MIN_OF(limits.processes, config->processes_max);
    limits.lazy = config->whole_host;
    limits.live = config->root_pid != 0 ||
                  config->whole_host; /* a recording's processes are not those of this machine */
    w->processes = processes_new(&limits, w->images, w->stats);
    open_names(w);
    open_counts(w);
    gaps_open(w);
    limits_open(w);
    finder_init(&w->finder, w->images, w->stats);
    w->trails = base_calloc(WORKER_TRAILS, sizeof(*w->trails));
    w->frames = base_alloc(UNWIND_MAX_FRAMES * sizeof(*w->frames));
    w->words = base_alloc(WORKER_FRAMES_MAX * sizeof(*w->words));
    running_open(w);
    if (config->root_pid && config->attached_count < 2)
        procfs_container_id(config->root_pid, w->container, sizeof(w->container));
}

static void worker_release(struct worker *w)
{
    accounts_release(w);
    processes_free(w->processes);
    symbols_free(w->symbols);
    images_free(w->images);
    stacks_free(w->stacks);
    owners_release(w);
    limits_release(w);
    finder_release(&w->finder);
    gaps_release(w);
    free(w->trails);
    free(w->frames);
    free(w->words);
    ledger_free(w->own_ledger);
}

void worker_forget_names(struct worker *w)
{
    symbols_free(w->symbols);
    open_names(w);
}

/* ---- records ---- */

/* The first process of the run: known to the feed only by its pid. */
static void note_root(struct worker *w, const struct feed_record *r)
{
    struct process *root;

    if (w->config->whole_host)
        return;
    if (!w->kept.root_pid)
        w->kept.root_pid = r->pid;
    if (r->pid != w->kept.root_pid)
        return;
    if (r->u.comm.exec)
        w->kept.main_image = 0; /* a script that becomes the server it starts */
    root = process_get(w->processes, r->pid);
    account_of_process(w, root)->clock_base_ns = w->config->root_clock_ns;
    if (root->name[0])
        memcpy(w->kept.root_name, root->name, sizeof(w->kept.root_name));
    kept_publish(w);
}

/* The first thing exec maps is the program itself: it is the profile's main binary even if none of its own
 * code runs for long. */
static void note_main_image(struct worker *w, const struct feed_record *r)
{
    struct mapping *m;

    if (w->kept.main_image || r->pid != w->kept.root_pid)
        return;
    m = process_find_mapping(process_get(w->processes, r->pid), r->u.mmap.start);
    if (!m || m->image->kind != IMAGE_FILE)
        return;
    w->kept.main_image = m->image->id;
    kept_publish(w);
}

/* Their accounts follow what becomes of tasks. */
static void note_task(struct worker *w, const struct feed_record *r)
{
    struct task *task = process_find_task(w->processes, r->pid, r->tid);

    if (!task)
        return;
    if (r->kind == FEED_EXIT)
        account_of_task(w, task)->ended = true;
    else
        accounts_note_task(w, task);
}

/* A record that changes the process table. True when files should be looked at again soon. */
static bool take_change(struct worker *w, const struct feed_record *r)
{
    bool eager;

    if (r->kind == FEED_FORK)
        accounts_begin_task(w, r->pid, r->tid);
    eager = process_apply(w->processes, r);
    if (r->kind != FEED_MMAP)
        note_task(w, r);
    if (r->kind == FEED_COMM) {
        w->owner_stamp++; /* a name changed */
        note_root(w, r);
    } else if (r->kind == FEED_MMAP) {
        note_main_image(w, r);
    }
    return eager;
}

/* The worker before died between adding it up and telling the ring that it was read. */
static bool was_taken(struct worker *w, const struct feed_record *r)
{
    struct taken *t = &w->resent;
    uint32_t event = r->kind == FEED_SAMPLE ? r->u.sample.event : r->u.task_count.event;

    if (r->time_ns > t->time_ns + NSEC_PER_SEC)
        t->time_ns = 0; /* it has told it */
    if ((r->kind != FEED_SAMPLE && r->kind != FEED_TASK_COUNT) || r->kind != t->kind || r->tid != t->tid ||
        r->time_ns != t->time_ns || event != t->event)
        return false;
    t->time_ns = 0;
    return true;
}

static bool take_record(struct worker *w, const struct feed_record *r)
{
    if (w->resent.time_ns && was_taken(w, r))
        return false;
    running_make_room(w);
    switch (r->kind) {
    case FEED_SAMPLE:
        worker_take_sample(w, r);
        return false;
    case FEED_TASK_COUNT:
        account_task_count(w, r);
        return false;
    case FEED_LOST:
        stats_add(w->stats, STATS_RECORDS_LOST, r->u.lost.records);
        counts_take_lost(w, r->u.lost.records);
        gaps_no_room(w, r);
        return false;
    case FEED_THROTTLE:
        stats_add(w->stats, STATS_THROTTLED, 1);
        return false;
    default:
        return take_change(w, r);
    }
}

static bool drain(struct worker *w)
{
    struct feed_record r;
    bool eager = false;

    for (uint32_t n = 1; feed_next(w->feed, &r); n++) {
        eager |= take_record(w, &r);
        if (n % ALIVE_RECORDS == 0)
            worker_alive(w, false);
    }
    return eager;
}

/* ---- periods ---- */

static void period_begin(struct worker *w, uint64_t now_ns)
{
    w->kept.period_start_ns = now_ns;
    kept_publish(w);
    counts_begin_period(w);
}

static uint64_t period_end_ns(const struct worker *w)
{
    return w->kept.period_start_ns + w->config->period_s * NSEC_PER_SEC;
}

static bool period_is_over(struct worker *w)
{
    uint64_t now_ns = clock_mono_ns();

    return w->config->period_s && now_ns >= period_end_ns(w) && now_ns >= counts_settled_ns(w);
}

static bool period_has_content(const struct worker *w)
{
    return stacks_entry_count(w->stacks) > 0;
}

/* When to look again at the latest; 0: when there is something. */
static uint64_t next_deadline_ns(struct worker *w)
{
    if (!w->config->period_s || !period_has_content(w))
        return 0;
    return w->counted_at_ns ? counts_settled_ns(w) : period_end_ns(w);
}

/*
 * The period is over at one stroke, with kept_publish(): whoever dies behind it leaves counts of a generation
 * that is not the period's any more.
 */
static void period_close(struct worker *w, uint64_t now_ns)
{
    w->kept.finished = w->kept.export.last;
    w->kept.export = (struct export_mark){0};
    w->kept.shown_ns = w->live->shown_ns;
    w->kept.generation = stacks_generation(w->stacks) + 1;
    w->kept.period_start_ns = now_ns; /* what came during the export belongs to the next */
    kept_publish(w);
    stacks_clear(w->stacks);
    owners_clear(w);
    symbols_trim(w->symbols);
    if (images_trim(w->images, IMAGES_KEPT, w->kept.main_image))
        worker_forget_code(w);
    counts_begin_period(w);
}

static void period_export(struct worker *w)
{
    w->kept.export.attempts++;
    kept_publish(w);
    feed_keep(w->feed, true);
    if (export_profile(w) < 0)
        w->kept.failed = true;
    feed_keep(w->feed, false);
    w->kept.told = w->telling;
    w->limits.profiles++;
}

static void period_finish(struct worker *w, bool last)
{
    uint64_t now_ns = clock_mono_ns();

    w->kept.export = (struct export_mark){
        .last = last, .wall_ns = clock_wall_ns(), .duration_ns = now_ns - w->kept.period_start_ns};
    account_period_end(w, last);
    gaps_settle(w);
    if (period_has_content(w) || (last && !w->config->period_s))
        period_export(w);
    period_close(w, now_ns);
}

/* A former worker died over this export. */
static void period_finish_again(struct worker *w)
{
    uint64_t end_ns = w->kept.period_start_ns + w->kept.export.duration_ns;
    uint64_t given_up_ns = 0, now_ns;

    if (w->kept.export.attempts < EXPORT_ATTEMPTS_MAX) {
        period_export(w);
    } else {
        given_up_ns = w->live->shown_ns - w->kept.shown_ns;
        stats_add(w->stats, STATS_LEDGER_DROPPED, stacks_entry_count(w->stacks));
        log_error(worker, "a profile is given up: exporting it ended in death %u times", EXPORT_ATTEMPTS_MAX);
        w->live->shown_ns = w->kept.shown_ns;
        counts_give_up(w);
        w->kept.export.last = false; /* it is yet to be told */
        w->kept.lost_some = true;
    }
    now_ns = clock_mono_ns();
    period_close(w, MIN_OF(end_ns, now_ns));
    if (given_up_ns)
        account_lost(w, given_up_ns);
}

/* Asleep for the whole period: what comes now belongs to a new one. */
static void period_skip_if_empty(struct worker *w)
{
    if (w->config->period_s && !period_has_content(w) && clock_mono_ns() >= period_end_ns(w))
        period_begin(w, clock_mono_ns());
}

static void log_counters(const struct stats *s)
{
    struct buf text;

    buf_init(&text, 4096);
    for (int id = 0; id < STATS_COUNT; id++)
        if (stats_get(s, (enum stats_id)id))
            buf_printf(&text, " %s %llu", stats_name((enum stats_id)id),
                       (unsigned long long)stats_get(s, (enum stats_id)id));
    log_debug(worker, "counted:%.*s", (int)text.len, text.data ? text.data : "");
    buf_release(&text);
}

static void send_profiles(struct worker *w)
{
    bool slow = deliver_is_slow(w->config->deliver);

    if (slow)
        feed_keep(w->feed, true);
    deliver_step(w->config->deliver);
    if (slow)
        feed_keep(w->feed, false);
}

/* To the end of the run, or until this worker has to make room. */
static enum worker_end run(struct worker *w)
{
    const struct worker_config *config = w->config;
    struct feed *feed = w->feed;
    enum feed_wait how;
    bool eager;

    if (w->kept.export.attempts)
        period_finish_again(w);
    do {
        worker_alive(w, false);
        if (w->kept.finished)
            return WORKER_DONE;
        if (config->deliver)
            send_profiles(w);
        period_skip_if_empty(w);
        eager = drain(w);
        gaps_look(w);
        account_ended_tasks(w, clock_mono_ns() - TASK_TIMES_FOLLOW_NS);
        if (limits_reached(w)) /* now, since what is in the rings may go with them */
            return WORKER_AGAIN;
        if (period_has_content(w) && period_is_over(w))
            period_finish(w, false);
        worker_alive(w, true);
        how = feed->ops->wait(feed, next_deadline_ns(w), eager || gaps_are_feared(w));
    } while (how == FEED_READY);
    worker_alive(w, false);
    if (how == FEED_ENDED && config->await_charge)
        config->await_charge(config->watch_ctx);
    feed->ops->finish(feed);
    drain(w);
    account_ended_tasks(w, UINT64_MAX);
    period_finish(w, true);
    log_counters(w->stats);
    return WORKER_DONE;
}

enum worker_end worker_run(const struct worker_config *config, struct feed *feed)
{
    struct worker *w = base_calloc(1, sizeof(*w));
    enum worker_end result;

    worker_init(w, config, feed);
    if (config->deliver)
        feed_watch(feed, deliver_fd(config->deliver));
    result = run(w);
    if (result == WORKER_DONE && w->kept.failed)
        result = WORKER_FAILED;
    worker_release(w);
    free(w);
    return result;
}
