/*
 * fuzz_perf.c - the record decoder on any bytes; the first two choose which optional fields the attributes
 * promise
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/perf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

/* Reads everything a record points to, so that the sanitizer sees it. */
static void touch(const struct feed_record *r)
{
    if (r->kind == FEED_SAMPLE) {
        for (uint32_t i = 0; i < r->u.sample.stack_bytes; i++)
            sink += r->u.sample.stack[i];
        for (uint32_t i = 0; i < r->u.sample.kernel_frames; i++)
            sink += r->u.sample.kernel[i];
    } else if (r->kind == FEED_MMAP) {
        sink += strlen(r->u.mmap.path) + r->u.mmap.build_id[r->u.mmap.build_id_bytes % 20];
    } else if (r->kind == FEED_COMM) {
        sink += strlen(r->u.comm.name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_event event = {.attr = {.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID |
                                                       PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER |
                                                       PERF_SAMPLE_STACK_USER,
                                        .sample_period = 1},
                               .weight = {.scale = 1}};
    struct feed_record record;
    uint8_t *copy;
    bool torn;

    if (size < 2)
        return 0;
    if (data[0] & 1)
        event.attr.sample_type |= PERF_SAMPLE_CALLCHAIN;
    if (data[0] & 2)
        event.attr.sample_type |= PERF_SAMPLE_PERIOD;
    if (data[0] & 4)
        event.attr.sample_type |= PERF_SAMPLE_RAW;
    if (data[0] & 8)
        event.attr.sample_type |= PERF_SAMPLE_REGS_INTR;
    event.weight.kind = (enum event_weight)(data[0] >> 4 & 7);
    event.weight.raw_offset = data[1] >> 4;
    event.weight.raw_size = data[1] & 15;
    event.weight.reg = data[0] >> 3;
    event.weight.raw_signed = data[0] & 128;
    event.attr.read_format =
        data[1] & (PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_LOST);
    size -= 2;
    copy = malloc(size ? size : 1); /* aligned, and exactly as long as the record claims */
    if (!copy)
        return 0;
    memcpy(copy, data + 2, size);
    if (size >= 8) {
        uint16_t length = (uint16_t)size;

        memcpy(copy + 6, &length, 2); /* past the cheapest check */
    }
    if (perf_decode(&event, copy, size, &record, &torn))
        touch(&record);
    free(copy);
    return 0;
}
