/*
 * write.c - recording a feed
 */
#include "ringside/feed.h"

#include <errno.h>
#include <string.h>

#include "format.h"
#include "ringside/base.h"

/* A record in pieces, each padded to 8 bytes when written. */
struct pieces {
    struct {
        const void *bytes;
        size_t n;
    } piece[4];
    uint32_t count;
};

static void add_piece(struct pieces *p, const void *bytes, size_t n)
{
    p->piece[p->count].bytes = bytes;
    p->piece[p->count++].n = n;
}

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static int put(FILE *to, const void *bytes, size_t n, struct err *e)
{
    static const char zeros[8];

    if ((n && fwrite(bytes, n, 1, to) != 1) || (n % 8 && fwrite(zeros, 8 - n % 8, 1, to) != 1))
        return err_set(e, errno, "write to the recording");
    return 0;
}

static struct file_event file_event(const struct feed_event *event)
{
    struct file_event f = {
        .period = event->period,
        .each = event->each,
        .stack_bytes = event->stack_bytes,
        .kernel = event->kernel,
        .task_counts = event->task_counts,
    };

    memcpy(f.name, event->name, strnlen(event->name, sizeof(f.name) - 1));
    memcpy(f.type, event->type, strnlen(event->type, sizeof(f.type) - 1));
    memcpy(f.unit, event->unit, strnlen(event->unit, sizeof(f.unit) - 1));
    return f;
}

int feed_file_write_header(FILE *to, const struct feed_info *info, struct err *e)
{
    struct file_header h = {
        .version = FILE_VERSION,
        .header_bytes = sizeof(h),
        .events = info->events,
        .cpu_event = info->cpu_event,
        .frequency_hz = info->frequency_hz,
        .ring_bytes = info->ring_bytes,
        .cpus = info->cpus,
    };

    memcpy(h.magic, FILE_MAGIC, sizeof(h.magic));
    for (uint32_t i = 0; i < info->events; i++)
        h.event[i] = file_event(&info->event[i]);
    return put(to, &h, sizeof(h), e);
}

static int put_record(FILE *to, const struct feed_record *r, const struct pieces *p, struct err *e)
{
    struct record_head head = {
        .kind = r->kind, .pid = r->pid, .tid = r->tid, .cpu = r->cpu, .time_ns = r->time_ns};
    uint64_t bytes = sizeof(head);

    for (uint32_t i = 0; i < p->count; i++)
        bytes += padded(p->piece[i].n);
    if (bytes > RECORD_BYTES_MAX)
        return err_set(e, 0, "record of %llu bytes is too large to be recorded", (unsigned long long)bytes);
    head.bytes = (uint32_t)bytes;
    if (put(to, &head, sizeof(head), e) < 0)
        return -1;
    for (uint32_t i = 0; i < p->count; i++)
        if (put(to, p->piece[i].bytes, p->piece[i].n, e) < 0)
            return -1;
    return 0;
}

static int write_sample(FILE *to, const struct feed_record *r, struct err *e)
{
    const struct feed_sample *s = &r->u.sample;
    struct file_sample f = {
        .known = s->regs.known,
        .event = s->event,
        .value = s->value,
        .counted = s->counted,
        .stack_bytes = s->stack_bytes,
        .kernel_frames = s->kernel_frames,
        .foreign_abi = s->foreign_abi,
    };
    struct pieces p = {0};

    for (int i = 0; i < ARCH_REG_COUNT; i++)
        f.reg[i] = s->regs.known >> i & 1 ? s->regs.r[i] : 0;
    add_piece(&p, &f, sizeof(f));
    add_piece(&p, s->kernel, s->kernel_frames * sizeof(*s->kernel));
    add_piece(&p, s->stack, s->stack_bytes);
    return put_record(to, r, &p, e);
}

static int write_mmap(FILE *to, const struct feed_record *r, struct err *e)
{
    const struct feed_mmap *m = &r->u.mmap;
    struct file_mmap f = {
        .start = m->start,
        .bytes = m->bytes,
        .file_offset = m->file_offset,
        .inode = m->inode,
        .dev_major = m->dev_major,
        .dev_minor = m->dev_minor,
        .build_id_bytes = m->build_id_bytes,
    };
    struct pieces p = {0};

    memcpy(f.build_id, m->build_id, sizeof(f.build_id));
    add_piece(&p, &f, sizeof(f));
    add_piece(&p, m->path, strlen(m->path) + 1);
    return put_record(to, r, &p, e);
}

static int write_comm(FILE *to, const struct feed_record *r, struct err *e)
{
    struct file_comm f = {.exec = r->u.comm.exec};
    struct pieces p = {0};

    add_piece(&p, &f, sizeof(f));
    add_piece(&p, r->u.comm.name, strlen(r->u.comm.name) + 1);
    return put_record(to, r, &p, e);
}

static int write_fixed(FILE *to, const struct feed_record *r, struct err *e)
{
    struct file_fork fork;
    struct file_task_count count;
    struct file_lost lost;
    struct pieces p = {0};

    if (r->kind == FEED_FORK) {
        fork = (struct file_fork){r->u.fork.parent_pid, r->u.fork.parent_tid};
        add_piece(&p, &fork, sizeof(fork));
    }
    if (r->kind == FEED_TASK_COUNT) {
        count = (struct file_task_count){.value = r->u.task_count.value,
                                         .lost_samples = r->u.task_count.lost_samples,
                                         .event = r->u.task_count.event};
        add_piece(&p, &count, sizeof(count));
    }
    if (r->kind == FEED_LOST) {
        lost = (struct file_lost){r->u.lost.records};
        add_piece(&p, &lost, sizeof(lost));
    }
    return put_record(to, r, &p, e);
}

int feed_file_write(FILE *to, const struct feed_record *record, struct err *e)
{
    switch (record->kind) {
    case FEED_SAMPLE:
        return write_sample(to, record, e);
    case FEED_MMAP:
        return write_mmap(to, record, e);
    case FEED_COMM:
        return write_comm(to, record, e);
    default:
        return write_fixed(to, record, e);
    }
}
