/*
 * open.c - find the file behind a mapping, and make sure it is the one
 *
 * The path is what the process saw: it may live in another mount namespace, and the file may have been
 * deleted or replaced since. So the process's own view comes first while it lives, and what is found
 * elsewhere counts only when its identity is right.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "image_private.h"

enum place {
    PLACE_ROOT,      /* the path, seen from the process's root folder */
    PLACE_EXE,       /* /proc/PID/exe: survives deletion */
    PLACE_MAP_FILES, /* /proc/PID/map_files: likewise, but wants CAP_CHECKPOINT_RESTORE
                        (proc_pid_map_files(5)) */
    PLACE_HERE,      /* the path, seen from our root folder: the process is gone */
    PLACES
};

static bool place_path(const struct wanted_file *w, enum place place, char *out, size_t max)
{
    int n = -1;

    if (!w->pid && place != PLACE_HERE)
        return false;
    switch (place) {
    case PLACE_ROOT:
        if (w->path[0] == '/')
            n = snprintf(out, max, "/proc/%u/root%s", w->pid, w->path);
        break;
    case PLACE_EXE:
        n = snprintf(out, max, "/proc/%u/exe", w->pid);
        break;
    case PLACE_MAP_FILES:
        if (w->end)
            n = snprintf(out, max, "/proc/%u/map_files/%" PRIx64 "-%" PRIx64, w->pid, w->start, w->end);
        break;
    default:
        if (w->path[0] == '/')
            n = snprintf(out, max, "%s", w->path);
    }
    return n > 0 && (size_t)n < max;
}

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

/* Nothing tells the file from others: only its own process can be trusted to show it. */
static bool trust_place(const struct wanted_file *w, enum place place)
{
    char link[64], target[PATH_MAX];
    ssize_t n;

    if (place == PLACE_HERE)
        return w->pid == 0;
    if (place != PLACE_EXE)
        return true;
    snprintf(link, sizeof(link), "/proc/%u/exe", w->pid);
    n = readlink(link, target, sizeof(target));
    return n > 0 && (size_t)n == strlen(w->path) && memcmp(target, w->path, (size_t)n) == 0;
}

static bool is_wanted(const struct wanted_file *w, enum place place, int fd, const struct stat *st)
{
    if (w->bytes && ((uint64_t)st->st_size != w->bytes || stat_mtime_ns(st) != w->mtime_ns))
        return false;
    /* btrfs and overlayfs show mappings with another device than stat(2): in the process's own view the inode
     * must do. */
    if (w->inode && (st->st_ino != w->inode || (place == PLACE_HERE && st->st_dev != w->dev)))
        return false;
    if (w->build_id_bytes && (w->check_build_id || (!w->inode && place != PLACE_ROOT)))
        return build_id_is(w, fd);
    return w->inode || w->build_id_bytes || trust_place(w, place);
}

static int try_place(const struct wanted_file *w, enum place place, struct stat *st, struct err *e)
{
    char path[PATH_MAX + 64];
    CLOSE_FD int fd = -1;

    if (!place_path(w, place, path, sizeof(path)))
        return err_set(e, 0, "no path");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set(e, errno, "open %s", path);
    if (fstat(fd, st) < 0)
        return err_set(e, errno, "stat %s", path);
    if (!S_ISREG(st->st_mode))
        return err_set(e, 0, "%s: not a regular file", path);
    if (!is_wanted(w, place, fd, st))
        return err_set(e, 0, "%s: another file than was mapped", path);
    return take_fd(&fd);
}

int wanted_open(const struct wanted_file *w, struct stat *st, struct err *e)
{
    int fd;

    e->text[0] = 0;
    for (int place = 0; place < PLACES; place++) {
        struct err failed;

        fd = try_place(w, (enum place)place, st, &failed);
        if (fd >= 0)
            return fd;
        if (place == PLACE_ROOT || !w->pid)
            *e = failed;
    }
    return -1;
}
