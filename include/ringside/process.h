/*
 * process.h - which tasks exist, what they are called, and what their addresses show, as the feed tells it
 * over time
 *
 * Address spaces are shared on fork until one side changes. Everything is driven by records in time order;
 * nothing polls. Single-threaded; a task and its process stay until processes_forget(), mappings
 * until the next record.
 */
#ifndef RINGSIDE_PROCESS_H
#define RINGSIDE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed_record;
struct image;
struct images;
struct procfs_door;
struct stats;

struct mapping {
    uint64_t start, end, file_offset;
    struct image *image;
    uint64_t bias;   /* address in the process minus elf address, once mapping_to_elf() found it; else 0 */
    bool bias_known; /* private */
};

struct address_space {
    uint32_t epoch; /* new number on every change: (epoch, pc) identifies what a pc shows */
    uint32_t users; /* processes that share it */
    uint32_t count, cap;
    struct mapping *mapping; /* sorted by start, not overlapping */
    struct mapping *last;    /* hit of the last look-up */
};

#define TASK_NAME_BYTES 24 /* the kernel's names take 16 (TASK_COMM_LEN); "[too many processes]" more */

/* One thread. */
struct task {
    uint32_t tid;
    bool exited;
    uint64_t exit_time_ns;
    char name[TASK_NAME_BYTES];
    struct process *process;
    struct task *next; /* of the same process */
    void *account;     /* the worker's, which takes it away before the task is forgotten */
    void *splice;      /* the worker's memory of this thread's outer frames; freed with free() */
    /* private to src/process: */
    struct task *previous;         /* of the same process */
    struct task *ended, *ended_by; /* next and previous task of the queue of those that ended */
    bool queued, made_up;
};

struct process {
    uint32_t pid;
    uint32_t parent_pid;
    bool exited;    /* its last task ended */
    bool overflow;  /* stands for all processes beyond the cap */
    bool unwatched; /* the worker's: it has said so */
    uint64_t exit_time_ns;
    uint64_t bare_since_ns;     /* exec gave it a program, of which nothing was mapped yet; else 0 */
    char name[TASK_NAME_BYTES]; /* of its first thread: what ps calls it */
    struct address_space *space;
    struct task *tasks;
    uint32_t task_count;
    void *account;   /* as a task's */
    char *container; /* the worker's: id of its container, "" for none, NULL: not looked up; freed with free()
                      */
    uint64_t used_ns; /* when it last mattered, by the worker's account too: who is forgotten first */
    /* private to src/process: */
    bool looked_at;        /* /proc was asked for its mappings */
    uint32_t slot, living; /* place in the table; tasks that have not ended */
    bool made_up;
};

struct process_limits {
    uint32_t processes; /* alive or not yet reaped */
    uint32_t tasks;     /* over all processes */
    uint32_t mappings;  /* of one address space */
    bool lazy;          /* whole hosts: who is not known is of no interest before a sample or a child of it */
    bool live;          /* processes are those of this machine now: /proc knows what records missed */
    const struct procfs_door *door; /* NULL: by our own rights alone */
};

struct processes;

struct processes *processes_new(const struct process_limits *limits, struct images *images,
                                struct stats *stats);
void processes_free(struct processes *t);

/*
 * Takes a FEED_MMAP, FEED_COMM, FEED_FORK or FEED_EXIT record. True when it made the profiler learn of a new
 * process or image, so that looking at files soon pays.
 */
bool process_apply(struct processes *t, const struct feed_record *record);

/* The process / task a record speaks of, made up when it is not known (its fork was lost). Never NULL. */
struct process *process_get(struct processes *t, uint32_t pid);
struct task *process_get_task(struct processes *t, uint32_t pid, uint32_t tid);
/*
 * A process that ran before there was a feed, with its mappings and threads as /proc has them now. NULL when
 * it has ended, or at a cap.
 */
struct process *processes_adopt(struct processes *t, uint32_t pid);
/* NULL when not known. */
struct process *process_find(const struct processes *t, uint32_t pid);
struct task *process_find_task(const struct processes *t, uint32_t pid, uint32_t tid);

/* The mapping that holds an address, or NULL. */
struct mapping *process_find_mapping(struct process *p, uint64_t addr);
/*
 * Address as written in the mapping's file. For mappings without a readable file: the address itself. Reads
 * the file on first use, and asks for it again while it cannot be read.
 */
uint64_t mapping_to_elf(struct images *images, struct mapping *m, uint64_t addr);

/* The next task that ended before `before_ns` and was not handed out yet, or NULL; processes_forget() it when
 * done. */
struct task *processes_next_ended(struct processes *t, uint64_t before_ns);
/* Whether there is hardly room for more. */
bool processes_are_many(const struct processes *t);
/* Takes a part of those that were used longest ago for ended; they may come back. How many. */
uint32_t processes_retire(struct processes *t);
/* Frees an ended task, and its process when it was the last and has ended. */
void processes_forget(struct processes *t, struct task *task);

/*
 * Walks all processes: *at starts at 0; NULL at the end. Do not change the table meanwhile. The overflow
 * process (its pid, 0, is nobody's) comes last, once it stood for any. processes_count() leaves it out.
 */
struct process *processes_next(const struct processes *t, uint32_t *at);
uint32_t processes_count(const struct processes *t);

#endif
