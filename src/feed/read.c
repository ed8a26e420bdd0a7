/*
 * read.c - a feed out of a recorded file
 *
 * The file is mapped, so that a replay costs what the pipeline costs; what was passed is given back. Its
 * contents may be anything: a record that contradicts itself ends the feed. It must not shrink while it is
 * replayed.
 */
#include "ringside/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format.h"
#include "ringside/base.h"

#define DROP_BYTES ((size_t)4 << 20)

struct file_feed {
    struct feed feed; /* first: what the caller holds */
    const uint8_t *bytes;
    size_t n, at;
    size_t dropped; /* pages before are given back */
};

/* What is left of one record. */
struct rest {
    const uint8_t *at;
    size_t n;
};

/* Borrows the next n bytes, padded; NULL when the record is shorter. */
static const void *take(struct rest *r, uint64_t n)
{
    uint64_t padded = (n + 7) & ~7ULL;
    const void *taken = r->at;

    if (n > r->n || padded > r->n)
        return NULL;
    r->at += padded;
    r->n -= padded;
    return taken;
}

/* The rest as a string that ends inside the record. */
static const char *take_text(const struct rest *r)
{
    return memchr(r->at, '\0', r->n) ? (const char *)r->at : NULL;
}

static bool read_sample(struct rest *r, struct feed_sample *out)
{
    const struct file_sample *f = take(r, sizeof(*f));

    if (!f)
        return false;
    memcpy(out->regs.r, f->reg, sizeof(f->reg));
    out->regs.known = f->known & ((1U << ARCH_REG_COUNT) - 1);
    out->event = f->event;
    out->value = f->value;
    out->counted = f->counted;
    out->foreign_abi = f->foreign_abi != 0;
    out->kernel_frames = f->kernel_frames;
    out->kernel = take(r, f->kernel_frames * (uint64_t)sizeof(uint64_t));
    out->stack_bytes = f->stack_bytes;
    out->stack = out->kernel ? take(r, f->stack_bytes) : NULL;
    return out->stack != NULL;
}

static bool read_mmap(struct rest *r, struct feed_mmap *out)
{
    const struct file_mmap *f = take(r, sizeof(*f));

    if (!f || f->build_id_bytes > sizeof(out->build_id))
        return false;
    if (f->bytes > UINT64_MAX - f->start)
        return false;
    out->start = f->start;
    out->bytes = f->bytes;
    out->file_offset = f->file_offset;
    out->inode = f->inode;
    out->dev_major = f->dev_major;
    out->dev_minor = f->dev_minor;
    memcpy(out->build_id, f->build_id, sizeof(out->build_id));
    out->build_id_bytes = f->build_id_bytes;
    out->path = take_text(r);
    return out->path != NULL;
}

static bool read_comm(struct rest *r, struct feed_record *out)
{
    const struct file_comm *f = take(r, sizeof(*f));

    if (!f)
        return false;
    out->u.comm.exec = f->exec != 0;
    out->u.comm.name = take_text(r);
    return out->u.comm.name != NULL;
}

static bool read_fork(struct rest *r, struct feed_record *out)
{
    const struct file_fork *f = take(r, sizeof(*f));

    if (!f)
        return false;
    out->u.fork.parent_pid = f->parent_pid;
    out->u.fork.parent_tid = f->parent_tid;
    return true;
}

static bool read_task_count(struct rest *r, struct feed_record *out)
{
    const struct file_task_count *f = take(r, sizeof(*f));

    if (!f)
        return false;
    out->u.task_count.value = f->value;
    out->u.task_count.event = f->event;
    out->u.task_count.lost_samples = f->lost_samples;
    return true;
}

static bool read_lost(struct rest *r, struct feed_record *out)
{
    const struct file_lost *f = take(r, sizeof(*f));

    if (f)
        out->u.lost.records = f->records;
    return f != NULL;
}

static bool read_body(struct rest *r, struct feed_record *out)
{
    switch (out->kind) {
    case FEED_SAMPLE:
        return read_sample(r, &out->u.sample);
    case FEED_MMAP:
        return read_mmap(r, &out->u.mmap);
    case FEED_COMM:
        return read_comm(r, out);
    case FEED_FORK:
        return read_fork(r, out);
    case FEED_TASK_COUNT:
        return read_task_count(r, out);
    case FEED_LOST:
        return read_lost(r, out);
    default:
        return true;
    }
}

static bool read_record(struct rest *file, struct feed_record *out)
{
    const struct record_head *head = take(file, sizeof(*head));
    struct rest r;

    if (!head || head->bytes < sizeof(*head) || head->bytes > RECORD_BYTES_MAX || head->bytes % 8 != 0)
        return false;
    if (head->kind >= FEED_KINDS)
        return false;
    r.n = head->bytes - sizeof(*head);
    r.at = take(file, r.n);
    if (!r.at)
        return false;
    *out = (struct feed_record){
        .kind = (enum feed_kind)head->kind,
        .pid = head->pid,
        .tid = head->tid,
        .cpu = head->cpu,
        .time_ns = head->time_ns,
    };
    return read_body(&r, out);
}

