/*
 * room.c - what is dropped: the oldest when there is no room, and what is too old to be of use
 */
#include "spool_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "ringside/base.h"

#define LABEL_SHOWN  256
#define SAY_AGAIN_NS (600 * NSEC_PER_SEC)

/* A server that is down for longer than profiles are kept costs one with each period: they are all counted,
 * and said now and then. */
static void say_drop(struct spool *s, const struct spool_entry *entry, const char *reason)
{
    uint64_t now_ns = clock_mono_ns();
    char label[LABEL_SHOWN], before[64] = "";

    if (s->drop_said_ns && now_ns - s->drop_said_ns < SAY_AGAIN_NS) {
        s->drops_unsaid++;
        return;
    }
    if (s->drops_unsaid)
        snprintf(before, sizeof(before), " (and %" PRIu32 " before it)", s->drops_unsaid);
    spool_disk_label(s, entry, label, sizeof(label));
    log_error(spool, "%s%s is dropped undelivered: %s", label, before, reason);
    s->drop_said_ns = now_ns;
    s->drops_unsaid = 0;
}

void spool_drop(struct spool *s, uint32_t at, enum stats_id why, const char *reason)
{
    const struct spool_entry *entry = &s->entry[at];

    if (log_enabled(LEVEL_ERROR))
        say_drop(s, entry, reason);
    if (!entry->memory)
        spool_disk_unlink(s, entry);
    stats_add(s->stats, why, 1);
    spool_index_remove(s, at);
}

/* Written while the clock was ahead: not old. */
static bool is_old(const struct spool *s, const struct spool_entry *entry, uint64_t now)
{
    return s->age_max_ns && now > entry->name.wall_ns && now - entry->name.wall_ns > s->age_max_ns;
}

void spool_drop_old(struct spool *s, uint64_t now_wall_ns)
{
    for (uint32_t at = 0; at < s->entries;)
        if (!s->entry[at].taken && is_old(s, &s->entry[at], now_wall_ns))
            spool_drop(s, at, STATS_SPOOL_DROPPED_OLD, "it is too old");
        else
            at++;
}

/* Bytes that could be dropped. */
static uint64_t loose_bytes(const struct spool *s, bool in_memory)
{
    uint64_t bytes = 0;

    for (uint32_t at = 0; at < s->entries; at++)
        if (!s->entry[at].taken && (s->entry[at].memory != NULL) == in_memory)
            bytes += s->entry[at].bytes;
    return bytes;
}

/* All that counts against the folder's limit. */
static uint64_t folder_bytes(const struct spool *s)
{
    return s->disk_bytes + s->other_bytes;
}

int spool_room_on_disk(struct spool *s, uint64_t n, struct err *e)
{
    if (folder_bytes(s) + n <= s->bytes_max)
        return 0;
    if (folder_bytes(s) - loose_bytes(s, false) + n > s->bytes_max)
        return err_set(
            e, 0, "%" PRIu64 " bytes do not fit: at most %" PRIu64 ", of which %" PRIu64 " are other runs'",
            n, s->bytes_max, s->other_bytes);
    while (folder_bytes(s) + n > s->bytes_max)
        spool_drop(s, spool_index_oldest(s, false), STATS_SPOOL_DROPPED_FULL, "the spool folder is full");
    return 0;
}

int spool_room_in_memory(struct spool *s, uint64_t n, struct err *e)
{
    if (s->memory_bytes - loose_bytes(s, true) + n > s->memory_bytes_max)
        return err_set(e, 0, "%" PRIu64 " bytes do not fit into the %" PRIu64 " bytes of memory", n,
                       s->memory_bytes_max);
    while (s->memory_bytes + n > s->memory_bytes_max)
        spool_drop(s, spool_index_oldest(s, true), STATS_SPOOL_DROPPED_FULL, "the spool in memory is full");
    return 0;
}

int spool_room_in_index(struct spool *s, struct err *e)
{
    uint32_t at = 0;

    if (s->entries < SPOOL_ENTRIES_MAX)
        return 0;
    while (at < s->entries && s->entry[at].taken)
        at++;
    if (at == s->entries)
        return err_set(e, 0, "there are too many");
    spool_drop(s, at, STATS_SPOOL_DROPPED_FULL, "the spool holds too many");
    return 0;
}
