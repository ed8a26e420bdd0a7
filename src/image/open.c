/*
 * open.c - find the file behind a mapping, and make sure it is the one
 *
 * The path is what the process saw: it may live in another mount namespace, and the file may have been
 * deleted or replaced since. So the process's own view comes first while it lives, and what is found
 * elsewhere counts only when its identity is right.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image_private.h"
#include "ringside/procfs.h"

/* In the order they are tried. The last one is for processes that are gone. */
static const enum procfs_kind places[] = {PROCFS_ROOT, PROCFS_EXE, PROCFS_MAP_FILE, PROCFS_HERE};

static bool build_id_is(const struct wanted_file *w, int fd)
{
    struct elf_file f;
    bool same;

    if (elf_open(&f, fd, NULL) < 0)
        return false;
    same = same_build_id(f.build_id, f.build_id_bytes, w->build_id, w->build_id_bytes);
    elf_release(&f);
    return same;
}

/* Nothing tells the file from others: only its own process can be trusted to show it. The link of a
 * descriptor says what the one it was opened by says. */
static bool trust_place(const struct wanted_file *w, enum procfs_kind place, int fd)
{
    char link[64], target[PATH_MAX];
    ssize_t n;

    if (place == PROCFS_HERE)
        return w->pid == 0;
    if (place != PROCFS_EXE)
        return true;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, target, sizeof(target));
    return n > 0 && (size_t)n == strlen(w->path) && memcmp(target, w->path, (size_t)n) == 0;
}

static bool is_wanted(const struct wanted_file *w, enum procfs_kind place, int fd, const struct stat *st)
{
    if (w->bytes && ((uint64_t)st->st_size != w->bytes || stat_mtime_ns(st) != w->mtime_ns))
        return false;
    /* btrfs and overlayfs show mappings with another device than stat(2): in the process's own view the inode
     * must do. */
    if (w->inode && (st->st_ino != w->inode || (place == PROCFS_HERE && st->st_dev != w->dev)))
        return false;
    if (w->build_id_bytes && (w->check_build_id || (!w->inode && place != PROCFS_ROOT)))
        return build_id_is(w, fd);
    return w->inode || w->build_id_bytes || trust_place(w, place, fd);
}

static int try_place(const struct wanted_file *w, enum procfs_kind place, struct stat *st, struct err *e)
{
    struct procfs_wish wish = {
        .kind = place, .pid = (pid_t)w->pid, .start = w->start, .end = w->end, .path = w->path};
    CLOSE_FD int fd = -1;

    if (!w->pid && place != PROCFS_HERE)
        return err_set(e, 0, "%s: not of a process", w->path);
    fd = procfs_open(w->door, &wish, e);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) < 0)
        return err_set(e, errno, "stat %s", w->path);
    if (!S_ISREG(st->st_mode))
        return err_set(e, 0, "%s: not a regular file", w->path);
    if (!is_wanted(w, place, fd, st))
        return err_set(e, 0, "%s: another file than was mapped", w->path);
    return take_fd(&fd);
}

int wanted_open(const struct wanted_file *w, struct stat *st, struct err *e)
{
    int fd;

    e->text[0] = 0;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct err failed;

        fd = try_place(w, places[i], st, &failed);
        if (fd >= 0)
            return fd;
        if (i == 0 || !w->pid)
            *e = failed;
    }
    return -1;
}
