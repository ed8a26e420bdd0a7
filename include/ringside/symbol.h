/*
 * symbol.h - (image, address in the file) to names; asked at export only, cached per image
 *
 * Tables come from .symtab, else .dynsym, of the image or of its separate debug file (found by build id, then
 * by debug link, and verified).
 */
#ifndef RINGSIDE_SYMBOL_H
#define RINGSIDE_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

struct image;
struct images;
struct stats;

struct symbol {
    const char *name;        /* for people: demangled, valid UTF-8 */
    const char *system_name; /* as linked */
    uint64_t start;          /* ELF address of the function */
};

struct symbols;

struct symbols_config {
    const char *debug_dirs; /* colon-separated; NULL: /usr/lib/debug */
    uint32_t table_bytes;   /* cap on what the tables of all images may hold together */
};

struct symbols *symbols_new(const struct symbols_config *config, struct images *images, struct stats *stats);
void symbols_free(struct symbols *s);

/*
 * The function that holds an address. False when none is known: show the file and the address. Strings are
 * borrowed until symbols_trim() or symbols_free(). Kernel images: elf_addr is the kernel address.
 */
bool symbols_find(struct symbols *s, struct image *image, uint64_t elf_addr, struct symbol *out);

/* True when names were looked for in this image and a table was found (what a mapping's has_functions says).
 */
bool symbols_have(const struct symbols *s, const struct image *image);

/* Ends an export: frees tables the next one can make again cheaply. Before images_trim(). */
void symbols_trim(struct symbols *s);

#endif
