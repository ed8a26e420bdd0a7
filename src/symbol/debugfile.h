/*
 * debugfile.h - finds the separate debug file of a stripped binary
 */
#ifndef RINGSIDE_SYMBOL_DEBUGFILE_H
#define RINGSIDE_SYMBOL_DEBUGFILE_H

#include <stdbool.h>

struct elf_file;
struct procfs_door;

struct debugfile_places {
    const char *dirs; /* colon-separated */
    const struct procfs_door *door;
};

/*
 * Opens the file that holds the symbols of `stripped`, which was found at `path`, and proves that it belongs
 * to it: same build id, or where one of them has none, the checksum of the debug link.
 * *out is the caller's to release.
 */
bool debugfile_open(const struct elf_file *stripped, const char *path, const struct debugfile_places *in,
                    struct elf_file *out);

#endif
