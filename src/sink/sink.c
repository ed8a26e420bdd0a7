/*
 * sink.c - a folder of profiles, one file, or something that is written to as it is (a pipe, a device)
 */
#include "ringside/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"

/* Of the 255 bytes a file name may have (NAME_MAX), with time, pid, number and suffix. */
#define SERVICE_MAX   100
#define NUMBERS_TRIED 100000

enum sink_shape {
    SINK_FOLDER, /* a new file each time */
    SINK_FILE,   /* replaced each time */
    SINK_STREAM, /* not a regular file: cannot be renamed over, bytes go straight in */
};

struct sink {
    enum sink_shape shape;
    int fd; /* of the folder the files are in (so that a later chdir() does not matter), or of the stream */
    char *folder; /* for messages and paths, without '/' at its end unless it is the root */
    char name[NAME_MAX + 1];
    char service[SERVICE_MAX + 1];
    uint32_t pid;
    uint32_t number; /* of the last file */
    uint32_t writer; /* of all processes that go on with this one, and of no others */
};

/* ---- what a path means ---- */

static bool ends_in_slash(const char *path)
{
    size_t n = strlen(path);

    return n > 0 && path[n - 1] == '/';
}

bool sink_path_is_folder(const char *path)
{
    struct stat st;

    return ends_in_slash(path) || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/*
 * /dev/stdout and its like are links to whatever file is open: renaming over them would replace the link.
 */
static bool path_is_stream(const char *path)
{
    struct stat st;

    if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
        return access(path, F_OK) == 0 && !sink_path_is_folder(path) && strncmp(path, "/dev/shm/", 9) != 0;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Keeps what is safe in every shell and file system; a leading dot would hide the file. */
static void service_clean(const char *service, char *out)
{
    size_t n = 0;

    for (; service && *service && n < SERVICE_MAX; service++) {
        bool plain = (*service >= 'a' && *service <= 'z') || (*service >= 'A' && *service <= 'Z') ||
                     (*service >= '0' && *service <= '9') || *service == '_' || *service == '-' ||
                     (*service == '.' && n > 0);

        out[n++] = plain ? *service : '_';
    }
    out[n] = '\0';
    if (n == 0)
        strcpy(out, "unnamed");
}

/* ---- opening ---- */

static int open_stream(struct sink *s, const char *path, struct err *e)
{
    int flags;

    s->shape = SINK_STREAM;
    /* Not blocking here: a pipe nobody reads would hold up the start for ever; this way it is ENXIO
     * (fifo(7)). Appending: /dev/stdout may be a file, which opens anew at its start, over what is there. */
    s->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (s->fd < 0)
        return err_set(e, errno, "output %s", path);
    flags = fcntl(s->fd, F_GETFL);
    if (flags < 0 || fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return err_set(e, errno, "output %s", path);
    return 0;
}

static int folder_make(const char *path, bool *made, struct err *e)
{
    *made = mkdir(path, 0777) == 0;
    if (!*made && errno != EEXIST)
        return err_set(e, errno, "make output folder %s", path);
    return 0;
}

/*
 * A file can be made there; it is gone again. Without a name where the file system can do that: whoever is
 * killed right here, as all of a container is when its first process ends, leaves none behind.
 */
static int folder_probe(struct sink *s, const char *name, const char *path, struct err *e)
{
    CLOSE_FD int nameless = openat(s->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    struct atomic_file probe;

    if (nameless >= 0 && (atomic_file_is_left(s->fd, name, s->writer) || errno == ENOENT))
        return 0; /* and the name, whose file is not there, is none that is too long */
    if (atomic_file_open_as(&probe, s->fd, name, s->writer, NULL) < 0)
        return err_set(e, errno, "output %s", path);
    atomic_file_abort(&probe);
    return 0;
}

static int folder_open(struct sink *s, const char *path, struct err *e)
{
    s->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->fd < 0)
        return err_set(e, errno, "output folder %s", path);
    return 0;
}

static int open_folder(struct sink *s, const char *path, struct err *e)
{
    bool made = false;
    size_t n = strlen(path);

    s->shape = SINK_FOLDER;
    s->folder = base_strdup(path);
    while (n > 1 && s->folder[n - 1] == '/')
        s->folder[--n] = '\0';
    if (ends_in_slash(path) && folder_make(s->folder, &made, e) < 0)
        return -1;
    if (folder_open(s, s->folder, e) < 0 || folder_probe(s, "probe", s->folder, e) < 0) {
        if (made)
            rmdir(s->folder);
        return -1;
    }
    return 0;
}

/* Splits into folder and name, following a link that already is there: it is the link's file that is
 * replaced. */
static int open_file(struct sink *s, const char *path, struct err *e)
{
    FREE_PTR char *real = realpath(path, NULL);
    const char *whole = real ? real : path, *slash = strrchr(whole, '/'), *name = slash ? slash + 1 : whole;

    s->shape = SINK_FILE;
    s->folder = base_strdup(slash ? whole : ".");
    if (slash)
        s->folder[MAX_OF(slash - whole, 1)] = '\0';
    if (strlen(name) > NAME_MAX)
        return err_set(e, ENAMETOOLONG, "output %s", path);
    strcpy(s->name, name);
    if (folder_open(s, s->folder, NULL) < 0)
        return err_set(e, errno, "output %s: folder %s", path, s->folder);
    return folder_probe(s, s->name, path, e);
}

struct sink *sink_open(const char *path, const struct sink_naming *naming, struct err *e)
{
    struct sink *s = base_calloc(1, sizeof(*s));
    int result;

    s->fd = -1;
    s->pid = naming->pid;
    if (getrandom(&s->writer, sizeof(s->writer), GRND_NONBLOCK) < 0)
        s->writer = (uint32_t)clock_mono_ns();
    service_clean(naming->service, s->service);
    if (!*path)
        result = err_set(e, 0, "output: the name is empty");
    else if (path_is_stream(path))
        result = open_stream(s, path, e);
    else if (sink_path_is_folder(path))
        result = open_folder(s, path, e);
    else
        result = open_file(s, path, e);
    if (result == 0)
        return s;
    sink_close(s);
    return NULL;
}

void sink_close(struct sink *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->folder);
    free(s);
}

void sink_continue(struct sink *s, uint32_t pid, uint32_t profiles)
{
    s->pid = pid;
    s->number = profiles;
}

bool sink_is_folder(const struct sink *s)
{
    return s->shape == SINK_FOLDER;
}

int sink_folder_fd(const struct sink *s)
{
    return s->shape == SINK_STREAM ? -1 : s->fd;
}

int sink_stream_fd(const struct sink *s)
{
    return s->shape == SINK_STREAM ? s->fd : -1;
}

/* ---- one profile ---- */

/* Sorts by service, then time, then pid and number; UTC, so that a change of clocks does not shuffle files.
 */
static void next_name(struct sink *s, uint64_t time_wall_ns)
{
    time_t seconds = (time_t)(time_wall_ns / NSEC_PER_SEC);
    struct tm tm = {0};
    char when[32];

    gmtime_r(&seconds, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    snprintf(s->name, sizeof(s->name), "%s-%s-pid%u-%04u.pb.gz", s->service, when, s->pid, ++s->number);
}

/*
 * Gives a finished file its name unless another file has it: two profilers in containers that share a
 * folder may agree on service, second, pid and number.
 */
static int commit_new(struct sink *s, struct atomic_file *f, uint64_t time_wall_ns, struct err *e)
{
    for (int i = 0; i < NUMBERS_TRIED; i++) {
        if (renameat2(s->fd, f->temporary, s->fd, s->name, RENAME_NOREPLACE) == 0)
            return 0;
        /* File systems that do not know the flag say EINVAL (rename(2)): look first, then rename. */
        if (errno == EINVAL && faccessat(s->fd, s->name, F_OK, 0) < 0 &&
            renameat(s->fd, f->temporary, s->fd, s->name) == 0)
            return 0;
        if (errno != EEXIST && errno != EINVAL)
            return err_set(e, errno, "write %s", s->name);
        next_name(s, time_wall_ns);
    }
    return err_set(e, EEXIST, "write %s", s->name);
}

/* Who began to write it gave it its name, for otherwise it would have died over the temporary file. */
static bool is_put(const struct sink *s)
{
    return !atomic_file_is_left(s->fd, s->service, s->writer) && faccessat(s->fd, s->name, F_OK, 0) == 0;
}

/*
 * The temporary name is made unlike that of any other writer, for the same reason; it is the same each time,
 * so that what a worker left that died over it does not stay. atomic_file_commit() would replace a file, so
 * the last steps are taken here.
 */
static int put_in_folder(struct sink *s, const struct sink_profile *p, struct err *e)
{
    struct atomic_file f;

    next_name(s, p->time_wall_ns);
    if (p->again && is_put(s))
        return 0;
    if (atomic_file_open_as(&f, s->fd, s->service, s->writer, e) < 0)
        return -1;
    if (p->fill(p->ctx, &(struct byte_out){atomic_file_write, &f}, e) < 0 ||
        commit_new(s, &f, p->time_wall_ns, e) < 0) {
        atomic_file_abort(&f);
        return -1;
    }
    if (close(take_fd(&f.fd)) == 0)
        return 0;
    err_set(e, errno, "write %s", s->name);
    unlinkat(s->fd, s->name, 0);
    return -1;
}

static int put_in_file(struct sink *s, const struct sink_profile *p, struct err *e)
{
    struct atomic_file f;

    if (atomic_file_open_as(&f, s->fd, s->name, s->writer, e) < 0)
        return -1;
    if (p->fill(p->ctx, &(struct byte_out){atomic_file_write, &f}, e) < 0) {
        atomic_file_abort(&f);
        return -1;
    }
    return atomic_file_commit(&f, e);
}

static int write_stream(void *ctx, const void *bytes, size_t n, struct err *e)
{
    const struct sink *s = ctx;
    const char *p = bytes;

    while (n) {
        ssize_t done = write(s->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_set(e, errno, "write output");
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int sink_put(struct sink *s, const struct sink_profile *p, char path_out[SINK_PATH_MAX], struct err *e)
{
    int result;

    if (path_out)
        path_out[0] = '\0';
    if (s->shape == SINK_STREAM)
        return p->fill(p->ctx, &(struct byte_out){write_stream, s}, e);
    result = s->shape == SINK_FOLDER ? put_in_folder(s, p, e) : put_in_file(s, p, e);
    if (result < 0)
        return err_wrap(e, "%s", s->folder);
    if (path_out)
        snprintf(path_out, SINK_PATH_MAX, "%s/%s", strcmp(s->folder, "/") ? s->folder : "", s->name);
    return 0;
}
