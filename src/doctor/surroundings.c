/*
 * surroundings.c - the kernel, the container, what this process may, and what security modules say
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static void examine_kernel_version(struct report *r)
{
    static const struct {
        unsigned since;
        const char *what;
    } features[] = {
        {PLACE_KERNEL(5, 8), "CAP_PERFMON (5.8)"},
        {PLACE_KERNEL(5, 12), "build ids with mappings (5.12)"},
        {PLACE_KERNEL(5, 13), "events that end at exec (5.13)"},
        {PLACE_KERNEL(6, 0), "lost samples of each event (6.0)"},
        {PLACE_KERNEL(6, 13), "exact time of each ended task with several events (6.13)"},
    };
    struct finding *f = finding_add(r, "kernel", "kernel", AFFECTS_RUN);
    unsigned version = r->place.kernel_version;
    const char *divider = ", which lacks ";

    finding_text(f, "release", r->place.kernel);
    finding_say(f, "Linux %s", r->place.kernel[0] ? r->place.kernel : "of unknown version");
    for (size_t i = 0; version && i < ARRAY_LEN(features); i++)
        if (version < features[i].since) {
            finding_say(f, "%s%s", divider, features[i].what);
            divider = ", ";
        }
    if (version && version < PLACE_KERNEL(5, 4))
        finding_set(f, STATE_LIMITED, "Kernels before 5.4 were never tried.");
}

static void examine_container(struct report *r)
{
    struct finding *f = finding_add(r, "place", "place", AFFECTS_RUN);
    const struct place *p = &r->place;

    finding_say(f, "%s", place_name(p));
    if (p->kubernetes && p->runtime != PLACE_CONTAINER && p->runtime != PLACE_HOST)
        finding_say(f, " (%s)", place_runtime_word(p));
    if (p->user_namespace)
        finding_say(f, ", user namespace of its own (capabilities in it do not count for events)");
    finding_say(f, ", user %u, %u of %u CPUs", r->machine->user, r->machine->cpus_allowed,
                r->machine->cpus_online);
    finding_text(f, "runtime", place_runtime_word(p));
    finding_flag(f, "kubernetes", p->kubernetes);
    finding_flag(f, "user_namespace", p->user_namespace);
    finding_number(f, "user", r->machine->user);
    finding_number(f, "cpus_allowed", r->machine->cpus_allowed);
    finding_number(f, "cpus_online", r->machine->cpus_online);
}

static void examine_privilege(struct report *r)
{
    static const struct {
        enum place_capability value;
        const char *name;
    } known[] = {{PLACE_CAP_PERFMON, "CAP_PERFMON"},       {PLACE_CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                 {PLACE_CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}, {PLACE_CAP_SYSLOG, "CAP_SYSLOG"},
                 {PLACE_CAP_IPC_LOCK, "CAP_IPC_LOCK"},     {PLACE_CAP_SETPCAP, "CAP_SETPCAP"}};
    struct finding *f = finding_add(r, "privilege", "capabilities", AFFECTS_RUN);
    const struct place *p = &r->place;
    bool any = false;

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        bool held = p->caps >> known[i].value & 1;

        finding_flag(f, known[i].name, held);
        if (held)
            finding_say(f, "%s%s", any ? ", " : "", known[i].name);
        any |= held;
    }
    if (!any)
        finding_say(f, "%s", p->caps_known ? "none that matters" : "not known (/proc cannot be read)");
    if (any && p->user_namespace)
        finding_say(f, "; of the user namespace, where they do not count");
    if (p->no_new_privs)
        finding_say(f, "; no_new_privs is set, so none comes by exec");
    finding_flag(f, "no_new_privs", p->no_new_privs);
    finding_number(f, "seccomp_mode", p->seccomp < 0 ? PLACE_UNKNOWN : p->seccomp);
}

static void examine_modules(struct report *r)
{
    static const char *const selinux[] = {"none", "permissive", "enforcing"};
    struct finding *f = finding_add(r, "security-modules", "security modules", AFFECTS_EVENTS);
    const struct place *p = &r->place;

    finding_text(f, "lsm", p->lsm);
    finding_text(f, "selinux", selinux[p->selinux + 1]);
    finding_flag(f, "selinux_perf_event", report_has(r, "/sys/fs/selinux/class/perf_event"));
    finding_text(f, "label", p->label);
    finding_text(f, "lockdown", p->lockdown);
    finding_say(f, "%s", p->lsm[0] ? p->lsm : "list not shown here");
    if (p->selinux >= 0)
        finding_say(f, "; SELinux is %s", selinux[p->selinux + 1]);
    if (p->label[0])
        finding_say(f, "; this process is %s", p->label);
    if (p->lockdown[0])
        finding_say(f, "; lockdown: %s", p->lockdown);
    if (strcmp(p->lockdown, "confidentiality") == 0)
        finding_set(f, STATE_LIMITED,
                    "Kernel lockdown to confidentiality closes tracefs and probes, for root too. Only a boot "
                    "without it (lockdown=integrity) gives them back.");
}

static void examine_ptrace(struct report *r)
{
    struct finding *f = finding_add(r, "ptrace", "memory of other processes", AFFECTS_ATTACH);
    long scope = r->place.ptrace_scope;

    finding_number(f, "ptrace_scope", scope);
    if (scope == PLACE_UNKNOWN || scope == 0) {
        finding_say(f, "those of this user (no Yama restriction)");
        return;
    }
    finding_say(f, "kernel.yama.ptrace_scope is %ld", scope);
    if (place_is_capable(&r->place, PLACE_CAP_SYS_PTRACE) && scope < 3)
        finding_say(f, ", which CAP_SYS_PTRACE overrides");
    else
        finding_say(f, ": programs that were deleted while they run may stay without names");
}

static void examine_proc(struct report *r)
{
    struct finding *f = finding_add(r, "proc", "/proc", AFFECTS_RUN);
    char mounts[16384];
    const char *line, *end;
    bool hidden = false;

    finding_flag(f, "proc", r->place.proc);
    finding_flag(f, "proc_sys", r->place.proc_sys);
    if (!r->place.proc) {
        finding_say(f, "not mounted");
        finding_set(f, STATE_LIMITED,
                    "Programs that run already, threads' names and containers are not known.");
        return;
    }
    report_read(r, "/proc/self/mounts", mounts, sizeof(mounts));
    for (line = mounts; (line = strstr(line, " /proc proc ")); line = end) {
        end = line + strcspn(line, "\n");
        hidden |= memmem(line, (size_t)(end - line), "hidepid=", 8) &&
                  !memmem(line, (size_t)(end - line), "hidepid=0", 9) &&
                  !memmem(line, (size_t)(end - line), "hidepid=off", 11);
    }
    finding_flag(f, "hidepid", hidden);
    finding_say(f, "readable%s%s", r->place.proc_sys ? "" : ", but not /proc/sys: settings are not known",
                hidden ? "; hidepid hides other users' processes" : "");
}

/* Behind "name" in a line of /proc/self/cgroup, as in "0::/user.slice"; "" where it is not. */
static void cgroup_path(const struct report *r, const char *name, char *out, size_t max)
{
    char text[4096], *at;

    out[0] = '\0';
    report_read(r, "/proc/self/cgroup", text, sizeof(text));
    at = strstr(text, name);
    if (!at)
        return;
    at += strlen(name);
    at[strcspn(at, "\n")] = '\0';
    if (at[1]) /* "/" is what the mount point shows itself */
        snprintf(out, max, "%s", at);
}

