/*
 * worker_private.h - the worker's state, shared by its files
 *
 *   worker.c   the loop: records, periods, the end
 *   sample.c   a sample to frame words (with finder.c and splice.c)
 *   owner.c    whom a stack belongs to: the label sets of a period
 *   account.c  CPU time that was not sampled
 *   counts.c   the same of all other events
 *   export.c   the period's counts to a finished profile (with words.c, comments.c and show.c)
 */
#ifndef RINGSIDE_WORKER_PRIVATE_H
#define RINGSIDE_WORKER_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/image.h"
#include "ringside/process.h"
#include "ringside/stacks.h"
#include "ringside/stats.h"
#include "ringside/symbol.h"
#include "ringside/unwind.h"
#include "ringside/worker.h"

#include "finder.h"
#include "word.h"

/* Kernel and user frames of one sample, and the mark at the root. */
#define WORKER_FRAMES_MAX (UNWIND_MAX_FRAMES + 256)

struct profile;

struct owner {
    uint32_t pid, tid;                  /* 0: no label */
    uint32_t process_name, thread_name; /* in worker.strings */
    uint32_t event;                     /* what its values are of */
};

/* An event other than CPU time: how much of it was counted, sampled and shown. In events; value in its unit.
 */
struct event_count {
    uint64_t shown;   /* over the run: samples, and frames that say what was not sampled */
    uint64_t advance; /* of that, what period ends have shown of living tasks without samples */
    uint64_t sampled, sampled_in_period;
    double value;               /* of the sampled ones */
    double recent;              /* value of one of them lately */
    double lost, lost_value;    /* records lost so far, and what they would have been worth at the time */
    uint64_t total, total_lost; /* as last read, with total_known */
    bool total_known;
    double scale; /* of this period's values */
};

struct worker {
    const struct worker_config *config;
    struct feed *feed;
    struct stats *stats;
    struct images *images;
    struct processes *processes;
    struct symbols *symbols;
    struct stacks *stacks;

    struct finder finder;
    struct unwind_frame *frames;
    uint64_t *words;
    struct thread_trail *trails; /* WORKER_TRAILS of them, by tid */

    /* this period */
    struct strtab strings;
    struct owner *owner;
    uint32_t owners, owners_cap;
    struct map64 owner_index; /* hash of an owner -> index */
    uint32_t owner_stamp;     /* what tasks remember of owners is good for this stamp only */
    uint64_t period_start_ns;
    struct stats before; /* counters when the last profile was described */
    uint64_t self_cpu_before_ns;

    /* accounting over the run */
    uint64_t shown_ns; /* what all profiles so far add up to */
    bool task_times_seen;
    struct event_count counted[FEED_EVENTS_MAX];
    uint64_t counted_at_ns; /* when totals were read for the period that is ending; 0: not yet */
    bool inheritors_ended;  /* a task other than the first, which no FEED_TASK_COUNT reports */
    uint32_t root_pid;
    char root_name[TASK_NAME_BYTES];
    char container[96];
    uint32_t main_image; /* id of the target's own binary, 0 while unknown */
    int result;
};

/*
 * Threads that come to the same place take turns. Numbers that follow each other do not, so the threads of a
 * usual server each have a place of their own.
 */
#define WORKER_TRAILS 128 /* 1.6 MB, when all are deep */

struct thread_trail {
    uint32_t tid, epoch; /* of its address space */
    struct unwind_trail trail;
};

/* What the worker remembers of a thread (struct task.splice). */
struct thread_memory {
    uint32_t owner, owner_stamp, owner_event;
    struct unsampled {
        uint64_t events; /* counted minus sampled; wraps while the former is not known */
        bool exact;
    } unsampled[FEED_EVENTS_MAX];
    uint32_t count, cap;
    struct outer_frame {
        uint64_t cfa, pc, where;
    } * frame; /* inside the same allocation */
};

/* sample.c */
void worker_take_sample(struct worker *w, const struct feed_record *r);
/* After images were forgotten. */
void worker_forget_code(struct worker *w);

/* splice.c */
/* Keeps the frames of a walk that may help a later, truncated one. */
void splice_remember(struct task *task, const struct unwind_frame *frames, uint32_t n);
/* Appends what is known beyond the last frame of a truncated walk; true when the stack is whole then. */
bool splice_complete(const struct task *task, struct unwind_frame *frames, uint32_t *n, uint32_t max);
struct thread_memory *task_memory(struct task *task);

/* owner.c */
uint32_t owner_of_task(struct worker *w, struct task *task, uint32_t event);
uint32_t owner_of(struct worker *w, const struct owner *o);
void owners_clear(struct worker *w);

/* account.c */
void account_task_count(struct worker *w, const struct feed_record *r);
/* Shows what tasks that ended before `before_ns` used without being sampled, and forgets them. */
void account_ended_tasks(struct worker *w, uint64_t before_ns);
/* The same for what lives; at the end of the run also for what nobody reported. */
void account_period_end(struct worker *w, bool last);

/* counts.c: nothing of it concerns the event that samples CPU time */
void counts_take_sample(struct worker *w, struct task *task, const struct feed_sample *s);
void counts_take_task(struct worker *w, struct task *task, const struct feed_record *r);
/* n records, of whichever events, had no room in a ring. */
void counts_take_lost(struct worker *w, uint64_t n);
void counts_end_task(struct worker *w, struct task *task);
/*
 * The first call of a period reads what was counted. Records that come until the time returned are to be
 * taken before the period ends, or what was counted is more than what was sampled. 0: no need to wait.
 */
uint64_t counts_settled_ns(struct worker *w);
void counts_end_period(struct worker *w, bool last);
void counts_begin_period(struct worker *w);

/* comments.c */
void add_comments(struct worker *w, struct profile *p, uint64_t duration_ns);

/* show.c */
void show_samples(const struct profile *p);

/* export.c */
int export_profile(struct worker *w, uint64_t end_wall_ns, uint64_t duration_ns);

#endif
