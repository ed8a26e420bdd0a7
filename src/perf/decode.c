/*
 * decode.c - one raw perf record to a neutral one, every length checked
 *
 * Layouts: include/uapi/linux/perf_event.h, enum perf_event_type. The attributes are always our own (arm.c),
 * so the fields of a sample are: identifier, pid and tid, time, kernel callchain, user registers, user stack.
 */
#include "ringside/perf.h"

#include <string.h>

#include "decode.h"
#include "ringside/arch.h"

/* What is left of the record being read. */
struct cursor {
    const uint8_t *at;
    size_t left;
    bool torn;
};

static const void *take(struct cursor *c, size_t n)
{
    const void *p = c->at;

    if (n > c->left) {
        c->torn = true;
        c->left = 0;
        return NULL;
    }
    c->at += n;
    c->left -= n;
    return p;
}

static uint64_t take_u64(struct cursor *c)
{
    const void *p = take(c, 8);
    uint64_t v = 0;

    if (p)
        memcpy(&v, p, 8);
    return v;
}

static uint32_t take_u32(struct cursor *c)
{
    const void *p = take(c, 4);
    uint32_t v = 0;

    if (p)
        memcpy(&v, p, 4);
    return v;
}

/* The rest of the record as a string that ends inside it. */
static const char *take_text(struct cursor *c)
{
    const char *text = (const char *)c->at;

    if (!memchr(text, '\0', c->left)) {
        c->torn = true;
        return "";
    }
    return text;
}

/* sample_id_all: pid and tid, time, identifier close every record that is not a sample. */
static void take_trailer(struct cursor *c, struct feed_record *out)
{
    uint64_t time;
    uint32_t id[2];

    if (c->left < TRAILER_BYTES) {
        c->torn = true;
        return;
    }
    c->left -= TRAILER_BYTES;
    memcpy(id, c->at + c->left, sizeof(id));
    memcpy(&time, c->at + c->left + sizeof(id), sizeof(time));
    out->pid = id[0];
    out->tid = id[1];
    out->time_ns = time;
}

/* Marks between the parts of a callchain (PERF_CONTEXT_KERNEL...) are the topmost 4096 values. */
static void take_callchain(struct cursor *c, struct feed_sample *s)
{
    uint64_t n = take_u64(c);
    const uint64_t *ips;

    if (n > c->left / 8) {
        c->torn = true;
        return;
    }
    ips = take(c, n * 8);
    if (n && ips[0] == (uint64_t)PERF_CONTEXT_KERNEL) {
        ips++;
        n--;
    }
    s->kernel = ips;
    while (s->kernel_frames < n && ips[s->kernel_frames] < (uint64_t)PERF_CONTEXT_MAX)
        s->kernel_frames++;
}

/* True when they are there but of another ABI. */
static bool take_registers(struct cursor *c, struct arch_regs *out)
{
    uint64_t abi = take_u64(c);
    const void *p;

    if (abi == PERF_SAMPLE_REGS_ABI_NONE)
        return false;
    p = take(c, (size_t)arch_perf_reg_count() * 8);
    if (!p || abi != arch_perf_regs_abi())
        return p != NULL;
    arch_regs_from_perf(out, p);
    return false;
}

static void take_user_state(struct cursor *c, struct feed_sample *s)
{
    uint64_t asked, copied;

    s->foreign_abi = take_registers(c, &s->regs);
    asked = take_u64(c);
    if (!asked || c->torn)
        return;
    if (asked > c->left || asked % 8) { /* whole words, like everything in a record */
        c->torn = true;
        c->left = 0;
        return;
    }
    s->stack = take(c, asked);
    copied = take_u64(c);
    if (copied > asked)
        c->torn = true;
    else
        s->stack_bytes = (uint32_t)copied;
}

/* The tracepoint's own record: where its value lies; *raw is NULL when it is too short for that. */
static void take_raw(struct cursor *c, const struct perf_weight *w, const uint8_t **raw)
{
    uint32_t n = take_u32(c);
    const uint8_t *bytes;

    if (n % 8 != 4) { /* its length and it fill whole words (perf_prepare_sample) */
        c->torn = true;
        c->left = 0;
    }
    bytes = take(c, n);
    *raw = bytes && w->raw_offset <= n && w->raw_size <= n - w->raw_offset ? bytes + w->raw_offset : NULL;
}

