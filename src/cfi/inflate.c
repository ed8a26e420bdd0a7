/*
 * inflate.c - zlib-compressed debug sections: what the Go linker writes for .debug_frame
 *
 * libdw would inflate every debug section of the file at once (dwarf_begin_elf), tens of megabytes for the
 * one that is needed.
 */
#include "inflate.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ringside/base.h"
#include "ringside/elfio.h"

/* deflate cannot do better than 1032:1 (zlib's technical notes): a section that claims more lies. */
#define RATIO_MAX 1032

static uint8_t *inflate_bytes(const uint8_t *from, size_t n, uint64_t full, size_t max)
{
    uLongf got;
    uint8_t *out;

    if (full == 0 || full > max || full / RATIO_MAX > n)
        return NULL;
    out = base_alloc(full);
    got = full;
    if (uncompress(out, &got, from, n) == Z_OK && got == full)
        return out;
    free(out);
    return NULL;
}

uint8_t *inflate_section(const struct elf_file *file, const char *name, size_t max, size_t *bytes)
{
    struct elf_section s;
    Elf64_Chdr h;
    char old_name[64];
    uint64_t full;
    const uint8_t *at;
    uint8_t *out = NULL;

    if (elf_section_find(file, name, &s) && (s.flags & SHF_COMPRESSED) && s.bytes > sizeof(h)) {
        at = elf_at(file, s.offset, s.bytes);
        memcpy(&h, at, sizeof(h));
        full = h.ch_size;
        if (h.ch_type == ELFCOMPRESS_ZLIB)
            out = inflate_bytes(at + sizeof(h), s.bytes - sizeof(h), full, max);
        *bytes = full;
        return out;
    }
    /* Before SHF_COMPRESSED: ".zdebug_..." with "ZLIB" and the size, big-endian, in front (GNU as,
     * --compress-debug-sections=zlib-gnu). */
    snprintf(old_name, sizeof(old_name), ".z%s", name + 1);
    if (!elf_section_find(file, old_name, &s) || s.bytes < 12)
        return NULL;
    at = elf_at(file, s.offset, s.bytes);
    if (memcmp(at, "ZLIB", 4) != 0)
        return NULL;
    memcpy(&full, at + 4, sizeof(full));
    *bytes = be64toh(full);
    return inflate_bytes(at + 12, s.bytes - 12, *bytes, max);
}
