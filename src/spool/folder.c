/*
 * folder.c - the spool's folder and the run folders in it
 *
 * Removing a run folder races with somebody opening it to lock it. The rule that decides: it is removed only
 * by who holds the lock, and a lock counts only if afterwards the folder still has its name.
 */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "entry.h"
#include "ringside/base.h"

#define RUN_PREFIX  "run-"
#define NAMES_TRIED 100
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* ---- the folder ---- */

int spool_make_folder(const char *path, struct err *e)
{
    FREE_PTR char *part = base_strdup(path);
    char *slash = part;

    while (slash && *slash) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_set(e, errno, "make folder %s", part);
        if (slash)
            *slash = '/';
    }
    return 0;
}

int spool_folder_open(const char *path, struct err *e)
{
    CLOSE_FD int fd = -1;
    struct stat st;

    if (spool_make_folder(path, e) < 0)
        return -1;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
        return err_set(e, 0, "folder %s is a link that user %u made", path, st.st_uid);
    fd = open(path, OPEN_FOLDER);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(e, errno, "open folder %s", path);
    if (st.st_uid != geteuid())
        return err_set(e, 0, "folder %s belongs to user %u", path, st.st_uid);
    if (st.st_mode & 022)
        return err_set(e, 0, "folder %s can be written to by others (mode %03o)", path, st.st_mode & 0777);
    return take_fd(&fd);
}

/* ---- run folders ---- */

/* Sorts by start, and is nobody else's: in containers that share a folder, process ids repeat. */
static void run_name(char out[SPOOL_RUN_NAME_BYTES])
{
    uint64_t now = clock_wall_ns(), salt = 0;
    time_t seconds = (time_t)(now / NSEC_PER_SEC);
    struct tm tm = {0};
    char when[32];

    if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != (ssize_t)sizeof(salt))
        salt = hash_u64(clock_mono_ns() ^ (uint64_t)getpid() << 40);
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
    snprintf(out, SPOOL_RUN_NAME_BYTES, RUN_PREFIX "%s.%09uZ-%d-%016llx", when,
             (unsigned)(now % NSEC_PER_SEC), (int)getpid(), (unsigned long long)salt);
}

bool spool_run_is_there(int folder_fd, const struct spool_run *run)
{
    struct stat held, named;

    if (run->fd < 0 || fstat(run->fd, &held) < 0)
        return false;
    /* To have lost access (EACCES) does not make it gone. */
    if (fstatat(folder_fd, run->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return errno != ENOENT && errno != ENOTDIR && errno != ESTALE;
    return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

/* -1 with errno; EWOULDBLOCK: somebody holds it. */
static int run_lock(int folder_fd, const char *name, struct spool_run *out)
{
    CLOSE_FD int fd = openat(folder_fd, name, OPEN_FOLDER | O_NOFOLLOW);

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -1;
    *out = (struct spool_run){.fd = fd};
    snprintf(out->name, sizeof(out->name), "%s", name);
    if (!spool_run_is_there(folder_fd, out)) {
        out->fd = -1;
        errno = EWOULDBLOCK;
        return -1;
    }
    take_fd(&fd);
    return 0;
}

/* Between making and locking it, somebody may find an empty folder nobody holds, and remove it. */
int spool_run_make(int folder_fd, struct spool_run *out, struct err *e)
{
    *out = (struct spool_run){.fd = -1};
    for (int i = 0; i < NAMES_TRIED; i++) {
        char name[SPOOL_RUN_NAME_BYTES];

        run_name(name);
        if (mkdirat(folder_fd, name, 0700) < 0) {
            if (errno == EEXIST)
                continue;
            return err_set(e, errno, "make folder %s", name);
        }
        if (run_lock(folder_fd, name, out) == 0) {
            fsync(folder_fd); /* or a power failure takes the folder with all that is synced in it */
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != ENOENT) {
            err_set(e, errno, "lock folder %s", name);
            unlinkat(folder_fd, name, AT_REMOVEDIR);
            return -1;
        }
    }
    return err_set(e, EEXIST, "make a run's folder");
}

bool spool_run_take(int folder_fd, const char *name, struct spool_run *out)
{
    struct stat st;

    *out = (struct spool_run){.fd = -1};
    if (run_lock(folder_fd, name, out) < 0)
        return false;
    if (fstat(out->fd, &st) == 0 && st.st_uid == geteuid())
        return true;
    close(take_fd(&out->fd));
    return false;
}

void spool_run_let_go(int folder_fd, struct spool_run *run)
{
    if (run->fd < 0)
        return;
    /* While it is locked; fails if anything is in it. */
    unlinkat(folder_fd, run->name, AT_REMOVEDIR);
    close(take_fd(&run->fd));
    *run = (struct spool_run){.fd = -1};
}

/* ---- lists ---- */

/* An open file description of its own: neither its place in the folder nor a lock is shared. */
static DIR *folder_read(int fd)
{
    int own = openat(fd, ".", OPEN_FOLDER);
    DIR *d = own < 0 ? NULL : fdopendir(own);

    if (!d && own >= 0)
        close(own);
    return d;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

uint32_t spool_run_list(int folder_fd, char (**out)[SPOOL_RUN_NAME_BYTES])
{
    DIR *d = folder_read(folder_fd);
    uint32_t count = 0, cap = 0;
    struct dirent *entry;

    *out = NULL;
    while (d && count < SPOOL_RUNS_LISTED && (entry = readdir(d))) {
        size_t n = strlen(entry->d_name);

        if (strncmp(entry->d_name, RUN_PREFIX, strlen(RUN_PREFIX)) != 0 || n >= SPOOL_RUN_NAME_BYTES)
            continue;
        if (count == cap) {
            cap = cap ? cap * 2 : 16;
            *out = base_realloc(*out, cap * sizeof(**out));
        }
        memcpy((*out)[count++], entry->d_name, n + 1);
    }
    if (d)
        closedir(d);
    if (count)
        qsort(*out, count, sizeof(**out), by_name);
    return count;
}

void spool_run_walk(int run_fd, void (*visit)(void *ctx, int run_fd, const char *name), void *ctx)
{
    DIR *d = folder_read(run_fd);
    struct dirent *entry;

    while (d && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(ctx, run_fd, entry->d_name);
    if (d)
        closedir(d);
}

static void add_bytes(void *ctx, int run_fd, const char *name)
{
    uint64_t *bytes = ctx;
    struct stat st;

    if (spool_entry_is_ours(name) && fstatat(run_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        *bytes += (uint64_t)st.st_size;
}

uint64_t spool_run_bytes(int folder_fd, const char *name)
{
    CLOSE_FD int fd = openat(folder_fd, name, OPEN_FOLDER | O_NOFOLLOW);
    uint64_t bytes = 0;

    if (fd >= 0)
        spool_run_walk(fd, add_bytes, &bytes);
    return bytes;
}
