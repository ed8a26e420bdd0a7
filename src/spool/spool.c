/*
 * spool.c - put, take, done: on disk, and in memory what the disk does not take
 */
#include "ringside/spool.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "spool_private.h"

/* ---- opening ---- */

/* So that it can be made anew after a chdir(). */
static char *absolute(const char *path)
{
    FREE_PTR char *cwd = path[0] == '/' ? NULL : getcwd(NULL, 0);
    size_t n = strlen(path) + (cwd ? strlen(cwd) : 0) + 2;
    char *out = base_alloc(n);

    n = (size_t)snprintf(out, n, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", path);
    /* With a slash at the end, a link would be looked through where the link itself is meant. */
    while (n > 1 && out[n - 1] == '/')
        out[--n] = '\0';
    return out;
}

/* Once, until the disk takes entries again. */
static void say_broken(struct spool *s, const struct err *e)
{
    if (!s->broken)
        log_warn(spool,
                 "%s: %s; profiles that are not delivered yet are kept in memory (at most %" PRIu64
                 " MB) until it works again; --spool names another folder",
                 s->folder, e->text, s->memory_bytes_max >> 20);
    s->broken = true;
}

/* After an entry was written. */
static void say_works(struct spool *s)
{
    if (s->broken && s->in_memory == 0) {
        log_info(spool, "%s takes profiles again", s->folder);
        s->broken = false;
    }
}

struct spool *spool_open(const struct spool_config *config)
{
    struct spool *s = base_calloc(1, sizeof(*s));
    struct err e = {0};

    *s = (struct spool){.folder_fd = -1,
                        .bytes_max = config->bytes_max,
                        .age_max_ns = config->age_max_ns,
                        .memory_bytes_max = config->memory_bytes_max,
                        .keys = MIN_OF(config->keys, SPOOL_KEYS_MAX),
                        .stats = config->stats};
    for (uint32_t i = 0; i < ARRAY_LEN(s->run); i++)
        s->run[i].fd = -1;
    for (uint32_t i = 0; i < s->keys; i++)
        if (!spool_entry_parse_key(config->key[i], &s->key[i]))
            s->key[i] = hash_bytes(config->key[i], strlen(config->key[i]));
    if (!config->folder)
        return s;
    s->folder = absolute(config->folder);
    if (spool_disk_open(s, &e) < 0) {
        say_broken(s, &e);
        return s;
    }
    spool_take_over(s, clock_wall_ns());
    spool_let_go_idle(s);
    return s;
}

/* ---- putting ---- */

static int put_on_disk(struct spool *s, const struct spool_entry *entry, const struct spool_item *item,
                       struct err *e)
{
    if (spool_disk_open(s, e) < 0)
        return -1;
    /* What other targets left may be older than all of ours. */
    if (s->disk_bytes + s->other_bytes + entry->bytes > s->bytes_max)
        spool_take_over(s, clock_wall_ns());
    if (spool_room_on_disk(s, entry->bytes, e) < 0)
        return -1;
    return spool_disk_write(s, &entry->name, item, e);
}

/* A byte_out into memory that is large enough. */
static int write_memory(void *ctx, const void *bytes, size_t n, struct err *e)
{
    char **to = ctx;

    (void)e;
    if (n)
        memcpy(*to, bytes, n);
    *to += n;
    return 0;
}

static int put_in_memory(struct spool *s, struct spool_entry *entry, const struct spool_item *item,
                         struct err *e)
{
    char *to;

    if (spool_room_in_memory(s, entry->bytes, e) < 0)
        return -1;
    to = entry->memory = base_alloc(entry->bytes);
    return spool_entry_encode(item, entry->name.key, &(struct byte_out){write_memory, &to}, e);
}

/* From memory to disk, oldest first, until the disk takes no more; in the index they stay where they are. */
static void move_to_disk(struct spool *s)
{
    for (uint32_t at = 0; s->in_memory && at < s->entries; at++) {
        struct spool_entry entry = s->entry[at];
        struct spool_item item;

        if (!entry.memory || entry.taken || spool_decode(entry.memory, entry.bytes, &item, NULL) < 0)
            continue;
        /* Nothing is dropped for it: what is on disk may be newer. */
        if (s->disk_bytes + s->other_bytes + entry.bytes > s->bytes_max)
            continue;
        if (spool_disk_write(s, &entry.name, &item, NULL) < 0)
            return;
        s->in_memory--;
        s->memory_bytes -= entry.bytes;
        s->disk_bytes += entry.bytes;
        free(entry.memory);
        s->entry[at].memory = NULL;
        say_works(s);
    }
}

/* To disk, else to memory. */
static int put(struct spool *s, struct spool_entry *entry, const struct spool_item *item, struct err *e)
{
    struct err disk = {0};

    if (spool_room_in_index(s, e) < 0)
        return -1;
    if (s->folder && put_on_disk(s, entry, item, &disk) == 0) {
        spool_index_add(s, s->entries, entry, 1);
        say_works(s);
        move_to_disk(s);
        return 0;
    }
    if (s->folder)
        say_broken(s, &disk);
    if (put_in_memory(s, entry, item, e) < 0)
        return -1;
    spool_index_add(s, s->entries, entry, 1);
    return 0;
}

int spool_put(struct spool *s, uint32_t key, const struct spool_item *item, struct err *e)
{
    struct spool_entry entry = {.run = SPOOL_RUN_OWN, .mine = true};
    size_t bytes;
    int result = -1;

    assert(key < s->keys);
    bytes = spool_entry_size(item, s->key[key], e);
    if (bytes) {
        entry.bytes = (uint32_t)bytes;
        entry.name = (struct spool_entry_name){++s->next_number, item->wall_ns, s->key[key]};
        result = put(s, &entry, item, e);
    }
    spool_let_go_idle(s);
    return result < 0 ? err_wrap(e, "keep %s", item->label ? item->label : "a profile") : 0;
}

/* ---- taking ---- */

/* The entry as it is on disk; the caller frees *memory. */
static int load(struct spool *s, const struct spool_entry *entry, struct spool_taken *out, struct err *e)
{
    struct spool_entry_head head;
    char *bytes = NULL;
    size_t n = 0;

    if (spool_disk_read(s, entry, &bytes, &n, e) < 0)
        return -1;
    out->memory = bytes;
    if (spool_decode(bytes, n, &out->item, e) < 0 || spool_entry_parse_head(bytes, n, &head, e) < 0)
        return -1;
    if (head.key != entry->name.key)
        return err_set(e, 0, "its name and its first line name different targets");
    return 0;
}

/* Says nothing about the entry: there will be memory, or descriptors, again. */
static bool is_passing(const struct err *e)
{
    return e->code == EMFILE || e->code == ENFILE || e->code == ENOMEM;
}

static uint32_t first_of(const struct spool *s, uint64_t key)
{
    uint32_t at = 0;

    while (at < s->entries && (s->entry[at].taken || s->entry[at].name.key != key))
        at++;
    return at;
}

bool spool_take(struct spool *s, uint32_t key, struct spool_taken *out)
{
    uint32_t at;

    assert(key < s->keys);
    while ((at = first_of(s, s->key[key])) < s->entries) {
        struct spool_entry *entry = &s->entry[at];
        struct err e = {0};
        int result;

        *out = (struct spool_taken){.id = entry->id};
        result = entry->memory ? spool_decode(entry->memory, entry->bytes, &out->item, &e)
                               : load(s, entry, out, &e);
        if (result == 0) {
            entry->taken = true;
            return true;
        }
        free(out->memory);
        *out = (struct spool_taken){0};
        if (is_passing(&e)) {
            log_warn(spool, "an entry cannot be read now: %s", e.text);
            return false;
        }
        spool_drop(s, at, STATS_SPOOL_UNREADABLE, e.text);
        spool_let_go_idle(s);
    }
    return false;
}

void spool_done(struct spool *s, struct spool_taken *taken)
{
    uint32_t at = spool_index_find(s, taken->id);

    if (at < s->entries) {
        if (!s->entry[at].memory)
            spool_disk_unlink(s, &s->entry[at]);
        spool_index_remove(s, at);
    }
    free(taken->memory);
    *taken = (struct spool_taken){0};
    spool_let_go_idle(s);
}

void spool_put_back(struct spool *s, struct spool_taken *taken)
{
    uint32_t at = spool_index_find(s, taken->id);

    if (at < s->entries)
        s->entry[at].taken = false;
    free(taken->memory);
    *taken = (struct spool_taken){0};
}

/* ---- once a period, and at the end ---- */

void spool_tend(struct spool *s, uint64_t now_wall_ns)
{
    struct err e = {0};

    if (s->folder && spool_disk_open(s, &e) < 0)
        say_broken(s, &e);
    spool_take_over(s, now_wall_ns);
    spool_drop_old(s, now_wall_ns);
    if (s->folder_fd >= 0 && s->run[SPOOL_RUN_OWN].fd >= 0)
        move_to_disk(s);
    spool_let_go_idle(s);
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->entries; i++)
        s->entry[i].taken = false;
    if (s->in_memory && spool_disk_open(s, NULL) == 0)
        move_to_disk(s);
    for (uint32_t i = 0; i < ARRAY_LEN(s->run); i++)
        spool_run_let_go(s->folder_fd, &s->run[i]);
    for (uint32_t i = 0; i < s->entries; i++)
        free(s->entry[i].memory);
    if (s->folder_fd >= 0)
        close(s->folder_fd);
    free(s->entry);
    free(s->folder);
    free(s);
}

void spool_left(const struct spool *s, uint32_t key, struct spool_left *out)
{
    *out = (struct spool_left){0};
    for (uint32_t at = 0; at < s->entries; at++) {
        const struct spool_entry *entry = &s->entry[at];

        if (!entry->mine || (key != UINT32_MAX && entry->name.key != s->key[key]))
            continue;
        out->entries++;
        out->in_memory += entry->memory != NULL;
        out->bytes += entry->bytes;
    }
}

const char *spool_folder(const struct spool *s)
{
    return s->folder_fd >= 0 ? s->folder : "";
}
