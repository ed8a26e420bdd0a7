/*
 * table.h - offers the symbols of an ELF file to a batch
 */
#ifndef RINGSIDE_SYMBOL_TABLE_H
#define RINGSIDE_SYMBOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batch;
struct elf_file;
struct elf_section;

/* Bytes of a string table that end in a NUL: any offset below `bytes` is a terminated string. */
struct strings {
    const char *data;
    size_t bytes;
};

/* The string table of a symbol table; false when the file's words for it are not true. */
bool table_strings(const struct elf_file *f, const struct elf_section *symbols, struct strings *out);

/*
 * One pass over the table of that section type (SHT_SYMTAB, SHT_DYNSYM); returns how many symbols it has. The
 * names stay in the file's bytes.
 */
uint64_t table_offer(const struct elf_file *f, uint32_t section_type, struct batch *b);

/* Symbols in the file's table of that type; 0 when it has none. */
uint64_t table_count(const struct elf_file *f, uint32_t section_type);

#endif
