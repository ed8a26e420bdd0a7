/*
 * symbol.h - (image, address in the file) to names; asked at export only, cached per image
 *
 * Single-threaded; the worker's. Nothing fails: what cannot be read has no names.
 *
 * Names come from .symtab, else .dynsym, of the image or of its separate debug file (found by build id, then
 * by debug link, and verified), from PLT relocations, and from /proc/kallsyms. No table is built of
 * files: one pass over a file's symbols answers all addresses of an image at once, so memory follows what is
 * asked, not the file. Only the kernel's own symbols are kept (1.8 MB) once kallsyms was read twice.
 */
#ifndef RINGSIDE_SYMBOL_H
#define RINGSIDE_SYMBOL_H

#include "ringside/procfs.h"

#include <stdbool.h>
#include <stdint.h>

struct image;
struct images;
struct stats;

struct symbol_ref {
    const char *name;        /* for people: demangled, valid UTF-8; NULL: no function known there */
    const char *system_name; /* as linked; the same pointer when nothing was demangled */
};

struct symbols;

/* Strings are borrowed until symbols_free(). */
struct symbols_config {
    const char *debug_dirs; /* colon-separated; NULL: /usr/lib/debug */
    struct procfs_kallsyms_file kallsyms;
    const struct procfs_door *door; /* NULL: debug files are read by our own rights alone */
    uint32_t table_bytes; /* cap on the names kept of all images together, 0: 16 MiB; beyond it addresses stay
                           * unnamed */
};

/* images and stats are borrowed. symbols_free() may come before or after images_free(). */
struct symbols *symbols_new(const struct symbols_config *config, struct images *images, struct stats *stats);
void symbols_free(struct symbols *s);

/*
 * Names the functions that hold n addresses of one image, sorted ascending (duplicates allowed): all of an
 * image's addresses in one call, since what is not cached costs a pass over the file's symbols (1 to 10 ms).
 * Kernel images: kernel addresses. Strings are borrowed until symbols_trim() or symbols_free().
 */
void symbols_resolve(struct symbols *s, struct image *image, const uint64_t *addrs, uint32_t n,
                     struct symbol_ref *out);

/* True when this image was asked for names and has a table (what a mapping's has_functions says). */
bool symbols_have(const struct symbols *s, const struct image *image);

/*
 * Ends an export: forgets images' names while more than three quarters of the cap are in use, those this
 * export did not ask for first; all of them when there was no room for some. Before images_trim().
 */
void symbols_trim(struct symbols *s);

#endif
