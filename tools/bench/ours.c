/*
 * ours.c - a recording through the worker's own process table, finder and walk
 *
 * Each pass makes a new process table over the same images. Records are the same, so the table numbers its
 * address spaces the same, and what the finder remembered in an earlier pass stays true: passes after the
 * first are warm.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/elfio.h"
#include "ringside/image.h"
#include "ringside/process.h"
#include "ringside/stats.h"

#include "finder.h"

#define THREAD_SLOTS 64

struct ours {
    const struct recording *recording;
    struct stats *stats;
    struct images *images;
    struct processes *processes;
    struct finder finder;
    struct unwind_trail trail[THREAD_SLOTS]; /* the worker keeps one for each thread */
    uint32_t epoch[THREAD_SLOTS];
    struct unwind_frame frames[UNWIND_MAX_FRAMES];
    uint64_t pc[UNWIND_MAX_FRAMES];
};

static void start_over(struct ours *o)
{
    struct process_limits limits = {.processes = 16384, .tasks = 65536, .mappings = 8192};

    processes_free(o->processes);
    o->processes = processes_new(&limits, o->images, o->stats);
}

struct ours *ours_new(const struct recording *r)
{
    struct image_limits limits = {
        .images = 16384,
        .open_files = 256,
        .cfi = {.rows = 1 << 20, .rules = 65535},
    };
    struct ours *o = base_calloc(1, sizeof(*o));

    elf_guard_install();
    o->recording = r;
    o->stats = stats_new();
    o->images = images_new(&limits, o->stats);
    finder_init(&o->finder, o->images, o->stats);
    return o;
}

void ours_free(struct ours *o)
{
    if (!o)
        return;
    finder_release(&o->finder);
    processes_free(o->processes);
    images_free(o->images);
    stats_free(o->stats);
    free(o);
}

static bool changes_processes(enum feed_kind kind)
{
    return kind == FEED_MMAP || kind == FEED_COMM || kind == FEED_FORK || kind == FEED_EXIT;
}

static struct unwind_trail *trail_of(struct ours *o, const struct task *task)
{
    uint32_t slot = task->tid % THREAD_SLOTS;

    if (o->epoch[slot] != task->process->space->epoch)
        o->trail[slot].count = 0;
    o->epoch[slot] = task->process->space->epoch;
    return &o->trail[slot];
}

static void walk(struct ours *o, const struct feed_record *r, uint32_t times, struct pass *out,
                 struct walks *walks)
{
    const struct feed_sample *s = &r->u.sample;
    struct unwind_input in = {.regs = &s->regs, .stack = s->stack, .stack_bytes = s->stack_bytes};
    struct task *task = process_get_task(o->processes, r->pid, r->tid);
    struct unwind_finder finder = finder_for(&o->finder, task->process);
    enum unwind_stop stop = UNWIND_STOPS;
    uint32_t n = 0;

    if (times == 1) /* the same sample again would be taken over whole */
        in.trail = trail_of(o, task);
    for (uint32_t i = 0; i < times; i++) {
        stop = unwind_walk(&in, &finder, o->frames, UNWIND_MAX_FRAMES, &n);
        out->samples++;
        out->frames += n;
        out->complete += stop == UNWIND_DONE;
    }
    if (!walks)
        return;
    for (uint32_t i = 0; i < n; i++)
        o->pc[i] = o->frames[i].pc;
    walks_add(walks, o->pc, n);
}

/* Timed in runs of consecutive samples: reading the clock for each would be a tenth of what it measures. */
void ours_pass(struct ours *o, uint32_t pid, uint32_t times, struct pass *out, struct walks *walks)
{
    const struct recording *r = o->recording;
    uint32_t i = 0;

    *out = (struct pass){0};
    start_over(o);
    while (i < r->count) {
        uint64_t began = cpu_now_ns();

        for (; i < r->count && r->record[i].kind == FEED_SAMPLE; i++)
            if (recording_walks(&r->record[i], pid))
                walk(o, &r->record[i], times, out, walks);
        out->cpu_ns += cpu_now_ns() - began;
        for (; i < r->count && r->record[i].kind != FEED_SAMPLE; i++)
            if (changes_processes(r->record[i].kind))
                process_apply(o->processes, &r->record[i]);
    }
}

uint64_t ours_apply_ns(struct ours *o)
{
    const struct recording *r = o->recording;
    uint64_t began = cpu_now_ns();

    start_over(o);
    for (uint32_t i = 0; i < r->count; i++)
        if (changes_processes(r->record[i].kind))
            process_apply(o->processes, &r->record[i]);
    return cpu_now_ns() - began;
}

struct process *ours_process(struct ours *o, uint32_t pid)
{
    const struct recording *r = o->recording;
    uint32_t last = 0;

    for (uint32_t i = 0; i < r->count; i++)
        if (recording_walks(&r->record[i], pid))
            last = i;
    start_over(o);
    for (uint32_t i = 0; i <= last; i++)
        if (changes_processes(r->record[i].kind))
            process_apply(o->processes, &r->record[i]);
    return process_get(o->processes, pid);
}

struct images *ours_images(struct ours *o)
{
    return o->images;
}

bool ours_is_end(struct ours *o, struct process *p, uint64_t pc, bool exact)
{
    struct unwind_finder finder = finder_for(&o->finder, p);
    struct unwind_site site;

    finder.find(finder.ctx, frame_lookup_addr(pc, exact), &site);
    return site.rule->cfa == CFI_END || (site.rule->cfa == CFI_NONE && site.entry);
}
