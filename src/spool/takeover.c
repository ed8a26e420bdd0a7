/*
 * takeover.c - what runs left that ended
 *
 * The lock decides who sends an entry: who holds the run folder. So the index is made after the lock is had,
 * and the lock is kept as long as there is anything in the index to be sent.
 */
#include "spool_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"

/* Names in one run folder looked at; a run leaves no more than SPOOL_ENTRIES_MAX. */
#define NAMES_MAX (4 * SPOOL_ENTRIES_MAX)

/* What is found in one run folder. */
struct found {
    struct spool *s;
    uint16_t run;
    struct spool_entry *entry;
    uint32_t count, cap;
};

static void visit(void *ctx, int run_fd, const char *name)
{
    struct found *f = ctx;
    struct spool_entry *entry;
    struct stat st;

    if (!spool_entry_is_ours(name) || f->count == NAMES_MAX)
        return;
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->entry = base_realloc(f->entry, f->cap * sizeof(*f->entry));
    }
    entry = &f->entry[f->count];
    *entry = (struct spool_entry){.run = f->run};
    if (!spool_entry_parse_name(name, &entry->name)) {
        /* Half-written when its run ended; or damaged. */
        if (unlinkat(run_fd, name, 0) == 0 && !spool_entry_is_temporary(name))
            stats_add(f->s->stats, STATS_SPOOL_UNREADABLE, 1);
        return;
    }
    if (fstatat(run_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    entry->bytes = (uint32_t)MIN_OF((uint64_t)st.st_size, UINT32_MAX);
    entry->mine = spool_is_mine(f->s, entry->name.key);
    f->count++;
}

static int by_number(const void *a, const void *b)
{
    const struct spool_entry *x = a, *y = b;

    if (x->name.number != y->name.number)
        return x->name.number < y->name.number ? -1 : 1;
    return (x->name.key > y->name.key) - (x->name.key < y->name.key);
}

/* As many as the index takes, oldest first; the rest when these are gone. */
static void index_run(struct spool *s, uint16_t run)
{
    struct found f = {.s = s, .run = run};
    uint32_t n;

    spool_run_walk(s->run[run].fd, visit, &f);
    if (f.count)
        qsort(f.entry, f.count, sizeof(*f.entry), by_number);
    n = MIN_OF(f.count, SPOOL_ENTRIES_MAX - s->entries);
    spool_index_add(s, spool_index_place(s, run), f.entry, n);
    for (uint32_t i = n; i < f.count; i++)
        s->run[run].unlisted_bytes += f.entry[i].bytes;
    s->other_bytes += s->run[run].unlisted_bytes;
    free(f.entry);
}

static uint16_t free_slot(const struct spool *s)
{
    for (uint16_t i = 1; i <= SPOOL_RUNS_HELD_MAX; i++)
        if (s->run[i].fd < 0)
            return i;
    return SPOOL_RUN_OWN;
}

static bool is_held(const struct spool *s, const char *name)
{
    for (uint32_t i = 0; i < ARRAY_LEN(s->run); i++)
        if (s->run[i].fd >= 0 && strcmp(s->run[i].name, name) == 0)
            return true;
    return false;
}

/* Takes hold of the run if it ended; only looks at how much it has if not. */
static void take_run(struct spool *s, const char *name, uint64_t now_wall_ns)
{
    uint16_t slot = free_slot(s);

    if (slot == SPOOL_RUN_OWN || !spool_run_take(s->folder_fd, name, &s->run[slot])) {
        s->other_bytes += spool_run_bytes(s->folder_fd, name);
        return;
    }
    index_run(s, slot);
    spool_drop_old(s, now_wall_ns);
}

void spool_take_over(struct spool *s, uint64_t now_wall_ns)
{
    FREE_PTR char(*names)[SPOOL_RUN_NAME_BYTES] = NULL;
    uint32_t count;

    if (s->folder_fd < 0)
        return;
    s->other_bytes = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(s->run); i++)
        s->other_bytes += s->run[i].unlisted_bytes;
    count = spool_run_list(s->folder_fd, &names);
    for (uint32_t i = 0; i < count; i++)
        if (!is_held(s, names[i]))
            take_run(s, names[i], now_wall_ns);
}

/* Entries of others' leave the index; their files stay. */
static void let_go(struct spool *s, uint16_t run)
{
    for (uint32_t at = 0; at < s->entries;) {
        if (s->entry[at].run != run) {
            at++;
            continue;
        }
        s->other_bytes += s->entry[at].bytes;
        spool_index_remove(s, at);
    }
    spool_run_let_go(s->folder_fd, &s->run[run]);
}

void spool_let_go_idle(struct spool *s)
{
    for (uint16_t i = 1; i <= SPOOL_RUNS_HELD_MAX; i++)
        if (s->run[i].fd >= 0 && s->run[i].mine == 0 && !s->run[i].stuck)
            let_go(s, i);
}
