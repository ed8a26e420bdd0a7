/*
 * plt.c - a stub is recognised by its jump through a slot of the GOT, and named by the relocation that fills
 * the slot
 *
 * That holds for .plt, .plt.sec (IBT) and .plt.got alike, whatever the order of the stubs; nothing else is
 * guessed (x86-64 psABI, "Procedure Linkage Table").
 */
#include "plt.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "ringside/base.h"
#include "ringside/elfio.h"
#include "table.h"

#define RELOCATIONS_MAX (1U << 21)
#define STUB_BYTES      16
#define STUB_BYTES_GOT  8 /* .plt.got without IBT: a jump and two bytes of padding */

struct wanted {
    uint64_t got;            /* the slot the stub jumps through */
    struct batch_slot *slot; /* NULL: looked up */
};

/* Sorted by got after collect(). */
struct wanted_list {
    struct wanted *at;
    uint32_t n, cap;
    uint32_t left;  /* not looked up yet */
    uint64_t *work; /* steps left: relocations may all be of one slot */
};

/* A relocation section's symbols and their names. */
struct symbol_source {
    struct elf_section symbols;
    struct strings names;
};

/* Address of the GOT slot that a stub of so many bytes jumps through; false when it is no such stub. */
static bool jump_slot(const uint8_t code[STUB_BYTES], uint64_t size, uint64_t addr, uint64_t *got)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    uint32_t at = 0;
    int32_t displacement;

    if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
        at += sizeof(endbr64);
    if (code[at] == 0xf2) /* bnd */
        at++;
    if (code[at] != 0xff || code[at + 1] != 0x25 || at + 6 > size)
        return false;
    memcpy(&displacement, code + at + 2, sizeof(displacement));
    *got = addr + at + 6 + (uint64_t)(int64_t)displacement;
    return true;
}

static void want_stub(const struct elf_file *f, const struct elf_section *s, struct batch_slot *slot,
                      struct wanted_list *list)
{
    uint64_t size =
        s->entry_bytes == STUB_BYTES || s->entry_bytes == STUB_BYTES_GOT ? s->entry_bytes : STUB_BYTES;
    uint64_t at = (slot->addr - s->vaddr) / size * size, got;
    const uint8_t *code = elf_at(f, s->offset + at, size);
    uint8_t bytes[STUB_BYTES] = {0};

    /* The stub answers for itself alone, whether it gets a name or not. */
    slot->from = MAX_OF(slot->from, s->vaddr + at);
    slot->to = MIN_OF(slot->to, s->vaddr + at + size);
    if (!code || list->n == list->cap) /* sections may overlap in a malformed file */
        return;
    memcpy(bytes, code, size);
    if (!jump_slot(bytes, size, s->vaddr + at, &got))
        return;
    list->at[list->n++] = (struct wanted){got, slot};
    list->left++;
}

static void collect(const struct elf_file *f, struct batch *b, struct wanted_list *list)
{
    static const char *const names[] = {".plt", ".plt.sec", ".plt.got"};

    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        struct elf_section s;

        if (!elf_section_find(f, names[k], &s) || !(s.flags & SHF_EXECINSTR))
            continue;
        for (uint32_t i = batch_lower_bound(b, s.vaddr); i < b->n && b->slot[i].addr - s.vaddr < s.bytes; i++)
            if (!b->slot[i].name)
                want_stub(f, &s, &b->slot[i], list);
    }
}

static const char *symbol_name(const struct elf_file *f, const struct symbol_source *from, uint32_t index)
{
    Elf64_Sym sym;
    const void *at;

    if (index == 0 || (uint64_t)index * sizeof(sym) + sizeof(sym) > from->symbols.bytes)
        return NULL;
    at = elf_at(f, from->symbols.offset + index * sizeof(sym), sizeof(sym));
    if (!at)
        return NULL;
    memcpy(&sym, at, sizeof(sym));
    return sym.st_name && sym.st_name < from->names.bytes ? from->names.data + sym.st_name : NULL;
}

static int compare_wanted(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;

    return (x->got > y->got) - (x->got < y->got);
}

/* First one at or above. */
static uint32_t find_wanted(const struct wanted_list *list, uint64_t got)
{
    uint32_t low = 0, high = list->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (list->at[middle].got < got)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill(const struct elf_file *f, const struct symbol_source *from, const Elf64_Rela *r,
                 struct wanted_list *list)
{
    for (uint32_t i = find_wanted(list, r->r_offset); i < list->n && list->at[i].got == r->r_offset; i++) {
        struct batch_slot *slot = list->at[i].slot;

        if (*list->work == 0)
            return;
        --*list->work;
        if (!slot)
            continue;
        slot->name = symbol_name(f, from, ELF64_R_SYM(r->r_info));
        slot->plt = slot->name != NULL;
        list->at[i].slot = NULL;
        list->left--;
    }
}

static bool find_source(const struct elf_file *f, const struct elf_section *relocations,
                        struct symbol_source *out)
{
    return relocations->type == SHT_RELA && elf_section_at(f, relocations->link, &out->symbols) &&
           out->symbols.type == SHT_DYNSYM && table_strings(f, &out->symbols, &out->names);
}

static void scan(const struct elf_file *f, const char *section, struct wanted_list *list)
{
    struct elf_section relocations;
    struct symbol_source from;
    const uint8_t *entries;
    uint64_t count;

    if (!list->left || !elf_section_find(f, section, &relocations) || !find_source(f, &relocations, &from))
        return;
    entries = elf_at(f, relocations.offset, relocations.bytes);
    count = MIN_OF(relocations.bytes / sizeof(Elf64_Rela), RELOCATIONS_MAX);
    for (uint64_t i = 0; i < count && list->left && *list->work; i++) {
        Elf64_Rela r;

        memcpy(&r, entries + i * sizeof(r), sizeof(r));
        if (ELF64_R_TYPE(r.r_info) == R_X86_64_JUMP_SLOT || ELF64_R_TYPE(r.r_info) == R_X86_64_GLOB_DAT)
            fill(f, &from, &r, list);
    }
    elf_drop_pages(f);
}

void plt_resolve(const struct elf_file *f, struct batch *b)
{
    FREE_PTR struct wanted *at = base_alloc(b->n * sizeof(*at));
    struct wanted_list list = {.at = at, .cap = b->n, .work = &b->work};

    collect(f, b, &list);
    if (list.n)
        qsort(at, list.n, sizeof(*at), compare_wanted);
    scan(f, ".rela.plt", &list);
    scan(f, ".rela.dyn", &list); /* where .plt.got's slots are filled */
}
