/*
 * worker.c - the loop: records in time order, a profile per period, and the end
 */
#include "ringside/worker.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/deliver.h"
#include "ringside/elfio.h"
#include "ringside/procfs.h"

#include "worker_private.h"

/* The exact times of an ended task follow its exit record by microseconds; a preempted CPU may make it more.
 */
#define TASK_TIMES_FOLLOW_NS (20 * NSEC_PER_MSEC)
/* Images without a mapping that stay known over a period's end: the next compiler run will want them again.
 */
#define IMAGES_KEPT          256

static const struct image_limits image_limits = {
    .images = 16384,
    .open_files = 256,
    .cfi = {.rows = 1 << 20, .rules = 65535},
};
static const struct process_limits process_limits = {.processes = 16384, .tasks = 65536, .mappings = 8192};
static const struct stacks_limits stacks_limits = {.stacks = 1 << 18, .words = 1 << 23, .entries = 1 << 18};
static const struct symbols_config symbols_config = {.table_bytes = 16 << 20};

/* ---- set-up ---- */

static void worker_init(struct worker *w, const struct worker_config *config, struct feed *feed)
{
    struct process_limits limits = process_limits;
    struct image_limits files = image_limits;
    struct symbols_config names = symbols_config;

    *w = (struct worker){
        .config = config, .feed = feed, .stats = config->stats, .root_pid = (uint32_t)config->root_pid};
    elf_guard_install();
    limits.door = files.door = names.door = config->door;
    names.kallsyms.fd = config->kallsyms_fd;
    w->images = images_new(&files, w->stats);
    if (config->processes_max)
        limits.processes = MIN_OF(limits.processes, config->processes_max);
    limits.live = config->root_pid != 0; /* a recording's processes are not those of this machine */
    w->processes = processes_new(&limits, w->images, w->stats);
    w->symbols = symbols_new(&names, w->images, w->stats);
    w->stacks = stacks_new(&stacks_limits);
    finder_init(&w->finder, w->images, w->stats);
    w->trails = base_calloc(WORKER_TRAILS, sizeof(*w->trails));
    w->frames = base_alloc(UNWIND_MAX_FRAMES * sizeof(*w->frames));
    w->words = base_alloc(WORKER_FRAMES_MAX * sizeof(*w->words));
    map64_init(&w->owner_index);
    strtab_init(&w->strings, 1 << 20);
    owners_clear(w);
    if (config->root_pid)
        procfs_container_id(config->root_pid, w->container, sizeof(w->container));
}

static void worker_release(struct worker *w)
{
    processes_free(w->processes);
    symbols_free(w->symbols);
    images_free(w->images);
    stacks_free(w->stacks);
    map64_release(&w->owner_index);
    strtab_release(&w->strings);
    free(w->owner);
    finder_release(&w->finder);
    free(w->trails);
    free(w->frames);
    free(w->words);
}

/* ---- records ---- */

/* The first process of the run: known to the feed only by its pid. */
static void note_root(struct worker *w, const struct feed_record *r)
{
    struct process *root;

    if (!w->root_pid)
        w->root_pid = r->pid;
    if (r->pid != w->root_pid)
        return;
    if (r->u.comm.exec)
        w->main_image = 0; /* a script that becomes the server it starts */
    root = process_get(w->processes, r->pid);
    root->clock_base_ns = w->config->root_clock_ns;
    if (root->name[0])
        memcpy(w->root_name, root->name, sizeof(w->root_name));
}

/* The first thing exec maps is the program itself: it is the profile's main binary even if none of its own
 * code runs for long. */
static void note_main_image(struct worker *w, const struct feed_record *r)
{
    struct mapping *m;

    if (w->main_image || r->pid != w->root_pid)
        return;
    m = process_find_mapping(process_get(w->processes, r->pid), r->u.mmap.start);
    if (!m || m->image->kind != IMAGE_FILE)
        return;
    w->main_image = m->image->id;
}

/* A record that changes the process table. True when files should be looked at again soon. */
static bool take_change(struct worker *w, const struct feed_record *r)
{
    bool eager = process_apply(w->processes, r);

    if (r->kind == FEED_COMM) {
        w->owner_stamp++; /* a name changed */
        note_root(w, r);
    } else if (r->kind == FEED_MMAP) {
        note_main_image(w, r);
    }
    return eager;
}

static bool take_record(struct worker *w, const struct feed_record *r)
{
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

    while (feed_next(w->feed, &r))
        eager |= take_record(w, &r);
    return eager;
}

/* ---- periods ---- */

static void period_begin(struct worker *w, uint64_t now_ns)
{
    w->period_start_ns = now_ns;
    counts_begin_period(w);
}

static uint64_t period_end_ns(const struct worker *w)
{
    return w->period_start_ns + w->config->period_s * NSEC_PER_SEC;
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

static void period_finish(struct worker *w, bool last)
{
    uint64_t now_ns = clock_mono_ns(), wall_ns = clock_wall_ns();

    account_period_end(w, last);
    if (period_has_content(w) || (last && !w->config->period_s)) {
        feed_keep(w->feed, true);
        if (export_profile(w, wall_ns, now_ns - w->period_start_ns) < 0)
            w->result = -1;
        feed_keep(w->feed, false);
    }
    stacks_clear(w->stacks);
    owners_clear(w);
    symbols_trim(w->symbols);
    if (images_trim(w->images, IMAGES_KEPT, w->main_image))
        worker_forget_code(w);
    period_begin(w, now_ns); /* what came during the export belongs to the next */
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

enum worker_end worker_run(const struct worker_config *config, struct feed *feed)
{
    struct worker *w = base_calloc(1, sizeof(*w));
    enum feed_wait how;
    enum worker_end result;
    bool eager;

    worker_init(w, config, feed);
    period_begin(w, clock_mono_ns());
    if (config->deliver)
        feed_watch(feed, deliver_fd(config->deliver));
    do {
        if (config->deliver)
            send_profiles(w);
        period_skip_if_empty(w);
        eager = drain(w);
        account_ended_tasks(w, clock_mono_ns() - TASK_TIMES_FOLLOW_NS);
        if (period_has_content(w) && period_is_over(w))
            period_finish(w, false);
        how = feed->ops->wait(feed, next_deadline_ns(w), eager);
    } while (how == FEED_READY);
    feed->ops->finish(feed);
    drain(w);
    account_ended_tasks(w, UINT64_MAX);
    period_finish(w, true);
    log_counters(w->stats);
    result = w->result < 0 ? WORKER_FAILED : WORKER_DONE;
    worker_release(w);
    free(w);
    return result;
}
