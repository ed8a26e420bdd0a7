/*
 * perf.h - a feed from perf_event_open: the ladder of attributes, the rings, the decoder of records
 *
 * Three sides. The process to be profiled arms itself with perf_arm(); the supervisor holds the rings of what
 * it is sent with perf_rings_hold(), so that they outlive their reader; the worker, a child of the
 * supervisor, reads them with perf_feed_new().
 */
#ifndef RINGSIDE_PERF_H
#define RINGSIDE_PERF_H

#include "ringside/event.h"
#include "ringside/feed.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/types.h>

struct err;
struct stats;

#define PERF_CPUS_MAX 8192 /* the most a kernel can be built for */

/* What a sample counts for. */
struct perf_weight {
    enum event_weight kind;
    uint8_t reg; /* DWARF number */
    uint8_t raw_size;
    bool raw_signed;
    uint16_t raw_offset;
    double scale;
};

/* One event as the kernel took it. */
struct perf_event {
    struct perf_event_attr attr;
    struct perf_weight weight;
    bool cpu_time; /* its values are nanoseconds a task spent on a CPU */
    bool counted;  /* an event beside it counts it for each task */
    char name[128], type[EVENT_LABEL_MAX], unit[EVENT_UNIT_MAX];
};

/* What was armed; plain data that travels beside the descriptors. */
struct perf_armed {
    uint32_t cpus, events;
    uint32_t tasks;                      /* threads that were running already; 0: a process armed itself */
    bool whole_host;                     /* events of CPUs, whatever runs there */
    uint32_t ring_pages;                 /* data pages of each ring: what the profiler should try first */
    uint32_t counters;                   /* events that are counted */
    bool separator;                      /* one more descriptor, see counters_separate() */
    bool probes;                         /* some were defined in tracefs: perf_remove_probes() in the end */
    struct perf_event event[EVENTS_MAX]; /* the first one's rings hold the records of all, without tasks */
};
/*
 * Descriptors: with tasks, for each CPU one that has its ring and nothing else; of each event, for each task
 * if there are any, one for each CPU; of each event that is counted the one with the ring for its counts and
 * the one that counts; what holds tasks apart.
 */
static inline uint32_t perf_armed_first(const struct perf_armed *a)
{
    return a->tasks ? a->cpus : 0;
}
/* How many times there are all events on all CPUs. */
static inline uint32_t perf_armed_sets(const struct perf_armed *a)
{
    return a->tasks ? a->tasks : 1;
}
static inline uint32_t perf_armed_fds(const struct perf_armed *a)
{
    return perf_armed_first(a) + perf_armed_sets(a) * a->events * a->cpus + 2 * a->counters + a->separator;
}
/* Bytes of *a up to its last event. */
static inline size_t perf_armed_bytes(const struct perf_armed *a)
{
    return offsetof(struct perf_armed, event) + a->events * sizeof(a->event[0]);
}

#define PERF_FDS_MAX 65536 /* events times CPUs times threads */

/*
 * Opens the events on the calling process for each CPU it may run on, inherited by all it starts, counting
 * from its next exec. Fills fds, first those of the first event, by CPU (room for PERF_FDS_MAX,
 * close-on-exec, owned by the caller). An event that is refused is logged and left out. -1 with *e when none
 * is left: text for a person, cause and remedy. Specs: with stack_bytes set.
 */
int perf_arm(const struct event_list *events, struct perf_armed *armed, int *fds, struct err *e);

/* Likewise for everything that runs on the CPUs that are online; asleep until perf_enable(). */
int perf_arm_host(const struct event_list *events, struct perf_armed *armed, int *fds, struct err *e);

/* ---- running processes (attach.c) ---- */

struct perf_whom {
    const struct event_list *events;
    const pid_t *pid; /* each of them once */
    uint32_t count;
};

struct perf_task {
    pid_t tid;
    bool late; /* it may have inherited the events of a thread that had them before */
};

/* Who could be attached to. Owned by the caller: perf_attached_release(). */
struct perf_attached {
    pid_t *pid;
    struct perf_task *task; /* in the order of their descriptors */
    uint32_t pids, tasks;
};

/*
 * Opens the events on every thread of running processes, on each CPU that is online, inherited by all they
 * start from now on; asleep until perf_enable(). Processes that are refused are logged with the reason and
 * left out. -1 with *e when none is left, or no event.
 */
int perf_attach(const struct perf_whom *whom, struct perf_armed *armed, int *fds, struct perf_attached *out,
                struct err *e);
void perf_attached_release(struct perf_attached *a); /* safe twice */

/* What perf_attach() and perf_arm_host() opened begins to count, and to sample where there are rings. */
void perf_enable(const struct perf_armed *armed, const int *fds);

/* Turns an errno of perf_event_open or of mapping a ring (ENOMEM) into cause and remedy, with the values that
 * matter. Tries events to tell. */
void perf_explain(int code, struct err *e);

/* How the feed's owner joins its waiting: a descriptor that wakes it, and what to think of it then. */
struct perf_control {
    int fds[2];                                 /* -1: none */
    enum feed_wait (*ready)(void *ctx, int fd); /* FEED_READY: nothing special */
    void *ctx;
};

