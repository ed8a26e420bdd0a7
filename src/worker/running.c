/*
 * running.c - what ran already when profiling began: processes that were attached to, or a whole host
 *
 * Of processes that were attached to all is read at once: libraries may be unloaded before a sample falls
 * into them. Of a host's, with every sample's first: most are never seen.
 */
#include "running.h"

#include <string.h>
#include <sys/stat.h>

#include "ringside/procfs.h"

#include "worker_private.h"

#define CONTAINER_BYTES 96

const struct worker_attached *running_find(const struct worker *w, uint32_t pid)
{
    for (uint32_t i = 0; i < w->config->attached_count; i++)
        if (w->config->attached[i].pid == (pid_t)pid)
            return &w->config->attached[i];
    return NULL;
}

/* Its own program lies lowest, as the kernel places them (fs/binfmt_elf.c). */
static void note_main_image(struct worker *w, const struct process *p)
{
    for (uint32_t i = 0; i < p->space->count && !w->kept.main_image; i++)
        if (p->space->mapping[i].image->kind == IMAGE_FILE)
            w->kept.main_image = p->space->mapping[i].image->id;
}

void running_open(struct worker *w)
{
    for (uint32_t i = 0; i < w->config->attached_count; i++) {
        struct process *p = processes_adopt(w->processes, (uint32_t)w->config->attached[i].pid);

        if (!p)
            continue;
        account_of_process(w, p);
        if (i > 0)
            continue;
        memcpy(w->kept.root_name, p->name, sizeof(w->kept.root_name));
        note_main_image(w, p);
        kept_publish(w);
    }
}

void running_make_room(struct worker *w)
{
    if (!w->config->whole_host || !processes_are_many(w->processes))
        return;
    stats_add(w->stats, STATS_PROCESSES_FORGOTTEN, processes_retire(w->processes));
    account_ended_tasks(w, UINT64_MAX);
}

uint32_t running_container(struct worker *w, struct process *p)
{
    char id[CONTAINER_BYTES] = "";

    if (!w->config->whole_host && w->config->attached_count < 2)
        return 0;
    if (!p->container) {
        if (p->pid && !p->overflow)
            procfs_container_id((pid_t)p->pid, id, sizeof(id));
        p->container = base_strdup(id);
    }
    return period_text(w, p->container);
}

void running_account(struct worker *w)
{
    struct feed_totals totals = {0};
    uint64_t lost;

    w->feed->ops->totals(w->feed, w->feed->info.cpu_event, &totals);
    if (totals.lost_samples <= w->live->lost_told)
        return;
    lost = totals.lost_samples - w->live->lost_told;
    w->live->lost_told = totals.lost_samples;
    stats_add(w->stats, STATS_SAMPLES_LOST, lost);
    account_show_lost(w, lost * feed_period_ns(&w->feed->info));
}
