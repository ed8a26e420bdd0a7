/*
 * ledger.h - memory that outlives a worker: where it counts, so that its death does not take the counts along
 *
 * The supervisor makes it before it forks the first worker; each worker finds it at the same address, one at
 * a time. Only address space is reserved: a page takes memory from when it is first written to. Knows the
 * parts and their sizes, not what lies in them: each part belongs to one module, which finds it zeroed in the
 * beginning, keeps it usable between any two instructions, and takes what a worker before it has left for
 * input that may be anything.
 */
#ifndef RINGSIDE_LEDGER_H
#define RINGSIDE_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct ledger;

enum ledger_part {
    LEDGER_RUN, /* the worker's: period, totals, marks */
    LEDGER_STACKS,
    LEDGER_ENTRIES,
    LEDGER_WORDS,
    LEDGER_OWNERS,
    LEDGER_TEXTS,
    LEDGER_IMAGES,
    LEDGER_PROCESSES, /* what is accounted for of each process and task */
    LEDGER_TASKS,
    LEDGER_TASK_EVENTS,
    LEDGER_PARTS
};

/*
 * Shared with the children of the calling process. Smaller, at which fewer distinct stacks can be told apart,
 * where that much address space is not to be had; NULL with *e when none is.
 */
struct ledger *ledger_new(struct err *e);
/* Of this process alone, for who has no other. Never NULL: without memory the process ends. */
struct ledger *ledger_new_private(void);
void ledger_free(struct ledger *l);

/* A part, aligned to pages; *bytes: its size. */
void *ledger_at(const struct ledger *l, enum ledger_part part, size_t *bytes);

/* The memory of a part beyond its first `keep` bytes is not needed any more, and reads as zeros from now on,
 * but for the rest of the page at keep. */
void ledger_give_back(const struct ledger *l, enum ledger_part part, size_t keep);

#endif
