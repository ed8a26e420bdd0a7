/*
 * spool_world.h - a folder for a spool, items that can be told apart, and what became of them
 */
#ifndef RINGSIDE_TEST_SPOOL_WORLD_H
#define RINGSIDE_TEST_SPOOL_WORLD_H

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/spool.h"
#include "ringside/stats.h"

#define UNUSED  __attribute__((unused))
#define KEY_A   "00000000000000aa"
#define KEY_B   "bb00000000000000"
#define MORNING 1795866000000000000ULL /* 2026-11-28 11:40:00 UTC, not in the past of any test's clock */
#define MINUTE  (60 * NSEC_PER_SEC)

struct world {
    char dir[64];
    char folder[128]; /* of the spool; not made */
    struct stats stats;
    struct spool_config config; /* keys A and B, room for all, no age */
};

static UNUSED void world_make(struct world *w)
{
    memset(w, 0, sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "%s/ringside-test-spool-XXXXXX", unit_tmp());
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->folder, sizeof(w->folder), "%s/state/spool", w->dir);
    w->config = (struct spool_config){.folder = w->folder,
                                      .bytes_max = 1 << 30,
                                      .memory_bytes_max = 1 << 20,
                                      .key = {KEY_A, KEY_B},
                                      .keys = 2,
                                      .stats = &w->stats};
    /* What is dropped is said, and there is much of it here. */
    log_open(&(struct log_config){.mode = LOG_MODE_DISABLED}, NULL);
}

static UNUSED void run(const char *fmt, const char *path)
{
    char command[1024];

    snprintf(command, sizeof(command), fmt, path);
    assert_int_equal(system(command), 0);
}

static UNUSED void world_remove(struct world *w)
{
    log_open(&(struct log_config){.level = LEVEL_WARN, .mode = LOG_MODE_STDERR}, NULL);
    run("rm -rf %s", w->dir);
}

static UNUSED uint64_t dropped_full(const struct world *w)
{
    return stats_get(&w->stats, STATS_SPOOL_DROPPED_FULL);
}

static UNUSED uint64_t dropped_old(const struct world *w)
{
    return stats_get(&w->stats, STATS_SPOOL_DROPPED_OLD);
}

static UNUSED uint64_t unreadable(const struct world *w)
{
    return stats_get(&w->stats, STATS_SPOOL_UNREADABLE);
}

/* ---- items: the body follows from label and size ---- */

static void fill_body(char *body, size_t n, const char *label)
{
    uint64_t state = hash_bytes(label, strlen(label)) | 1;

    for (size_t i = 0; i < n; i++) {
        body[i] = (char)(state >> 32);
        state = state * 6364136223846793005ULL + 1;
    }
}

static UNUSED int put_at(struct spool *s, uint32_t key, const char *label, size_t n, uint64_t wall_ns)
{
    FREE_PTR char *body = base_alloc(n);
    struct spool_item item = {wall_ns, label, "POST", "/profiling/v1/input", "Content-Type: x/y\nB: c\n",
                              body,    n};

    fill_body(body, n, label);
    return spool_put(s, key, &item, NULL);
}

static UNUSED int put(struct spool *s, uint32_t key, const char *label, size_t n)
{
    return put_at(s, key, label, n, MORNING);
}

static UNUSED bool is_whole(const struct spool_item *item)
{
    FREE_PTR char *body = base_alloc(item->body_bytes);

    fill_body(body, item->body_bytes, item->label);
    return strcmp(item->method, "POST") == 0 && strcmp(item->path, "/profiling/v1/input") == 0 &&
           strcmp(item->headers, "Content-Type: x/y\nB: c\n") == 0 &&
           memcmp(body, item->body, item->body_bytes) == 0;
}

/* The next of the key is this one; it is done. "" : there is none. */
static UNUSED void next_is(struct spool *s, uint32_t key, const char *label)
{
    struct spool_taken t;

    if (!*label) {
        assert_false(spool_take(s, key, &t));
        return;
    }
    assert_true(spool_take(s, key, &t));
    assert_string_equal(t.item.label, label);
    assert_true(is_whole(&t.item));
    spool_done(s, &t);
}

static UNUSED struct spool_left left_of(const struct spool *s, uint32_t key)
{
    struct spool_left left;

    spool_left(s, key, &left);
    return left;
}

static UNUSED uint32_t entries_left(const struct spool *s)
{
    return left_of(s, UINT32_MAX).entries;
}

/* ---- files ---- */

/* First name in a folder that contains part, whole path into out; how many there are. */
static UNUSED int find_in(const char *dir, const char *part, char *out, size_t max)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    int n = 0;

    while (d && (entry = readdir(d)))
        if (entry->d_name[0] && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strstr(entry->d_name, part) && n++ == 0 && out)
            snprintf(out, max, "%s/%s", dir, entry->d_name);
    if (d)
        closedir(d);
    return n;
}

static UNUSED int runs_in(const struct world *w)
{
    return find_in(w->folder, "run-", NULL, 0);
}

/* The only run folder. */
static UNUSED void only_run(const struct world *w, char out[512])
{
    assert_int_equal(find_in(w->folder, "run-", out, 512), 1);
}

/* All a run folder holds, temporary files too. */
static UNUSED int files_in(const char *run_folder)
{
    return find_in(run_folder, "", NULL, 0);
}

#endif
