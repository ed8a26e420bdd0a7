/*
 * image.h - binaries by identity (build id; else device, inode, size, mtime), shared by all processes that
 * map them
 *
 * Single-threaded; the worker's. Files are opened in the profiled process's own view (/proc/PID/root), which
 * for other users' processes takes privilege.
 *
 * An image is opened, not read, when it is first mapped, so that a file deleted afterwards still gets names;
 * it is parsed when the first sample falls into it. Failures are remembered. Ids are dense, reused only after
 * images_trim(), and fit IMAGE_ID_BITS.
 */
#ifndef RINGSIDE_IMAGE_H
#define RINGSIDE_IMAGE_H

#include "ringside/cfi.h"
#include "ringside/elfio.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;
struct procfs_door;
struct stats;

enum image_kind {
    IMAGE_FILE,
    IMAGE_VDSO,
    IMAGE_KERNEL, /* all kernel addresses; symbols from /proc/kallsyms */
    IMAGE_ANON,   /* executable memory without a file: JIT code, trampolines; one image for all without a name
                   */
};

#define IMAGE_ID_BITS 16
#define IMAGE_ID_NONE 0 /* pseudo-frames */

struct image {
    uint32_t id;
    enum image_kind kind;
    char *path; /* as the first process that mapped it saw it, without " (deleted)"; "[vdso]", "[anon]"... */
    uint8_t build_id[BUILD_ID_MAX];
    uint8_t build_id_bytes;
    uint32_t mappings; /* how many mappings show it now */
    /* private to src/image: */
    int fd; /* -1: not open (any more) */
    uint8_t state;
    uint32_t pid;      /* of the process that mapped it first */
    uint32_t seen;     /* how often it was mapped */
    uint64_t last_use; /* counts images_map() calls */
    uint64_t dev, inode, bytes, mtime_ns;
    uint64_t copied_bytes; /* memory its file takes, when it is a copy of what a process has mapped */
    struct elf_file elf;
    struct cfi *cfi;
    struct cfi_counts counted; /* rows already in the statistics */
    void *symbols;             /* the symbol module's; symbols_free() gets it before the image goes */
    void (*symbols_free)(void *symbols);
};

struct image_limits {
    uint32_t images;     /* known at once; at most 1 << IMAGE_ID_BITS */
    uint32_t open_files; /* descriptors held for images not yet parsed */
    struct cfi_limits cfi;
    const struct procfs_door *door; /* NULL: files are read by our own rights alone */
};

/* What a mapping record or /proc/PID/maps says about the file behind a mapping. */
struct image_ref {
    const char *path;    /* as process pid sees it */
    uint32_t pid;        /* whose root folder the path starts at: /proc/PID/root is tried first; 0: ours */
    uint64_t dev, inode; /* 0: not known */
    const uint8_t *build_id; /* build_id_bytes == 0: not known */
    uint8_t build_id_bytes;
    uint64_t start, end; /* of the mapping, when known: finds deleted files through /proc/PID/map_files */
};

struct images;

struct images *images_new(const struct image_limits *limits, struct stats *stats);
void images_free(struct images *t);

/*
 * Right after images_new(): what identifies an image lies in the ledger (borrowed) from now on, and images
 * that a former process had there have the ids they had. Returns how many made no sense: those ids are free.
 */
uint32_t images_keep(struct images *t, struct ledger *ledger);

/*
 * The image a mapping shows; opened here when it is new. Never NULL: at the cap, the shared image
 * "[too many images]" comes back. Adds one to its mappings; image_unmapped() takes it back.
 */
struct image *images_map(struct images *t, const struct image_ref *ref);
void image_unmapped(struct image *i);

struct image *images_kernel(struct images *t);
/* Borrowed; NULL for an id that is not in use. */
struct image *images_get(const struct images *t, uint32_t id);

/* Parsed ELF file, borrowed; reads it now if that has not been tried yet. NULL when it cannot be read. */
const struct elf_file *image_elf(struct images *t, struct image *i);

/* Never NULL; a CFI_NONE rule when the image has none or cannot be read. Valid until images_trim() or
 * images_free(). */
const struct cfi_rule *image_rule(struct images *t, struct image *i, uint64_t elf_addr);

/* Bounds of the function that holds an address, from call-frame information; false when there is none. */
bool image_function(struct images *t, struct image *i, uint64_t elf_addr, uint64_t *start, uint64_t *end);

/*
 * Address as written in the file for a file offset of a mapping; false when no segment covers it or the file
 * cannot be read.
 */
bool image_offset_to_elf(struct images *t, struct image *i, uint64_t file_offset, uint64_t *elf_addr);

/* Up to `want` code bytes at elf_addr, borrowed; *have tells how many: fewer at the end of the segment, NULL
 * and 0 when there are none. */
const uint8_t *image_code(struct images *t, struct image *i, uint64_t elf_addr, size_t want, size_t *have);

/*
 * After a period was exported, when no stack refers to any image: forgets images that no mapping shows and
 * that do not have the id `spared`, the least lately mapped first, until at most keep images of files remain.
 * spared: of the profile's main binary, or 0. Returns how many went; when not 0, rules handed out before are
 * gone.
 */
uint32_t images_trim(struct images *t, uint32_t keep, uint32_t spared);

#endif
