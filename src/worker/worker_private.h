/*
 * worker_private.h - the worker's state, shared by its files
 *
 *   worker.c   the loop: records, periods, the end
 *   sample.c   a sample to frame words (with finder.c and splice.c)
 *   owner.c    whom a stack belongs to: the label sets of a period
 *   kept.c     the state of the run, in the ledger, from one worker to the next
 *   accounts.c what is accounted for of each process and task, likewise
 *   limits.c   when this worker has to make room for another
 *   running.c  what ran already when profiling began
 *   account.c  CPU time that was not sampled
 *   counts.c   the same of all other events
 *   gaps.c     how much of that is because a worker died
 *   export.c   the period's counts to a finished profile (with words.c, comments.c, show.c, patient.c)
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

#include "accounts.h"
#include "finder.h"
#include "kept.h"
#include "running.h"
#include "word.h"

/* Kernel and user frames of one sample, and the mark at the root. */
#define WORKER_FRAMES_MAX (UNWIND_MAX_FRAMES + 256)

/* The exact times of an ended task follow its exit record by microseconds; a preempted CPU may make it more.
 */
#define TASK_TIMES_FOLLOW_NS (20 * NSEC_PER_MSEC)

struct ledger;
struct profile;

struct owner {
    uint32_t pid, tid;                  /* 0: no label */
    uint32_t process_name, thread_name; /* in worker.strings */
    uint32_t event;                     /* what its values are of */
    uint32_t container;                 /* likewise; 0: that of the run, if any */
};

/* CPUs whose ring may have overflowed while there was no worker: until something newer than this one comes.
 */
struct gaps {
    uint8_t *closed; /* by CPU */
    uint32_t cpus, open;
    uint64_t since_ns, next_look_ns;
    bool looked;
};

struct limits {
    int statm_fd;
    uint64_t next_look_ns;
    uint32_t profiles; /* so far */
    bool tried;        /* to make room */
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

    /* from one worker to the next: see kept.h */
    struct ledger *ledger, *own_ledger; /* the latter when nobody else keeps one */
    struct kept kept;
    uint64_t kept_sequence;
    struct live *live;
    struct accounts accounts;
    bool recovered;      /* a former worker was here */
    struct taken resent; /* its last record, which the feed may yield once more; time 0: came by */

    /* this period */
    struct strtab strings; /* the texts in the ledger */
    struct owner *owner;   /* in the ledger */
    uint32_t owners, owners_max;
    struct map64 owner_index; /* hash of an owner -> index */
    uint32_t owner_stamp;     /* what tasks remember of owners is good for this stamp only */
    uint64_t counted_at_ns;   /* when totals were read for the period that is ending; 0: not yet */
    struct told telling;      /* by the profile at hand */

    /* of this worker */
    struct gaps gaps;
    struct limits limits;
    char container[96];
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
/* What the ledger holds of the period's owners and texts. */
void owners_open(struct worker *w);
void owners_release(struct worker *w);
/* A text of the period. */
uint32_t period_text(struct worker *w, const char *text);

/* gaps.c */
void gaps_open(struct worker *w);
/* Whether what lies unread in the rings is likely to go with this worker. */
bool gaps_are_feared(const struct worker *w);
void gaps_release(struct worker *w);
/* While awake: what was used and sampled so far, so that a successor can tell how much is missing. */
void gaps_look(struct worker *w);
/* The rings had no room for records. */
void gaps_no_room(struct worker *w, const struct feed_record *r);
void gaps_over(struct worker *w, const struct feed_record *r);
/* The first sample of each CPU that is younger than this worker ends its gap. */
static inline void gaps_see(struct worker *w, const struct feed_record *r)
{
    if (w->gaps.open && r->time_ns > w->gaps.since_ns)
        gaps_over(w, r);
}
/* How much of what was lost the gaps account for. */
uint64_t gaps_take(struct worker *w, uint64_t lost);
/* All that is missing of living tasks has been shown. */
void gaps_settle(struct worker *w);

/* account.c */
/* Time that a former worker's death took along. */
void account_lost(struct worker *w, uint64_t ns);
/* Samples of nobody in particular. */
void account_show_lost(struct worker *w, uint64_t ns);
/* Shows what an ended task used without being sampled. */
void account_ended(struct worker *w, struct task_account *a, struct process_account *p);
void account_task_count(struct worker *w, const struct feed_record *r);
/* Shows what tasks that ended before `before_ns` used without being sampled, and forgets them. */
void account_ended_tasks(struct worker *w, uint64_t before_ns);
/* The same for what lives; at the end of the run also for what nobody reported. */
void account_period_end(struct worker *w, bool last);

/* counts.c: nothing of it concerns the event that samples CPU time */
void counts_take_sample(struct worker *w, struct task *task, const struct feed_sample *s);
void counts_take_task(struct worker *w, struct task_account *a, const struct feed_record *r);
/* n records, of whichever events, had no room in a ring. */
void counts_take_lost(struct worker *w, uint64_t n);
void counts_end_task(struct worker *w, struct task_account *a, const char *process_name);
/*
 * The first call of a period reads what was counted. Records that come until the time returned are to be
 * taken before the period ends, or what was counted is more than what was sampled. 0: no need to wait.
 */
uint64_t counts_settled_ns(struct worker *w);
void counts_end_period(struct worker *w, bool last);
void counts_begin_period(struct worker *w);
/* What was sampled in this period will not be shown. */
void counts_give_up(struct worker *w);

/* comments.c */
void add_comments(struct worker *w, struct profile *p, uint64_t duration_ns);

/* show.c */
void show_samples(const struct profile *p);

/* patient.c */
/* Fits what a sink calls; however long each write takes, it is no silence. */
int write_patiently(const struct worker *w, const struct profile *p, const struct byte_out *out,
                    struct err *e);

/* export.c */
/*
 * As w->kept.export says, where it is marked how far it came. A second attempt leaves out the image that the
 * first died of, a third reads no file at all.
 */
int export_profile(struct worker *w);

/* worker.c: what names were looked up so far. */
void worker_forget_names(struct worker *w);

/* limits.c */
void limits_open(struct worker *w);
void limits_release(struct worker *w);
/* True when this worker should end and another one go on. */
bool limits_reached(struct worker *w);

static inline void worker_alive(const struct worker *w, bool asleep)
{
    if (w->config->alive)
        w->config->alive(w->config->watch_ctx, asleep);
}

#endif
