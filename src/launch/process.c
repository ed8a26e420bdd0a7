/*
 * process.c - forking the profiler out of sight, closing what is not its own, and the final exec
 */
#include "ringside/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"

void launch_allow_files(struct rlimit *before)
{
    struct rlimit most;

    if (getrlimit(RLIMIT_NOFILE, before) < 0)
        *before = (struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    most = (struct rlimit){.rlim_cur = before->rlim_max, .rlim_max = before->rlim_max};
    if (before->rlim_cur < before->rlim_max)
        setrlimit(RLIMIT_NOFILE, &most);
}

void launch_restore_files(const struct rlimit *before)
{
    if (before->rlim_cur < before->rlim_max)
        setrlimit(RLIMIT_NOFILE, before);
}

void launch_remember(struct launch_before *b)
{
    struct rlimit files = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

    sigprocmask(SIG_SETMASK, NULL, &b->mask);
    sigaction(SIGCHLD, NULL, &b->chld);
    getrlimit(RLIMIT_NOFILE, &files);
    b->files_soft = files.rlim_cur;
    b->files_hard = files.rlim_max;
}

void launch_restore(const struct launch_before *b)
{
    const struct rlimit files = {.rlim_cur = b->files_soft, .rlim_max = b->files_hard};

    if (files.rlim_cur < files.rlim_max)
        setrlimit(RLIMIT_NOFILE, &files);
    sigaction(SIGCHLD, &b->chld, NULL);
    sigprocmask(SIG_SETMASK, &b->mask, NULL);
}

/* Reports through exit status whether the grandchild exists. */
static void fork_again_and_leave(void)
{
    pid_t pid = fork();

    if (pid != 0)
        _exit(pid < 0 ? errno & 0xff : 0);
}

int launch_fork_detached(struct launch_detached *d, struct err *e)
{
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, &d->saved_mask);
    d->go_between = fork();
    if (d->go_between == 0) {
        setsid();
        fork_again_and_leave();
        sigprocmask(SIG_SETMASK, &d->saved_mask, NULL);
        return 1;
    }
    if (d->go_between > 0)
        return 0;
    err_set(e, errno, "fork the profiler");
    sigprocmask(SIG_SETMASK, &d->saved_mask, NULL);
    return -1;
}

/* Where SIGCHLD is ignored, it wakes nobody: hence in steps. */
static pid_t collect(pid_t pid, uint32_t timeout_ms, int *status)
{
    const struct timespec step = {.tv_nsec = NSEC_PER_MSEC};
    uint64_t until_ns = clock_mono_ns() + timeout_ms * NSEC_PER_MSEC;
    sigset_t chld;
    pid_t got;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    while ((got = waitpid(pid, status, WNOHANG)) == 0 && clock_mono_ns() < until_ns)
        sigtimedwait(&chld, NULL, &step);
    if (got == 0) { /* after a machine stood still both had no time */
        sigtimedwait(&chld, NULL, &step);
        got = waitpid(pid, status, WNOHANG);
    }
    if (got != 0 && !(got < 0 && errno == EINTR))
        return got;
    kill(pid, SIGKILL);
    do {
        got = waitpid(pid, status, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

int launch_settle(struct launch_detached *d, uint32_t timeout_ms, struct err *e)
{
    sigset_t chld;
    struct timespec none = {0};
    int status = 0;
    pid_t got = collect(d->go_between, timeout_ms, &status);

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigtimedwait(&chld, NULL, &none); /* its SIGCHLD, which the caller may have had blocked all along */
    sigprocmask(SIG_SETMASK, &d->saved_mask, NULL);
    /* Where SIGCHLD is ignored the status is lost, and the socket will tell instead. */
    if (got == d->go_between && WIFEXITED(status) && WEXITSTATUS(status))
        return err_set(e, WEXITSTATUS(status), "fork the profiler");
    if (got == d->go_between && WIFSIGNALED(status))
        return err_set(e, 0, "fork the profiler: signal %d", WTERMSIG(status));
    return 0;
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* One by one, as they are listed: the limit on descriptors may be a thousand million, or lower than some that
 * are open. */
static void close_listed(unsigned first, unsigned last)
{
    DIR *list = opendir("/proc/self/fd");

    for (const struct dirent *entry; list && (entry = readdir(list));) {
        unsigned long fd = strtoul(entry->d_name, NULL, 10); /* "." and "..": 0, never asked for */

        if (fd >= first && fd <= last && (int)fd != dirfd(list))
            close((int)fd);
    }
    if (list)
        closedir(list);
}

static void close_from_to(unsigned first, unsigned last)
{
    /* Not there before Linux 5.9, and denied by older container runtimes. */
    if (first <= last && syscall(SYS_close_range, first, last, 0) < 0)
        close_listed(first, last);
}

/* Nothing can be read from it, and what is written to it is gone. */
static int open_nothing(void)
{
    int ends[2];
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    /* A root without device files: a pipe that nobody writes to; writing to its reading end fails. */
    if (fd < 0 && pipe2(ends, O_CLOEXEC) == 0) {
        close(ends[1]);
        fd = ends[0];
    }
    return fd;
}

void launch_close_others(const int *keep, uint32_t n)
{
    int sorted[64] = {0};
    int null = open_nothing();
    unsigned next =
        STDERR_FILENO + 1; /* the first three are replaced, not closed: somebody will write to them */

    n = MIN_OF(n, (uint32_t)ARRAY_LEN(sorted));
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = keep[i];
    qsort(sorted, n, sizeof(sorted[0]), compare_ints);
    for (uint32_t i = 0; i < next; i++) {
        bool kept = false;

        for (uint32_t k = 0; k < n; k++)
            kept |= sorted[k] == (int)i;
        if (!kept && null >= 0)
            dup2(null, (int)i);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (sorted[i] < (int)next)
            continue;
        close_from_to(next, (unsigned)sorted[i] - 1);
        next = (unsigned)sorted[i] + 1;
    }
    close_from_to(next, ~0U);
}

int launch_exec(char **command, struct err *e)
{
    int code;

    execvp(command[0], command);
    code = errno;
    err_set(e, code, "%s", command[0]);
    /* As POSIX shells do (XCU 2.8.2): 127 not found, 126 found but not executable. */
    return code == ENOENT || code == ENOTDIR ? 127 : 126;
}
