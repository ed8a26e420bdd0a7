/*
 * broker.c - see broker.h
 *
 * A worker that was taken over by what it reads is the reason for all checks. It may ask for any process and
 * any path, so what it gets is decided by what is found there. A file system of the target's that does not
 * answer (FUSE, NFS) holds the supervisor up as it would have held up the worker; the worker goes on without.
 */
#include "broker.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ringside/base.h"

#define PIDS_MAX  (1 << 22) /* PID_MAX_LIMIT (linux/threads.h) */
#define WAIT_MS   1000
#define LOOKS     2 /* a machine that stood still has used up one of them, not both */
#define SHUT_NS   (10 * NSEC_PER_SEC)
#define STALE_MAX 8 /* answers to workers before this one, or that came too late */

int broker_make(struct broker *b, struct err *e)
{
    b->wanted = true;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b->fd) == 0)
        return 0;
    b->fd[0] = b->fd[1] = -1;
    return err_set(e, errno, "socketpair");
}

void broker_release(struct broker *b)
{
    for (size_t i = 0; i < ARRAY_LEN(b->fd); i++) {
        if (b->fd[i] >= 0)
            close(b->fd[i]);
        b->fd[i] = -1;
    }
}

void broker_renew(struct broker *b)
{
    struct err e;

    if (!b->wanted)
        return;
    broker_release(b);
    if (broker_make(b, &e) < 0)
        log_warn(supervisor, "%s: some names will be missing", e.text);
}

/* ---- in the supervisor ---- */

static bool names_file(const struct broker_request *r)
{
    return r->path[0] == '/' && memchr(r->path, '\0', sizeof(r->path));
}

static bool is_range(const struct broker_request *r)
{
    return r->start < r->end && r->end <= INT64_MAX;
}

static bool is_in_range(const struct broker_request *r)
{
    return is_range(r) && r->at >= r->start && r->at < r->end && r->size > 0 &&
           r->size <= MIN_OF(r->end - r->at, (uint64_t)BROKER_MEMORY_MAX);
}

bool broker_decode(const void *bytes, size_t n, struct broker_request *out)
{
    if (n != sizeof(*out))
        return false;
    memcpy(out, bytes, sizeof(*out));
    if (out->kind != PROCFS_HERE && (out->pid <= 0 || out->pid > PIDS_MAX))
        return false;
    switch (out->kind) {
    case PROCFS_MAPS:
    case PROCFS_EXE:
        return true;
    case PROCFS_ROOT:
    case PROCFS_HERE:
        return names_file(out);
    case PROCFS_MAP_FILE:
        return is_range(out);
    case BROKER_MEMORY:
        return is_in_range(out);
    default:
        return false;
    }
}

/* /proc has a file with the ELF magic that is all of the kernel's memory. */
static bool is_of_the_kernel(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
           fs.f_type == DEBUGFS_MAGIC || fs.f_type == TRACEFS_MAGIC;
}

/* Programs and libraries, not what was dumped of a process's memory (ET_CORE). */
static bool is_program(int fd)
{
    Elf64_Ehdr h;

    return pread(fd, &h, sizeof(h), 0) == sizeof(h) && memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 &&
           (h.e_type == ET_EXEC || h.e_type == ET_DYN);
}

/* Looked at before it is opened: opening a device may be an order to it. */
static int open_program(const struct procfs_wish *w)
{
    char path[PATH_MAX + 64], again[64];
    CLOSE_FD int place = -1;
    CLOSE_FD int fd = -1;
    struct stat st;

    if (!procfs_path(w, path, sizeof(path)))
        return -EINVAL;
    place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return -errno;
    if (fstat(place, &st) < 0 || !S_ISREG(st.st_mode) || is_of_the_kernel(place))
        return -EACCES;
    snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
    fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    return is_program(fd) ? take_fd(&fd) : -EACCES;
}

