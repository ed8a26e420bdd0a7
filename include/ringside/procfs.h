/*
 * procfs.h - what /proc and /sys tell, parsed with checks; nothing is kept
 *
 * Any process may call these at any time. What is read may have changed by the time it is returned, and the
 * process asked about may be gone or, its id reused, be another.
 */
#ifndef RINGSIDE_PROCFS_H
#define RINGSIDE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct procfs_map {
    uint64_t start, end; /* start < end */
    uint64_t file_offset, inode;
    uint32_t dev_major, dev_minor;
    bool writable, executable;
    const char *path; /* "" when there is none; borrowed during the call */
};

/*
 * Calls each for every line of /proc/PID/maps; stops when it returns false. -1 with *e when the file cannot
 * be read: ENOENT or ESRCH when the process is gone, EACCES when it is somebody else's (PTRACE_MODE_READ,
 * proc_pid_maps(5)). A zombie's file is empty.
 */
int procfs_maps(pid_t pid, bool (*each)(void *ctx, const struct procfs_map *m), void *ctx, struct err *e);
/* One line of that file, which out->path goes on pointing into; false when it is malformed. Cuts the line in
 * place.
 */
bool procfs_parse_map(char *line, struct procfs_map *out);

/*
 * Id of the container a process runs in, NUL-terminated, from /proc/PID/cgroup (v1 and v2: Docker,
 * containerd, CRI-O, podman, Kubernetes). False when there is none, the file cannot be read, or the id has
 * max bytes or more; ids have up to 64 digits, ECS's a few more.
 */
bool procfs_container_id(pid_t pid, char *out, size_t max);
bool procfs_parse_container_id(const char *cgroup_text, char *out, size_t max);

/*
 * Inode of a process's cgroup folder as it is seen from here: what tells a container apart whose id does not
 * show in its own cgroup namespace. 0 in the host's namespace, and where it cannot be found.
 */
uint64_t procfs_cgroup_inode(pid_t pid);

/* kernel.perf_event_paranoid, or fallback when it cannot be read. */
long procfs_perf_paranoid(long fallback);

/* A line of kallsyms. */
struct procfs_ksym {
    uint64_t addr;
    char type;
    const char *text; /* the name, with "\t[module]" behind it when it is not the kernel's own; borrowed */
};

/*
 * Calls each for the lines of a kallsyms file (NULL: /proc/kallsyms); stops when it returns false. Lines come
 * in their hundred thousands: *skip_to, at first 0, lets those be left out that lie between two others in
 * ascending order of which the later is at or below it. What is shown before an address is then still the
 * last line before it.
 */
int procfs_kallsyms(const char *path, bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to),
                    void *ctx, struct err *e);

#endif