static int64_t raw_value(const uint8_t *raw, const struct perf_weight *w)
{
    uint64_t value = 0;
    unsigned unused_bits = 64 - 8U * w->raw_size;

    if (!raw || !w->raw_size || w->raw_size > sizeof(value))
        return 0;
    memcpy(&value, raw, w->raw_size); /* little endian, as the kernel's byte order is ours */
    if (w->raw_signed)
        return (int64_t)(value << unused_bits) >> unused_bits;
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int64_t register_value(const struct arch_regs *regs, unsigned reg)
{
    return reg < ARCH_REG_COUNT && regs->known >> reg & 1 ? (int64_t)regs->r[reg] : 0;
}

/* Negative values are errors that calls return: they weigh nothing. */
static int64_t weigh(const struct perf_weight *w, uint64_t period, int64_t value)
{
    double weight = (double)period * w->scale;

    if (w->kind == EVENT_WEIGHT_PERIOD && w->scale == 1)
        return period > INT64_MAX ? INT64_MAX : (int64_t)period;
    if (w->kind != EVENT_WEIGHT_PERIOD)
        weight *= (double)value;
    if (!(weight > 0))
        return 0;
    return weight >= 0x1p63 ? INT64_MAX : (int64_t)(weight + 0.5);
}

static void take_sample(struct cursor *c, const struct perf_event *event, struct feed_record *out)
{
    const struct perf_weight *w = &event->weight;
    uint64_t fields = event->attr.sample_type, period = event->attr.sample_period;
    struct feed_sample *s = &out->u.sample;
    struct arch_regs interrupted = {.known = 0};
    const uint8_t *raw = NULL;
    int64_t value = 0;

    memset(s, 0, sizeof(*s));
    take_u64(c); /* identifier */
    out->pid = take_u32(c);
    out->tid = take_u32(c);
    out->time_ns = take_u64(c);
    if (fields & PERF_SAMPLE_PERIOD)
        period = take_u64(c);
    if (fields & PERF_SAMPLE_CALLCHAIN)
        take_callchain(c, s);
    if (fields & PERF_SAMPLE_RAW)
        take_raw(c, w, &raw);
    take_user_state(c, s);
    if (fields & PERF_SAMPLE_REGS_INTR)
        take_registers(c, &interrupted);
    if (w->kind == EVENT_WEIGHT_RAW || w->kind == EVENT_WEIGHT_FIELD)
        value = raw_value(raw, w);
    else if (w->kind != EVENT_WEIGHT_PERIOD)
        value = register_value(fields & PERF_SAMPLE_REGS_INTR ? &interrupted : &s->regs, w->reg);
    s->counted = period;
    s->value = weigh(w, period, value);
}

static void take_mmap2(struct cursor *c, uint16_t misc, struct feed_record *out)
{
    struct feed_mmap *m = &out->u.mmap;
    const uint8_t *id;

    *m = (struct feed_mmap){.path = ""};
    out->pid = take_u32(c);
    out->tid = take_u32(c);
    m->start = take_u64(c);
    m->bytes = take_u64(c);
    m->file_offset = take_u64(c);
    id = take(c, 24);
    take_u64(c); /* prot, flags: only executable mappings are reported */
    if (!id)
        return;
    if (misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
        if (id[0] > sizeof(m->build_id)) {
            c->torn = true;
            return;
        }
        m->build_id_bytes = id[0];
        memcpy(m->build_id, id + 4, m->build_id_bytes);
    } else {
        memcpy(&m->dev_major, id, 4);
        memcpy(&m->dev_minor, id + 4, 4);
        memcpy(&m->inode, id + 8, 8);
    }
    m->path = take_text(c);
    if (m->start + m->bytes < m->start)
        c->torn = true;
}

static void take_task(struct cursor *c, struct feed_record *out)
{
    out->pid = take_u32(c);
    out->u.fork.parent_pid = take_u32(c);
    out->tid = take_u32(c);
    out->u.fork.parent_tid = take_u32(c);
    out->time_ns = take_u64(c);
}

/* Times enabled and running follow (counters.c); an event for all CPUs always runs. */
static void take_read(struct cursor *c, struct feed_record *out)
{
    out->pid = take_u32(c);
    out->tid = take_u32(c);
    out->u.task_count.event = 0; /* ids.h knows */
    out->u.task_count.value = take_u64(c);
    out->u.task_count.lost_samples = 0; /* of what is inherited, told for the whole tree only */
}

/* False for a kind nobody needs. */
static bool take_other(struct cursor *c, const struct perf_event_header *header, struct feed_record *out)
{
    switch (header->type) {
    case PERF_RECORD_MMAP2:
        out->kind = FEED_MMAP;
        take_mmap2(c, header->misc, out);
        return true;
    case PERF_RECORD_COMM:
        out->kind = FEED_COMM;
        out->pid = take_u32(c);
        out->tid = take_u32(c);
        out->u.comm.exec = header->misc & PERF_RECORD_MISC_COMM_EXEC;
        out->u.comm.name = take_text(c);
        return true;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        out->kind = header->type == PERF_RECORD_FORK ? FEED_FORK : FEED_EXIT;
        take_task(c, out);
        return true;
    case PERF_RECORD_READ:
        out->kind = FEED_TASK_COUNT;
        take_read(c, out);
        return true;
    case PERF_RECORD_LOST:
        out->kind = FEED_LOST;
        take_u64(c);
        out->u.lost.records = take_u64(c);
        return true;
    case PERF_RECORD_THROTTLE:
        out->kind = FEED_THROTTLE;
        return true;
    default:
        return false;
    }
}

bool perf_decode(const struct perf_event *event, const void *bytes, size_t n, struct feed_record *out,
                 bool *torn)
{
    struct perf_event_header header;
    struct cursor c = {.at = bytes, .left = n};
    const void *p = take(&c, sizeof(header));
    bool wanted = true;

    *torn = true;
    if (!p)
        return false;
    memcpy(&header, p, sizeof(header));
    if (header.size != n)
        return false;
    if (header.type == PERF_RECORD_SAMPLE) {
        out->kind = FEED_SAMPLE;
        take_sample(&c, event, out);
    } else {
        take_trailer(&c, out); /* first: what the body says of pid and tid is about the subject */
        wanted = !c.torn && take_other(&c, &header, out);
    }
    *torn = c.torn;
    return wanted && !c.torn;
}
