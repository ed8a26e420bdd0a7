/*
 * records.c - what each record changes
 */
#include "ringside/process.h"

#include <sys/sysmacros.h>

#include "ringside/feed.h"
#include "ringside/image.h"
#include "ringside/stats.h"
#include "space.h"
#include "table.h"

/* Of a host: what is made up of a process once it is sampled has all that records would have told before. And
 * those without an id are many. */
static bool is_ignored(const struct processes *t, const struct feed_record *r)
{
    bool starts =
        r->kind == FEED_FORK ? r->pid != r->u.fork.parent_pid : r->kind == FEED_COMM && r->u.comm.exec;

    return t->limits.lazy && (table_is_nobody(r->pid) || (!starts && !process_find(t, r->pid)));
}

static bool apply_mmap(struct processes *t, const struct feed_record *r)
{
    const struct feed_mmap *m = &r->u.mmap;
    struct process *p = process_get(t, r->pid);
    struct image_ref ref = {
        .path = m->path,
        .pid = r->pid,
        .dev = m->inode ? makedev(m->dev_major, m->dev_minor) : 0,
        .inode = m->inode,
        .build_id = m->build_id,
        .build_id_bytes = m->build_id_bytes,
        .start = m->start,
        .end = m->start + m->bytes,
    };
    struct mapping mapping = {.start = ref.start, .end = ref.end, .file_offset = m->file_offset};
    bool fresh;

    if (p->overflow || p->exited || mapping.end <= mapping.start)
        return false;
    mapping.image = images_map(t->images, &ref);
    fresh = mapping.image->mappings == 1;
    p->bare_since_ns = 0;
    if (!table_map(t, p, &mapping)) {
        image_unmapped(mapping.image);
        return false;
    }
    return fresh;
}

/* A process known from here on, as the record says so itself, with one thread. NULL at a cap. */
static struct process *start_process(struct processes *t, uint32_t pid, uint32_t tid)
{
    struct process *p;

    if (!table_has_room(t, 1, 1))
        return NULL;
    p = table_add_process(t, pid);
    table_add_task(t, p, tid);
    table_set_name(p->name, "[unknown]");
    table_set_name(p->tasks->name, p->name);
    return p;
}

/* Living thread that stays after exec: the first, or the one that takes its place. */
static struct task *exec_survivor(struct process *p)
{
    struct task *any = NULL;

    for (struct task *task = p->tasks; task; task = task->next) {
        if (task->exited)
            continue;
        if (task->tid == p->pid)
            return task;
        any = task;
    }
    return any;
}

/*
 * exec ends all other threads, and the one that called it takes over the first one's ids without an exit
 * record of its own (fs/exec.c, de_thread).
 */
static struct process *replace_program(struct processes *t, const struct feed_record *r)
{
    struct process *p = process_find(t, r->pid);
    struct task *survivor;

    if (!p || p->exited)
        return p || table_takes_unknown(t, 1) ? start_process(t, r->pid, r->pid) : NULL;
    survivor = exec_survivor(p);
    for (struct task *task = p->tasks; task; task = task->next)
        if (!task->exited && task != survivor)
            table_end_task(t, task, r->time_ns);
    if (survivor->tid != p->pid)
        table_rename_task(t, survivor, p->pid);
    table_set_space(p, space_share(t->empty));
    p->made_up = survivor->made_up = false;
    return p;
}

static bool apply_exec(struct processes *t, const struct feed_record *r)
{
    struct process *p = replace_program(t, r);

    if (p)
        p->bare_since_ns = r->time_ns;
    return p != NULL;
}

static bool apply_comm(struct processes *t, const struct feed_record *r)
{
    bool exec = r->u.comm.exec;
    struct task *task;

    if (exec && !apply_exec(t, r))
        return false;
    task = process_get_task(t, r->pid, exec ? r->pid : r->tid);
    if (task->process->overflow)
        return false;
    table_set_name(task->name, r->u.comm.name);
    if (task->tid == task->process->pid)
        table_set_name(task->process->name, r->u.comm.name);
    return exec;
}

/* The fork record of a process that was made up comes late. */
static void adopt(struct processes *t, struct process *p, const struct feed_record *r)
{
    struct process *parent = process_get(t, r->u.fork.parent_pid);

    p->made_up = false;
    p->parent_pid = r->u.fork.parent_pid;
    if (p->space->count == 0)
        table_set_space(p, space_share(parent->space));
}

static bool apply_new_process(struct processes *t, const struct feed_record *r)
{
    struct process *parent, *p = process_find(t, r->pid);
    struct task *from;

    if (p && p->made_up && !p->exited) {
        adopt(t, p, r);
        return false;
    }
    if (p)
        table_end_process(t, p, r->time_ns); /* the exit record was lost, and the id is somebody else's now */
    parent = process_get(t, r->u.fork.parent_pid);
    from = process_get_task(t, r->u.fork.parent_pid, r->u.fork.parent_tid);
    p = start_process(t, r->pid, r->tid);
    if (!p) {
        stats_add(t->stats, STATS_PROCESSES_DROPPED, 1);
        return false;
    }
    p->parent_pid = r->u.fork.parent_pid;
    table_set_name(p->name, from->name);
    table_set_name(p->tasks->name, from->name);
    table_set_space(p, space_share(parent->space));
    if (parent->container && *parent->container) /* which nobody leaves */
        p->container = base_strdup(parent->container);
    return true;
}

static void apply_new_thread(struct processes *t, const struct feed_record *r)
{
    struct process *p = process_get(t, r->pid);
    struct task *from, *fresh, *task = process_find_task(t, r->pid, r->tid);

    if (p->overflow)
        return;
    if (task && task->made_up && !task->exited) { /* its record comes late */
        task->made_up = false;
        return;
    }
    if (!table_has_room(t, 0, 1))
        return;
    from = process_find_task(t, r->pid, r->u.fork.parent_tid);
    fresh = table_add_task(t, p, r->tid);
    table_set_name(fresh->name, from ? from->name : p->name);
    if (task && !task->exited)
        table_end_task(t, task, r->time_ns); /* the exit record was lost, and the id is another's now */
}

static bool apply_fork(struct processes *t, const struct feed_record *r)
{
    if (r->pid != r->u.fork.parent_pid)
        return apply_new_process(t, r);
    apply_new_thread(t, r);
    return false;
}

/* An unknown task is worth a place all the same: its exact time comes next. */
static struct task *ending_task(struct processes *t, uint32_t pid, uint32_t tid)
{
    struct task *task = process_find_task(t, pid, tid);
    struct process *p = process_find(t, pid);

    if (task)
        return task;
    if (t->limits.lazy || !table_takes_unknown(t, p ? 0 : 1))
        return NULL;
    if (!p)
        return start_process(t, pid, tid)->tasks;
    task = table_add_task(t, p, tid);
    table_set_name(task->name, p->name);
    return task;
}

static void apply_exit(struct processes *t, const struct feed_record *r)
{
    struct task *task = ending_task(t, r->pid, r->tid);

    if (task && !task->exited)
        table_end_task(t, task, r->time_ns);
}

bool process_apply(struct processes *t, const struct feed_record *record)
{
    t->now_ns = MAX_OF(t->now_ns, record->time_ns);
    if (is_ignored(t, record))
        return false;
    switch (record->kind) {
    case FEED_MMAP:
        return apply_mmap(t, record);
    case FEED_COMM:
        return apply_comm(t, record);
    case FEED_FORK:
        return apply_fork(t, record);
    case FEED_EXIT:
        apply_exit(t, record);
        return false;
    default:
        return false;
    }
}
