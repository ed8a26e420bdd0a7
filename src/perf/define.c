/*
 * define.c - probes as tracepoints of the kernel's list, for as long as a run lasts
 *
 * An event of the kprobe and uprobe PMUs names its place by a pointer, and the kernel reads that pointer
 * again whenever a task inherits the event (perf_uprobe_event_init, strndup_user; Linux 4.17 to 6.18): in a
 * program that was started meanwhile it points nowhere, and fork and pthread_create fail there with EFAULT.
 * So what is to be inherited is defined in tracefs first (Documentation/trace/uprobetracer.rst,
 * kprobetrace.rst) and opened by number.
 *
 * Definitions are in a group of our own, and their names tell whose they are, so that what a killed profiler
 * left behind is removed by the next. One that is in use the kernel does not let go.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probes.h"
#include "ringside/base.h"
#include "tracefs.h"

#define GROUP           "ringside"
#define NAME_START      "of"
#define DEFINITIONS_MAX (1U << 20)
#define LINE_BYTES      1024
/* An event just closed goes away after a grace period, which takes a turn of every processor. */
#define REMOVE_TRIES    1000
#define REMOVE_PAUSE_NS (10 * NSEC_PER_MSEC)

static const char *const lists[] = {"uprobe_events", "kprobe_events"};

static bool in_file(const struct event_spec *s)
{
    return s->kind == EVENT_UPROBE || s->kind == EVENT_URETPROBE;
}

/* -1 with errno: that of the usual place, unless only the old one is there. */
static int open_list(const struct perf_machine *m, const char *list, int flags)
{
    char path[512];
    int fd = -1, code = ENOENT;

    for (size_t i = 0; i < ARRAY_LEN(m->tracefs) && fd < 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", m->tracefs[i], list);
        fd = open(path, flags | O_CLOEXEC);
        if (fd < 0 && code == ENOENT)
            code = errno;
    }
    errno = code;
    return fd;
}

/* One definition a write: each is taken or refused by itself. */
static int write_line(const struct perf_machine *m, const char *list, const char *line, struct err *e)
{
    CLOSE_FD int fd = open_list(m, list, O_WRONLY | O_APPEND);
    size_t n = strlen(line);

    if (fd < 0 && errno == ENOENT)
        return err_set(e, 0, "there is no %s/%s; mount -t tracefs tracefs %s", m->tracefs[0], list,
                       m->tracefs[0]);
    if (fd < 0)
        return err_set(e, errno, "open %s/%s", m->tracefs[0], list);
    if (write(fd, line, n) != (ssize_t)n)
        return err_set(e, errno, "write to %s: %.*s", list, (int)n - 1, line);
    return 0;
}

/* What the kernel takes apart at blanks cannot hold any. */
static int describe_place(const struct event_spec *s, const struct perf_target *t, char *out, size_t bytes,
                          struct err *e)
{
    if (strpbrk(in_file(s) ? s->group : s->target, " \t\n#;"))
        return err_set(e, 0, "blanks in a name are more than tracefs takes");
    if (in_file(s))
        snprintf(out, bytes, "%s:0x%llx", s->group, (unsigned long long)t->config2);
    else if (s->target[0])
        snprintf(out, bytes, "%s+%llu", s->target, (unsigned long long)s->offset);
    else
        snprintf(out, bytes, "0x%llx", (unsigned long long)s->offset);
    return 0;
}

int probes_define(const struct perf_machine *m, const struct event_spec *s, struct perf_target *t,
                  struct err *e)
{
    bool at_return = s->kind == EVENT_KRETPROBE || s->kind == EVENT_URETPROBE;
    char place[EVENT_TARGET_MAX + 32], name[64], line[LINE_BYTES];
    long id;

    if (describe_place(s, t, place, sizeof(place), e) < 0)
        return -1;
    /* The time: another pid namespace may have the same pid. */
    snprintf(name, sizeof(name), NAME_START "%d_%llx", (int)getpid(), (unsigned long long)clock_mono_ns());
    snprintf(line, sizeof(line), "%c:" GROUP "/%s %s\n", at_return ? 'r' : 'p', name, place);
    if (write_line(m, lists[in_file(s) ? 0 : 1], line, e) < 0)
        return -1;
    id = tracefs_id(m, GROUP, name, e);
    if (id < 0)
        return -1;
    *t = (struct perf_target){.type = PERF_TYPE_TRACEPOINT, .config = (uint64_t)id};
    return 0;
}

/* ---- taking them back ---- */

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/*
 * "p:ringside/ofPID_TIME PLACE" to "-:ringside/ofPID_TIME\n", with PID in *owner; false when it is neither
 * pid's nor of a process that is gone.
 */
static bool removal_of(const char *definition, pid_t pid, pid_t *owner, char *out, size_t bytes)
{
    static const char start[] = ":" GROUP "/" NAME_START;
    const char *colon = strchr(definition, ':');
    size_t n;

    if (!colon || strncmp(colon, start, sizeof(start) - 1) != 0)
        return false;
    *owner = (pid_t)strtol(colon + sizeof(start) - 1, NULL, 10);
    if (*owner <= 0 || (*owner != pid && !is_gone(*owner)))
        return false;
    n = strcspn(colon, " \t\n");
    if (n + 3 > bytes)
        return false;
    snprintf(out, bytes, "-%.*s\n", (int)n, colon);
    return true;
}

static char *read_list(const struct perf_machine *m, const char *list)
{
    CLOSE_FD int fd = open_list(m, list, O_RDONLY);
    struct buf text;
    char piece[4096];
    ssize_t n;

    buf_init(&text, DEFINITIONS_MAX);
    while (fd >= 0 && (n = read(fd, piece, sizeof(piece))) > 0)
        buf_add(&text, piece, (size_t)n);
    buf_add(&text, "", 1);
    return (char *)text.data;
}

/* True when one of pid's is still in use; one of another's may be in use in another pid namespace. */
static bool remove_of(const struct perf_machine *m, const char *list, pid_t pid)
{
    FREE_PTR char *text = read_list(m, list);
    char line[LINE_BYTES], *rest = text;
    bool busy = false;

    for (char *definition; (definition = strsep(&rest, "\n"));) {
        struct err e = {0};
        pid_t owner;

        if (removal_of(definition, pid, &owner, line, sizeof(line)) && write_line(m, list, line, &e) < 0)
            busy |= e.code == EBUSY && owner == pid;
    }
    return busy;
}

void perf_remove_probes(const struct perf_machine *m, pid_t pid, bool wait)
{
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        int tries = wait ? REMOVE_TRIES : 0;

        while (remove_of(m, lists[i], pid) && tries-- > 0)
            nanosleep(&(struct timespec){.tv_nsec = REMOVE_PAUSE_NS}, NULL);
        if (wait && tries < 0)
            log_warn(perf, "%s: probes of this run stay on the kernel's list, since something uses them",
                     lists[i]);
    }
}
