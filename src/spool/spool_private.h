/*
 * spool_private.h - the spool and its index; private to the module
 *
 * The index holds no texts and no bodies (but of what the disk did not take), so that what lies on disk
 * costs some 50 bytes each.
 */
#ifndef RINGSIDE_SPOOL_PRIVATE_H
#define RINGSIDE_SPOOL_PRIVATE_H

#include "entry.h"
#include "folder.h"
#include "ringside/spool.h"
#include "ringside/stats.h"

#define SPOOL_ENTRIES_MAX   16384
#define SPOOL_RUNS_HELD_MAX 64 /* ended runs at once: one descriptor each */
#define SPOOL_RUN_OWN       0  /* slot of this run */

struct spool_entry {
    struct spool_entry_name name;
    uint64_t id;
    char *memory; /* its bytes, when the disk did not take them */
    uint32_t bytes;
    uint16_t run; /* slot */
    bool taken, mine;
};

struct spool {
    char *folder;  /* absolute; NULL: memory only */
    int folder_fd; /* -1: cannot be used */
    uint64_t bytes_max, age_max_ns, memory_bytes_max;
    uint64_t key[SPOOL_KEYS_MAX];
    uint32_t keys;
    struct stats *stats;
    struct spool_run run[1 + SPOOL_RUNS_HELD_MAX];
    struct spool_entry *entry; /* in order: ended runs by name, then this one; in each by number */
    uint32_t entries, cap;
    uint32_t in_memory;
    uint64_t disk_bytes;  /* of the index */
    uint64_t other_bytes; /* of runs not held, as of the last look */
    uint64_t memory_bytes;
    uint64_t next_number, next_id;
    bool broken;           /* said that the disk does not take entries, and not yet that it does again */
    uint64_t drop_said_ns; /* when a drop was last said (CLOCK_MONOTONIC); 0: never */
    uint32_t drops_unsaid;
};

/* index.c */
bool spool_is_mine(const struct spool *s, uint64_t key);
/* Position of the entry; s->entries when it is gone. */
uint32_t spool_index_find(const struct spool *s, uint64_t id);
/* Where the entries of a run (not in the index yet) belong. */
uint32_t spool_index_place(const struct spool *s, uint32_t run);
/* n entries of one run, all on disk or in memory as they say; counts them. The caller keeps the maximum. */
void spool_index_add(struct spool *s, uint32_t at, const struct spool_entry *entries, uint32_t n);
/* The entry goes from the index, and from memory; its file stays. */
void spool_index_remove(struct spool *s, uint32_t at);
/* Oldest that is not taken, among those in memory or on disk; s->entries: none. */
uint32_t spool_index_oldest(const struct spool *s, bool in_memory);

/* disk.c */
/* Opens the folder and makes this run's, unless both are there. -1 with *e. */
int spool_disk_open(struct spool *s, struct err *e);
/* Writes the file of an entry of this run, synced; after spool_disk_open(). */
int spool_disk_write(struct spool *s, const struct spool_entry_name *name, const struct spool_item *item,
                     struct err *e);
void spool_disk_unlink(struct spool *s, const struct spool_entry *entry);
/* All of a file that is at most max bytes; the caller frees *out. */
int spool_disk_read(const struct spool *s, const struct spool_entry *entry, char **out, size_t *n,
                    struct err *e);
/* For messages. */
void spool_disk_label(const struct spool *s, const struct spool_entry *entry, char *out, size_t max);

/* room.c */
/* Entry, file and all, counted as why and said. */
void spool_drop(struct spool *s, uint32_t at, enum stats_id why, const char *reason);
void spool_drop_old(struct spool *s, uint64_t now_wall_ns);
/* Drops the oldest until n more bytes fit. -1 with *e, and nothing dropped, when they never will. */
int spool_room_on_disk(struct spool *s, uint64_t n, struct err *e);
int spool_room_in_memory(struct spool *s, uint64_t n, struct err *e);
int spool_room_in_index(struct spool *s, struct err *e);

/* takeover.c */
/* Takes hold of ended runs and lists what is in them; looks how much the others have. */
void spool_take_over(struct spool *s, uint64_t now_wall_ns);
/* Lets go of runs that hold nothing we send. */
void spool_let_go_idle(struct spool *s);

#endif
