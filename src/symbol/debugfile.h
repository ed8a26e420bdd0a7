/*
 * debugfile.h - finds the separate debug file of a stripped binary
 */
#ifndef RINGSIDE_SYMBOL_DEBUGFILE_H
#define RINGSIDE_SYMBOL_DEBUGFILE_H

#include <stdbool.h>

struct elf_file;

/*
 * Opens the file that holds the symbols of `stripped`, which was found at `path`, and proves that it belongs
 * to it: same build id, or where one of them has none, the checksum of the debug link. dirs: colon-separated.
 * *out is the caller's to release.
 */
bool debugfile_open(const struct elf_file *stripped, const char *path, const char *dirs,
                    struct elf_file *out);

#endif
