/*
 * run.c - where profiles would go, and how often samples would come
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/event.h"

#include "report.h"

/* The folder of a path, or the nearest one above it that is there. */
static void folder_of(const char *path, char *out, size_t max)
{
    struct stat st;
    char *slash;

    snprintf(out, max, "%s", path);
    if (stat(out, &st) == 0 && S_ISDIR(st.st_mode))
        return;
    do {
        slash = strrchr(out, '/');
        if (!slash) {
            snprintf(out, max, ".");
            return;
        }
        slash[slash == out] = '\0';
    } while (out[1] && stat(out, &st) < 0 && errno == ENOENT);
}

/* A pipe, a device: written to as it is. */
static bool is_stream(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static void examine_folder(struct report *r, struct finding *f, const char *path)
{
    const struct doctor_machine *m = r->machine;
    char folder[PATH_MAX];

    if (is_stream(path))
        snprintf(folder, sizeof(folder), "%s", path);
    else
        folder_of(path, folder, sizeof(folder));
    finding_text(f, "path", path);
    finding_flag(f, "writable", m->is_writable(m->ctx, folder));
    finding_say(f, "%s", path);
    if (m->is_writable(m->ctx, folder))
        return;
    finding_say(f, ": %s cannot be written to by user %u", folder, m->user);
    f->state = STATE_LIMITED;
}

static void examine_output(struct report *r)
{
    struct finding *f;

    if (!r->run->output)
        return;
    f = finding_add(r, "output", "the folder for profiles", AFFECTS_RUN);
    examine_folder(r, f, r->run->output);
    if (f->state != STATE_OK)
        finding_set(f, r->run->server_count ? STATE_LIMITED : STATE_BLOCKING,
                    "Profiles are not written. Choose another with --output, or give this user the right.");
}

static void examine_spool(struct report *r)
{
    struct finding *f;

    if (!r->run->server_count || !r->run->spool)
        return;
    f = finding_add(r, "spool", "the spool folder", AFFECTS_RUN);
    examine_folder(r, f, r->run->spool);
    if (f->state != STATE_OK)
        finding_set(f, STATE_LIMITED,
                    "Profiles wait in memory and are lost when the profiler ends. Choose another "
                    "folder with --spool.");
}

static void examine_servers(struct report *r)
{
    struct finding *f;

    if (!r->run->server_count)
        return;
    f = finding_add(r, "servers", "servers (not tried)", AFFECTS_RUN);
    for (uint32_t i = 0; i < r->run->server_count; i++)
        finding_say(f, "%s%s", i ? ", " : "", r->run->servers[i]);
    finding_say(f, "; to try: ringside --wait [the same options] sleep 1");
    finding_number(f, "count", r->run->server_count);
}

/* Of the event that is sampled most often. */
static uint64_t highest_rate(const struct doctor_run *run)
{
    uint64_t highest = 0;

    for (uint32_t i = 0; i < run->events->count; i++) {
        const struct event_spec *s = &run->events->spec[i];
        uint64_t rate = s->frequency_hz;

        if (!rate && s->perf_type == PERF_TYPE_SOFTWARE && s->perf_config == PERF_COUNT_SW_TASK_CLOCK)
            rate = NSEC_PER_SEC / MAX_OF(s->period, 1U);
        highest = MAX_OF(highest, rate);
    }
    return highest;
}

static void examine_rate(struct report *r)
{
    struct finding *f = finding_add(r, "sample-rate", "samples a second", AFFECTS_RUN);
    long rate = (long)highest_rate(r->run), most = r->place.max_sample_rate;

    finding_number(f, "wanted", rate);
    finding_number(f, "perf_event_max_sample_rate", most);
    finding_number(f, "perf_cpu_time_max_percent", r->place.cpu_time_max_percent);
    finding_say(f, "%ld", rate);
    if (most != PLACE_UNKNOWN)
        finding_say(f, " of at most %ld (kernel.perf_event_max_sample_rate)", most);
    if (most == PLACE_UNKNOWN || rate <= most)
        return;
    finding_set(f, STATE_LIMITED,
                "The kernel leaves samples out. It lowers the maximum itself where samples take more than "
                "kernel.perf_cpu_time_max_percent of the time. Choose a lower --frequency.");
}

static void examine_rights(struct report *r)
{
    struct finding *f;

    if (!r->run->refused)
        return;
    f = finding_add(r, "rights", "giving up rights", AFFECTS_RUN);
    finding_say(f, "%s", r->run->refused);
    finding_set(f, STATE_BLOCKING,
                "What cannot be given up altogether is refused: the command is not started, and "
                "ringside exits with status 2.");
}

void examine_run(struct report *r)
{
    examine_rights(r);
    if (r->cause == PERF_CAUSE_NONE)
        examine_rate(r);
    examine_output(r);
    examine_spool(r);
    examine_servers(r);
}
