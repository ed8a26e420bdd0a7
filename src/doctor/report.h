/*
 * report.h - what was found, before it is said; private to the module
 */
#ifndef RINGSIDE_DOCTOR_REPORT_H
#define RINGSIDE_DOCTOR_REPORT_H

#include "ringside/base.h"
#include "ringside/doctor.h"
#include "ringside/perf.h"
#include "ringside/place.h"

#define FINDINGS_MAX 32

enum state { STATE_OK, STATE_LIMITED, STATE_BLOCKING };

/* Whom it matters to. */
enum affects { AFFECTS_RUN, AFFECTS_ATTACH, AFFECTS_HOST, AFFECTS_EVENTS };

struct finding {
    const char *id, *title;
    enum state state;
    enum affects affects;
    char found[400];
    const char *why; /* it matters; NULL where it is fine */
    struct place_remedy remedy[PLACE_REMEDIES_MAX];
    size_t remedies;
    struct buf values; /* "name":value,... */
};

struct report {
    const struct doctor_machine *machine;
    const struct doctor_run *run;
    struct place place;
    enum perf_cause cause;
    struct perf_answers answers;
    struct doctor_rehearsal rehearsal;
    bool kernel; /* kernel mode may be sampled */
    struct finding finding[FINDINGS_MAX];
    size_t count;
};

/* A new one that is fine so far; ids are stable, docs/doctor.md lists them. */
struct finding *finding_add(struct report *r, const char *id, const char *title, enum affects affects);
void finding_say(struct finding *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
void finding_set(struct finding *f, enum state state, const char *why);
void finding_remedy(struct report *r, struct finding *f, enum place_need need);
void finding_number(struct finding *f, const char *name, long value); /* PLACE_UNKNOWN: null */
void finding_flag(struct finding *f, const char *name, bool value);
void finding_text(struct finding *f, const char *name, const char *value);

bool report_has(const struct report *r, const char *path);
/* The beginning of a file of the machine; false, and "", when there is nothing. */
bool report_read(const struct report *r, const char *path, char *out, size_t max);

/* events.c, memory.c, names.c, surroundings.c, run.c */
void examine_events(struct report *r);
void examine_memory(struct report *r);
void examine_names(struct report *r);
void examine_surroundings(struct report *r);
void examine_run(struct report *r);

enum doctor_verdict report_verdict(const struct report *r);
/* One line for a person. */
void report_summary(const struct report *r, char *out, size_t max);
void report_print_text(const struct report *r, FILE *to);
void report_print_json(const struct report *r, FILE *to);

#endif
