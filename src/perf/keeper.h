/*
 * keeper.h - keeps rings from overflowing while their reader is busy for long
 *
 * Between keeper_start() and keeper_stop() a thread of its own saves what threatens to fill a ring
 * (ring_save), and nobody else may touch the rings: starting and ending the thread is all the synchronisation
 * there is.
 */
#ifndef RINGSIDE_PERF_KEEPER_H
#define RINGSIDE_PERF_KEEPER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct ring;

struct keeper {
    struct ring *ring; /* borrowed */
    uint32_t rings;
    uint64_t interval_ns; /* between looks at the rings */
    pthread_t thread;
    sem_t stop;
    bool running;
};

/* Without memory for a thread there is none, and rings may overflow as they would have. */
void keeper_start(struct keeper *k);
/* Safe when it is not running. */
void keeper_stop(struct keeper *k);

#endif
