/*
 * perf_record.h - raw perf records, built field by field
 */
#ifndef RINGSIDE_TEST_PERF_RECORD_H
#define RINGSIDE_TEST_PERF_RECORD_H

#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t data[4096] __attribute__((aligned(8)));
    size_t n;
};

static inline void put(struct bytes *b, const void *p, size_t n)
{
    memcpy(b->data + b->n, p, n);
    b->n += n;
}

static inline void put_u64(struct bytes *b, uint64_t v)
{
    put(b, &v, 8);
}

static inline void put_u32(struct bytes *b, uint32_t v)
{
    put(b, &v, 4);
}

static inline void begin(struct bytes *b, uint32_t type, uint16_t misc)
{
    struct perf_event_header h = {.type = type, .misc = misc};

    b->n = 0;
    put(b, &h, sizeof(h));
}

static inline void put_trailer(struct bytes *b, uint32_t pid, uint32_t tid, uint64_t time)
{
    put_u32(b, pid);
    put_u32(b, tid);
    put_u64(b, time);
    put_u64(b, 1);
}

static inline void end(struct bytes *b)
{
    ((struct perf_event_header *)b->data)->size = (uint16_t)b->n;
}

#endif