/* 0: none. "max" reads as 0; v1 says it with a number near 2^63. */
static unsigned long long limit_in(const struct report *r, const char *mount, const char *group,
                                   const char *file)
{
    char path[PATH_MAX], text[64];
    unsigned long long bytes;
    int n = snprintf(path, sizeof(path), "%s%s%s", mount, group, file);

    if (n < 0 || (size_t)n >= sizeof(path) || !report_read(r, path, text, sizeof(text)))
        return 0;
    bytes = strtoull(text, NULL, 10);
    return bytes < 1ULL << 60 ? bytes : 0;
}

/* The lower of what is seen at the top (in a container: its own) and of the process's own group. */
static unsigned long long memory_limit(const struct report *r)
{
    char v2[1024], v1[1024];
    unsigned long long found[4], lowest = 0;

    cgroup_path(r, "0::", v2, sizeof(v2));
    cgroup_path(r, ":memory:", v1, sizeof(v1));
    found[0] = limit_in(r, "/sys/fs/cgroup", "", "/memory.max");
    found[1] = limit_in(r, "/sys/fs/cgroup", v2, "/memory.max");
    found[2] = limit_in(r, "/sys/fs/cgroup/memory", "", "/memory.limit_in_bytes");
    found[3] = limit_in(r, "/sys/fs/cgroup/memory", v1, "/memory.limit_in_bytes");
    for (size_t i = 0; i < ARRAY_LEN(found); i++)
        if (found[i] && (!lowest || found[i] < lowest))
            lowest = found[i];
    return lowest;
}

static void examine_cgroup(struct report *r)
{
    unsigned long long bytes = memory_limit(r);
    struct finding *f;

    if (!bytes)
        return;
    f = finding_add(r, "memory-limit", "memory limit", AFFECTS_RUN);
    finding_say(f, "%llu MiB for everything in this cgroup", bytes >> 20);
    finding_number(f, "bytes", (long)bytes);
    if (bytes < 128ULL << 20)
        finding_set(
            f, STATE_LIMITED,
            "The profiler and its rings count against it, and need 30 MB and more for large programs. Raise "
            "the limit (memory.max, docker run --memory, resources.limits.memory).");
}

void examine_surroundings(struct report *r)
{
    examine_ptrace(r);
    examine_proc(r);
    examine_modules(r);
    examine_cgroup(r);
    examine_privilege(r);
    examine_kernel_version(r);
    examine_container(r);
}
