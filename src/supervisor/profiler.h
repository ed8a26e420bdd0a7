/*
 * profiler.h - the supervisor's side of the hand-over, what the two sides say to each other, and what a
 * worker gets from its supervisor
 */
#ifndef RINGSIDE_SUPERVISOR_PROFILER_H
#define RINGSIDE_SUPERVISOR_PROFILER_H

#include <sys/types.h>

#include "ringside/launch.h"
#include "ringside/perf.h"

#include "watch.h"

struct options;
struct ledger;
struct rights;
struct sink;
struct stats;
struct target_list;

/* Data of LAUNCH_RINGS. */
struct hello {
    pid_t pid; /* of the process that becomes the target */
    struct perf_armed armed;
};
_Static_assert(sizeof(struct hello) <= LAUNCH_MESSAGE_MAX, "hello is one message");

static inline size_t hello_bytes(const struct hello *h)
{
    return offsetof(struct hello, armed) + perf_armed_bytes(&h->armed);
}

static inline uint32_t hello_fds(const struct hello *h)
{
    return perf_armed_fds(&h->armed);
}

/* What a run is to do; of the process that was forked. */
struct run {
    const struct options *options;
    const char *version; /* of Ringside */
    const struct target_list *targets;
    const struct rights *rights;
    bool parent;         /* the command's parent stays, and says what it used */
    struct sink *stream; /* an output that is open already; NULL: none is */
};

struct profiler {
    const struct run *run;
    const struct options *options;
    struct watch watch;
    char *service;
    struct hello hello;
    struct perf_attached attached;     /* of processes that ran already */
    struct worker_attached *processes; /* those of them */
    int fds[PERF_FDS_MAX];
    uint32_t fd_count;
    struct stats *stats;
    struct ledger *ledger; /* NULL: what was counted dies with the worker */
    struct sink *sink;     /* NULL: no local files; run->stream is borrowed */
    char *spool;           /* the folder; NULL: profiles wait in memory */
    uint64_t root_clock_ns;
};

/* What both ways to a supervisor have in common. */
struct profiler *profiler_new(const struct run *run);
/* Who it is to the system: its name, priority and limits. */
void profiler_settle_in(const struct profiler *p);
/* Opens the files that all workers share. socket: to the wrapper, or -1. */
int profiler_get_ready(struct profiler *p, int socket, struct err *e);
/* With events and their descriptors. */
enum work_end profiler_watch(struct profiler *p);
/* The events are gone with it: nobody is slowed down by what nobody reads. */
void profiler_free(struct profiler *p);

/* Life of a worker: reads the rings, writes and sends profiles. */
enum work_end work(struct profiler *p);

/*
 * Life of the supervisor process from just after its fork to its exit status. socket: its end of the
 * hand-over, owned.
 */
int profiler_main(const struct run *run, int socket);

#endif
