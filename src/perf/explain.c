/*
 * explain.c - why the kernel said no, in words, with the value that decided and the remedy
 */
#include "ringside/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "ringside/base.h"

static int seccomp_mode(void)
{
    char status[4096];
    const char *line;

    if (read_small_file(AT_FDCWD, "/proc/self/status", status, sizeof(status), NULL) < 0)
        return 0;
    line = strstr(status, "\nSeccomp:\t");
    return line ? line[10] - '0' : 0;
}

static void explain_denied(int code, struct err *e)
{
    long paranoid = read_number_file("/proc/sys/kernel/perf_event_paranoid", -2);

    if (paranoid > 2)
        err_set(e, 0,
                "perf_event_open: %s: kernel.perf_event_paranoid is %ld; set it to 2 (sysctl "
                "kernel.perf_event_paranoid=2) or grant CAP_PERFMON",
                strerror(code), paranoid);
    else if (seccomp_mode() == 2)
        err_set(
            e, 0,
            "perf_event_open: %s: a seccomp filter denies it (a container runtime's default profile does); "
            "allow perf_event_open in the profile or add CAP_PERFMON (docker run --cap-add PERFMON)",
            strerror(code));
    else
        err_set(e, 0,
                "perf_event_open: %s with kernel.perf_event_paranoid %ld: a security module or a missing "
                "capability; "
                "grant CAP_PERFMON",
                strerror(code), paranoid);
}

static void explain_memory_lock(struct err *e)
{
    struct rlimit limit = {0};

    getrlimit(RLIMIT_MEMLOCK, &limit);
    err_set(e, 0,
            "cannot map a ring: the locked-memory limit is used up (kernel.perf_event_mlock_kb %ld per CPU "
            "and user, "
            "ulimit -l %llu KiB); raise either",
            read_number_file("/proc/sys/kernel/perf_event_mlock_kb", -1),
            (unsigned long long)limit.rlim_cur >> 10);
}

void perf_explain(int code, struct err *e)
{
    switch (code) {
    case EACCES:
    case EPERM:
        explain_denied(code, e);
        break;
    case ENOSYS:
        err_set(e, 0,
                seccomp_mode() == 2
                    ? "perf_event_open: %s: a seccomp filter hides it (container runtime?); allow "
                      "perf_event_open in its profile"
                    : "perf_event_open: %s: this kernel is built without perf events",
                strerror(code));
        break;
    case EMFILE:
    case ENFILE:
        err_set(e, 0, "perf_event_open: %s: one descriptor per CPU is needed; raise ulimit -n",
                strerror(code));
        break;
    case ENOMEM:
        explain_memory_lock(e);
        break;
    default:
        err_set(e, code, "perf_event_open");
    }
    if (e)
        e->code = code;
}
