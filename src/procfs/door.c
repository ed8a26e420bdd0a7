/*
 * door.c - files and memory of other processes: by our own rights, else through the door
 */
#include "ringside/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/uio.h>

#include "ringside/base.h"

bool procfs_path(const struct procfs_wish *w, char *out, size_t max)
{
    int n = -1;

    switch (w->kind) {
    case PROCFS_MAPS:
        n = snprintf(out, max, "/proc/%d/maps", (int)w->pid);
        break;
    case PROCFS_ROOT:
        if (w->path && w->path[0] == '/')
            n = snprintf(out, max, "/proc/%d/root%s", (int)w->pid, w->path);
        break;
    case PROCFS_EXE:
        n = snprintf(out, max, "/proc/%d/exe", (int)w->pid);
        break;
    case PROCFS_MAP_FILE:
        if (w->end)
            n = snprintf(out, max, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)w->pid, w->start, w->end);
        break;
    case PROCFS_HERE:
        if (w->path && w->path[0] == '/')
            n = snprintf(out, max, "%s", w->path);
        break;
    default:
        break;
    }
    return n > 0 && (size_t)n < max;
}

static bool is_refusal(int code)
{
    return code == EACCES || code == EPERM;
}

int procfs_open(const struct procfs_door *door, const struct procfs_wish *w, struct err *e)
{
    char path[PATH_MAX + 64];
    int fd, code;

    if (!procfs_path(w, path, sizeof(path)))
        return err_set(e, 0, "no path");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    code = errno;
    if (fd < 0 && door && is_refusal(code))
        fd = door->open(door->ctx, w);
    return fd < 0 ? err_set(e, code, "open %s", path) : fd;
}

ssize_t procfs_read_memory(const struct procfs_door *door, const struct procfs_memory *m)
{
    struct iovec to = {.iov_base = m->bytes, .iov_len = m->size};
    struct iovec from = {.iov_base = (void *)(uintptr_t)m->at, .iov_len = m->size};
    ssize_t n = process_vm_readv(m->pid, &to, 1, &from, 1, 0);

    if (n < 0 && door && is_refusal(errno))
        n = door->read(door->ctx, m);
    return n;
}
