/*
 * plt.c - a stub is recognised by its jump through a slot of the GOT, and named by the relocation that fills
 * the slot
 *
 * That holds for .plt, .plt.sec (IBT) and .plt.got alike, whatever the order of the stubs; nothing else is
 * guessed (x86-64 psABI, "Procedure Linkage Table").
 */
#include "plt.h"

#include <elf.h>
#include <string.h>

#include "batch.h"
#include "ringside/base.h"
#include "ringside/elfio.h"
#include "table.h"

#define WANTED_MAX      64 /* stubs named in one batch; few are ever hot enough to be seen */
#define RELOCATIONS_MAX (1U << 21)
#define STUB_BYTES      16
#define STUB_BYTES_GOT  8 /* .plt.got without IBT: a jump and two bytes of padding */

struct wanted {
    uint64_t got; /* the slot the stub jumps through; 0: found */
    struct batch_slot *slot;
};

struct wanted_list {
    struct wanted at[WANTED_MAX];
    uint32_t n, left;
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
    if (!code || list->n == WANTED_MAX)
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

static const char *symbol_name(const struct elf_file *f, const struct elf_section *symbols, uint32_t index)
{
    struct strings names;
    Elf64_Sym sym;
    const void *at;

    if (index == 0 || (uint64_t)index * sizeof(sym) + sizeof(sym) > symbols->bytes)
        return NULL;
    at = elf_at(f, symbols->offset + index * sizeof(sym), sizeof(sym));
    if (!at || !table_strings(f, symbols, &names))
        return NULL;
    memcpy(&sym, at, sizeof(sym));
    return sym.st_name < names.bytes && names.data[sym.st_name] ? names.data + sym.st_name : NULL;
}

static void fill(const struct elf_file *f, const struct elf_section *symbols, const Elf64_Rela *r,
                 struct wanted_list *list)
{
    for (uint32_t i = 0; i < list->n; i++) {
        struct wanted *w = &list->at[i];

        if (w->got != r->r_offset)
            continue;
        w->slot->name = symbol_name(f, symbols, ELF64_R_SYM(r->r_info));
        w->slot->plt = w->slot->name != NULL;
        w->got = 0;
        list->left--;
    }
}

static void scan(const struct elf_file *f, const char *section, struct wanted_list *list)
{
    struct elf_section relocations, symbols;
    const uint8_t *entries;
    uint64_t count;

    if (!list->left || !elf_section_find(f, section, &relocations) || relocations.type != SHT_RELA ||
        !elf_section_at(f, relocations.link, &symbols) || symbols.type != SHT_DYNSYM)
        return;
    entries = elf_at(f, relocations.offset, relocations.bytes);
    count = MIN_OF(relocations.bytes / sizeof(Elf64_Rela), RELOCATIONS_MAX);
    for (uint64_t i = 0; i < count && list->left; i++) {
        Elf64_Rela r;

        memcpy(&r, entries + i * sizeof(r), sizeof(r));
        if (ELF64_R_TYPE(r.r_info) == R_X86_64_JUMP_SLOT || ELF64_R_TYPE(r.r_info) == R_X86_64_GLOB_DAT)
            fill(f, &symbols, &r, list);
    }
}

void plt_resolve(const struct elf_file *f, struct batch *b)
{
    struct wanted_list list = {.n = 0};

    collect(f, b, &list);
    scan(f, ".rela.plt", &list);
    scan(f, ".rela.dyn", &list); /* where .plt.got's slots are filled */
}
