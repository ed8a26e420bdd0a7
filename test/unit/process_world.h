/*
 * process_world.h - a process table fed by hand, with images that only count how often they are mapped
 *
 * Its images_map() and so on stand in for those of the image module: include it in one file of a test.
 */
#ifndef RINGSIDE_TEST_PROCESS_WORLD_H
#define RINGSIDE_TEST_PROCESS_WORLD_H

#include "ringside/process.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/image.h"
#include "ringside/stats.h"

/* ---- images: one per path; address in the file is its offset plus 0x400000, unless the path starts with '['
 * or '/' '/' ---- */

#define IMAGES_MAX 64

struct images {
    struct image image[IMAGES_MAX];
    uint32_t count;
};

static struct images images;

struct image *images_map(struct images *t, const struct image_ref *ref)
{
    uint32_t i = 0;

    while (i < t->count && strcmp(t->image[i].path, ref->path) != 0)
        i++;
    assert_true(i < IMAGES_MAX);
    if (i == t->count) {
        t->image[i] = (struct image){.id = i + 1, .path = base_strdup(ref->path)};
        t->count++;
    }
    t->image[i].mappings++;
    return &t->image[i];
}

void image_unmapped(struct image *i)
{
    assert_true(i->mappings > 0);
    i->mappings--;
}

static bool files_readable = true;

bool image_offset_to_elf(struct images *t, struct image *i, uint64_t file_offset, uint64_t *elf_addr)
{
    (void)t;
    *elf_addr = file_offset + 0x400000;
    return files_readable && i->path[0] == '/' && i->path[1] != '/';
}

static inline uint32_t mappings_of(const char *path)
{
    for (uint32_t i = 0; i < images.count; i++)
        if (strcmp(images.image[i].path, path) == 0)
            return images.image[i].mappings;
    return 0;
}

/* ---- a table and records with a clock that ticks once per record ---- */

static struct stats *stats;
static struct processes *table;
static uint64_t now;

static inline void begin(struct process_limits limits)
{
    now = 1000;
    stats = stats_new();
    table = processes_new(&limits, &images, stats);
}

static const struct process_limits roomy = {.processes = 1000, .tasks = 2000, .mappings = 1000};

/* Every mapping must have been given back. */
static inline void end(void)
{
    processes_free(table);
    for (uint32_t i = 0; i < images.count; i++) {
        assert_int_equal(images.image[i].mappings, 0);
        free(images.image[i].path);
    }
    images.count = 0;
    files_readable = true;
    stats_free(stats);
}

static inline bool apply(struct feed_record r)
{
    r.time_ns = now++;
    return process_apply(table, &r);
}

static inline bool map(uint32_t pid, uint64_t start, uint64_t end_addr, uint64_t offset, const char *path)
{
    return apply((struct feed_record){
        .kind = FEED_MMAP,
        .pid = pid,
        .tid = pid,
        .u.mmap = {.start = start, .bytes = end_addr - start, .file_offset = offset, .path = path},
    });
}

static inline bool comm(uint32_t pid, uint32_t tid, const char *name, bool exec)
{
    return apply((struct feed_record){
        .kind = FEED_COMM,
        .pid = pid,
        .tid = tid,
        .u.comm = {.name = name, .exec = exec},
    });
}

static inline bool fork_record(uint32_t pid, uint32_t tid, uint32_t parent_pid, uint32_t parent_tid)
{
    return apply((struct feed_record){
        .kind = FEED_FORK,
        .pid = pid,
        .tid = tid,
        .u.fork = {.parent_pid = parent_pid, .parent_tid = parent_tid},
    });
}

static inline void exit_record(uint32_t pid, uint32_t tid)
{
    apply((struct feed_record){.kind = FEED_EXIT, .pid = pid, .tid = tid});
}

/* "start-end+offset path" of every mapping, from the second digit group up. */
static inline void assert_mappings(uint32_t pid, const char *expected)
{
    struct process *p = process_find(table, pid);
    struct buf text;

    buf_init(&text, 4096);
    for (uint32_t i = 0; i < p->space->count; i++) {
        const struct mapping *m = &p->space->mapping[i];

        buf_printf(&text, "%s%lx-%lx+%lx%s", i ? " " : "", m->start, m->end, m->file_offset, m->image->path);
    }
    buf_add(&text, "", 1);
    assert_string_equal(text.data, expected);
    buf_release(&text);
}

#endif