/* The descriptor, or an errno below 0. */
static int open_wish(const struct broker_request *r)
{
    struct procfs_wish w = {
        .kind = (enum procfs_kind)r->kind, .pid = r->pid, .start = r->start, .end = r->end, .path = r->path};
    struct err e;
    int fd;

    if (w.kind != PROCFS_MAPS)
        return open_program(&w);
    fd = procfs_open(NULL, &w, &e);
    return fd < 0 ? -e.code : fd;
}

/*
 * Where in /proc/PID/maps a look has come to; only the first bytes of a line matter, however long its path
 * is.
 */
struct maps_look {
    char head[128]; /* all up to the path, and some of that */
    size_t n;
    uint64_t start, end;
};

/* 1: the mapping, and it is not writable; 0: not there, or writable; -1: not yet. */
static int look_at_line(struct maps_look *l)
{
    struct procfs_map map;

    l->head[l->n] = '\0';
    l->n = 0;
    if (!procfs_parse_map(l->head, &map) || map.start > l->start)
        return 0;
    if (map.start < l->start)
        return -1;
    return map.end == l->end && !map.writable;
}

static int look_at(struct maps_look *l, const char *bytes, size_t n)
{
    int found = -1;

    for (size_t i = 0; i < n && found < 0; i++) {
        if (bytes[i] == '\n')
            found = look_at_line(l);
        else if (l->n < sizeof(l->head) - 1)
            l->head[l->n++] = bytes[i];
    }
    return found;
}

static bool is_read_only(const struct broker_request *r)
{
    struct maps_look l = {.start = r->start, .end = r->end};
    char path[64], bytes[4096];
    CLOSE_FD int fd = -1;
    int found = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)r->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && found < 0 && (n = read(fd, bytes, sizeof(bytes))) > 0)
        found = look_at(&l, bytes, (size_t)n);
    return found == 1;
}

/*
 * /proc/PID/map_files has an entry for exactly the mappings that are of files, which may be looked at without
 * further rights; where the file was opened for writing, it may be a place for the process's own data. So may
 * a writable mapping of a program: its variables.
 */
static bool may_read(const struct broker_request *r)
{
    struct procfs_wish w = {.kind = PROCFS_MAP_FILE, .pid = r->pid, .start = r->start, .end = r->end};
    char path[128];
    struct stat st;

    return procfs_path(&w, path, sizeof(path)) && fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           !(st.st_mode & S_IWUSR) && is_read_only(r);
}

/* Once more afterwards: the process may have mapped something else, or be another. */
static int read_wish(const struct broker_request *r, char *bytes)
{
    struct procfs_memory m = {
        .pid = r->pid, .start = r->start, .end = r->end, .at = r->at, .bytes = bytes, .size = r->size};
    ssize_t n;

    if (!may_read(r))
        return -EACCES;
    n = procfs_read_memory(NULL, &m);
    if (n < 0)
        return -errno;
    return may_read(r) ? (int)n : -EACCES;
}

/* fd -1: without. What the worker has no room for is not sent: it does not wait for it. */
static void answer(int socket, const struct broker_answer *a, const char *bytes, int fd)
{
    struct iovec parts[] = {{.iov_base = (void *)a, .iov_len = sizeof(*a)},
                            {.iov_base = (void *)bytes, .iov_len = a->bytes}};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts)};
    struct cmsghdr *c;

    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    (void)!sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void broker_serve(struct broker *b)
{
    struct broker_request raw, r;
    struct broker_answer a = {0};
    char bytes[BROKER_MEMORY_MAX];
    CLOSE_FD int fd = -1;
    int result = -EINVAL;
    ssize_t n = recv(b->fd[0], &raw, sizeof(raw), MSG_DONTWAIT | MSG_TRUNC);

    if (n == 0) /* or poll(2) would say so for ever */
        broker_release(b);
    if (n < (ssize_t)sizeof(raw.number))
        return;
    a.number = raw.number;
    if (broker_decode(&raw, (size_t)n, &r))
        result = r.kind == BROKER_MEMORY ? read_wish(&r, bytes) : open_wish(&r);
    if (result < 0)
        a.error = -result;
    else if (r.kind == BROKER_MEMORY)
        a.bytes = (uint32_t)result;
    else
        fd = result;
    answer(b->fd[0], &a, bytes, fd);
}

