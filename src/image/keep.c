/*
 * keep.c - what identifies each image, in the ledger: a successor of a process that died gives a file the id
 * it had, and finds it again
 *
 * By id; the place of id 0, which is no image's, tells how many there are. A record counts from when its
 * state says so, which is written last. Paths that are too long are cut: those files are found again only
 * when a process still has them mapped.
 */
#include "ringside/image.h"

#include <stdlib.h>
#include <string.h>

#include "image_private.h"
#include "ringside/ledger.h"

#define PATH_ROOM  296
#define DEATHS_MAX 2 /* over one image */

enum record_state { RECORD_NONE, RECORD_OPENED, RECORD_UNOPENED };

struct image_record {
    uint32_t state;
    uint32_t high; /* of id 0: ids beyond were never used */
    uint8_t kind, build_id_bytes, cut;
    uint8_t reading, deaths;
    uint8_t build_id[BUILD_ID_MAX];
    uint32_t pid;
    uint64_t dev, inode, bytes, mtime_ns;
    char path[PATH_ROOM];
};

void images_strike_out(struct images *t, const struct image *i)
{
    if (!t->record)
        return;
    __atomic_store_n(&t->record[i->id].state, RECORD_NONE, __ATOMIC_RELEASE);
    t->record[i->id].deaths = 0;
}

void images_write_down(struct images *t, const struct image *i)
{
    size_t n = strlen(i->path), room = PATH_ROOM - 1;
    struct image_record *r;

    if (!t->record)
        return;
    r = &t->record[i->id];
    __atomic_store_n(&r->state, RECORD_NONE, __ATOMIC_SEQ_CST);
    r->kind = (uint8_t)i->kind;
    r->build_id_bytes = i->build_id_bytes;
    memcpy(r->build_id, i->build_id, sizeof(r->build_id));
    r->pid = i->pid;
    r->dev = i->dev;
    r->inode = i->inode;
    r->bytes = i->bytes;
    r->mtime_ns = i->mtime_ns;
    r->cut = n > room;
    memcpy(r->path, i->path, MIN_OF(n, room));
    r->path[MIN_OF(n, room)] = '\0';
    t->record[0].high = MAX_OF(t->record[0].high, i->id + 1);
    __atomic_store_n(&r->state, i->state == IMAGE_STATE_UNOPENED ? RECORD_UNOPENED : RECORD_OPENED,
                     __ATOMIC_RELEASE);
}

void images_reading(struct images *t, const struct image *i, bool now)
{
    if (t->record)
        __atomic_store_n(&t->record[i->id].reading, now, __ATOMIC_SEQ_CST);
}

static bool is_right(const struct image_record *r)
{
    return (r->state == RECORD_OPENED || r->state == RECORD_UNOPENED) &&
           (r->kind == IMAGE_FILE || r->kind == IMAGE_ANON) && r->build_id_bytes <= BUILD_ID_MAX &&
           memchr(r->path, 0, sizeof(r->path)) != NULL;
}

static enum image_state state_of(const struct image_record *r)
{
    if (r->deaths >= DEATHS_MAX)
        return IMAGE_STATE_FAILED;
    return r->cut || r->state == RECORD_UNOPENED ? IMAGE_STATE_UNOPENED : IMAGE_STATE_NEW;
}

static void restore(struct images *t, uint32_t id, const struct image_record *r)
{
    struct image *i = base_calloc(1, sizeof(*i));

    i->id = id;
    i->kind = (enum image_kind)r->kind;
    i->fd = -1;
    i->path = base_strdup(r->path);
    memcpy(i->build_id, r->build_id, sizeof(i->build_id));
    i->build_id_bytes = r->build_id_bytes;
    i->pid = r->pid;
    i->dev = r->dev;
    i->inode = r->inode;
    i->bytes = r->bytes;
    i->mtime_ns = r->mtime_ns;
    i->state = (uint8_t)state_of(r);
    t->image[id] = i;
    t->files++;
    images_index(t, i);
}

/* True when what is there makes no sense. */
static bool restore_next(struct images *t)
{
    uint32_t id = images_next_id(t);
    struct image_record *r = &t->record[id];
    bool used = r->state != RECORD_NONE;

    if (r->reading) {
        r->reading = 0;
        r->deaths = (uint8_t)MIN_OF(r->deaths + 1, DEATHS_MAX);
        if (r->deaths == DEATHS_MAX && is_right(r))
            log_warn(image, "%s: reading it ended in death again: not read any more", r->path);
    }
    if (used && is_right(r)) {
        restore(t, id, r);
        return false;
    }
    r->state = RECORD_NONE;
    t->image[id] = NULL;
    t->free_id[t->free_ids++] = id;
    return used;
}

uint32_t images_keep(struct images *t, struct ledger *ledger)
{
    uint32_t high, wrong = 0;
    size_t bytes;

    t->record = ledger_at(ledger, LEDGER_IMAGES, &bytes);
    t->limits.images = (uint32_t)MIN_OF((size_t)t->limits.images, bytes / sizeof(*t->record));
    high = MIN_OF(t->record[0].high, t->limits.images);
    while (t->ids < high)
        wrong += restore_next(t);
    return wrong;
}
