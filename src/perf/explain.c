/*
 * explain.c - why the kernel said no, in words, with the value that decided and the remedy
 */
#include "ringside/perf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/place.h"

#include "explain.h"

static void number_text(long number, char *out, size_t max)
{
    if (number == PLACE_UNKNOWN)
        snprintf(out, max, "unknown");
    else
        snprintf(out, max, "%ld", number);
}

/* Adds what is to be done, as far as there is room. */
static void add_remedy(const struct place *p, enum place_need need, struct err *e)
{
    struct place_remedy remedy[PLACE_REMEDIES_MAX];
    size_t n = place_remedies(p, need, remedy), length;

    if (!e)
        return;
    for (size_t i = 0; i < n && i < 2; i++) {
        length = strlen(e->text);
        if (length + strlen(remedy[i].where) + strlen(remedy[i].text) + sizeof("; or : ") > sizeof(e->text))
            return;
        snprintf(e->text + length, sizeof(e->text) - length, "%s%s: %s", i ? "; or " : "; ", remedy[i].where,
                 remedy[i].text);
    }
}

static const char *default_profile(const struct place *p)
{
    switch (p->runtime) {
    case PLACE_DOCKER:
        return " (Docker's default profile does)";
    case PLACE_PODMAN:
        return " (Podman's default profile does)";
    default:
        return p->runtime == PLACE_HOST && !p->kubernetes ? ""
                                                          : " (a container runtime's default profile does)";
    }
}

static void explain_paranoid(const struct place *p, int code, struct err *e)
{
    if (p->paranoid == PLACE_UNKNOWN)
        err_set(
            e, 0,
            "perf_event_open: %s: the kernel refuses ordinary users any event, as distributions' kernels do "
            "where kernel.perf_event_paranoid is above 2 (its value cannot be read here)",
            strerror(code));
    else
        err_set(e, 0,
                "perf_event_open: %s: kernel.perf_event_paranoid is %ld, where this kernel refuses ordinary "
                "users any event",
                strerror(code), p->paranoid);
    add_remedy(p, PLACE_NEED_EVENTS, e);
}

static void explain_module(const struct place *p, int code, struct err *e)
{
    const char *which = p->selinux == 1 ? "SELinux is enforcing"
                        : p->lsm[0]     ? p->lsm
                                        : "which one is not shown";

    if (p->selinux != 1 && strcmp(p->lockdown, "confidentiality") == 0)
        which = "the kernel is locked down to confidentiality";
    err_set(e, 0, "perf_event_open: %s: a security module denies it (%s%s%s%s)", strerror(code), which,
            p->label[0] ? ", this process is " : "", p->label, p->selinux == 1 ? ", class perf_event" : "");
    if (p->selinux == 1)
        add_remedy(p, PLACE_NEED_LABEL, e);
}

/* Events in general are permitted, this one is not: it asks for more. */
static void explain_more(const struct place *p, int code, struct err *e)
{
    char paranoid[32];

    if (place_is_perfmon_capable(p)) { /* which lets through all that the kernel itself asks for */
        explain_module(p, code, e);
        return;
    }
    number_text(p->paranoid, paranoid, sizeof(paranoid));
    err_set(e, 0,
            "perf_event_open: %s: it takes more than kernel.perf_event_paranoid %s permits without CAP_%s%s",
            strerror(code), paranoid,
            p->kernel_version && p->kernel_version < PLACE_KERNEL(5, 8) ? "SYS_ADMIN" : "PERFMON",
            p->user_namespace ? " (capabilities of this user namespace do not count)" : "");
    add_remedy(p, PLACE_NEED_KERNEL, e);
}

static void explain_files(int code, struct err *e)
{
    err_set(e, 0, "perf_event_open: %s: one descriptor per CPU is needed; raise ulimit -n", strerror(code));
}

void perf_explain_cause(enum perf_cause cause, const struct place *p, int code, struct err *e)
{
    switch (cause) {
    case PERF_CAUSE_NONE:
        explain_more(p, code, e);
        break;
    case PERF_CAUSE_ABSENT:
        err_set(e, 0, "perf_event_open: %s: this kernel is built without perf events", strerror(code));
        break;
    case PERF_CAUSE_SANDBOX:
        err_set(e, 0, "perf_event_open: %s: %s has no perf events", strerror(code),
                p->runtime == PLACE_HOST ? "what runs here in Linux's place" : place_name(p));
        break;
    case PERF_CAUSE_FILTER:
        err_set(e, 0, "perf_event_open: %s: a seccomp filter denies it%s", strerror(code),
                default_profile(p));
        add_remedy(p, PLACE_NEED_CALL, e);
        break;
    case PERF_CAUSE_PARANOID:
        explain_paranoid(p, code, e);
        break;
    case PERF_CAUSE_MODULE:
        explain_module(p, code, e);
        break;
    case PERF_CAUSE_FILES:
        explain_files(code, e);
        break;
    case PERF_CAUSE_UNKNOWN:
        err_set(e, code, "perf_event_open");
        break;
    }
    if (e)
        e->code = code;
}

static void explain_memory_lock(const struct place *p, struct err *e)
{
    struct rlimit limit = {0};
    char per_cpu[32], own[32] = "unlimited";

    getrlimit(RLIMIT_MEMLOCK, &limit);
    number_text(p->mlock_kb, per_cpu, sizeof(per_cpu));
    if (limit.rlim_cur != RLIM_INFINITY)
        snprintf(own, sizeof(own), "%llu", (unsigned long long)limit.rlim_cur >> 10);
    err_set(
        e, 0,
        "cannot map a ring: the locked-memory limit is used up (kernel.perf_event_mlock_kb %s times %ld CPUs "
        "for all processes of a user, ulimit -l %s KiB beyond that)",
        per_cpu, sysconf(_SC_NPROCESSORS_ONLN), own);
    add_remedy(p, PLACE_NEED_MEMORY, e);
}

/* These are not about what is permitted. A filter may answer with any other. */
static bool may_be_general(int code)
{
    return code != EMFILE && code != ENFILE && code != ENOMEM && code != EOVERFLOW;
}

static bool is_general(enum perf_cause cause)
{
    return cause != PERF_CAUSE_NONE && cause != PERF_CAUSE_UNKNOWN;
}

bool explain_refusal_of_all(int code, struct err *e)
{
    struct perf_answers answers;
    enum perf_cause cause;
    struct place here;

    if (!may_be_general(code))
        return false;
    place_look("", &here);
    cause = perf_find_cause(perf_this_machine(), &here, &answers);
    if (is_general(cause))
        perf_explain_cause(cause, &here, code, e);
    return is_general(cause);
}

/* A ring for kernel frames that is deeper than allowed (kernel/events/callchain.c, get_callchain_buffers). */
static void explain_depth(int code, struct err *e)
{
    err_set(e, code,
            "perf_event_open: kernel.perf_event_max_stack is %ld, less than is asked for; set it to 127, its "
            "default",
            read_number_file("/proc/sys/kernel/perf_event_max_stack", -1));
}

void perf_explain(int code, struct err *e)
{
    struct place here;

    if (explain_refusal_of_all(code, e))
        return;
    place_look("", &here);
    if (code == EACCES || code == EPERM)
        explain_more(&here, code, e);
    else if (code == EMFILE || code == ENFILE)
        explain_files(code, e);
    else if (code == ENOMEM)
        explain_memory_lock(&here, e);
    else if (code == EOVERFLOW)
        explain_depth(code, e);
    else
        err_set(e, code, "perf_event_open");
    if (e)
        e->code = code;
}