static bool event_fits(const struct feed_record *r, const struct feed_info *info)
{
    if (r->kind == FEED_TASK_COUNT)
        return r->u.task_count.event < info->events;
    return r->kind != FEED_SAMPLE || (r->u.sample.event < info->events && r->u.sample.value >= 0);
}

static void drop_passed(struct file_feed *f)
{
    size_t upto = f->at & ~(DROP_BYTES - 1);

    if (upto <= f->dropped)
        return;
    madvise((void *)(uintptr_t)(f->bytes + f->dropped), upto - f->dropped, MADV_DONTNEED);
    f->dropped = upto;
}

static bool file_next(struct feed *feed, struct feed_record *out)
{
    struct file_feed *f = (struct file_feed *)feed;
    struct rest r = {.at = f->bytes + f->at, .n = f->n - f->at};

    if (r.n == 0)
        return false;
    drop_passed(f);
    if (!read_record(&r, out) || !event_fits(out, &f->feed.info)) {
        log_warn(feed, "recording is torn or damaged at byte %zu of %zu: it ends there", f->at, f->n);
        f->at = f->n;
        return false;
    }
    f->at = f->n - r.n;
    return true;
}

static enum feed_wait file_wait(struct feed *feed, uint64_t deadline_ns, bool eager)
{
    const struct file_feed *f = (const struct file_feed *)feed;

    (void)deadline_ns;
    (void)eager;
    return f->at < f->n ? FEED_READY : FEED_ENDED;
}

static void file_finish(struct feed *feed)
{
    (void)feed;
}

static void file_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    (void)feed, (void)event;
    *out = (struct feed_totals){0};
}

static void file_close(struct feed *feed)
{
    struct file_feed *f = (struct file_feed *)feed;

    munmap((void *)(uintptr_t)f->bytes, f->n);
    free(f);
}

static const struct feed_ops file_ops = {
    .next = file_next,
    .wait = file_wait,
    .finish = file_finish,
    .totals = file_totals,
    .close = file_close,
};

static void read_event(const struct file_event *f, struct feed_event *out)
{
    *out = (struct feed_event){
        .period = f->period,
        .each = f->each >= 0 && f->each < 1e18 ? f->each : 0, /* and not NaN */
        .stack_bytes = f->stack_bytes,
        .kernel = f->kernel != 0,
        .task_counts = f->task_counts != 0,
    };
    memcpy(out->name, f->name, sizeof(out->name) - 1);
    memcpy(out->type, f->type, sizeof(out->type) - 1);
    memcpy(out->unit, f->unit, sizeof(out->unit) - 1);
}

static int read_header(struct file_feed *f, struct err *e)
{
    const struct file_header *h = (const struct file_header *)f->bytes;

    if (f->n < sizeof(*h) || memcmp(h->magic, FILE_MAGIC, sizeof(h->magic)) != 0)
        return err_set(e, 0, "not a recorded feed");
    if (h->version != FILE_VERSION || h->header_bytes != sizeof(*h))
        return err_set(e, 0, "recorded by another version (format %u, this is %u)", h->version, FILE_VERSION);
    if (h->events == 0 || h->events > FEED_EVENTS_MAX)
        return err_set(e, 0, "recording of %u events", h->events);
    f->feed.info = (struct feed_info){
        .events = h->events,
        .cpu_event = h->cpu_event < h->events ? h->cpu_event : FEED_NO_EVENT,
        .frequency_hz = h->frequency_hz,
        .ring_bytes = h->ring_bytes,
        .cpus = h->cpus,
    };
    for (uint32_t i = 0; i < h->events; i++)
        read_event(&h->event[i], &f->feed.info.event[i]);
    f->at = sizeof(*h);
    return 0;
}

static int map_file(struct file_feed *f, const char *path, struct err *e)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *bytes;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(e, errno, "open");
    if (st.st_size == 0)
        return err_set(e, 0, "empty file");
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_set(e, errno, "map");
    f->bytes = bytes;
    f->n = (size_t)st.st_size;
    return 0;
}

struct feed *feed_file_open(const char *path, struct err *e)
{
    struct file_feed *f = base_calloc(1, sizeof(*f));

    f->feed.ops = &file_ops;
    if (map_file(f, path, e) < 0) {
        free(f);
        err_wrap(e, "recording %s", path);
        return NULL;
    }
    if (read_header(f, e) < 0) {
        file_close(&f->feed);
        err_wrap(e, "recording %s", path);
        return NULL;
    }
    return &f->feed;
}
