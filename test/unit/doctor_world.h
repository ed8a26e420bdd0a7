/*
 * doctor_world.h - machines made of files and of a kernel that answers as it is told
 */
#ifndef RINGSIDE_TEST_DOCTOR_WORLD_H
#define RINGSIDE_TEST_DOCTOR_WORLD_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/doctor.h"
#include "ringside/event.h"
#include "ringside/perf.h"
#include "ringside/place.h"

static char root[64], tracing[96], devices[96];

/* ---- files ---- */

static void under(const char *path, char *whole, size_t max)
{
    snprintf(whole, max, "%s%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0755);
        *slash = '/';
    }
}

static void put_bytes(const char *path, const char *bytes, size_t n)
{
    char whole[256];
    FILE *f;

    under(path, whole, sizeof(whole));
    f = fopen(whole, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void put(const char *path, const char *text)
{
    put_bytes(path, text, strlen(text));
}

static void put_link(const char *path, const char *to)
{
    char whole[256];

    under(path, whole, sizeof(whole));
    unlink(whole);
    assert_int_equal(symlink(to, whole), 0);
}

static void forget(const char *path)
{
    char command[300];

    snprintf(command, sizeof(command), "rm -rf '%s%s'", root, path);
    assert_int_equal(system(command), 0);
}

/* ---- the kernel ---- */

static struct {
    int filter;         /* errno of a seccomp filter */
    bool early, module; /* refuses before, after the attributes are read */
    bool kernel_denied, host_denied, other_denied, too_few; /* EMFILE */
    bool unlimited, counts_lost;
    int signal; /* that whoever asks dies of */
    uint32_t mlock_kb, unattached;
} kernel;
static struct doctor_machine machine;
static struct perf_machine perf;

static int answer(void *ctx, const struct perf_event_attr *attr, pid_t pid, int cpu, unsigned long flags)
{
    (void)ctx;
    (void)cpu;
    if (kernel.filter)
        return -kernel.filter;
    if (flags & ~(unsigned long)PERF_FLAG_FD_CLOEXEC)
        return -EINVAL;
    if (kernel.early)
        return -EACCES;
    if (!attr)
        return -EFAULT;
    if (kernel.module || (kernel.kernel_denied && !attr->exclude_kernel) || (kernel.host_denied && pid < 0) ||
        (kernel.other_denied && pid > 0))
        return -EACCES;
    if (kernel.too_few)
        return -EMFILE;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int answer_own(void *ctx, const struct perf_event_attr *attr)
{
    return answer(ctx, attr, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool is_writable(void *ctx, const char *path)
{
    (void)ctx;
    return strstr(path, "closed") == NULL;
}

/* Rings of 1 MiB are wanted, and halved as the kernel counts them. */
static void rehearse(void *ctx, const struct doctor_run *run_of, struct doctor_rehearsal *out)
{
    uint64_t most_kb = (uint64_t)kernel.mlock_kb * machine.cpus_online + (machine.locked_bytes >> 10);
    uint32_t kb = 1024;

    (void)ctx;
    *out = (struct doctor_rehearsal){
        .wanted_ring_kb = kb, .signal = kernel.signal, .counts_lost = kernel.counts_lost};
    if (kernel.signal)
        return;
    out->attached = run_of->pid_count - MIN_OF(run_of->pid_count, kernel.unattached);
    if (kernel.unattached)
        err_set(&out->refused, 0, "process 9: it is user 0's");
    if (kernel.filter || kernel.early || kernel.module || kernel.too_few) {
        err_set(&out->armed, EACCES, "refused");
        return;
    }
    while (!kernel.unlimited && kb >= 128 && (kb + 4) * machine.cpus_allowed > most_kb)
        kb /= 2;
    out->got_ring_kb = kb >= 128 ? kb : 0;
    out->cpus = machine.cpus_allowed;
    out->events = run_of->events->count;
    out->descriptors = run_of->events->count * machine.cpus_allowed + 2;
}

/* ---- a plain host: Linux 6.8, an ordinary user, paranoid 2 ---- */

static void set_status(uint64_t caps, int seccomp, int no_new_privs)
{
    char text[300];

    snprintf(text, sizeof(text),
             "Name:\tringside\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t%016llx\nCapBnd:\t000001ffffffffff\n"
             "NoNewPrivs:\t%d\nSeccomp:\t%d\n",
             (unsigned long long)caps, no_new_privs, seccomp);
    put("/proc/self/status", text);
}

#define CAP(c) (1ULL << PLACE_CAP_##c)

static void make_host(void)
{
    memset(&kernel, 0, sizeof(kernel));
    snprintf(root, sizeof(root), "/tmp/ringside-doctor-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(tracing, sizeof(tracing), "%s/sys/kernel/tracing", root);
    snprintf(devices, sizeof(devices), "%s/sys/bus/event_source/devices", root);
    put("/proc/sys/kernel/osrelease", "6.8.0-45-generic\n");
    put("/proc/version", "Linux version 6.8.0-45-generic (buildd@x) #45 SMP\n");
    put("/proc/sys/kernel/perf_event_paranoid", "2\n");
    put("/proc/sys/kernel/perf_event_mlock_kb", "516\n");
    put("/proc/sys/kernel/perf_event_max_sample_rate", "100000\n");
    put("/proc/sys/kernel/kptr_restrict", "1\n");
    put("/proc/sys/kernel/yama/ptrace_scope", "1\n");
    put("/proc/kallsyms", "0000000000000000 T _text\n");
    put("/proc/self/cgroup", "0::/user.slice/session-1.scope\n");
    put("/proc/self/mounts", "proc /proc proc rw,nosuid 0 0\n");
    put("/sys/bus/event_source/devices/software/type", "1\n");
    put("/sys/bus/event_source/devices/cpu/type", "4\n");
    put("/sys/kernel/security/lsm", "lockdown,capability,yama,apparmor");
    put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    put("/proc/self/attr/apparmor/current", "unconfined\n");
    put_link("/proc/self/ns/user", "user:[4026531837]");
    put_link("/proc/self/ns/pid", "pid:[4026531836]");
    put_link("/proc/self/exe", "/usr/bin/ringside");
    set_status(0, 0, 0);
    kernel.kernel_denied = kernel.host_denied = kernel.other_denied = true;
    kernel.mlock_kb = 516;
    perf = (struct perf_machine){
        .tracefs = {tracing, tracing}, .devices = devices, .open = answer_own, .call = answer};
    machine = (struct doctor_machine){
        .root = root,
        .perf = &perf,
        .is_writable = is_writable,
        .rehearse = rehearse,
        .cpus_online = 4,
        .cpus_allowed = 4,
        .locked_bytes = 8ULL << 20,
        .descriptors = 4096,
        .user = 1000,
        .other_pid = 1,
    };
}

static void drop_host(void)
{
    forget("");
}

/* Root, or what comes to the same: everything is permitted. */
static void grant(uint64_t caps)
{
    set_status(caps, 0, 0);
    kernel.kernel_denied = kernel.host_denied = kernel.other_denied = false;
    if (caps & CAP(SYSLOG))
        put("/proc/kallsyms", "ffffffff81000000 T _text\n");
}

#endif
