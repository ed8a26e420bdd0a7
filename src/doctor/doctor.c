/*
 * doctor.c - asks everything in turn and comes to a verdict
 */
#include "ringside/doctor.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

#define VALUES_MAX 2048

struct finding *finding_add(struct report *r, const char *id, const char *title, enum affects affects)
{
    struct finding *f = &r->finding[MIN_OF(r->count, (size_t)FINDINGS_MAX - 1)];

    if (r->count < FINDINGS_MAX)
        r->count++;
    else
        buf_release(&f->values);
    *f = (struct finding){.id = id, .title = title, .affects = affects};
    if ((affects == AFFECTS_ATTACH && r->run->pid_count) || (affects == AFFECTS_HOST && r->run->whole_host))
        f->affects = AFFECTS_RUN;
    buf_init(&f->values, VALUES_MAX);
    return f;
}

void finding_say(struct finding *f, const char *fmt, ...)
{
    size_t n = strlen(f->found);
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->found + n, sizeof(f->found) - n, fmt, args);
    va_end(args);
}

void finding_set(struct finding *f, enum state state, const char *why)
{
    f->state = MAX_OF(f->state, state);
    f->why = why;
}

void finding_remedy(struct report *r, struct finding *f, enum place_need need)
{
    f->remedies = place_remedies(&r->place, need, f->remedy);
}

static bool begin_value(struct finding *f, const char *name)
{
    return buf_add_text(&f->values, f->values.len ? ", " : "") && json_add_text(&f->values, name) &&
           buf_add_text(&f->values, ": ");
}

void finding_number(struct finding *f, const char *name, long value)
{
    size_t before = f->values.len;

    if (!begin_value(f, name) ||
        !(value == PLACE_UNKNOWN ? buf_add_text(&f->values, "null") : buf_printf(&f->values, "%ld", value)))
        f->values.len = before; /* all of it or nothing */
}

void finding_flag(struct finding *f, const char *name, bool value)
{
    size_t before = f->values.len;

    if (!begin_value(f, name) || !buf_add_text(&f->values, value ? "true" : "false"))
        f->values.len = before;
}

void finding_text(struct finding *f, const char *name, const char *value)
{
    size_t before = f->values.len;

    if (!begin_value(f, name) || !json_add_text(&f->values, value))
        f->values.len = before;
}

bool report_has(const struct report *r, const char *path)
{
    char full[PATH_MAX];
    int n = snprintf(full, sizeof(full), "%s%s", r->place.root, path);

    return n > 0 && (size_t)n < sizeof(full) && access(full, F_OK) == 0;
}

bool report_read(const struct report *r, const char *path, char *out, size_t max)
{
    char full[PATH_MAX];
    int n = snprintf(full, sizeof(full), "%s%s", r->place.root, path);

    out[0] = '\0';
    return n > 0 && (size_t)n < sizeof(full) && read_small_file(AT_FDCWD, full, out, max, NULL) > 0;
}

enum doctor_verdict report_verdict(const struct report *r)
{
    enum state worst = STATE_OK;

    for (size_t i = 0; i < r->count; i++)
        if (r->finding[i].affects == AFFECTS_RUN)
            worst = MAX_OF(worst, r->finding[i].state);
    return worst == STATE_BLOCKING  ? DOCTOR_UNUSABLE
           : worst == STATE_LIMITED ? DOCTOR_DEGRADED
                                    : DOCTOR_USABLE;
}

void report_summary(const struct report *r, char *out, size_t max)
{
    enum doctor_verdict verdict = report_verdict(r);
    enum state state = verdict == DOCTOR_UNUSABLE ? STATE_BLOCKING : STATE_LIMITED;
    size_t n = (size_t)snprintf(out, max, "Profiling %s",
                                verdict == DOCTOR_UNUSABLE   ? "does not work here"
                                : verdict == DOCTOR_DEGRADED ? "works here, with limits"
                                                             : "works here.");
    const char *divider = ": ";

    if (verdict == DOCTOR_USABLE)
        return;
    for (size_t i = 0; i < r->count && n < max; i++) {
        const struct finding *f = &r->finding[i];

        if (f->affects != AFFECTS_RUN || f->state != state)
            continue;
        n += (size_t)snprintf(out + n, max - n, "%s%s", divider, f->title);
        divider = ", ";
    }
    if (n < max)
        snprintf(out + n, max - n, ".");
}

enum doctor_verdict doctor_examine(const struct doctor_machine *m, const struct doctor_run *run, bool json,
                                   FILE *to)
{
    struct report *r = base_calloc(1, sizeof(*r));
    enum doctor_verdict verdict;

    r->machine = m;
    r->run = run;
    place_look(m->root, &r->place);
    examine_events(r);
    examine_memory(r);
    examine_names(r);
    examine_run(r);
    examine_surroundings(r);
    if (json)
        report_print_json(r, to);
    else
        report_print_text(r, to);
    verdict = report_verdict(r);
    for (size_t i = 0; i < r->count; i++)
        buf_release(&r->finding[i].values);
    free(r);
    return verdict;
}
