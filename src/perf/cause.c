/*
 * cause.c - who it is that says no: the kernel, a seccomp filter in its place, or a security module
 *
 * All answer with the same few errnos, so the errno of a refused event tells nothing. What tells is at which
 * of its steps the call ends (kernel/events/core.c, SYSCALL_DEFINE5(perf_event_open)):
 *
 * 1. seccomp, before the kernel's own code has a look; filters go by the number of the call.
 * 2. flags that do not exist: EINVAL. Nobody's leave is asked before that.
 * 3. Debian's and Ubuntu's patch: perf_event_paranoid above 2 (newer Ubuntu: 3) takes CAP_SYS_ADMIN, EACCES.
 * 4. From 5.5 to 6.1 security modules here.
 * 5. perf_copy_attr(): no attributes are EFAULT.
 * 6. From 6.2 on security modules here (backported to 5.15 and 6.1).
 * 7. perf_event_paranoid of the kernel as it is, by what the event asks for.
 */
#include "ringside/perf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/place.h"

#define NO_SUCH_FLAGS (~0UL)

static int ask(const struct perf_machine *m, const struct perf_event_attr *attr, unsigned long flags)
{
    int fd = m->call(m->ctx, attr, 0, -1, flags);

    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

static int ask_for_own(const struct perf_machine *m)
{
    const struct perf_event_attr attr = {
        .size = sizeof(attr),
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = NSEC_PER_SEC,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };

    return ask(m, &attr, PERF_FLAG_FD_CLOEXEC);
}

/* No step of the kernel's answers so to flags that do not exist. */
static enum perf_cause before_kernel(const struct place *p, int code)
{
    bool filter = p->perf || p->seccomp == 2;

    if (p->runtime == PLACE_GVISOR)
        return PERF_CAUSE_SANDBOX;
    if (!filter && (code == ENODEV || (p->runtime == PLACE_WSL && code == ENOSYS)))
        return PERF_CAUSE_SANDBOX; /* gVisor's answer, and that of WSL 1 */
    if (!filter && code == ENOSYS)
        return PERF_CAUSE_ABSENT;
    return PERF_CAUSE_FILTER;
}

static bool is_denied(int code)
{
    return code == EACCES || code == EPERM;
}

/* The call ended before the attributes were read. Both may be the case; the number decides where it is known.
 */
static enum perf_cause before_attr(const struct place *p)
{
    if (p->paranoid != PLACE_UNKNOWN)
        return p->paranoid > 2 ? PERF_CAUSE_PARANOID : PERF_CAUSE_MODULE;
    return p->selinux == 1 ? PERF_CAUSE_MODULE : PERF_CAUSE_PARANOID;
}

enum perf_cause perf_find_cause(const struct perf_machine *m, const struct place *p, struct perf_answers *out)
{
    out->flags = ask(m, NULL, NO_SUCH_FLAGS);
    out->attr = ask(m, NULL, PERF_FLAG_FD_CLOEXEC);
    out->own = ask_for_own(m);
    if (out->own == 0)
        return PERF_CAUSE_NONE;
    if (out->own == EMFILE || out->own == ENFILE)
        return PERF_CAUSE_FILES;
    if (out->flags != EINVAL)
        return before_kernel(p, out->flags);
    if (is_denied(out->attr))
        return before_attr(p);
    if (out->attr != EFAULT)
        return PERF_CAUSE_FILTER; /* one that says EINVAL to everything */
    /* User mode of oneself takes nothing at any perf_event_paranoid that the kernel as it is knows. */
    return is_denied(out->own) ? PERF_CAUSE_MODULE : PERF_CAUSE_UNKNOWN;
}
