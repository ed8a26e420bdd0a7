/*
 * procfs.c - mappings, kernel symbols, sysctl values
 */
#include "ringside/procfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lines.h"
#include "ringside/base.h"

/* fs/proc/task_mmu.c, show_vma_header_prefix: "start-end perms offset major:minor inode", padding, path. */
bool procfs_parse_map(char *line, struct procfs_map *out)
{
    const char *at = line;
    uint64_t major, minor, inode = 0;

    line[strcspn(line, "\n")] = '\0';
    if (!take_hex(&at, &out->start) || !take_char(&at, '-') || !take_hex(&at, &out->end) ||
        !take_char(&at, ' '))
        return false;
    if (strnlen(at, 5) < 5 || at[4] != ' ' || out->start >= out->end)
        return false;
    out->writable = at[1] == 'w';
    out->executable = at[2] == 'x';
    at += 5;
    if (!take_hex(&at, &out->file_offset) || !take_char(&at, ' '))
        return false;
    if (!take_hex(&at, &major) || !take_char(&at, ':') || !take_hex(&at, &minor) || !take_char(&at, ' '))
        return false;
    if (*at < '0' || *at > '9' || major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        inode = inode * 10 + (unsigned)(*at - '0');
    if (*at != '\0' && *at != ' ')
        return false;
    out->dev_major = (uint32_t)major;
    out->dev_minor = (uint32_t)minor;
    out->inode = inode;
    out->path = at + strspn(at, " ");
    return true;
}

int procfs_maps(pid_t pid, bool (*each)(void *ctx, const struct procfs_map *m), void *ctx, struct err *e)
{
    char path[64];
    bool failed = false;
    struct procfs_map map;
    struct lines *l;
    char *line;
    int result = 0;

    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    l = lines_open(path, e);
    if (!l)
        return -1;
    while ((line = lines_next(l, &failed)) != NULL)
        if (procfs_parse_map(line, &map) && !each(ctx, &map))
            break;
    if (failed)
        result = err_set(e, errno, "read %s", path);
    lines_close(l);
    return result;
}

struct kernel_symbol {
    uint64_t addr;
    char type;
    const char *name, *module;
};

/* kernel/kallsyms.c, s_show: "address type name", and "\t[module]" behind names that are not the kernel's
 * own. */
static bool parse_symbol(char *line, struct kernel_symbol *out)
{
    const char *at = line;
    char *end;

    if (!take_hex(&at, &out->addr) || !take_char(&at, ' ') || *at == '\0')
        return false;
    out->type = *at++;
    if (!take_char(&at, ' ') || *at == '\0')
        return false;
    out->name = at;
    out->module = "";
    end = strchr(at, '\t');
    if (!end)
        return true;
    *end++ = '\0';
    if (*end == '[') {
        out->module = end + 1;
        end[strcspn(end, "]")] = '\0';
    }
    return *out->name != '\0';
}

int procfs_kallsyms(const char *path,
                    bool (*each)(void *ctx, uint64_t addr, char type, const char *name, const char *module),
                    void *ctx, struct err *e)
{
    struct kernel_symbol s;
    bool failed = false;
    struct lines *l;
    char *line;
    int result = 0;

    if (!path)
        path = "/proc/kallsyms";
    l = lines_open(path, e);
    if (!l)
        return -1;
    while ((line = lines_next(l, &failed)) != NULL)
        if (parse_symbol(line, &s) && !each(ctx, s.addr, s.type, s.name, s.module))
            break;
    if (failed)
        result = err_set(e, errno, "read %s", path);
    lines_close(l);
    return result;
}

long procfs_perf_paranoid(long fallback)
{
    return read_number_file("/proc/sys/kernel/perf_event_paranoid", fallback);
}
