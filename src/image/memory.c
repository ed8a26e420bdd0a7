/*
 * memory.c - a deleted file, put together again from the memory of a process that maps it
 *
 * Where /proc/PID/map_files is out of reach (it wants a capability), a process of the same user still shows
 * its memory. What is mapped of an ELF file holds its headers, its call-frame information and its dynamic
 * symbols' code; what is not (section headers, .symtab) stays unknown. Writable data is left out: it is the
 * process's own.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image_private.h"
#include "ringside/procfs.h"

#define MEMORY_FILE_MAX (64ULL << 20) /* of one copy, and read for it */
#define CHUNK_BYTES     (64U << 10)
#define MAPS_MAX        64

struct span {
    uint64_t start, bytes, offset;
};

struct spans {
    const struct wanted_file *wanted;
    uint64_t inode;
    uint32_t dev_major, dev_minor;
    struct span span[MAPS_MAX];
    uint32_t count;
    uint64_t bytes; /* of all spans, which may show the same part many times */
};

static bool find_file(void *ctx, const struct procfs_map *m)
{
    struct spans *s = ctx;
    const struct wanted_file *w = s->wanted;

    if (m->start > w->start || m->end <= w->start)
        return true;
    /* The record may be old: an exec or mmap since may have put another file there. */
    if (w->inode && (m->inode != w->inode || makedev(m->dev_major, m->dev_minor) != w->dev))
        return false;
    s->inode = m->inode;
    s->dev_major = m->dev_major;
    s->dev_minor = m->dev_minor;
    return false;
}

static bool add_span(void *ctx, const struct procfs_map *m)
{
    struct spans *s = ctx;
    uint64_t bytes;

    if (m->inode != s->inode || m->dev_major != s->dev_major || m->dev_minor != s->dev_minor || m->writable)
        return true;
    bytes = m->end - m->start;
    if (bytes <= MEMORY_FILE_MAX - s->bytes && m->file_offset <= MEMORY_FILE_MAX - bytes) {
        s->span[s->count++] = (struct span){m->start, bytes, m->file_offset};
        s->bytes += bytes;
    }
    return s->count < MAPS_MAX;
}

/* Pages past the end of the file cannot be read, nor can those of the PROT_NONE mappings old linkers leave
 * between segments: what comes before them is enough. */
static int copy_span(const struct wanted_file *w, int fd, const struct span *span)
{
    char bytes[CHUNK_BYTES];

    for (uint64_t done = 0; done < span->bytes;) {
        struct procfs_memory part = {
            .pid = (pid_t)w->pid,
            .start = span->start,
            .end = span->start + span->bytes,
            .at = span->start + done,
            .bytes = bytes,
            .size = MIN_OF(span->bytes - done, (uint64_t)CHUNK_BYTES),
        };
        ssize_t n = procfs_read_memory(w->door, &part);

        if (n <= 0)
            return errno == EFAULT ? 0 : -1;
        if (pwrite(fd, bytes, (size_t)n, (off_t)(span->offset + done)) != n)
            return -1;
        done += (uint64_t)n;
    }
    return 0;
}

int memory_file_open(const struct wanted_file *w, struct stat *st, struct err *e)
{
    struct spans s = {.wanted = w};
    CLOSE_FD int fd = -1;

    if (procfs_maps(w->door, (pid_t)w->pid, find_file, &s, e) < 0)
        return -1;
    if (!s.inode)
        return err_set(e, 0, "%s: not mapped any more", w->path);
    if (procfs_maps(w->door, (pid_t)w->pid, add_span, &s, e) < 0)
        return -1;
    fd = memfd_create("ringside-image", MFD_CLOEXEC);
    if (fd < 0)
        return err_set(e, errno, "copy %s from memory", w->path);
    for (uint32_t i = 0; i < s.count; i++)
        if (copy_span(w, fd, &s.span[i]) < 0)
            return err_set(e, errno, "copy %s from memory", w->path);
    if (fstat(fd, st) < 0)
        return err_set(e, errno, "copy %s from memory", w->path);
    if (st->st_size == 0)
        return err_set(e, 0, "copy %s from memory: nothing can be read", w->path);
    return take_fd(&fd);
}
