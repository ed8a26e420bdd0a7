/*
 * feed.h - neutral records and the interface that yields them in time order
 *
 * The worker sees nothing but a feed: live perf rings (perf.h), or a recorded file that replays the whole
 * pipeline without any privilege (feed_file_open).
 */
#ifndef RINGSIDE_FEED_H
#define RINGSIDE_FEED_H

#include "ringside/arch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

enum feed_kind {
    FEED_SAMPLE,
    FEED_MMAP,       /* an executable mapping appeared */
    FEED_COMM,       /* a name changed; exec when the whole image was replaced */
    FEED_FORK,       /* a process or thread started */
    FEED_EXIT,       /* a task ended */
    FEED_TASK_COUNT, /* what an event counted of an ended task on one CPU, exactly (PERF_RECORD_READ) */
    FEED_LOST,       /* records the kernel could not write */
    FEED_THROTTLE,   /* the kernel held samples back */
    FEED_KINDS
};

struct feed_sample {
    struct arch_regs regs;  /* known == 0: the sample has no user state */
    const uint8_t *stack;   /* copy of user memory from SP upward */
    uint32_t stack_bytes;   /* really copied */
    uint32_t kernel_frames; /* leaf first; user part not included */
    const uint64_t *kernel;
    uint32_t event;   /* index in feed_info.event */
    uint64_t counted; /* how many events it stands for */
    int64_t value;    /* what the sample counts for, in the event's unit; not negative */
    bool foreign_abi; /* 32-bit code in a 64-bit kernel: registers not usable here */
};

struct feed_mmap {
    uint64_t start, bytes, file_offset;
    uint32_t dev_major, dev_minor; /* all three 0 when the kernel sent a build id instead */
    uint64_t inode;
    uint8_t build_id[20];
    uint8_t build_id_bytes; /* 0: not known */
    const char *path;       /* as the process sees it; "//anon", "[vdso]"...; never NULL */
};

struct feed_record {
    enum feed_kind kind;
    uint32_t pid, tid;
    uint64_t time_ns; /* CLOCK_MONOTONIC */
    uint32_t cpu;
    union {
        struct feed_sample sample;
        struct feed_mmap mmap;
        struct {
            const char *name; /* never NULL */
            bool exec;
        } comm;
        struct {
            uint32_t parent_pid, parent_tid;
        } fork;
        struct {
            uint32_t event;
            uint64_t value, lost_samples;
        } task_count;
        struct {
            uint64_t records;
        } lost;
    } u;
};

/* What the kernel counted of an event for the whole tree so far: the sum over all tasks, living and ended. */
struct feed_totals {
    uint64_t value;        /* events; nanoseconds of the one that samples CPU time */
    uint64_t lost_samples; /* of the first task only; others report theirs with FEED_TASK_COUNT */
    bool known;            /* false for a replay without totals */
};

enum feed_wait {
    FEED_READY,   /* there may be records, or the deadline passed */
    FEED_ENDED,   /* every profiled task is gone: one more drain and it is over */
    FEED_STOPPED, /* somebody asked the profiler to finish */
};

struct feed;
struct feed_ops {
    /* Next record in time order, borrowed until the next call; false when there is none for now. */
    bool (*next)(struct feed *f, struct feed_record *out);
    /*
     * Sleeps until there is something to do. deadline_ns (CLOCK_MONOTONIC) bounds it; 0 sleeps for as long as
     * the target does. eager: files were just mapped or processes started, come back soon, while they can
     * still be opened; or what nobody has read yet may get lost.
     */
    enum feed_wait (*wait)(struct feed *f, uint64_t deadline_ns, bool eager);
    /* From now on next() yields everything, without holding back the last moments for ordering across CPUs.
     */
    void (*finish)(struct feed *f);
    /*
     * The caller is away from now on (true) for longer than records may wait, or back (false), which must
     * come before any other call. NULL where nothing is lost by waiting.
     */
    void (*keep)(struct feed *f, bool away);
    void (*totals)(struct feed *f, uint32_t event, struct feed_totals *out);
    /* wait() also returns FEED_READY when fd is readable; -1: none. NULL where it never sleeps. */
    void (*watch)(struct feed *f, int fd);
    void (*close)(struct feed *f);
};

#define FEED_EVENTS_MAX 16
#define FEED_NO_EVENT   UINT32_MAX

/* One event as it was armed. Texts are terminated. */
struct feed_event {
    char name[128];          /* "sCPU:u period=10101010" */
    char type[64], unit[32]; /* of its values: "cpu", "nanoseconds" */
    uint64_t period;         /* events a sample stands for; 0: it varies */
    double each;             /* value of one event; 0: whatever it is weighed by */
    uint32_t stack_bytes;    /* asked for per sample */
    bool kernel;             /* kernel mode is sampled */
    bool task_counts;        /* ended tasks report what they counted exactly */
};

/* How the run was armed: what a profile needs to say, and the accounting to know. */
struct feed_info {
    uint32_t events;
    struct feed_event event[FEED_EVENTS_MAX];
    uint32_t cpu_event;    /* the one that samples CPU time, in nanoseconds; FEED_NO_EVENT */
    uint32_t frequency_hz; /* of that one */
    uint32_t ring_bytes;   /* per CPU */
    uint32_t cpus;
};

/* CPU time one sample stands for; 0 without such an event. */
static inline uint64_t feed_period_ns(const struct feed_info *info)
{
    return info->cpu_event < info->events ? info->event[info->cpu_event].period : 0;
}

struct feed {
    const struct feed_ops *ops;
    struct feed_info info;
};

/* A recording of a feed: host byte order, length-checked on reading. For tests and benchmarks. */
int feed_file_write_header(FILE *to, const struct feed_info *info, struct err *e);
int feed_file_write(FILE *to, const struct feed_record *record, struct err *e);
/* A feed that yields a recording as fast as it is read and then ends. Owned by the caller: feed_close(). */
struct feed *feed_file_open(const char *path, struct err *e);

static inline bool feed_next(struct feed *f, struct feed_record *out)
{
    return f->ops->next(f, out);
}
static inline void feed_keep(struct feed *f, bool away)
{
    if (f->ops->keep)
        f->ops->keep(f, away);
}
static inline void feed_watch(struct feed *f, int fd)
{
    if (f->ops->watch)
        f->ops->watch(f, fd);
}
static inline void feed_close(struct feed *f)
{
    if (f)
        f->ops->close(f);
}

#endif
