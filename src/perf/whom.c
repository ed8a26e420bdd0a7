/*
 * whom.c - see whom.h
 */
#include "whom.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/perf.h"
#include "ringside/place.h"

#define IS_KERNEL_THREAD 0x00200000UL /* include/linux/sched.h, PF_KTHREAD */

/* ---- what /proc says ---- */

/* A number of /proc/PID/status; -1 when it cannot be read. */
static long status_number(pid_t pid, const char *name)
{
    char path[64], text[4096], key[32];
    const char *line;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    if (read_small_file(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
        return -1;
    snprintf(key, sizeof(key), "\n%s:\t", name);
    line = strstr(text, key);
    return line ? strtol(line + strlen(key), NULL, 10) : -1;
}

/* State and flags (proc_pid_stat(5), fields 3 and 9), which follow a name that may hold anything. */
static int read_state(pid_t pid, char *state, unsigned long *flags, struct err *e)
{
    char path[64], text[1024];
    const char *end;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_small_file(AT_FDCWD, path, text, sizeof(text), e) < 0)
        return -1;
    end = strrchr(text, ')');
    if (!end || sscanf(end + 1, " %c %*d %*d %*d %*d %*d %lu", state, flags) != 2)
        return err_set(e, 0, "%s makes no sense", path);
    return 0;
}

/* ---- is there something to attach to ---- */

static int no_such(pid_t pid, struct err *e)
{
    long process = status_number(pid, "Tgid");

    if (process > 0 && process != pid)
        return err_set(e, 0, "process %d: it is a thread of process %ld", (int)pid, process);
    return err_set(e, ESRCH, "process %d", (int)pid);
}

int whom_open(pid_t pid, int *pidfd, struct err *e)
{
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd >= 0)
        return 0;
    /* EINVAL: a thread that leads no process; ENOENT says the same from Linux 6.9 on. */
    if (errno == ESRCH || errno == EINVAL || errno == ENOENT)
        return no_such(pid, e);
    if (errno == EMFILE || errno == ENFILE)
        return err_set(e, errno, "process %d", (int)pid);
    /* Before Linux 5.3, or a seccomp filter does not know it. */
    return kill(pid, 0) < 0 && errno == ESRCH ? no_such(pid, e) : 0;
}

static bool has_ended(int pidfd, char state)
{
    struct pollfd ready = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0)
        return state == 'Z' || state == 'X';
    return poll(&ready, 1, 0) > 0;
}

int whom_check(pid_t pid, int pidfd, struct err *e)
{
    unsigned long flags = 0;
    char state = '?';
    struct err why = {0};

    if (pid == getpid())
        return err_set(e, 0, "process %d: it is this profiler", (int)pid);
    if (read_state(pid, &state, &flags, &why) < 0) {
        if (why.code == ENOENT || why.code == ESRCH)
            return err_set(e, 0,
                           "process %d: /proc does not show it: it has just ended, or /proc is mounted with "
                           "hidepid and it is another user's",
                           (int)pid);
        return err_set(e, 0, "process %d: %s", (int)pid, why.text);
    }
    if (flags & IS_KERNEL_THREAD)
        return err_set(e, 0, "process %d: it is a kernel thread, which runs no program; --global shows it",
                       (int)pid);
    if (has_ended(pidfd, state))
        return err_set(e, 0, "process %d: it has ended, and waits for its parent (a zombie)", (int)pid);
    return 0;
}

/* ---- why not ---- */

static int not_permitted(pid_t pid, int code, struct err *e)
{
    static const char remedy[] = "run ringside as root, or with CAP_SYS_PTRACE and CAP_PERFMON";
    long owner = status_number(pid, "Uid");

    if (owner == (long)getuid())
        err_set(
            e, 0,
            "process %d: %s: it is yours, but closed to others (its program is not readable, has more rights "
            "than you, or asked for it); %s",
            (int)pid, strerror(code), remedy);
    else if (owner < 0)
        err_set(e, 0, "process %d: %s: it is another user's; %s", (int)pid, strerror(code), remedy);
    else
        err_set(e, 0, "process %d: %s: it is user %ld's; be that user, or %s", (int)pid, strerror(code),
                owner, remedy);
    if (e)
        e->code = code;
    return -1;
}

int whom_explain(pid_t pid, int code, struct err *e)
{
    switch (code) {
    case ESRCH:
    case ENOENT:
        return err_set(e, 0, "process %d: it ended meanwhile", (int)pid);
    case EACCES:
    case EPERM:
        return not_permitted(pid, code, e);
    case EMFILE:
    case ENFILE:
        return err_set(e, code,
                       "process %d: each of its threads takes a descriptor for every event and CPU; raise "
                       "ulimit -Hn",
                       (int)pid);
    default:
        return err_set(e, code, "process %d: perf_event_open", (int)pid);
    }
}

void whom_explain_host(const char *event, int code, struct err *e)
{
    struct perf_answers answers;
    struct place_remedy remedy[PLACE_REMEDIES_MAX];
    struct place here;

    place_look("", &here);
    if ((code != EACCES && code != EPERM) ||
        perf_find_cause(perf_this_machine(), &here, &answers) != PERF_CAUSE_NONE) {
        perf_explain(code, e);
        err_wrap(e, "event %s", event);
        return;
    }
    if (!place_remedies(&here, PLACE_NEED_HOST, remedy))
        remedy[0] = (struct place_remedy){.where = "root", .text = "CAP_PERFMON"};
    err_set(e, 0,
            "event %s: %s: all processes are shown to CAP_PERFMON only, or where kernel.perf_event_paranoid "
            "is 0 or lower%s; %s: %s",
            event, strerror(code),
            here.user_namespace ? " (a user namespace's capabilities do not count)" : "", remedy[0].where,
            remedy[0].text);
    if (e)
        e->code = code;
}