/* ---- in the worker ---- */

struct heard {
    struct broker_answer answer;
    int fd;
    void *bytes;
    size_t size;
};

static int take_sent_fd(struct msghdr *m)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(fd)))
            memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

/* One answer, to whatever; false when none is there. */
static bool hear(const struct broker_door *d, struct heard *h)
{
    struct iovec parts[] = {{.iov_base = &h->answer, .iov_len = sizeof(h->answer)},
                            {.iov_base = h->bytes, .iov_len = h->size}};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr m = {.msg_iov = parts,
                       .msg_iovlen = ARRAY_LEN(parts),
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    ssize_t n = recvmsg(d->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    h->fd = n < 0 ? -1 : take_sent_fd(&m);
    if (n < (ssize_t)sizeof(h->answer))
        return false;
    if (h->answer.bytes > h->size || (size_t)n != sizeof(h->answer) + h->answer.bytes)
        h->answer.bytes = 0;
    return true;
}

static bool wait_for_answer(const struct broker_door *d)
{
    struct pollfd ready = {.fd = d->fd, .events = POLLIN};

    for (int i = 0; i < LOOKS; i++)
        if (poll(&ready, 1, WAIT_MS) > 0)
            return true;
    return false;
}

/* False, with errno, when it does not answer. */
static bool ask(struct broker_door *d, struct broker_request *r, struct heard *h)
{
    errno = EAGAIN;
    if (clock_mono_ns() < d->shut_until_ns)
        return false;
    r->number = ++d->number;
    if (send(d->fd, r, sizeof(*r), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*r)) {
        for (int i = 0; i <= STALE_MAX && wait_for_answer(d); i++) {
            if (!hear(d, h))
                break;
            if (h->answer.number == r->number)
                return true;
            if (h->fd >= 0)
                close(h->fd);
        }
    }
    d->shut_until_ns = clock_mono_ns() + SHUT_NS;
    return false;
}

static int ask_open(void *door, const struct procfs_wish *w)
{
    struct broker_request r = {.kind = (uint32_t)w->kind, .pid = w->pid, .start = w->start, .end = w->end};
    struct heard h = {.fd = -1};
    size_t n = w->path ? strlen(w->path) : 0;

    if (n >= sizeof(r.path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (n)
        memcpy(r.path, w->path, n);
    if (!ask(door, &r, &h))
        return -1;
    errno = h.answer.error;
    return h.fd;
}

static ssize_t ask_read(void *door, const struct procfs_memory *m)
{
    struct broker_request r = {.kind = BROKER_MEMORY,
                               .pid = m->pid,
                               .start = m->start,
                               .end = m->end,
                               .at = m->at,
                               .size = (uint32_t)MIN_OF(m->size, (size_t)BROKER_MEMORY_MAX)};
    struct heard h = {.fd = -1, .bytes = m->bytes, .size = m->size};

    if (!ask(door, &r, &h))
        return -1;
    if (h.fd >= 0)
        close(h.fd);
    errno = h.answer.error;
    return h.answer.bytes ? (ssize_t)h.answer.bytes : -1;
}

/* A worker's numbers are its own: the one before may have asked and not lived to hear. */
const struct procfs_door *broker_enter(struct broker *b, struct broker_door *d)
{
    if (b->fd[1] < 0)
        return NULL;
    close(take_fd(&b->fd[0]));
    *d = (struct broker_door){.door = {.open = ask_open, .read = ask_read, .ctx = d},
                              .fd = b->fd[1],
                              .number = (uint64_t)getpid() << 32};
    return &d->door;
}
