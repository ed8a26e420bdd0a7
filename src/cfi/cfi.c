/*
 * cfi.c - from an address to its rule: remembered rows first, else one FDE is found and evaluated
 */
#include "ringside/cfi.h"

#include <stdlib.h>

#include "eval.h"
#include "index.h"
#include "ringside/base.h"
#include "ringside/elfio.h"
#include "rows.h"
#include "rules.h"

struct cfi {
    const struct elf_file *file;
    uint64_t base; /* rows count addresses from here */
    struct rows rows;
    struct rules rules;
    struct index eh_frame, debug_frame;
    bool debug_frame_opened;
    struct eval eval;
    struct cfi_counts counts;
    struct elf_windows windows; /* touched by misses */
};

static uint64_t lowest_code(const struct elf_file *file)
{
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < file->segments; i++)
        if (file->segment[i].flags & PF_X)
            lowest = MIN_OF(lowest, file->segment[i].vaddr);
    return lowest == UINT64_MAX ? 0 : lowest;
}

struct cfi *cfi_new(const struct elf_file *file, const struct cfi_limits *limits, struct err *e)
{
    struct cfi *c;

    if (elf_version(EV_CURRENT) == EV_NONE) {
        err_set(e, 0, "libelf is too old");
        return NULL;
    }
    c = base_calloc(1, sizeof(*c));
    c->file = file;
    c->base = lowest_code(file);
    rows_init(&c->rows, limits->rows);
    rules_init(&c->rules, limits->rules);
    index_open_eh_frame(&c->eh_frame, file);
    return c;
}

void cfi_free(struct cfi *c)
{
    if (!c)
        return;
    index_release(&c->eh_frame);
    index_release(&c->debug_frame);
    eval_release(&c->eval);
    rows_release(&c->rows);
    rules_release(&c->rules);
    free(c);
}

void cfi_counts(const struct cfi *c, struct cfi_counts *out)
{
    *out = c->counts;
}

/* Keeps the file's share of our resident memory small however far the addresses are spread. */
static void note_window(struct cfi *c, const struct index *x, const struct index_hit *hit)
{
    if (!x->inflated && hit->covered)
        elf_touch(&c->windows, c->file, (const uint8_t *)x->frames.data + hit->fde.offset);
}

/* Finds the FDE for an address in the one section, else in the other. A hole is one of both. */
static struct index *find_fde(struct cfi *c, uint64_t addr, struct index_hit *hit)
{
    struct index_hit hole;

    index_find(&c->eh_frame, addr, hit);
    if (hit->covered)
        return &c->eh_frame;
    if (!c->debug_frame_opened) {
        index_open_debug_frame(&c->debug_frame, c->file);
        c->debug_frame_opened = true;
    }
    hole = *hit;
    index_find(&c->debug_frame, addr, hit);
    hit->from = MAX_OF(hit->from, hole.from);
    hit->to = MIN_OF(hit->to, hole.to);
    return &c->debug_frame;
}

/* What is true around an address, as a range from base on. */
static void compile(struct cfi *c, uint64_t addr, struct rows_range *out)
{
    struct index_hit hit;
    const struct index *x = find_fde(c, addr, &hit);
    uint64_t from = addr, to;

    out->rule = RULES_NONE;
    if (hit.covered) {
        eval_rule(&c->eval, &hit.fde, addr, &to);
        out->rule = rules_add(&c->rules, c->eval.draft);
    } else {
        from = hit.from;
        to = hit.to;
    }
    note_window(c, x, &hit);
    c->counts.compiled++;
    out->from = MAX_OF(from, c->base) - c->base;
    out->to = MIN_OF(to - c->base, UINT32_MAX);
}

const struct cfi_rule *cfi_find(struct cfi *c, uint64_t elf_addr)
{
    uint64_t at = elf_addr - c->base;
    struct rows_range range;
    int number;

    if (elf_addr < c->base || at >= UINT32_MAX)
        return rules_get(&c->rules, RULES_NONE);
    number = rows_find(&c->rows, (uint32_t)at);
    if (number >= 0)
        return rules_get(&c->rules, (uint32_t)number);
    compile(c, elf_addr, &range);
    if (!rows_add(&c->rows, (uint32_t)at, &range))
        c->counts.dropped++;
    return rules_get(&c->rules, range.rule);
}

bool cfi_function(struct cfi *c, uint64_t elf_addr, uint64_t *start, uint64_t *end)
{
    struct index_hit hit;
    const struct index *x = find_fde(c, elf_addr, &hit);

    if (!hit.covered)
        return false;
    note_window(c, x, &hit);
    *start = hit.fde.start;
    *end = hit.fde.end;
    return true;
}
