/*
 * keeper.c - see keeper.h
 */
#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "ringside/base.h"

#include "ring.h"

#define THREAD_STACK_BYTES (64U << 10)

/* True when told to stop, false when it was time to look again. */
static bool stopped_until(struct keeper *k, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / NSEC_PER_SEC),
                             .tv_nsec = (long)(until_ns % NSEC_PER_SEC)};
    int result;

    do {
        result = sem_clockwait(&k->stop, CLOCK_MONOTONIC, &until);
    } while (result < 0 && errno == EINTR);
    return result == 0 || errno != ETIMEDOUT;
}

static void *keep(void *keeper)
{
    struct keeper *k = keeper;

    do {
        for (uint32_t i = 0; i < k->rings; i++)
            ring_save(&k->ring[i]);
    } while (!stopped_until(k, clock_mono_ns() + k->interval_ns));
    return NULL;
}

void keeper_start(struct keeper *k)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return;
    if (sem_init(&k->stop, 0, 0) == 0) {
        sigfillset(&all);
        pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
        pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the thread that reads the rings */
        k->running = pthread_create(&k->thread, &attr, keep, k) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attr);
}

void keeper_stop(struct keeper *k)
{
    if (!k->running)
        return;
    sem_post(&k->stop);
    pthread_join(k->thread, NULL);
    sem_destroy(&k->stop);
    k->running = false;
}