/*
 * Which record a reader is working on, and those that readers died of: in memory that outlives it, zeroed at
 * first. What two died of is left out by those that follow, a growing number of times, and counted.
 */
#define PERF_SUSPECTS 8
struct perf_hand {
    uint64_t key;     /* of the record: where in which process, or which mapping; 0: none */
    uint32_t faulted; /* the reader before was lost by a fault of its own: set by who watches over it */
    struct perf_suspect {
        uint64_t key;
        uint32_t deaths, left_out;
    } suspect[PERF_SUSPECTS];
};

struct perf_reader {
    const struct perf_control *control;   /* NULL: nothing else wakes it */
    struct perf_hand *hand;               /* NULL: nobody comes after it */
    const struct perf_attached *attached; /* borrowed; of events with tasks */
    struct stats *stats;
};

/*
 * Maps the rings (halving them on the locked-memory limit) of descriptors it then owns. One process at a
 * time: Linux 6.18 counts a ring that is mapped twice as locked twice, and takes it back once. NULL with *e
 * when not even the smallest ring can be mapped.
 */
struct feed *perf_feed_new(const struct perf_armed *armed, const int *fds, const struct perf_reader *reader,
                           struct err *e);

/* Whether all tasks that have the events are gone. */
bool perf_is_over(const struct perf_armed *armed, const int *fds);

/* Nothing is sampled or counted any more, for none of those who inherited the events, whoever else has the
 * descriptors. */
void perf_disable(const struct perf_armed *armed, const int *fds);

/* ---- events by name on this machine (resolve.c, list.c) ---- */

/* Where the kernel tells about events, and how one is tried; tests bring their own. */
struct perf_machine {
    const char *tracefs[2]; /* the usual place and the old one, in debugfs */
    const char *devices;    /* /sys/bus/event_source/devices */
    /* A descriptor of a disabled event on the calling process, or -errno. */
    int (*open)(void *ctx, const struct perf_event_attr *attr);
    void *ctx;
    /* perf_event_open(2), in no group, whatever the arguments; NULL where only events by name are asked about
     */
    int (*call)(void *ctx, const struct perf_event_attr *attr, pid_t pid, int cpu, unsigned long flags);
};
const struct perf_machine *perf_this_machine(void);

/* ---- why the kernel says no (cause.c) ---- */

enum perf_cause {
    PERF_CAUSE_NONE,     /* a process may watch itself in user mode */
    PERF_CAUSE_ABSENT,   /* the kernel was built without */
    PERF_CAUSE_SANDBOX,  /* something that is not Linux answers */
    PERF_CAUSE_FILTER,   /* a seccomp filter answers in the kernel's place */
    PERF_CAUSE_PARANOID, /* a distribution's perf_event_paranoid above 2 */
    PERF_CAUSE_MODULE,   /* a security module */
    PERF_CAUSE_FILES,    /* no descriptor left */
    PERF_CAUSE_UNKNOWN
};

/* What the kernel said to each question: an errno, 0 when it agreed. */
struct perf_answers {
    int flags; /* flags that do not exist */
    int attr;  /* no attributes at all */
    int own;   /* an event of this process in user mode */
};

struct place;
/* Finds out by asking what only one of them would refuse. */
enum perf_cause perf_find_cause(const struct perf_machine *m, const struct place *p,
                                struct perf_answers *out);
/* The cause, and the first remedy, as one line. code: what the event that was wanted got. */
void perf_explain_cause(enum perf_cause cause, const struct place *p, int code, struct err *e);

/* What a spec comes to here. config1 may be a pointer into the spec, which then must live until the event is
 * open. */
struct perf_target {
    uint32_t type; /* this and the next as in perf_event_attr */
    uint64_t config, config1, config2;
    uint16_t raw_offset; /* of EVENT_WEIGHT_RAW and _FIELD; in the sample's raw data */
    uint8_t raw_size;
    bool raw_signed;
};

/* -1 with *e: no such tracepoint, field, file or symbol, or they cannot be read: which, and what helps. */
int perf_resolve(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                 struct err *e);

/*
 * Takes the probes that perf_arm() defined in process `pid` off the kernel's list again, and those of
 * processes that are gone. wait: up to half a second, for events just closed.
 */
void perf_remove_probes(const struct perf_machine *m, pid_t pid, bool wait);

/* perf_explain() for a certain event: knows what a refusal means for its kind. Names the event. */
void perf_explain_event(const struct event_spec *s, int code, struct err *e);

/* Opens the event on the calling process and closes it again. */
enum perf_offer {
    PERF_OFFER_REFUSED,   /* *e says why */
    PERF_OFFER_USER_MODE, /* only what happens in user mode */
    PERF_OFFER_FULL
};
enum perf_offer perf_try(const struct perf_machine *m, const struct event_spec *s, struct err *e);

/* -e help: every event by name, offered or refused and why; where tracepoints are; probes; keys. */
void perf_list_events(const struct perf_machine *m, FILE *to);

/* ---- for tests and fuzzing ---- */

/*
 * Decodes one raw record of n bytes (aligned to 8). False when it is torn, contradicts itself, or is of a
 * kind nobody needs; *torn tells which. Pointers in *out point into bytes.
 */
bool perf_decode(const struct perf_event *event, const void *bytes, size_t n, struct feed_record *out,
                 bool *torn);

#endif
