/*
 * load.c - a recording in memory, so that replaying it costs no reading
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ringside/base.h"

uint64_t cpu_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static void *copy_of(const void *bytes, size_t n)
{
    void *copy = base_alloc(MAX_OF(n, (size_t)1));

    if (n)
        memcpy(copy, bytes, n);
    return copy;
}

static void keep(struct recording *r, const struct feed_record *record)
{
    struct feed_record *kept;

    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 4096;
        r->record = base_realloc(r->record, r->cap * sizeof(*r->record));
    }
    kept = &r->record[r->count++];
    *kept = *record;
    if (record->kind == FEED_SAMPLE) {
        kept->u.sample.stack = copy_of(record->u.sample.stack, record->u.sample.stack_bytes);
        kept->u.sample.kernel = NULL;
        kept->u.sample.kernel_frames = 0;
        r->samples += record->u.sample.regs.known != 0;
    } else if (record->kind == FEED_MMAP) {
        kept->u.mmap.path = base_strdup(record->u.mmap.path);
    } else if (record->kind == FEED_COMM) {
        kept->u.comm.name = base_strdup(record->u.comm.name);
    }
}

int recording_load(struct recording *r, const char *path, struct err *e)
{
    struct feed *feed = feed_file_open(path, e);
    struct feed_record record;

    if (!feed)
        return -1;
    *r = (struct recording){.info = feed->info};
    do {
        while (feed_next(feed, &record))
            keep(r, &record);
    } while (feed->ops->wait(feed, 0, false) == FEED_READY);
    feed->ops->finish(feed);
    while (feed_next(feed, &record))
        keep(r, &record);
    feed_close(feed);
    return r->samples ? 0 : err_set(e, 0, "%s holds no samples with user registers", path);
}

void recording_release(struct recording *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct feed_record *record = &r->record[i];

        if (record->kind == FEED_SAMPLE)
            free((void *)record->u.sample.stack);
        else if (record->kind == FEED_MMAP)
            free((void *)record->u.mmap.path);
        else if (record->kind == FEED_COMM)
            free((void *)record->u.comm.name);
    }
    free(r->record);
    *r = (struct recording){0};
}

bool recording_walks(const struct feed_record *r, uint32_t pid)
{
    return r->kind == FEED_SAMPLE && r->u.sample.regs.known && (!pid || r->pid == pid);
}

uint32_t recording_busiest(const struct recording *r)
{
    struct map64 samples_of;
    uint64_t most = 0;
    uint32_t busiest = 0;

    map64_init(&samples_of);
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t *n = map64_find(&samples_of, r->record[i].pid);
        uint64_t now = (n ? *n : 0) + 1;

        if (!recording_walks(&r->record[i], 0))
            continue;
        map64_put(&samples_of, r->record[i].pid, now);
        if (now > most) {
            most = now;
            busiest = r->record[i].pid;
        }
    }
    map64_release(&samples_of);
    return busiest;
}

void walks_add(struct walks *w, const uint64_t *pc, uint32_t n)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 4096;
        w->end = base_realloc(w->end, w->cap * sizeof(*w->end));
    }
    while (w->pcs + n > w->pc_cap) {
        w->pc_cap = w->pc_cap ? w->pc_cap * 2 : 65536;
        w->pc = base_realloc(w->pc, w->pc_cap * sizeof(*w->pc));
    }
    memcpy(w->pc + w->pcs, pc, n * sizeof(*pc));
    w->pcs += n;
    w->end[w->count++] = w->pcs;
}

void walks_release(struct walks *w)
{
    free(w->pc);
    free(w->end);
    *w = (struct walks){0};
}
