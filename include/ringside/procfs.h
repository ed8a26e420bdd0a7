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

/* ---- files that may be somebody else's ---- */

enum procfs_kind {
    PROCFS_MAPS,     /* /proc/PID/maps */
    PROCFS_ROOT,     /* a path as process PID sees it */
    PROCFS_EXE,      /* /proc/PID/exe: survives deletion */
    PROCFS_MAP_FILE, /* what PID has mapped from start to end: likewise, but wants CAP_CHECKPOINT_RESTORE
                        (proc_pid_map_files(5)) */
    PROCFS_HERE,     /* a path as we see it */
    PROCFS_KINDS
};

struct procfs_wish {
    enum procfs_kind kind;
    pid_t pid;
    uint64_t start, end; /* PROCFS_MAP_FILE */
    const char *path;    /* PROCFS_ROOT, PROCFS_HERE: absolute */
};

/* Memory of a process, within a mapping from start to end of a file that is not writable. */
struct procfs_memory {
    pid_t pid;
    uint64_t start, end, at;
    void *bytes;
    size_t size;
};

/* Somebody with more rights, who is asked when our own do not do. Both fail with -1 and errno. */
struct procfs_door {
    int (*open)(void *ctx, const struct procfs_wish *w);
    ssize_t (*read)(void *ctx, const struct procfs_memory *m); /* bytes, 1 to m->size */
    void *ctx;
};

/* False when it makes no path, or none of max bytes. */
bool procfs_path(const struct procfs_wish *w, char *out, size_t max);
/* A descriptor for reading that never waits; door may be NULL. -1 with *e. */
int procfs_open(const struct procfs_door *door, const struct procfs_wish *w, struct err *e);
/* process_vm_readv(2). Bytes read, or -1 with errno. */
ssize_t procfs_read_memory(const struct procfs_door *door, const struct procfs_memory *m);

/* ---- mappings ---- */

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
 * proc_pid_maps(5)). A zombie's file is empty. door may be NULL.
 */
int procfs_maps(const struct procfs_door *door, pid_t pid,
                bool (*each)(void *ctx, const struct procfs_map *m), void *ctx, struct err *e);
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

/* ---- the kernel's symbols ---- */

/* Whether it shows addresses goes by who opened it (kallsyms_show_value() in kernel/kallsyms.c). */
struct procfs_kallsyms_file {
    const char *path; /* NULL: /proc/kallsyms */
    int fd;           /* open already, borrowed, read from its start; 0: open the path */
};

/* A line of kallsyms. */
struct procfs_ksym {
    uint64_t addr;
    char type;
    const char *text; /* the name, with "\t[module]" behind it when it is not the kernel's own; borrowed */
};

/*
 * Calls each for the lines of a kallsyms file; stops when it returns false. Lines come
 * in their hundred thousands: *skip_to, at first 0, lets those be left out that lie between two others in
 * ascending order of which the later is at or below it. What is shown before an address is then still the
 * last line before it.
 */
int procfs_kallsyms(const struct procfs_kallsyms_file *from,
                    bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to), void *ctx,
                    struct err *e);

#endif
