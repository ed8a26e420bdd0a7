/*
 * ring.c - see ring.h
 *
 * The two-mappings-in-a-row trick for wrapped records is refused by kernels from 6.17 on; the rare record
 * that goes around the end is copied.
 */
#include "ring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ringside/base.h"

#include "decode.h"

#define LINE_BYTES   64
/* What is read of every sample: fixed fields, registers and the first frames at its head, the length of the
 * stack copy at its end. */
#define HEAD_BYTES   512
#define LARGE_RECORD 1024

int ring_open(struct ring *r, int fd, uint32_t pages, struct err *e)
{
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (pages + 1) * page_bytes;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return err_set(e, errno, "map a ring of %u pages", pages);
    *r = (struct ring){
        .page = p,
        .data = (uint8_t *)p + page_bytes,
        .mask = pages * page_bytes - 1,
        .mapped_bytes = bytes,
    };
    return 0;
}

static void drop_saved(struct ring *r)
{
    if (r->saved)
        munmap(r->saved, r->saved_max);
    r->saved = NULL;
    r->saved_bytes = r->saved_at = 0;
}

void ring_close(struct ring *r)
{
    if (r->page)
        munmap(r->page, r->mapped_bytes);
    r->page = NULL;
    drop_saved(r);
}

bool ring_look(struct ring *r)
{
    /* Pairs with the store barrier before the kernel's update of data_head (perf_output_put_handle). */
    r->head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE);
    if (r->head - r->tail > r->mask + 1)
        r->tail = r->head; /* cannot be: resynchronise rather than read out of bounds */
    return !ring_empty(r);
}

/* Bytes from the oldest record on that lie together: what was saved, else what is in the ring. */
static size_t unread_bytes(const struct ring *r)
{
    return r->saved ? r->saved_bytes - r->saved_at : r->head - r->tail;
}

/* The word so far behind the oldest record's start. Records are aligned to 8 and the data area is a multiple
 * of that, so a word never goes around the end. */
static uint64_t word_at(const struct ring *r, size_t offset)
{
    const uint8_t *at =
        r->saved ? r->saved + r->saved_at + offset : r->data + ((r->tail + offset) & r->mask & ~7ULL);
    uint64_t v;

    memcpy(&v, at, sizeof(v));
    return v;
}

/* The oldest record's header, when it fits what is there. */
static bool oldest_header(const struct ring *r, struct perf_event_header *h)
{
    uint64_t word = word_at(r, 0);

    memcpy(h, &word, sizeof(*h));
    return h->size >= sizeof(*h) && h->size % 8 == 0 && h->size <= unread_bytes(r);
}

/* Copies n unread bytes out of the ring itself. */
static void copy_out(const struct ring *r, void *to, size_t n)
{
    uint64_t at = r->tail & r->mask;
    size_t first = MIN_OF(n, r->mask + 1 - at);

    memcpy(to, r->data + at, first);
    memcpy((uint8_t *)to + first, r->data, n - first);
}

size_t ring_peek(struct ring *r, void *scratch, const void **record, bool *torn)
{
    struct perf_event_header h;
    uint64_t at = r->tail & r->mask;

    *torn = false;
    if (ring_empty(r))
        return 0;
    if (!oldest_header(r, &h)) {
        *torn = true;
        ring_consume(r, unread_bytes(r));
        return 0;
    }
    if (r->saved) {
        *record = r->saved + r->saved_at;
    } else if (h.size <= r->mask + 1 - at) {
        *record = r->data + at;
    } else {
        copy_out(r, scratch, h.size);
        *record = scratch;
    }
    return h.size;
}

void ring_prefetch_next(const struct ring *r, size_t n)
{
    uint64_t next = r->tail + n;

    if (r->saved || n < LARGE_RECORD || r->head - next < n)
        return;
    for (size_t line = 0; line < HEAD_BYTES; line += LINE_BYTES)
        __builtin_prefetch(r->data + ((next + line) & r->mask));
    __builtin_prefetch(r->data + ((next + n - LINE_BYTES) & r->mask));
}

uint64_t ring_peek_time(const struct ring *r)
{
    struct perf_event_header h;

    if (!oldest_header(r, &h))
        return 0;
    if (h.type == PERF_RECORD_SAMPLE)
        return h.size >= SAMPLE_TIME_OFFSET + 8 ? word_at(r, SAMPLE_TIME_OFFSET) : 0;
    return h.size >= sizeof(h) + TRAILER_BYTES ? word_at(r, h.size - TRAILER_TIME_FROM_END) : 0;
}

static void give_back(struct ring *r, size_t n)
{
    r->tail += n;
    /* Pairs with the kernel's read of data_tail before it overwrites (perf_output_begin): our reads come
     * first. */
    __atomic_store_n(&r->page->data_tail, r->tail, __ATOMIC_RELEASE);
}

void ring_consume(struct ring *r, size_t n)
{
    if (!r->saved) {
        give_back(r, n);
        return;
    }
    r->saved_at += n;
    if (r->saved_at == r->saved_bytes)
        drop_saved(r);
}

/* Address space only: pages come as they are written to. */
static bool have_saved(struct ring *r)
{
    void *p;

    if (r->saved)
        return true;
    p = mmap(NULL, r->saved_max, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return false;
    r->saved = p;
    return true;
}

void ring_save(struct ring *r)
{
    size_t n;

    ring_look(r);
    n = r->head - r->tail;
    if (n <= r->mask / 4 || n > r->saved_max - r->saved_bytes || !have_saved(r))
        return;
    copy_out(r, r->saved + r->saved_bytes, n);
    r->saved_bytes += n;
    give_back(r, n);
}
