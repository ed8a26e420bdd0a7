/*
 * ring.h - take records out of one perf ring, in the order the kernel put them in
 *
 * Knows the shared-page protocol (include/uapi/linux/perf_event.h, struct perf_event_mmap_page). Does not
 * know what a record means and does not merge rings by time. Used by one thread at a time.
 */
#ifndef RINGSIDE_PERF_RING_H
#define RINGSIDE_PERF_RING_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct ring {
    struct perf_event_mmap_page *page;
    const uint8_t *data;
    uint64_t mask;       /* data bytes - 1 */
    uint64_t head, tail; /* head: as of the last ring_look */
    size_t mapped_bytes;
    /* Records that ring_save() moved out, older than all in the ring; NULL: none. */
    uint8_t *saved;
    size_t saved_bytes, saved_at, saved_max;
};

#define RING_RECORD_MAX 65536 /* header.size is 16 bits */

/* pages: of the data area, a power of two. -1 with *e (code EPERM: the locked-memory limit). */
int ring_open(struct ring *r, int fd, uint32_t pages, struct err *e);
void ring_close(struct ring *r);

/* Reads the kernel's write position once; ring_peek goes up to it. True when there is something. */
bool ring_look(struct ring *r);
static inline bool ring_empty(const struct ring *r)
{
    return !r->saved && r->tail == r->head;
}

/*
 * The oldest unread record. Valid until it is consumed: points into the ring, or into scratch
 * (RING_RECORD_MAX bytes, aligned to 8) when it goes around the end. 0 when the ring is empty or when its
 * content makes no sense: then all of it is skipped and *torn is set.
 */
size_t ring_peek(struct ring *r, void *scratch, const void **record, bool *torn);

/*
 * Fetches what will be read of the record behind the oldest, of n bytes, when there is one: most samples are
 * as large as the one before, and nothing of them is in the cache.
 */
void ring_prefetch_next(const struct ring *r, size_t n);

/* Time of the oldest record; the ring must not be empty. 0 when the record makes no sense. */
uint64_t ring_peek_time(const struct ring *r);

/* Done with the oldest n bytes: the kernel may have them back. */
void ring_consume(struct ring *r, size_t n);

/*
 * Makes room for the kernel while nobody has time for the records: moves them to memory, up to saved_max
 * bytes; ring_peek() yields them as if they were still in the ring. Does nothing while a quarter of the ring
 * is not full, or when that memory is used up or not to be had: then the kernel counts what it loses.
 */
void ring_save(struct ring *r);

#endif
