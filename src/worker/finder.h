/*
 * finder.h - what an address of a process means, for the unwinder: looked up once, then remembered
 *
 * The only private header of the worker that a benchmark may include (tools/bench): it times this very
 * look-up.
 */
#ifndef RINGSIDE_WORKER_FINDER_H
#define RINGSIDE_WORKER_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/elfio.h"
#include "ringside/unwind.h"

struct images;
struct process;
struct stats;

/* One address of one state of an address space. */
struct pc_entry {
    uint64_t pc;
    uint64_t where;
    const struct cfi_rule *rule;
    uint32_t epoch; /* 0: empty */
    bool executable, entry;
};

struct finder {
    struct images *images;
    struct stats *stats;
    struct pc_entry *cache;  /* direct-mapped */
    struct process *process; /* whose addresses are asked for */
};

/* At an ELF file's entry point or in what follows it until its first call returns: where code without CFI
 * ends a stack. */
static inline bool is_entry(const struct elf_file *elf, uint64_t elf_addr)
{
    return elf->entry && elf_addr - elf->entry < 64;
}

/* images and stats are borrowed. */
void finder_init(struct finder *f, struct images *images, struct stats *stats);
void finder_release(struct finder *f);

/* What unwind_walk() wants, for stacks of p from now on; good until the next finder_for(). */
struct unwind_finder finder_for(struct finder *f, struct process *p);

/* After images were forgotten: rules handed out before are gone. */
void finder_forget(struct finder *f);

#endif
