/*
 * table.c - one pass over .symtab or .dynsym
 *
 * Touched pages are given back every few thousand symbols: a pass over the 20 MB table of a large library
 * would otherwise stand in our peak memory.
 */
#include "table.h"

#include <elf.h>
#include <string.h>

#include "batch.h"
#include "ringside/base.h"
#include "ringside/elfio.h"

#define SECTIONS_LOOKED_AT 4096
#define CODE_SECTIONS_MAX  64
#define DROP_EVERY         (1U << 15) /* symbols: 768 KiB of table */

struct code_section {
    uint32_t index;
    uint64_t start, end;
};

struct code_sections {
    struct code_section at[CODE_SECTIONS_MAX];
    uint32_t n;
};

static void find_code(const struct elf_file *f, struct code_sections *out)
{
    struct elf_section s;

    out->n = 0;
    for (uint32_t i = 1; i < SECTIONS_LOOKED_AT && out->n < CODE_SECTIONS_MAX && i < f->sections; i++) {
        uint64_t end;

        if (!elf_section_at(f, i, &s) || !(s.flags & SHF_EXECINSTR) ||
            __builtin_add_overflow(s.vaddr, s.bytes, &end))
            continue;
        out->at[out->n++] = (struct code_section){i, s.vaddr, end};
    }
}

static const struct code_section *code_of(const struct code_sections *code, uint32_t index)
{
    for (uint32_t i = 0; i < code->n; i++)
        if (code->at[i].index == index)
            return &code->at[i];
    return NULL;
}

static bool find_table(const struct elf_file *f, uint32_t type, struct elf_section *out)
{
    for (uint32_t i = 1; i < SECTIONS_LOOKED_AT && i < f->sections; i++)
        if (elf_section_at(f, i, out) && out->type == type && out->entry_bytes == sizeof(Elf64_Sym) &&
            elf_at(f, out->offset, out->bytes))
            return true;
    return false;
}

uint64_t table_count(const struct elf_file *f, uint32_t section_type)
{
    struct elf_section s;

    /* The first symbol is always there and says nothing (ELF gABI, "Symbol Table"). */
    return find_table(f, section_type, &s) && s.bytes > sizeof(Elf64_Sym) ? s.bytes / sizeof(Elf64_Sym) - 1
                                                                          : 0;
}

bool table_strings(const struct elf_file *f, const struct elf_section *symbols, struct strings *out)
{
    struct elf_section s;
    const char *last;

    if (symbols->link >= SECTIONS_LOOKED_AT || !elf_section_at(f, symbols->link, &s) || s.type != SHT_STRTAB)
        return false;
    out->data = elf_at(f, s.offset, s.bytes);
    if (!out->data || !s.bytes)
        return false;
    last = memrchr(out->data, 0, s.bytes);
    out->bytes = last ? (size_t)(last - out->data) + 1 : 0;
    return out->bytes > 0;
}

/* A pass: the file's code and names, and the section of the symbol before. */
struct pass {
    struct batch *batch;
    struct code_sections code;
    const struct code_section *in;
    struct strings names;
};

/* The section of a symbol that means code; NULL for all other symbols. */
static const struct code_section *section_of(struct pass *p, const Elf64_Sym *sym)
{
    uint32_t type = ELF64_ST_TYPE(sym->st_info);

    if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE)
        return NULL;
    /* The name is not looked at: the strings of all symbols would pass through our memory. */
    if (sym->st_shndx == SHN_UNDEF || sym->st_name == 0 || sym->st_name >= p->names.bytes)
        return NULL;
    /* Local labels would name the inside of hand-written functions; visible ones are entries such as _start.
     */
    if (type == STT_NOTYPE && ELF64_ST_BIND(sym->st_info) == STB_LOCAL)
        return NULL;
    if (!p->in || p->in->index != sym->st_shndx)
        p->in = code_of(&p->code, sym->st_shndx);
    if (!p->in || sym->st_value < p->in->start || sym->st_value >= p->in->end)
        return NULL;
    return p->in;
}

/* False when the pass is to end. */
static bool offer_symbol(struct pass *p, const Elf64_Sym *sym)
{
    const struct code_section *in = section_of(p, sym);
    struct candidate c;
    uint64_t end;
    uint32_t first;

    if (!in)
        return true;
    first = batch_lower_bound(p->batch, sym->st_value);
    end = sym->st_size ? sym->st_value + MIN_OF(sym->st_size, in->end - sym->st_value) : in->end;
    if (sym->st_size && batch_passes(p->batch, sym->st_value, end, first))
        return true;
    c = (struct candidate){
        .start = sym->st_value,
        .end = end,
        .name = p->names.data + sym->st_name,
        .sized = sym->st_size != 0,
        .function = ELF64_ST_TYPE(sym->st_info) != STT_NOTYPE,
        .local = ELF64_ST_BIND(sym->st_info) == STB_LOCAL,
        .weak = ELF64_ST_BIND(sym->st_info) == STB_WEAK,
    };
    return batch_offer(p->batch, &c, first);
}

uint64_t table_offer(const struct elf_file *f, uint32_t section_type, struct batch *b)
{
    struct pass p = {.batch = b};
    struct elf_section table;
    const uint8_t *entries;
    uint64_t count;

    if (!find_table(f, section_type, &table) || !table_strings(f, &table, &p.names))
        return 0;
    find_code(f, &p.code);
    for (uint32_t i = 0; i < p.code.n; i++) {
        batch_boundary(b, p.code.at[i].start, batch_lower_bound(b, p.code.at[i].start));
        batch_boundary(b, p.code.at[i].end, batch_lower_bound(b, p.code.at[i].end));
    }
    entries = elf_at(f, table.offset, table.bytes);
    count = table.bytes / sizeof(Elf64_Sym);
    for (uint64_t i = 1; i < count; i++) {
        Elf64_Sym sym;

        memcpy(&sym, entries + i * sizeof(sym), sizeof(sym));
        if (!offer_symbol(&p, &sym))
            break;
        if (i % DROP_EVERY == 0)
            elf_drop_pages(f);
    }
    return count ? count - 1 : 0;
}
