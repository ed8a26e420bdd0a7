/*
 * fuzz_elf.c - ELF headers, sections, notes and debug links of any bytes
 *
 * The first byte chooses whether the magic number and the machine are put right, so that most inputs get past
 * the door.
 */
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/elfio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void put_header_right(uint8_t *file, size_t n, uint8_t how)
{
    Elf64_Ehdr h;

    if (n < sizeof(h))
        return;
    memcpy(&h, file, sizeof(h));
    memcpy(h.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
    h.e_machine = EM_X86_64;
    h.e_type = how & 2 ? ET_DYN : ET_EXEC;
    h.e_phentsize = sizeof(Elf64_Phdr);
    h.e_shentsize = sizeof(Elf64_Shdr);
    if (how & 4)
        h.e_phoff = sizeof(h);
    if (how & 8)
        h.e_shoff = sizeof(h);
    memcpy(file, &h, sizeof(h));
}

static void check_section(const struct elf_file *f, const struct elf_section *s)
{
    const void *contents = elf_at(f, s->offset, s->bytes);

    if (contents && s->bytes && hash_bytes(contents, s->bytes) == 1)
        abort();
    if (strlen(s->name) > f->bytes)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {".eh_frame", ".debug_frame", ".symtab", ".text"};
    struct elf_file f;
    struct elf_section s;
    const char *name;
    uint32_t crc;
    uint64_t out;
    uint8_t *file;

    if (n < 1)
        return 0;
    file = base_alloc(n - 1); /* its own block: reading past it is noticed */
    memcpy(file, data + 1, n - 1);
    if (data[0] & 1)
        put_header_right(file, n - 1, data[0]);
    if (elf_from_memory(&f, file, n - 1, NULL) == 0) {
        for (uint32_t i = 0; i <= f.sections; i++)
            if (elf_section_at(&f, i, &s))
                check_section(&f, &s);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (elf_section_find(&f, names[i], &s))
                check_section(&f, &s);
        if (elf_debuglink(&f, &name, &crc) && strlen(name) > n)
            abort();
        elf_offset_to_vaddr(&f, n / 2, &out);
    }
    elf_release(&f);
    free(file);
    return 0;
}
