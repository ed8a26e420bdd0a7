/*
 * file.c - clocks, atomic files, small files of /proc and /sys
 */
#include "ringside/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_read(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) < 0)
        return 0;
    return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
    return clock_read(CLOCK_REALTIME);
}

uint64_t clock_process_cpu_ns(int pid)
{
    clockid_t id;

    if (pid <= 0 || clock_getcpuclockid(pid, &id) != 0)
        return 0;
    return clock_read(id);
}

static uint64_t timeval_ns(const struct timeval *t)
{
    return (uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_usec * 1000;
}

uint64_t rusage_cpu_ns(const struct rusage *usage)
{
    return timeval_ns(&usage->ru_utime) + timeval_ns(&usage->ru_stime);
}

/* A new one: what another left there under that name goes. */
static int make_file(int dir_fd, const char *name, unsigned mode)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(dir_fd, name, flags, mode);

    if (fd < 0 && errno == EEXIST && unlinkat(dir_fd, name, 0) == 0)
        fd = openat(dir_fd, name, flags, mode);
    return fd;
}

static void name_temporary(char *out, size_t bytes, const char *name, uint32_t writer)
{
    snprintf(out, bytes, ".%s.tmp-%u", name, writer);
}

/* f->dir_fd is set. */
static int begin_file(struct atomic_file *f, const char *name, uint32_t writer, unsigned mode, struct err *e)
{
    if (strlen(name) >= sizeof(f->name))
        return err_set(e, ENAMETOOLONG, "write %s", name);
    strcpy(f->name, name);
    name_temporary(f->temporary, sizeof(f->temporary), name, writer);
    f->fd = make_file(f->dir_fd, f->temporary, mode);
    if (f->fd < 0)
        return err_set(e, errno, "write %s", name);
    return 0;
}

int atomic_file_open(struct atomic_file *f, int dir_fd, const char *name, struct err *e)
{
    return atomic_file_open_as(f, dir_fd, name, (uint32_t)getpid(), e);
}

int atomic_file_open_private(struct atomic_file *f, int dir_fd, const char *name, struct err *e)
{
    *f = (struct atomic_file){.fd = -1, .dir_fd = dir_fd};
    return begin_file(f, name, (uint32_t)getpid(), 0600, e);
}

int atomic_file_open_as(struct atomic_file *f, int dir_fd, const char *name, uint32_t writer, struct err *e)
{
    *f = (struct atomic_file){.fd = -1, .dir_fd = dir_fd};
    return begin_file(f, name, writer, 0644, e);
}

bool atomic_file_is_left(int dir_fd, const char *name, uint32_t writer)
{
    char temporary[sizeof(((struct atomic_file *)NULL)->temporary)];

    name_temporary(temporary, sizeof(temporary), name, writer);
    return faccessat(dir_fd, temporary, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int atomic_file_write(void *file, const void *bytes, size_t n, struct err *e)
{
    struct atomic_file *f = file;
    const char *p = bytes;

    while (n) {
        ssize_t done = write(f->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_set(e, errno, "write %s", f->name);
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int atomic_file_commit(struct atomic_file *f, struct err *e)
{
    int fd = take_fd(&f->fd);

    if (close(fd) < 0 || renameat(f->dir_fd, f->temporary, f->dir_fd, f->name) < 0) {
        err_set(e, errno, "write %s", f->name);
        unlinkat(f->dir_fd, f->temporary, 0);
        return -1;
    }
    return 0;
}

void atomic_file_abort(struct atomic_file *f)
{
    if (f->fd < 0)
        return;
    close(take_fd(&f->fd));
    unlinkat(f->dir_fd, f->temporary, 0);
}

long read_small_file(int dir_fd, const char *path, char *out, size_t max, struct err *e)
{
    CLOSE_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;

    if (fd < 0)
        return err_set(e, errno, "open %s", path);
    while (have + 1 < max) {
        ssize_t n = read(fd, out + have, max - 1 - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, errno, "read %s", path);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    out[have] = '\0';
    return (long)have;
}

long read_number_file(const char *path, long fallback)
{
    char text[64], *end;
    long value;

    if (read_small_file(AT_FDCWD, path, text, sizeof(text), NULL) <= 0)
        return fallback;
    value = strtol(text, &end, 10);
    return end == text ? fallback : value;
}
