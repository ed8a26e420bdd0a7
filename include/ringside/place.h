/*
 * place.h - what kind of place this process runs in, and how what it lacks is granted there
 *
 * Reads files of /proc, /sys and /run (without /proc it asks the kernel) and changes nothing. That a file
 * says so does not make it true (a seccomp mode says nothing of what is filtered): who needs to know for
 * certain tries.
 */
#ifndef RINGSIDE_PLACE_H
#define RINGSIDE_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_UNKNOWN LONG_MIN /* of a number that could not be read */

enum place_runtime {
    PLACE_HOST,
    PLACE_DOCKER,
    PLACE_PODMAN,
    PLACE_CONTAINERD,
    PLACE_CRIO,
    PLACE_LXC,
    PLACE_NSPAWN,
    PLACE_CONTAINER, /* of a kind that is not known */
    PLACE_WSL,
    PLACE_GVISOR
};

#define PLACE_KERNEL(major, minor) ((unsigned)(major) << 16 | (unsigned)(minor))

enum place_capability {
    PLACE_CAP_SETPCAP = 8,
    PLACE_CAP_IPC_LOCK = 14,
    PLACE_CAP_SYS_PTRACE = 19,
    PLACE_CAP_SYS_ADMIN = 21,
    PLACE_CAP_SYSLOG = 34,
    PLACE_CAP_PERFMON = 38
};

struct place {
    const char *root; /* borrowed; "" or a folder in which /proc, /sys and /run are looked for */
    enum place_runtime runtime;
    bool kubernetes; /* whatever the runtime */
    bool proc, proc_sys;
    bool perf; /* the kernel shows that it was built with perf events */

    char kernel[96];         /* its release, "" where it is not known */
    unsigned kernel_version; /* PLACE_KERNEL(), 0 */

    bool user_namespace; /* not the first one: capabilities do not count for what is the whole machine's */
    bool caps_known;
    uint64_t caps, caps_bounding; /* effective; bounding */
    int seccomp;                  /* its mode, 0 to 2; -1: not known */
    bool no_new_privs;

    char lsm[160];     /* security modules, divided by commas; "" where it is not known */
    int selinux;       /* -1: none, 0: permissive, 1: enforcing */
    char label[192];   /* what SELinux or AppArmor call this process; "" */
    char lockdown[24]; /* "none", "integrity", "confidentiality"; "" where it is not known */

    /* kernel.perf_event_*, kernel.kptr_restrict, kernel.yama.ptrace_scope */
    long paranoid, mlock_kb, max_stack, max_sample_rate, cpu_time_max_percent, kptr_restrict, ptrace_scope;

    char program[256]; /* path of this program, for setcap */
};

/* What cannot be found stays unknown. */
void place_look(const char *root, struct place *out);

/* Whether the process has it and it counts for what concerns the whole machine (capable() in the kernel). */
bool place_is_capable(const struct place *p, enum place_capability c);
/* Kernel's perfmon_capable(): CAP_PERFMON or CAP_SYS_ADMIN. */
bool place_is_perfmon_capable(const struct place *p);

/* "Docker", "Kubernetes (containerd)", "this machine" */
const char *place_name(const struct place *p);
const char *place_runtime_word(const struct place *p); /* one small word, for programs to read */

/* ---- remedies ---- */

enum place_need {
    PLACE_NEED_CALL,    /* perf_event_open through a seccomp filter */
    PLACE_NEED_EVENTS,  /* any events at all, which kernel.perf_event_paranoid above 2 denies */
    PLACE_NEED_KERNEL,  /* what happens in kernel mode */
    PLACE_NEED_HOST,    /* all processes */
    PLACE_NEED_OTHERS,  /* running processes of other users */
    PLACE_NEED_MEMORY,  /* locked memory */
    PLACE_NEED_FILES,   /* descriptors */
    PLACE_NEED_NAMES,   /* of kernel functions */
    PLACE_NEED_TRACEFS, /* to be there and to be readable */
    PLACE_NEED_LABEL,   /* what SELinux grants */
    PLACE_NEEDS
};

struct place_remedy {
    const char *where; /* "docker run", "systemd unit" */
    char text[240];    /* a line that can be copied */
    const char *note;  /* what it takes, or NULL */
};

#define PLACE_REMEDIES_MAX 6

/* Ways to get what is needed, the best first; those that cannot help this process left out. */
size_t place_remedies(const struct place *p, enum place_need need,
                      struct place_remedy out[PLACE_REMEDIES_MAX]);

#endif
