/*
 * container.c - a container's id out of cgroup paths
 *
 * Runtimes name the cgroup of a container by its id, alone or behind a prefix:
 *
 *     /docker/ID
 *     /kubepods/.../podUID/ID
 *     /system.slice/docker-ID.scope
 *     /machine.slice/libpod-ID.scope/container
 *     /kubepods.slice/.../cri-containerd-ID.scope
 *     /ecs/TASK/TASK-NUMBER
 *
 * What follows behind a container's cgroup was made inside of it.
 */
#include "ringside/procfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lines.h"
#include "ringside/base.h"

#define CGROUP_TEXT_MAX 16384

struct span {
    const char *text;
    size_t bytes;
};

/* What ids look like, in the order in which they are tried: UUID, Cloud Foundry's short form, the usual 64
 * digits, ECS. */
struct shape {
    int group[5]; /* numbers of hex digits between dashes or underscores; 0: no more */
    bool number;  /* behind them a dash and decimal digits */
};

static const struct shape shapes[] = {
    {.group = {8, 4, 4, 4, 12}},
    {.group = {8, 4, 4, 4, 4}},
    {.group = {64}},
    {.group = {32}, .number = true},
};
#define SHAPE_64 2

/* How many bytes at the end of text have the shape; 0: none. */
static size_t match_at_end(const char *text, size_t n, const struct shape *shape)
{
    size_t at = n;
    int groups = 0;

    if (shape->number) {
        while (at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9')
            at--;
        if (at == n || at == 0 || text[--at] != '-')
            return 0;
    }
    while (groups < 5 && shape->group[groups])
        groups++;
    while (groups-- > 0) {
        for (int i = 0; i < shape->group[groups]; i++)
            if (at == 0 || hex_digit(text[--at]) < 0)
                return 0;
        if (groups > 0 && (at == 0 || (text[at - 1] != '-' && text[at - 1] != '_')))
            return 0;
        at -= groups > 0;
    }
    return n - at;
}

static bool take_id(const char *component, size_t n, bool last, struct span *out)
{
    bool scope = n >= 6 && memcmp(component + n - 6, ".scope", 6) == 0;

    if (scope)
        n -= 6;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        /* Further out only the shape that nothing else has: a pod's own folder is a UUID too. */
        if (!last && !scope && i != SHAPE_64)
            continue;
        out->bytes = match_at_end(component, n, &shapes[i]);
        out->text = component + n - out->bytes;
        if (out->bytes)
            return true;
    }
    return false;
}

/* The innermost folder that is a container's. */
static bool find_in_path(const char *path, size_t n, struct span *out)
{
    bool last = true;

    while (n > 0 && (path[n - 1] == ' ' || path[n - 1] == '/' || path[n - 1] == '\r'))
        n--;
    while (n > 0) {
        size_t start = n;

        while (start > 0 && path[start - 1] != '/')
            start--;
        if (take_id(path + start, n - start, last, out))
            return true;
        last = false;
        n = start ? start - 1 : 0;
    }
    return false;
}

/* man 7 cgroups: "hierarchy-ID:controller-list:cgroup-path". */
static const char *path_of_line(const char *line, size_t n)
{
    const char *end = line + n, *at = line;

    while (at < end && *at >= '0' && *at <= '9')
        at++;
    if (at == line || at == end || *at != ':')
        return NULL;
    at = memchr(at + 1, ':', (size_t)(end - at - 1));
    return at ? at + 1 : NULL;
}

bool procfs_parse_container_id(const char *cgroup_text, char *out, size_t max)
{
    struct span id;

    for (const char *line = cgroup_text, *next; *line; line = next) {
        size_t n = strcspn(line, "\n");
        const char *path = path_of_line(line, n);

        next = line + n + (line[n] == '\n');
        if (!path || !find_in_path(path, (size_t)(line + n - path), &id))
            continue;
        if (id.bytes >= max)
            return false;
        memcpy(out, id.text, id.bytes);
        out[id.bytes] = '\0';
        return true;
    }
    return false;
}

static bool read_cgroup(pid_t pid, char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    return read_small_file(AT_FDCWD, path, text, CGROUP_TEXT_MAX, NULL) >= 0;
}

bool procfs_container_id(pid_t pid, char *out, size_t max)
{
    FREE_PTR char *text = base_alloc(CGROUP_TEXT_MAX);

    return read_cgroup(pid, text) && procfs_parse_container_id(text, out, max);
}

/* include/linux/proc_ns.h, PROC_CGROUP_INIT_INO */
#define HOST_CGROUP_NAMESPACE 0xEFFFFFFBULL

static bool is_in_host_namespace(pid_t pid)
{
    char path[64];
    struct stat there;

    snprintf(path, sizeof(path), "/proc/%d/ns/cgroup", (int)pid);
    return stat(path, &there) < 0 || there.st_ino == HOST_CGROUP_NAMESPACE;
}

/* The folder of the unified hierarchy (v2: "0::PATH"), else that of the memory controller (v1). */
static bool cgroup_folder(const char *text, char *out, size_t max)
{
    const char *memory = strstr(text, ":memory:"),
               *unified = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    const char *path = memory ? memory + strlen(":memory:") : unified ? strchr(unified, '/') : NULL;
    int n;

    if (!path || strncmp(path, "/..", 3) == 0) /* outside of our namespace, so not to be seen here */
        return false;
    n = snprintf(out, max, "/sys/fs/cgroup%s%.*s", memory ? "/memory" : "", (int)strcspn(path, "\n"), path);
    return n > 0 && (size_t)n < max;
}

uint64_t procfs_cgroup_inode(pid_t pid)
{
    FREE_PTR char *text = base_alloc(CGROUP_TEXT_MAX);
    char folder[4096];
    struct stat there;

    if (is_in_host_namespace(pid) || !read_cgroup(pid, text) || !cgroup_folder(text, folder, sizeof(folder)))
        return 0;
    return stat(folder, &there) == 0 ? there.st_ino : 0;
}
