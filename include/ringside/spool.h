/*
 * spool.h - requests that are not delivered yet: on disk, in memory where there is no disk
 *
 * A folder may be shared by any number of Ringsides. In it each run has a folder of its own, which it holds
 * locked (flock(2), let go by the kernel however the run ends); runs that ended without sending everything
 * are taken over by whoever comes next. One file an entry, complete or not there. An entry may be sent again
 * only where the process or the machine dies between the server's answer and spool_done(). Single-threaded;
 * the profiler only.
 */
#ifndef RINGSIDE_SPOOL_H
#define RINGSIDE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct spool;
struct stats;

#define SPOOL_KEYS_MAX  16
#define SPOOL_KEY_BYTES 16 /* lower-case hex digits */

/* The folder and those above it, 0700; what exists already is left as it is. spool_open() does so itself:
 * this is for who will not be allowed to by then. */
int spool_make_folder(const char *path, struct err *e);

struct spool_config {
    const char *folder; /* made with its parents, 0700; NULL: memory only */
    /* Of the whole folder. What live runs of others have is looked at in spool_tend() and when it gets full;
     * theirs is never dropped. */
    uint64_t bytes_max;
    uint64_t age_max_ns;       /* 0: no limit */
    uint64_t memory_bytes_max; /* where the disk does not take them */
    /* Whose entries this run sends: target_key()s. Others' are left alone until they are too old. */
    const char *key[SPOOL_KEYS_MAX];
    uint32_t keys;
    struct stats *stats; /* counts SPOOL_DROPPED_FULL, SPOOL_DROPPED_OLD, SPOOL_UNREADABLE */
};

/* One request as it will be sent, and what is needed to speak of it. */
struct spool_item {
    uint64_t wall_ns;   /* start of what the profile covers */
    const char *label;  /* for messages: "web 2026-11-21T08:00:00Z #3" */
    const char *method; /* as in struct http_request; nothing here is secret */
    const char *path;
    const char *headers;
    const void *body;
    size_t body_bytes;
};
#define SPOOL_ITEM_BYTES_MAX (64 << 20)
#define SPOOL_TEXT_MAX       4096 /* of each text of an item */

/*
 * Always returns a spool: where the folder cannot be used there is one in memory, and one message says so.
 * Takes over what ended runs left.
 */
struct spool *spool_open(const struct spool_config *config);
/* What is on disk stays for the next run; what is in memory goes there now or is lost (spool_left() tells
 * before). What is taken counts as put back. */
void spool_close(struct spool *s);

/*
 * Adds an entry for config.key[key]. To disk, synced; else to memory, with one message until the disk takes
 * them again (tried with each put and each tend). Makes room by dropping the oldest, counted. -1 with *e when
 * it fits nowhere. Texts may be NULL, which is "".
 */
int spool_put(struct spool *s, uint32_t key, const struct spool_item *item, struct err *e);

/* The oldest entry of the key: items in the order they were put, what earlier runs left before. */
struct spool_taken {
    struct spool_item item; /* owned by the taken */
    uint64_t id;
    void *memory;
};
/* False when there is none. An entry that cannot be read or is no entry is dropped and counted, and the next
 * one taken. An entry that is taken stays in the spool until spool_done(), and is not dropped to make room.
 */
bool spool_take(struct spool *s, uint32_t key, struct spool_taken *out);
/* Delivered or refused for good: the entry goes. */
void spool_done(struct spool *s, struct spool_taken *taken);
/* To be tried again later. */
void spool_put_back(struct spool *s, struct spool_taken *taken);

/*
 * Once a period: drops what is too old, takes over what runs left that ended meanwhile, moves entries from
 * memory to the disk when it takes them again.
 */
void spool_tend(struct spool *s, uint64_t now_wall_ns);

struct spool_left {
    uint32_t entries, in_memory;
    uint64_t bytes;
};
/* Of one key; UINT32_MAX: of all. */
void spool_left(const struct spool *s, uint32_t key, struct spool_left *out);
/* Absolute; "" for one in memory only, also while the folder cannot be used. */
const char *spool_folder(const struct spool *s);

/* The bytes of an entry, and back. Borrows from bytes. -1 with *e: not an entry. Exposed for tests, fuzzing.
 */
int spool_decode(const void *bytes, size_t n, struct spool_item *out, struct err *e);

#endif
