/*
 * finder.c - addresses of the walked process through its mappings to rules and frame words, and their cache
 *
 * A direct-mapped cache keyed by address and the address space's epoch answers nearly every frame.
 */
#include "finder.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/image.h"
#include "ringside/process.h"
#include "ringside/stats.h"

#include "word.h"

#define PC_CACHE_ENTRIES 8192

static struct pc_entry *cache_slot(struct finder *f, uint64_t addr, uint32_t epoch)
{
    uint64_t h = (addr ^ (uint64_t)epoch * 0x9e3779b1U) * 0x9e3779b97f4a7c15ULL;

    return &f->cache[h >> (64 - __builtin_ctz(PC_CACHE_ENTRIES))];
}

static void resolve(struct finder *f, uint64_t addr, struct pc_entry *entry)
{
    static const struct cfi_rule no_rule = {.cfa = CFI_NONE};
    struct mapping *m = process_find_mapping(f->process, addr);
    const struct elf_file *elf;
    uint64_t elf_addr;

    *entry = (struct pc_entry){
        .pc = addr,
        .epoch = f->process->space->epoch,
        .rule = &no_rule,
        .where = word_pseudo(PSEUDO_UNMAPPED),
    };
    stats_add(f->stats, STATS_PC_CACHE_MISSES, 1);
    if (!m)
        return;
    entry->executable = true;
    elf_addr = mapping_to_elf(f->images, m, addr);
    if (m->image->kind == IMAGE_ANON) {
        entry->where = word_of(m->image->id, 0); /* addresses of generated code mean nothing by themselves */
        return;
    }
    entry->where = word_of(m->image->id, elf_addr);
    entry->rule = image_rule(f->images, m->image, elf_addr);
    elf = image_elf(f->images, m->image);
    entry->entry = elf && is_entry(elf, elf_addr);
}

static void find_site(void *ctx, uint64_t addr, struct unwind_site *out)
{
    struct finder *f = ctx;
    struct pc_entry *entry = cache_slot(f, addr, f->process->space->epoch);

    if (entry->pc != addr || entry->epoch != f->process->space->epoch)
        resolve(f, addr, entry);
    out->rule = entry->rule;
    out->where = entry->where;
    out->executable = entry->executable;
    out->entry = entry->entry;
}

static size_t read_code(void *ctx, uint64_t addr, uint8_t *out, size_t n)
{
    struct finder *f = ctx;
    struct mapping *m = process_find_mapping(f->process, addr);
    const uint8_t *code;
    size_t have = 0;

    if (!m || m->image->kind == IMAGE_ANON)
        return 0;
    code = image_code(f->images, m->image, mapping_to_elf(f->images, m, addr), n, &have);
    if (code)
        memcpy(out, code, have);
    return have;
}

void finder_init(struct finder *f, struct images *images, struct stats *stats)
{
    *f = (struct finder){.images = images, .stats = stats};
    f->cache = base_calloc(PC_CACHE_ENTRIES, sizeof(*f->cache));
}

void finder_release(struct finder *f)
{
    free(f->cache);
    f->cache = NULL;
}

struct unwind_finder finder_for(struct finder *f, struct process *p)
{
    f->process = p;
    return (struct unwind_finder){.find = find_site, .code = read_code, .ctx = f};
}

void finder_forget(struct finder *f)
{
    memset(f->cache, 0, PC_CACHE_ENTRIES * sizeof(*f->cache));
}
