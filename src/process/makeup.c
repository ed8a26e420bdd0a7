/*
 * makeup.c - processes and threads whose start was missed (a lost record), filled in from /proc
 *
 * /proc tells of now, records of a moment ago: mappings read here may be newer than the record that asked for
 * them, and the records that follow put the same mappings over them once more. What is gone from /proc has
 * ended, and its exit record may already have passed: it is taken for ended, or it would stay for ever.
 */
#include "table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ringside/image.h"
#include "ringside/procfs.h"
#include "ringside/stats.h"

struct backfill {
    struct processes *table;
    struct process *process;
    uint32_t lines;
};

static bool backfill_map(void *ctx, const struct procfs_map *m)
{
    struct backfill *b = ctx;
    struct image_ref ref = {
        .path = *m->path ? m->path : "//anon",
        .pid = b->process->pid,
        .dev = m->inode ? makedev(m->dev_major, m->dev_minor) : 0,
        .inode = m->inode,
        .start = m->start,
        .end = m->end,
    };
    struct mapping mapping = {.start = m->start, .end = m->end, .file_offset = m->file_offset};

    b->lines++;
    if (!m->executable || m->start > INT64_MAX) /* [vsyscall] is the kernel's */
        return true;
    mapping.image = images_map(b->table->images, &ref);
    if (!table_map(b->table, b->process, &mapping))
        image_unmapped(mapping.image);
    return true;
}

/* False when the process has no memory any more: it ended, or is a zombie. */
static bool backfill(struct processes *t, struct process *p)
{
    struct backfill b = {.table = t, .process = p};
    struct err e = {0};

    if (procfs_maps(t->limits.door, (pid_t)p->pid, backfill_map, &b, &e) < 0)
        return e.code != ENOENT && e.code != ESRCH;
    return b.lines > 0;
}

/* A process without memory that has not ended: a thread of the kernel. */
static bool is_kernel_thread(uint32_t pid)
{
    char path[64], text[512];
    const char *end;

    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    if (read_small_file(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
        return false;
    end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

/* False when it is gone. */
static bool read_name(struct task *task)
{
    char path[64], text[TASK_NAME_BYTES + 8];
    struct err e = {0};

    snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", task->process->pid, task->tid);
    if (read_small_file(AT_FDCWD, path, text, sizeof(text), &e) < 0)
        return e.code != ENOENT && e.code != ESRCH;
    text[strcspn(text, "\n")] = '\0';
    table_set_name(task->name, text);
    return true;
}

/* False when it is gone. */
static bool fill_in(struct processes *t, struct process *p, struct task *task)
{
    bool here;

    if (table_is_nobody(p->pid)) {
        table_set_name(task->name, p->pid ? "[ended]" : "[idle or hidden]");
        return true;
    }
    p->looked_at = true;
    here = backfill(t, p) || (t->limits.lazy && is_kernel_thread(p->pid));
    return read_name(task) && here;
}

/* One that is said to have started but shows nothing: the records of its mappings were lost. */
void table_look_again(struct processes *t, struct process *p)
{
    if (p->looked_at || p->exited || p->space->count || !t->limits.live || table_is_nobody(p->pid))
        return;
    p->looked_at = true;
    backfill(t, p);
}

struct process *table_make_up_process(struct processes *t, uint32_t pid)
{
    struct process *p;
    struct task *task;

    if (!table_takes_unknown(t, 1)) /* not counted: the same process comes by with every sample */
        return table_overflow(t);
    p = table_add_process(t, pid);
    task = table_add_task(t, p, pid);
    p->made_up = task->made_up = true;
    table_set_name(task->name, "[unknown]");
    if (t->limits.live && !fill_in(t, p, task))
        table_end_task(t, task, t->now_ns);
    table_set_name(p->name, task->name);
    return p;
}

struct task *table_make_up_task(struct processes *t, struct process *p, uint32_t tid)
{
    bool ended = p->exited;
    struct task *task;

    if (!table_takes_unknown(t, 0))
        return table_overflow(t)->tasks;
    task = table_add_task(t, p, tid);
    task->made_up = true;
    table_set_name(task->name, p->name);
    if (t->limits.live && !table_is_nobody(p->pid) && !read_name(task))
        ended = true;
    if (ended)
        table_end_task(t, task, t->now_ns);
    return task;
}

struct process *processes_adopt(struct processes *t, uint32_t pid)
{
    struct process *p = process_get(t, pid);
    char path[64];
    DIR *threads;

    if (p->overflow || p->exited)
        return NULL;
    p->made_up = false; /* nobody tells of its start any more */
    snprintf(path, sizeof(path), "/proc/%u/task", pid);
    threads = opendir(path);
    for (const struct dirent *entry; threads && (entry = readdir(threads));) {
        unsigned long tid = strtoul(entry->d_name, NULL, 10);

        if (tid)
            process_get_task(t, pid, (uint32_t)tid);
    }
    if (threads)
        closedir(threads);
    return p;
}
