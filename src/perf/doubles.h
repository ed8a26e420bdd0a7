/*
 * doubles.h - threads that inherited events and were given their own as well: counted once
 */
#ifndef RINGSIDE_PERF_DOUBLES_H
#define RINGSIDE_PERF_DOUBLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringside/base.h"

struct perf_attached;

struct doubles {
    struct late_thread {
        uint32_t tid, task;
        bool heard, ended; /* under its own events */
        bool inherited;    /* so its own events are of no use */
    } * late;
    uint32_t count;               /* nearly always 0 */
    struct map64 by_tid, by_task; /* place in late, plus one */
};

void doubles_init(struct doubles *d, const struct perf_attached *attached); /* NULL: nobody was attached to */
void doubles_release(struct doubles *d);

#define DOUBLES_NOBODY UINT32_MAX

struct doubles_answer {
    bool drop;      /* the record is there twice */
    uint32_t sleep; /* number of a task whose own events are to be put to sleep, or DOUBLES_NOBODY */
};
/* record: raw, of n bytes that make sense, of an event that was opened for task number `task`. */
struct doubles_answer doubles_look(struct doubles *d, const void *record, size_t n, uint32_t task);

#endif
