/*
 * sample.c - one sample: kernel frames, the walk through the user stack, and the count
 *
 * The per-sample path: once warm it allocates nothing and makes no system call.
 */
#include "worker_private.h"

void worker_forget_code(struct worker *w)
{
    uint32_t at = 0;

    finder_forget(&w->finder);
    for (uint32_t i = 0; i < WORKER_TRAILS; i++)
        w->trails[i].trail.count = 0;
    for (struct process *p; (p = processes_next(w->processes, &at));)
        for (struct task *t = p->tasks; t; t = t->next)
            if (t->splice)
                ((struct thread_memory *)t->splice)->count = 0;
}

/* ---- the sample ---- */

static const enum stats_id stop_counter[UNWIND_STOPS] = {
    [UNWIND_DONE] = STATS_STACKS_COMPLETE,           [UNWIND_STACK_ENDED] = STATS_STACKS_TRUNCATED,
    [UNWIND_NO_ROW] = STATS_STACKS_NO_ROW,           [UNWIND_BAD_STATE] = STATS_STACKS_BAD_STATE,
    [UNWIND_NO_PROGRESS] = STATS_STACKS_NO_PROGRESS, [UNWIND_TOO_DEEP] = STATS_STACKS_TOO_DEEP,
};

static uint32_t add_kernel_frames(struct worker *w, const struct feed_sample *s, uint32_t n)
{
    uint32_t id = images_kernel(w->images)->id;

    for (uint32_t i = 0; i < s->kernel_frames && n < WORKER_FRAMES_MAX - UNWIND_MAX_FRAMES - 2; i++)
        w->words[n++] = word_of(id, frame_lookup_addr(s->kernel[i], i == 0));
    return n;
}

/* The copy may have been cut: then what lies beyond is worth remembering for when it really is. */
static bool copy_was_full(const struct worker *w, const struct feed_sample *s)
{
    return s->stack_bytes + 512 >= w->feed->info.event[s->event].stack_bytes;
}

static struct unwind_trail *trail_of(struct worker *w, const struct task *task)
{
    struct thread_trail *t = &w->trails[task->tid % WORKER_TRAILS];
    uint32_t epoch = task->process->space->epoch;

    if (t->tid != task->tid || t->epoch != epoch) {
        t->tid = task->tid;
        t->epoch = epoch;
        t->trail.count = 0;
    }
    return &t->trail;
}

static enum unwind_stop walk(struct worker *w, struct task *task, const struct feed_sample *s,
                             uint32_t *count)
{
    struct unwind_input in = {
        .regs = &s->regs, .stack = s->stack, .stack_bytes = s->stack_bytes, .trail = trail_of(w, task)};
    struct unwind_finder finder = finder_for(&w->finder, task->process);
    enum unwind_stop stop;

    stop = unwind_walk(&in, &finder, w->frames, UNWIND_MAX_FRAMES, count);
    if (stop == UNWIND_DONE && copy_was_full(w, s))
        splice_remember(task, w->frames, *count);
    if (stop == UNWIND_STACK_ENDED && splice_complete(task, w->frames, count, UNWIND_MAX_FRAMES)) {
        stats_add(w->stats, STATS_STACKS_SPLICED, 1);
        splice_remember(task, w->frames, *count);
        stop = UNWIND_DONE;
    }
    return stop;
}

static uint32_t add_user_frames(struct worker *w, struct task *task, const struct feed_sample *s, uint32_t n)
{
    uint32_t count = 0;
    enum unwind_stop stop = walk(w, task, s, &count);

    stats_add(w->stats, stop_counter[stop], 1);
    stats_add(w->stats, STATS_FRAMES, count);
    for (uint32_t i = 0; i < count; i++)
        w->words[n++] = w->frames[i].where;
    if (stop == UNWIND_STACK_ENDED || stop == UNWIND_TOO_DEEP)
        w->words[n++] = word_pseudo(PSEUDO_TRUNCATED);
    else if (stop != UNWIND_DONE)
        w->words[n++] = word_pseudo(PSEUDO_INCOMPLETE);
    return n;
}

/* In the middle of execve() the registers are the old program's, its memory is gone: the kernel frames are
 * all there is. */
static bool has_user_state(const struct feed_sample *s)
{
    return s->regs.known && (s->stack_bytes || !s->kernel_frames);
}

/* Once per sample. First whose time it was and then the stack: who dies in between leaves a sample that the
 * accounting knows is missing. */
static void note(struct worker *w, struct task *task, const struct feed_record *r)
{
    const struct feed_sample *s = &r->u.sample;

    w->live->taken = (struct taken){r->time_ns, r->tid, FEED_SAMPLE, (uint16_t)s->event};
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (s->event == w->feed->info.cpu_event) {
        account_of_task(w, task)->samples++;
        account_of_process(w, task->process)->sampled_ns += (uint64_t)s->value;
        w->live->shown_ns += (uint64_t)s->value;
    }
    counts_take_sample(w, task, s);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void count(struct worker *w, uint32_t n, uint32_t owner, const struct feed_sample *s)
{
    uint64_t word = word_pseudo(PSEUDO_TOO_MANY_STACKS);

    if (stacks_add(w->stacks, w->words, n, owner, 1, (uint64_t)s->value))
        return;
    stats_add(w->stats, STATS_STACKS_DROPPED, 1);
    stacks_add(w->stacks, &word, 1, s->event, 1, (uint64_t)s->value); /* nobody's: see owners_clear() */
}

void worker_take_sample(struct worker *w, const struct feed_record *r)
{
    struct task *task = process_get_task(w->processes, r->pid, r->tid);
    const struct feed_sample *s = &r->u.sample;
    uint32_t n = add_kernel_frames(w, s, 0);

    stats_add(w->stats, STATS_SAMPLES, 1);
    task->process->used_ns = r->time_ns;
    if (task->process->overflow) { /* whose mappings nobody knows */
        stats_add(w->stats, STATS_STACKS_NO_USER, 1);
        w->words[n++] = word_pseudo(PSEUDO_TOO_MANY_PROCESSES);
    } else if (has_user_state(s)) {
        n = add_user_frames(w, task, s, n);
    } else {
        stats_add(w->stats, STATS_STACKS_NO_USER, 1);
        if (s->foreign_abi)
            w->words[n++] = word_pseudo(PSEUDO_FOREIGN_ABI);
        else if (n == 0)
            w->words[n++] = word_pseudo(PSEUDO_NO_USER_STATE);
    }
    gaps_see(w, r);
    note(w, task, r);
    if (s->value)
        count(w, n, owner_of_task(w, task, s->event), s);
}
