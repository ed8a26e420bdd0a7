/*
 * image_private.h - what the files of this module share
 */
#ifndef RINGSIDE_IMAGE_PRIVATE_H
#define RINGSIDE_IMAGE_PRIVATE_H

#include <string.h>
#include <sys/stat.h>

#include "ringside/base.h"
#include "ringside/image.h"

enum image_state {
    IMAGE_STATE_NEW,      /* open, or closed again at the limit; not read yet */
    IMAGE_STATE_UNOPENED, /* could not be opened; tried again when it is mapped again */
    IMAGE_STATE_READ,     /* elf is valid */
    IMAGE_STATE_FAILED,   /* not an ELF file of ours, or another than was mapped */
};

/* Of all copies out of memory together (memory.c); a file may take 64 MiB of it. */
#define COPIED_BYTES_MAX (256ULL << 20)

struct image_record;

struct images {
    struct image_limits limits;
    struct stats *stats;
    struct image **image; /* by id; [IMAGE_ID_NONE] and freed ones are NULL */
    uint32_t ids, cap;    /* ids handed out so far, and room in image[] */
    uint32_t files;       /* images beside the fixed ones */
    uint32_t *free_id;
    uint32_t free_ids;
    struct map64 index; /* hash of an identity -> id; what is found is compared */
    struct image *anon, *kernel, *vdso, *overflow;
    uint64_t clock;
    uint32_t *open_id; /* ring of limits.open_files ids, in the order they were opened */
    uint32_t open_at;
    uint64_t copied_bytes;       /* of all images */
    struct image_record *record; /* in the ledger, by id; NULL: none is kept */
};

/* A file somebody mapped: what is known to tell it from others, and where it may be found. */
struct wanted_file {
    const struct procfs_door *door;
    const char *path;
    uint32_t pid;
    uint64_t start, end;
    uint64_t dev, inode;      /* inode 0: not known */
    uint64_t bytes, mtime_ns; /* as found before; bytes 0: not known */
    const uint8_t *build_id;
    uint8_t build_id_bytes;
    bool check_build_id; /* now; else the caller does when it reads the file found under its own path */
};

/* Descriptor of the file, with *st filled; -1 with *e, which tells of the first place that was tried. */
int wanted_open(const struct wanted_file *w, struct stat *st, struct err *e);

/* A copy of what process w->pid still has mapped of the file around w->start, when no path leads to it any
 * more. */
int memory_file_open(const struct wanted_file *w, struct stat *st, struct err *e);

static inline uint64_t stat_mtime_ns(const struct stat *st)
{
    return (uint64_t)st->st_mtim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_mtim.tv_nsec;
}

/* Nothing holds the image's copy any more. */
static inline void images_forget_copy(struct images *t, struct image *i)
{
    t->copied_bytes -= i->copied_bytes;
    i->copied_bytes = 0;
}

static inline bool same_build_id(const uint8_t *a, uint8_t a_bytes, const uint8_t *b, uint8_t b_bytes)
{
    return a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
}

/* Puts an image under its build id; where another one has that, it stays. */
void images_index_build_id(struct images *t, const struct image *i);
/* An image with the next id nobody has had. */
uint32_t images_next_id(struct images *t);
/* Makes it known under what identifies it. */
void images_index(struct images *t, const struct image *i);

/* ---- keep.c: nothing happens where nothing is kept ---- */
/* Writes down what identifies the image; forgets it. */
void images_write_down(struct images *t, const struct image *i);
void images_strike_out(struct images *t, const struct image *i);
/* Around what reads the image: who dies in between twice does not read it again. */
void images_reading(struct images *t, const struct image *i, bool now);

/* What was opened turned out to be another file. */
void images_forget_inode(struct images *t, struct image *i);

#endif
