/*
 * debugfile.c - the places GDB looks at ("Debugging Information in Separate Files"), in its order
 */
#include "debugfile.h"

#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ringside/base.h"
#include "ringside/elfio.h"
#include "ringside/procfs.h"
#include "table.h"

#define CRC_STEP (1U << 20)

struct search {
    const struct elf_file *stripped;
    const char *dirs;
    const struct procfs_door *door;
    const char *folder; /* of the binary; "" when its path has none */
    int folder_bytes;
    const char *link; /* NULL: the binary has no debug link */
    uint32_t link_crc;
    struct elf_file *out;
};

static bool checksum_matches(const struct elf_file *f, uint32_t want)
{
    uLong crc = crc32(0, NULL, 0);

    for (size_t at = 0; at < f->bytes; at += CRC_STEP) {
        crc = crc32(crc, f->data + at, (uInt)MIN_OF(f->bytes - at, (size_t)CRC_STEP));
        elf_drop_pages(f); /* a debug file may have a gigabyte */
    }
    return (uint32_t)crc == want;
}

static bool belongs(const struct search *s, bool by_link)
{
    const struct elf_file *a = s->stripped, *b = s->out;

    if (!table_count(b, SHT_SYMTAB))
        return false;
    if (a->build_id_bytes && b->build_id_bytes)
        return a->build_id_bytes == b->build_id_bytes &&
               memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0;
    return by_link && checksum_matches(b, s->link_crc);
}

static bool try_path(const struct search *s, const char *path, bool by_link)
{
    /* Whatever has that name: a pipe must not hold us up. elf_open() refuses what is not a regular file. */
    struct procfs_wish wish = {.kind = PROCFS_HERE, .path = path};
    CLOSE_FD int fd = procfs_open(s->door, &wish, NULL);

    if (fd < 0 || elf_open(s->out, fd, NULL) < 0)
        return false;
    if (belongs(s, by_link))
        return true;
    elf_release(s->out);
    return false;
}

static bool try_build_id(const struct search *s, const char *dir, int dir_bytes)
{
    char hex[BUILD_ID_MAX * 2 + 1], path[PATH_MAX];

    if (s->stripped->build_id_bytes < 2)
        return false;
    hex_encode(s->stripped->build_id, s->stripped->build_id_bytes, hex);
    if (snprintf(path, sizeof(path), "%.*s/.build-id/%.2s/%s.debug", dir_bytes, dir, hex, hex + 2) >=
        PATH_MAX)
        return false;
    return try_path(s, path, false);
}

/* dir is put before the binary's folder, as in /usr/lib/debug/usr/bin/NAME. */
static bool try_link(const struct search *s, const char *dir, int dir_bytes, const char *below)
{
    char path[PATH_MAX];

    if (!s->link || snprintf(path, sizeof(path), "%.*s%.*s%s/%s", dir_bytes, dir, s->folder_bytes, s->folder,
                             below, s->link) >= PATH_MAX)
        return false;
    return try_path(s, path, true);
}

/* Calls one of the two for each of the colon-separated folders. */
static bool try_dirs(const struct search *s, bool by_link)
{
    for (const char *dir = s->dirs; *dir;) {
        int n = (int)strcspn(dir, ":");

        if (n && (by_link ? try_link(s, dir, n, "") : try_build_id(s, dir, n)))
            return true;
        dir += n;
        dir += *dir == ':';
    }
    return false;
}

bool debugfile_open(const struct elf_file *stripped, const char *path, const struct debugfile_places *in,
                    struct elf_file *out)
{
    struct search s = {.stripped = stripped, .dirs = in->dirs, .door = in->door, .folder = path, .out = out};
    const char *slash = strrchr(path, '/');

    s.folder_bytes = slash ? (int)(slash - path) : 0;
    /* A link with a folder in it would lead anywhere. */
    if (path[0] != '/' || !elf_debuglink(stripped, &s.link, &s.link_crc) || strchr(s.link, '/'))
        s.link = NULL;
    return try_dirs(&s, false) || try_link(&s, "", 0, "") || try_link(&s, "", 0, "/.debug") ||
           try_dirs(&s, true);
}
