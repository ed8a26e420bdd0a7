/*
 * procfs.c - mappings, kernel symbols, sysctl values
 */
#include "ringside/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

int procfs_maps(const struct procfs_door *door, pid_t pid,
                bool (*each)(void *ctx, const struct procfs_map *m), void *ctx, struct err *e)
{
    struct procfs_wish wish = {.kind = PROCFS_MAPS, .pid = pid};
    int fd = procfs_open(door, &wish, e);
    bool failed = false;
    struct procfs_map map;
    struct lines *l;
    char *line;
    int result = 0;

    if (fd < 0)
        return -1;
    l = lines_of(fd);
    while ((line = lines_next(l, &failed)) != NULL)
        if (procfs_parse_map(line, &map) && !each(ctx, &map))
            break;
    if (failed)
        result = err_set(e, errno, "read /proc/%d/maps", (int)pid);
    lines_close(l);
    return result;
}

/* Addresses are padded to 16 digits (%px on 64 bits). */
static bool take_address(const char **at, size_t bytes, uint64_t *out)
{
    uint64_t high, low;

    if (bytes < 16 || !hex8(*at, &high) || !hex8(*at + 8, &low))
        return take_hex(at, out);
    *out = high << 32 | low;
    *at += 16;
    return true;
}

/* kernel/kallsyms.c, s_show: "address type name", and "\t[module]" behind names that are not the kernel's
 * own. */
static bool parse_symbol(const char *line, size_t bytes, struct procfs_ksym *out)
{
    const char *at = line;

    if (!take_address(&at, bytes, &out->addr) || !take_char(&at, ' ') || *at == '\0')
        return false;
    out->type = *at++;
    if (!take_char(&at, ' '))
        return false;
    out->text = at;
    return *at != '\0' && *at != '\t';
}

/* Lines on their way to the caller: one is held back until the next tells whether it matters. */
struct ksym_pass {
    bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to);
    void *ctx;
    uint64_t skip_to;
    struct procfs_ksym held;
    uint64_t before; /* address of the line before */
    bool holds;
};

/* False when the caller has seen enough. */
static bool show_held(struct ksym_pass *p)
{
    bool go_on = !p->holds || p->each(p->ctx, &p->held, &p->skip_to);

    p->holds = false;
    return go_on;
}

static bool take_symbol(struct ksym_pass *p, const struct procfs_ksym *s)
{
    bool skip = s->addr <= p->skip_to && p->held.addr < s->addr && p->before <= p->held.addr;

    if (!skip && !show_held(p))
        return false;
    p->before = p->held.addr;
    p->held = *s;
    p->holds = true;
    return true;
}

static void pass_symbols(struct ksym_pass *p, struct lines *l, bool *failed)
{
    struct procfs_ksym s;

    for (;;) {
        size_t bytes = 0;
        const char *line = lines_ready(l, &bytes);

        if (!line) {
            if (!show_held(p)) /* its text lies in the buffer that is filled next */
                return;
            line = lines_next(l, failed);
        }
        if (!line || (parse_symbol(line, bytes, &s) && !take_symbol(p, &s)))
            return;
    }
}

/* A duplicate shares the place in the file: nobody else reads it meanwhile. */
static int open_kallsyms(int fd, const char *path)
{
    if (!fd)
        return open(path, O_RDONLY | O_CLOEXEC);
    return lseek(fd, 0, SEEK_SET) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* The kernel hands out a page at most per read, whatever is asked for (fs/seq_file.c). */
int procfs_kallsyms(const struct procfs_kallsyms_file *from,
                    bool (*each)(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to), void *ctx,
                    struct err *e)
{
    struct ksym_pass p = {.each = each, .ctx = ctx};
    const char *path = from->path ? from->path : "/proc/kallsyms";
    int fd = open_kallsyms(from->fd, path), result = 0;
    bool failed = false;
    struct lines *l;

    if (fd < 0)
        return err_set(e, errno, "open %s", path);
    l = lines_of(fd);
    pass_symbols(&p, l, &failed);
    if (failed)
        result = err_set(e, errno, "read %s", path);
    lines_close(l);
    return result;
}

long procfs_perf_paranoid(long fallback)
{
    return read_number_file("/proc/sys/kernel/perf_event_paranoid", fallback);
}
