/*
 * list.c - what -e help prints: what there is by name, and whether this machine has it
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "probes.h"
#include "ringside/base.h"
#include "tracefs.h"

/* Width of the column of names. */
#define NAME_COLUMN 10

static struct event_spec spec_of(const struct event_row *row)
{
    struct event_list one;

    memset(&one, 0, sizeof(one));
    event_list_add(&one, row->name, NULL); /* the table's own names are taken */
    return one.spec[0];
}

/* The explanation begins with the event's name, which the line has already. */
static const char *without_name(const char *text, const char *name)
{
    size_t n = strlen(name);

    return strncmp(text, name, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static void print_rate(const struct event_spec *s, FILE *to)
{
    if (s->frequency_hz)
        fprintf(to, ", %u a second\n", s->frequency_hz);
    else if (s->period == 1)
        fprintf(to, ", each one\n");
    else
        fprintf(to, ", each %lluth\n", (unsigned long long)s->period);
}

static void print_note(const char *note, const char *more, FILE *to)
{
    fprintf(to, "  %*s %s%s\n", NAME_COLUMN, "", note, more);
}

static void list_row(const struct perf_machine *m, const struct event_row *row, FILE *to)
{
    struct event_spec s;
    struct err e = {0};

    fprintf(to, "  %-*s %s (%s/%s)", NAME_COLUMN, row->name, row->what, row->type, row->unit);
    if (row->refused) {
        fprintf(to, "\n");
        print_note("no: ", row->refused, to);
        return;
    }
    s = spec_of(row);
    print_rate(&s, to);
    switch (perf_try(m, &s, &e)) {
    case PERF_OFFER_FULL:
        return;
    case PERF_OFFER_USER_MODE:
        print_note("in user mode only (kernel.perf_event_paranoid is above 1, CAP_PERFMON not there)", "",
                   to);
        return;
    case PERF_OFFER_REFUSED:
        print_note("no: ", without_name(e.text, s.name), to);
    }
}

static void list_tracepoints(const struct perf_machine *m, FILE *to)
{
    struct err e;
    CLOSE_FD int fd = tracefs_open(m, &e);
    unsigned groups, tracepoints;

    fprintf(to, "\nTracepoints, as GROUP:NAME\n");
    if (fd < 0) {
        fprintf(to, "  no: %s\n", e.text);
        return;
    }
    tracefs_count(fd, &groups, &tracepoints);
    fprintf(to, "  %u in %u groups, listed in %s/events\n", tracepoints, groups, tracefs_path(m));
}

/*
 * Without making one: an event of the PMU that names nothing passes the check of privilege, which comes
 * first, and fails for what it names.
 */
static void list_probe(const struct perf_machine *m, const char *pmu, const char *form, FILE *to)
{
    struct perf_event_attr attr = {.size = sizeof(attr), .disabled = 1, .sample_period = 1};
    struct err e = {0};
    long type = probes_pmu(m, pmu, &e);
    int fd;

    fprintf(to, "  %s\n", form);
    if (type < 0) {
        print_note("no: ", e.text, to);
        return;
    }
    attr.type = (uint32_t)type;
    fd = m->open(m->ctx, &attr);
    if (fd >= 0)
        close(fd);
    if (fd == -EACCES || fd == -EPERM)
        print_note("no: probes take ",
                   pmu[0] == 'u' ? "CAP_SYS_ADMIN (CAP_PERFMON on older kernels)" : "CAP_PERFMON", to);
}

static void list_keys(FILE *to)
{
    fprintf(to, "\nKeys, as in \"sPF period=100; sched:sched_switch label=switches\"\n");
    for (size_t i = 0; i < event_key_rows; i++)
        fprintf(to, "  %-17s %-19s %s\n", event_keys[i].name, event_keys[i].aliases, event_keys[i].what);
}

static void list_presets(FILE *to)
{
    fprintf(to, "\nPresets, for --preset\n");
    for (size_t i = 0; i < event_preset_rows; i++) {
        const struct event_preset *p = &event_presets[i];

        fprintf(to, "  %-17s %-19s %s\n", p->name, p->events, p->what);
        if (p->refused)
            fprintf(to, "  %17s no: %s\n", "", p->refused);
    }
}

void perf_list_events(const struct perf_machine *m, FILE *to)
{
    fprintf(to, "Events, with the sample type and unit in the profile, and how often one is sampled\n");
    for (size_t i = 0; i < event_table_rows; i++)
        list_row(m, &event_table[i], to);
    fprintf(to, "  %-*s %s\n", NAME_COLUMN, "rNNNN", "a raw event of the processor, in hexadecimal");
    list_tracepoints(m, to);
    fprintf(to, "\nProbes\n");
    list_probe(m, "kprobe", "kprobe:SYMBOL[+OFFSET], kretprobe:SYMBOL", to);
    list_probe(m, "uprobe", "uprobe:PATH:SYMBOL[+OFFSET], uretprobe:PATH:SYMBOL", to);
    list_keys(to);
    list_presets(to);
}
