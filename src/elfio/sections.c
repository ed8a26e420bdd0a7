/*
 * sections.c - section headers, and what hides in sections and notes: the build id, the debug link
 */
#include "elfio_private.h"

#include <string.h>

#include "ringside/base.h"

#define SECTIONS_MAX   (1U << 16) /* beyond, the file is taken to have none */
#define NAME_MAX_BYTES 4096U      /* of a section; a longer one is malformed */
#define NOTES_MAX      64         /* notes looked at in one range */

void elf_take_sections(struct elf_file *f, const Elf64_Ehdr *h)
{
    Elf64_Shdr first;
    uint64_t count = h->e_shnum;
    uint32_t names = h->e_shstrndx;

    if (!h->e_shoff || h->e_shentsize != sizeof(first))
        return;
    /* ELF gABI, "Sections": numbers that do not fit the header are kept in section 0. */
    if (count == 0 || names == SHN_XINDEX) {
        if (!elf_read(f, h->e_shoff, &first, sizeof(first)))
            return;
        count = count ? count : first.sh_size;
        names = names == SHN_XINDEX ? first.sh_link : names;
    }
    if (count > SECTIONS_MAX || !elf_at(f, h->e_shoff, count * sizeof(first)))
        return;
    f->section_headers = h->e_shoff;
    f->sections = (uint32_t)count;
    f->section_names = names;
}

static bool read_header(const struct elf_file *f, uint32_t index, Elf64_Shdr *out)
{
    return index < f->sections && elf_read(f, f->section_headers + index * sizeof(*out), out, sizeof(*out));
}

/* The text at an offset of a string table, when it ends inside the table and the table inside the file. */
static const char *string_at(const struct elf_file *f, const Elf64_Shdr *table, uint64_t at)
{
    const char *text;

    if (at >= table->sh_size || !elf_at(f, table->sh_offset, table->sh_size))
        return NULL;
    text = elf_at(f, table->sh_offset + at, table->sh_size - at);
    return memchr(text, 0, MIN_OF(table->sh_size - at, NAME_MAX_BYTES)) ? text : NULL;
}

bool elf_section_at(const struct elf_file *f, uint32_t index, struct elf_section *out)
{
    Elf64_Shdr names, h;
    const char *name;

    if (!read_header(f, index, &h) || !read_header(f, f->section_names, &names))
        return false;
    name = string_at(f, &names, h.sh_name);
    if (!name)
        return false;
    *out = (struct elf_section){.name = name,
                                .type = h.sh_type,
                                .flags = h.sh_flags,
                                .vaddr = h.sh_addr,
                                .offset = h.sh_offset,
                                .bytes = h.sh_size,
                                .entry_bytes = h.sh_entsize,
                                .link = h.sh_link};
    return true;
}

bool elf_section_find(const struct elf_file *f, const char *name, struct elf_section *out)
{
    for (uint32_t i = 1; i < f->sections; i++)
        if (elf_section_at(f, i, out) && out->type != SHT_NOBITS && strcmp(out->name, name) == 0 &&
            elf_at(f, out->offset, out->bytes))
            return true;
    return false;
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

void elf_take_build_id(struct elf_file *f, uint64_t offset, uint64_t bytes, uint64_t align)
{
    Elf64_Nhdr note;
    char owner[4];
    uint64_t step;

    align =
        align == 8 ? 8 : 4; /* 64-bit notes with 4-byte alignment are the rule; .note.gnu.property has 8 */
    for (int i = 0; i < NOTES_MAX && bytes >= sizeof(note); i++) {
        if (!elf_read(f, offset, &note, sizeof(note)))
            return;
        step = round_up(sizeof(note) + (uint64_t)note.n_namesz, align);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof(owner) && note.n_descsz &&
            note.n_descsz <= BUILD_ID_MAX && elf_read(f, offset + sizeof(note), owner, sizeof(owner)) &&
            memcmp(owner, "GNU", sizeof(owner)) == 0 &&
            elf_read(f, offset + step, f->build_id, note.n_descsz)) {
            f->build_id_bytes = (uint8_t)note.n_descsz;
            return;
        }
        step = round_up(step + note.n_descsz, align);
        if (step > bytes)
            return;
        offset += step;
        bytes -= step;
    }
}

void elf_take_build_id_section(struct elf_file *f)
{
    Elf64_Shdr h;

    for (uint32_t i = 1; i < f->sections && !f->build_id_bytes; i++)
        if (read_header(f, i, &h) && h.sh_type == SHT_NOTE)
            elf_take_build_id(f, h.sh_offset, h.sh_size, h.sh_addralign);
}

bool elf_debuglink(const struct elf_file *f, const char **name, uint32_t *crc)
{
    struct elf_section s;
    const char *text;
    size_t length;

    if (!elf_section_find(f, ".gnu_debuglink", &s))
        return false;
    text = elf_at(f, s.offset, s.bytes);
    length = strnlen(text, s.bytes);
    /* GDB manual, "Debugging Information in Separate Files": the name, padding to four bytes, the CRC. */
    if (length == 0 || length == s.bytes || round_up(length + 1, 4) + sizeof(*crc) > s.bytes)
        return false;
    memcpy(crc, text + round_up(length + 1, 4), sizeof(*crc));
    *name = text;
    return true;
}
