/*
 * inflate.h - the contents of a zlib-compressed section
 */
#ifndef RINGSIDE_CFI_INFLATE_H
#define RINGSIDE_CFI_INFLATE_H

#include <stddef.h>
#include <stdint.h>

struct elf_file;

/*
 * Contents of the section, flagged SHF_COMPRESSED under its own name or compressed the old way under ".z...";
 * owned by the caller. NULL when there is none, it would have more than max bytes, or it is not what it says.
 */
uint8_t *inflate_section(const struct elf_file *file, const char *name, size_t max, size_t *bytes);

#endif
