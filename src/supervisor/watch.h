/*
 * watch.h - the supervisor proper: one worker at a time, and another when it is lost
 *
 * After watch_prepare() nothing here allocates, and nothing wakes the supervisor but a signal, a word from
 * the wrapper, the worker's end, or its silence.
 */
#ifndef RINGSIDE_SUPERVISOR_WATCH_H
#define RINGSIDE_SUPERVISOR_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ringside/perf.h"
#include "ringside/worker.h"

#include "broker.h"

struct err;

enum {
    ORDER_FINISH = 1,       /* write the last profile and end */
    ORDER_STOP_SENDING = 2, /* and wait for no server */
};

/* In memory that supervisor and workers share. What the worker writes, the supervisor only compares. */
struct watch_page {
    uint32_t orders;     /* set by the supervisor, for this worker and those that follow */
    uint32_t alone;      /* likewise: the wrapper is gone, or has become the command */
    uint64_t charged_ns; /* CPU time of the whole tree, from the parent that waited for it; 0: not known */
    struct worker_history history;
    uint32_t beats;        /* by the worker: it goes on */
    uint32_t asleep;       /* by the worker: until something wakes it, which may be never */
    uint64_t number;       /* by the worker: of the next profile that is sent */
    uint32_t ready;        /* by the worker: the command was told to go */
    uint32_t written;      /* by the worker: the last profile is written, only sending is left */
    struct perf_hand hand; /* the worker's alone */
};

/* Exit status of a worker. Any other is a worker lost. */
enum work_end {
    WORK_DONE = 0,
    WORK_FAILED = 3, /* and said why */
    WORK_AGAIN = 4
};

struct watch {
    struct watch_page *page;
    int socket;           /* to the wrapper; -1: it is gone */
    int signal_fd;        /* SIGTERM, SIGINT, SIGCHLD */
    int order_fd;         /* eventfd: the worker is to look at its orders */
    int dead_man_fd;      /* timerfd: put off by the worker as long as it lives */
    struct broker broker; /* of no worker that has all that the supervisor has */
    /* The worker's life: called in the new process, returns its exit status. */
    enum work_end (*work)(void *ctx);
    /* Whether nothing is left to profile, so that no other worker is worth a try. */
    bool (*over)(void *ctx);
    void *ctx;
    /* How long a worker may be silent, once more when it is doubted, then wait for something, and stay
     * stopped; set by watch_prepare(). */
    uint64_t silence_ns, doubt_ns, patience_ns, stopped_ns;
    bool foreground; /* on a terminal, maybe: its end is one for us, and its keys are not for the worker */
    bool hears_hangup;
    uint64_t until_ns; /* CLOCK_MONOTONIC: when to finish; 0: when there is nothing left to do */

    pid_t worker;         /* 0: none */
    uint64_t started_ns;  /* the worker, or when the last one was lost */
    uint64_t pause_ns;    /* before the next one starts */
    uint32_t lost_in_row; /* without one that lived long */
    uint32_t losses;
    bool doubted; /* it was silent at doubt_beats */
    uint32_t doubt_beats;
    uint64_t doubt_cpu_ns; /* its CPU time then */
    uint64_t silent_since_ns;
    uint64_t waited_ns; /* since, using hardly any */
    bool stopped;       /* by a signal */
    bool hangs;         /* of its own doing */
    bool nothing_ran;   /* the command could not be run */
    enum work_end end;
    bool ended;
};

/* ---- before and after (watch_setup.c) ---- */

/* From here on signals that ask for an end are kept until somebody listens. */
void watch_take_signals(struct watch *w);
/* Descriptors and the page. socket: borrowed. -1 with *e. */
int watch_prepare(struct watch *w, int socket, struct err *e);
void watch_release(struct watch *w);

/* ---- the supervisor's loop (watch.c) ---- */

/* work, over and ctx are set. Until a worker ended in order, or there is no point in another. */
enum work_end watch_run(struct watch *w);

/* ---- of both (watched.c) ---- */

/* When the worker counts as silent; 0: never. */
void watch_set_dead_man(const struct watch *w, uint64_t ns);
/* In the supervisor: never, while the worker is asleep. */
void watch_set_unless_asleep(const struct watch *w, uint64_t ns);

/* ---- in the worker (watched.c) ---- */

/* Fits worker_config.alive; ctx: the watch. */
void watch_alive(void *watch, bool asleep);
/* The rings are there: the command may start. */
void watch_say_ready(struct watch *w);
/* Fits worker_config.await_charge: the wrapper hears of the command's end when the events have ended already.
 */
void watch_await_orders(void *watch);
/* Takes what woke order_fd. */
uint32_t watch_take_orders(const struct watch *w);

#endif
