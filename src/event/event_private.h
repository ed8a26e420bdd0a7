/*
 * event_private.h - between the files of the module
 */
#ifndef RINGSIDE_EVENT_PRIVATE_H
#define RINGSIDE_EVENT_PRIVATE_H

#include "ringside/base.h"
#include "ringside/event.h"

#define EVENT_PERIOD_MAX    (UINT64_MAX >> 1) /* perf_event_open refuses the top bit */
/* perf_swevent_start_hrtimer (kernel/events/core.c) takes this for anything shorter. */
#define CLOCK_PERIOD_MIN_NS 10000
/* PERF_MAX_TRACE_SIZE, include/linux/trace_events.h: no tracepoint's record is longer. */
#define RAW_RECORD_MAX      8192
#define STACK_BYTES_MIN     1024
#define SCALE_MIN           1e-12
#define SCALE_MAX           1e12

/* In the order of event_keys. */
enum event_key_id {
    KEY_EVENT,
    KEY_GROUP,
    KEY_ID,
    KEY_LABEL,
    KEY_UNIT,
    KEY_MODE,
    KEY_PERIOD,
    KEY_FREQUENCY,
    KEY_STACK,
    KEY_PARAMETER,
    KEY_REGISTER,
    KEY_RAW_OFFSET,
    KEY_RAW_SIZE,
    KEY_RAW_FIELD,
    KEY_SCALE,
    EVENT_KEYS
};

/* ---- words (word.c) ---- */

#define EVENT_WORD_MAX 640 /* a probe of the longest path and symbol fits */

struct event_word {
    char plain[EVENT_WORD_MAX]; /* without quotes and backslashes */
    size_t equals;   /* where in plain the first '=' outside quotes is; EVENT_WORD_MAX: there is none */
    size_t at, n;    /* where it stands in the text */
    size_t value_at; /* where in the text the part behind that '=' begins */
};

/* Takes the next word of the event at *at. 1; 0 at its end (at ';' or the end of the text); -1 with *e. */
int event_word_next(const char *text, size_t *at, struct event_word *out, struct err *e);
/* The word so that event_word_next() reads it back, into out as far as it fits; returns its full length. */
size_t event_word_quote(const char *word, char *out, size_t bytes);
bool event_is_control(char c);

/* ---- an event that is being read (parse.c) ---- */

struct event_draft {
    struct event_spec spec;
    const char *text;
    struct {
        size_t at, n; /* n is 0: not given */
    } place[EVENT_KEYS];
    char event[EVENT_WORD_MAX];
    char group[EVENT_TARGET_MAX];
    uint64_t number[EVENT_KEYS];
};

/* Stores the value of a key, as far as it is right without knowing the event (value.c). */
int event_value_store(struct event_draft *d, enum event_key_id key, const char *value, struct err *e);
int event_parse_number(const char *text, uint64_t *out);
/* Whether a key has that name, aliases left out (parse.c). */
bool event_is_key(const char *word, size_t n);
/* What holds between the values and the event (rules.c). -1 with *e, the place marked. */
int event_draft_finish(struct event_draft *d, struct err *e);

/* ---- names of events (target.c) ---- */

/* Fills name, kind, numbers, target and default rate. group may be "". -1 with *e: no such event is possible.
 */
int event_target_parse(struct event_spec *s, const char *word, const char *group, struct err *e);
/* A tracepoint known by its number only. */
void event_target_by_id(struct event_spec *s, uint64_t id);
/* The word that names it. */
size_t event_target_print(const struct event_spec *s, char *out, size_t bytes);

/* Name, numbers and default rate of a table event. */
void event_from_row(struct event_spec *s, const struct event_row *row);
const struct event_row *event_row_find(const char *name, size_t n);
/* Bounds of the period: the clocks cannot tick faster than so. */
uint64_t event_period_min(const struct event_spec *s);

/* ---- suggestions (suggest.c) ---- */

/* Of all names offered, the one most like a word. */
struct event_nearest {
    const char *word;
    const char *name; /* NULL: none is close */
    unsigned distance;
};
void event_nearest_init(struct event_nearest *n, const char *word);
void event_nearest_offer(struct event_nearest *n, const char *name);

#endif
