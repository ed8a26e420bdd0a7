/*
 * index.h - from an address to the FDE that covers it: the file's own search table, or one made by scanning
 */
#ifndef RINGSIDE_CFI_INDEX_H
#define RINGSIDE_CFI_INDEX_H

#include "frames.h"

struct elf_file;

#define INDEX_SAMPLE_EVERY 64 /* 512 bytes of a table: a look-up then reads one page of it, or two */

struct index_entry {
    uint32_t start;  /* from index.base */
    uint32_t offset; /* of the FDE in index.frames */
};

struct index {
    struct frames frames;
    const uint8_t *table; /* the file's: pairs of 32-bit (start, FDE), both from table_vaddr, sorted by start;
                             not aligned */
    uint64_t table_vaddr;
    struct index_entry *own; /* or ours, when the file has none */
    uint64_t base;
    size_t count;
    uint64_t *sample;  /* owned: where entry 0, INDEX_SAMPLE_EVERY, ... of the table start */
    uint8_t *inflated; /* owned contents of a compressed section */
};

/* What is known about an address. Outside of FDEs, [from, to) is a range around it that none of them covers.
 */
struct index_hit {
    bool covered;
    uint64_t from, to;
    struct frames_fde fde; /* when covered */
};

/* Both leave an empty index, which covers nothing, when the file has no such information or it makes no
 * sense. */
void index_open_eh_frame(struct index *x, const struct elf_file *file);
void index_open_debug_frame(struct index *x, const struct elf_file *file);
void index_release(struct index *x);

void index_find(struct index *x, uint64_t addr, struct index_hit *out);

#endif
