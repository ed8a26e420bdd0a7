/*
 * recurse.c - bench-recurse: burns CPU under a stack of a given number of frames
 *
 *     bench-recurse FRAMES SECONDS [THREADS]
 *
 * FRAMES counts everything from the process's or thread's start to the leaf. SECONDS are of each thread's CPU
 * time.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* _start, __libc_start_main, __libc_start_call_main, main, run; in a thread clone3, start_thread, run. */
#define FRAMES_OF_MAIN   5
#define FRAMES_OF_THREAD 3
#define FRAMES_OF_LEAF   1
#define THREADS_MAX      256

struct job {
    long depth; /* calls of recurse() */
    double seconds;
};

static volatile uint64_t sink;

static double thread_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static __attribute__((noinline)) void burn(double until)
{
    uint64_t x = 88172645463325252ULL;

    do {
        for (int i = 0; i < 1000000; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
        }
        sink = x;
    } while (thread_seconds() < until);
}

static __attribute__((noinline)) void recurse(long depth, double until)
{
    if (depth == 0)
        burn(until);
    else
        recurse(depth - 1, until);
    __asm__ volatile(""); /* the call above is no tail call */
}

static __attribute__((noinline)) void *run(void *argument)
{
    const struct job *job = argument;

    recurse(job->depth > 0 ? job->depth - 1 : 0, thread_seconds() + job->seconds);
    __asm__ volatile("");
    return NULL;
}

int main(int argc, char **argv)
{
    long frames = argc > 1 ? atol(argv[1]) : 0;
    double seconds = argc > 2 ? atof(argv[2]) : 0;
    long threads = argc > 3 ? atol(argv[3]) : 1;
    struct job main_job = {frames - FRAMES_OF_MAIN - FRAMES_OF_LEAF, seconds};
    struct job thread_job = {frames - FRAMES_OF_THREAD - FRAMES_OF_LEAF, seconds};
    pthread_t thread[THREADS_MAX];
    long started = 0;

    if (frames < 1 || seconds <= 0 || threads < 1 || threads > THREADS_MAX) {
        fputs("usage: bench-recurse FRAMES SECONDS [THREADS]\n", stderr);
        return 2;
    }
    while (started < threads - 1 && pthread_create(&thread[started], NULL, run, &thread_job) == 0)
        started++;
    run(&main_job);
    while (started > 0)
        pthread_join(thread[--started], NULL);
    return 0;
}
