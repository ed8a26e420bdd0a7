/*
 * place.c - what /proc, /sys and /run tell about this process and its kernel
 */
#include "ringside/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ringside/base.h"

#include "files.h"

/* include/linux/proc_ns.h, PROC_USER_INIT_INO: the first user namespace has this inode in every kernel. */
#define FIRST_USER_NAMESPACE "user:[4026531837]"

#define STATUS_MAX 8192

/* ---- files under a root ---- */

static bool full_path(const char *root, const char *path, char *out, size_t max)
{
    int n = snprintf(out, max, "%s%s", root, path);

    return n > 0 && (size_t)n < max;
}

long place_read(const char *root, const char *path, char *out, size_t max)
{
    char full[PATH_MAX];
    long n = -1;

    out[0] = '\0';
    if (full_path(root, path, full, sizeof(full)))
        n = read_small_file(AT_FDCWD, full, out, max, NULL);
    if (n < 0)
        out[0] = '\0';
    return n;
}

bool place_has(const char *root, const char *path)
{
    char full[PATH_MAX];

    return full_path(root, path, full, sizeof(full)) && access(full, F_OK) == 0;
}

bool place_link(const char *root, const char *path, char *out, size_t max)
{
    char full[PATH_MAX];
    ssize_t n = full_path(root, path, full, sizeof(full)) ? readlink(full, out, max - 1) : -1;

    out[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

static long number(const char *root, const char *path)
{
    char text[32], *end;
    long value;

    if (place_read(root, path, text, sizeof(text)) <= 0)
        return PLACE_UNKNOWN;
    errno = 0;
    value = strtol(text, &end, 10);
    return end == text || errno ? PLACE_UNKNOWN : value;
}

/* The first line, without what a terminal would take for more than text. */
static void line(const char *root, const char *path, char *out, size_t max)
{
    place_read(root, path, out, max);
    out[strcspn(out, "\n")] = '\0';
    utf8_clean(out);
}

/* ---- the process ---- */

/* What stands behind "NAME:" in /proc/PID/status; NULL. */
static const char *field(const char *status, const char *name)
{
    size_t n = strlen(name);

    while (strncmp(status, name, n) != 0 || status[n] != ':') {
        status = strchr(status, '\n');
        if (!status)
            return NULL;
        status++;
    }
    return status + n + 1;
}

static uint64_t hex_field(const char *status, const char *name)
{
    const char *at = field(status, name);

    return at ? strtoull(at, NULL, 16) : 0;
}

/* Without /proc: what the kernel tells a process of itself. */
static void ask_about_process(struct place *p)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    p->seccomp = prctl(PR_GET_SECCOMP);
    p->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    p->caps_known = syscall(SYS_capget, &header, data) == 0;
    if (p->caps_known)
        p->caps = data[0].effective | (uint64_t)data[1].effective << 32;
}

static void look_at_status(struct place *p)
{
    char status[STATUS_MAX];
    const char *at;

    p->seccomp = -1;
    if (place_read(p->root, "/proc/self/status", status, sizeof(status)) <= 0) {
        if (!p->root[0])
            ask_about_process(p);
        return;
    }
    p->caps_known = field(status, "CapEff") != NULL;
    p->caps = hex_field(status, "CapEff");
    p->caps_bounding = hex_field(status, "CapBnd");
    at = field(status, "Seccomp");
    if (at)
        p->seccomp = atoi(at);
    at = field(status, "NoNewPrivs");
    p->no_new_privs = at && atoi(at);
}

static void look_at_namespace(struct place *p)
{
    unsigned inside = 1, outside = 1, count = 0;
    char text[64];

    if (place_link(p->root, "/proc/self/ns/user", text, sizeof(text)))
        p->user_namespace = strcmp(text, FIRST_USER_NAMESPACE) != 0;
    else if (place_read(p->root, "/proc/self/uid_map", text, sizeof(text)) > 0)
        p->user_namespace = sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside || outside ||
                            count != UINT32_MAX;
}

/* ---- the kernel ---- */

static void look_at_kernel(struct place *p)
{
    unsigned major, minor;

    line(p->root, "/proc/sys/kernel/osrelease", p->kernel, sizeof(p->kernel));
    if (!p->kernel[0]) { /* "Linux version 6.1.0-18-amd64 (...) ..." */
        char text[128];

        line(p->root, "/proc/version", text, sizeof(text));
        if (sscanf(text, "Linux version %95s", p->kernel) != 1)
            p->kernel[0] = '\0';
    }
    if (sscanf(p->kernel, "%u.%u", &major, &minor) == 2)
        p->kernel_version = PLACE_KERNEL(major, minor);
    p->proc = place_has(p->root, "/proc/self/status");
    p->proc_sys = place_has(p->root, "/proc/sys/kernel/osrelease");
    /* The file is the official sign (perf_event_open(2), NOTES). */
    p->perf = place_has(p->root, "/proc/sys/kernel/perf_event_paranoid") ||
              place_has(p->root, "/sys/bus/event_source/devices/software");
}

static void look_at_settings(struct place *p)
{
    p->paranoid = number(p->root, "/proc/sys/kernel/perf_event_paranoid");
    p->mlock_kb = number(p->root, "/proc/sys/kernel/perf_event_mlock_kb");
    p->max_stack = number(p->root, "/proc/sys/kernel/perf_event_max_stack");
    p->max_sample_rate = number(p->root, "/proc/sys/kernel/perf_event_max_sample_rate");
    p->cpu_time_max_percent = number(p->root, "/proc/sys/kernel/perf_cpu_time_max_percent");
    p->kptr_restrict = number(p->root, "/proc/sys/kernel/kptr_restrict");
    p->ptrace_scope = number(p->root, "/proc/sys/kernel/yama/ptrace_scope");
}

/* "none [integrity] confidentiality" */
static void look_at_lockdown(struct place *p)
{
    char text[64], *from, *to;

    p->lockdown[0] = '\0';
    line(p->root, "/sys/kernel/security/lockdown", text, sizeof(text));
    from = strchr(text, '[');
    to = from ? strchr(from, ']') : NULL;
    if (to)
        snprintf(p->lockdown, sizeof(p->lockdown), "%.*s", (int)(to - from - 1), from + 1);
}

static void look_at_modules(struct place *p)
{
    long enforcing = number(p->root, "/sys/fs/selinux/enforce");

    line(p->root, "/sys/kernel/security/lsm", p->lsm, sizeof(p->lsm));
    p->selinux = enforcing == PLACE_UNKNOWN ? -1 : enforcing != 0;
    line(p->root, "/proc/self/attr/apparmor/current", p->label, sizeof(p->label));
    if (!p->label[0])
        line(p->root, "/proc/self/attr/current", p->label, sizeof(p->label));
    /* In a container the switch is often out of sight; the label has four parts with SELinux only. */
    if (p->selinux < 0 && (strstr(p->lsm, "selinux") || strstr(p->label, ":s0")))
        p->selinux = 1;
    look_at_lockdown(p);
}

void place_look(const char *root, struct place *out)
{
    *out = (struct place){.root = root};
    look_at_kernel(out);
    look_at_status(out);
    look_at_namespace(out);
    place_link(root, "/proc/self/exe", out->program, sizeof(out->program));
    look_at_settings(out);
    look_at_modules(out);
    place_look_at_runtime(out);
}

bool place_is_capable(const struct place *p, enum place_capability c)
{
    return !p->user_namespace && (p->caps >> c & 1);
}

bool place_is_perfmon_capable(const struct place *p)
{
    return place_is_capable(p, PLACE_CAP_PERFMON) || place_is_capable(p, PLACE_CAP_SYS_ADMIN);
}
