/*
 * event.h - what to sample: event specs and presets, text to struct event_spec; opens nothing
 *
 * A text holds events separated by ';'. An event is words separated by blanks or commas: its name, bare or as
 * event=, and KEY=VALUE pairs (event_keys). Names are those of the table (event_table), tracepoints
 * (GROUP:NAME), probes (kprobe:SYMBOL[+OFFSET], uprobe:PATH:SYMBOL[+OFFSET], their forms at return with
 * kretprobe: and uretprobe:) and raw events of the processor (rNNNN). Double quotes keep blanks, commas,
 * semicolons and '=' in a word together; a backslash takes the next character as it is.
 *
 * Whether this machine has the event, and under which numbers, is for perf_events.h to find out.
 */
#ifndef RINGSIDE_EVENT_H
#define RINGSIDE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define EVENTS_MAX          16
#define EVENT_STACK_MAX     65528U
#define EVENT_FREQUENCY_MAX 100000U
#define EVENT_NAME_MAX      48 /* sizes are of arrays, the NUL included */
#define EVENT_LABEL_MAX     64
#define EVENT_UNIT_MAX      32
#define EVENT_FIELD_MAX     64
#define EVENT_TARGET_MAX    256

enum event_kind {
    EVENT_HARDWARE,
    EVENT_SOFTWARE,
    EVENT_TRACEPOINT,
    EVENT_KPROBE,
    EVENT_KRETPROBE,
    EVENT_UPROBE,
    EVENT_URETPROBE,
    EVENT_RAW,
};

/* What a sample counts for, before scale; times the period where that is not 1, so that sums stay right. */
enum event_weight {
    EVENT_WEIGHT_PERIOD,   /* the period alone: how many events the sample stands for */
    EVENT_WEIGHT_ARGUMENT, /* argument number `argument`: event_weight_register() says where it lies */
    EVENT_WEIGHT_REGISTER, /* register reg */
    EVENT_WEIGHT_RAW,      /* raw_size bytes at raw_offset of the tracepoint's record */
    EVENT_WEIGHT_FIELD,    /* its field raw_field: an offset and size that perf_events.h looks up */
};

#define EVENT_MODE_SUM  (1U << 0) /* all there was; the default */
#define EVENT_MODE_LIVE (1U << 1) /* what is still in use at the end of a period: allocations only */

/* Plain data, copied around by value; unused bytes are zero, so that equal specs compare equal with memcmp.
 */
struct event_spec {
    char name[EVENT_NAME_MAX]; /* for messages and profiles: "sCPU", "sched:sched_switch", "uprobe:malloc" */
    enum event_kind kind;
    uint32_t perf_type;   /* PERF_TYPE_*; of probes, not known here: UINT32_MAX */
    uint64_t perf_config; /* of a tracepoint its id, where that was given, else 0; of probes 0 */

    char group[EVENT_TARGET_MAX];  /* tracepoint: its group; uprobe: path of the file */
    char target[EVENT_TARGET_MAX]; /* tracepoint: its name; probe: symbol, "" where there is only an offset */
    uint64_t offset;               /* probe: from the symbol; without one, kernel address or file offset */

    /*
     * The rate. period is what to arm, in the event's own unit (nanoseconds for sCPU); when it is 0, the
     * kernel is asked for frequency_hz. Both are set where a frequency is an exact period: the CPU clocks.
     */
    uint64_t period;
    uint32_t frequency_hz; /* 0: asked for as a period */
    bool rate_given;       /* false: the event's default, which an option may replace (event_set_frequency) */
    uint32_t stack_bytes;  /* of user stack copied with a sample; a multiple of 8; 0: as the run has it */

    enum event_weight weight;
    uint8_t argument; /* from 1 */
    uint8_t reg;      /* DWARF number (arch.h) */
    uint8_t raw_size; /* 1, 2, 4 or 8 */
    uint16_t raw_offset;
    char raw_field[EVENT_FIELD_MAX];
    double scale; /* more than 0; 1 unless given */

    uint32_t mode;               /* EVENT_MODE_ bits */
    char label[EVENT_LABEL_MAX]; /* "": none given */
    char unit[EVENT_UNIT_MAX];   /* "": none given */
};

struct event_list {
    struct event_spec spec[EVENTS_MAX];
    uint32_t count;
};

/*
 * Adds the events of one text (of one -e). -1 with *e, and *l as it was, on the first thing wrong: the text
 * quoted, what is nearest to it, the bounds; a second line of *e shows the text and a third marks the place.
 * Refused are also an event that *l already has, and two of one sample type.
 */
int event_list_add(struct event_list *l, const char *text, struct err *e);

/* Adds the events of a preset, but for those *l already has. -1 with *e: unknown, or not in this build. */
int event_preset_add(struct event_list *l, const char *name, struct err *e);

/*
 * Writes the spec so that event_list_add() makes the same spec of it. Returns the length, like snprintf();
 * EVENT_TEXT_MAX bytes always do. Only what was given is written, except that --frequency and
 * --stack-sample-size may have been filled in by then.
 */
#define EVENT_TEXT_MAX 2048
size_t event_spec_print(const struct event_spec *s, char *out, size_t bytes);

/* Time a task spends on a CPU, sampled frequency_hz (1 or more) times a second of it. */
struct event_spec event_cpu(uint32_t frequency_hz, uint32_t stack_bytes);

/* Replaces the rate; knows which events take an exact period for it. hz is 1 to EVENT_FREQUENCY_MAX. */
void event_set_frequency(struct event_spec *s, uint32_t hz);

/* The same thing counted: kind, target and weight agree, whatever the rate and the label. */
bool event_same(const struct event_spec *a, const struct event_spec *b);

/* What the profile calls the values: the label if there is one; both borrowed from *s or static. */
const char *event_sample_type(const struct event_spec *s);
const char *event_sample_unit(const struct event_spec *s);

/*
 * True when it only happens in kernel mode, so that exclude_kernel would leave nothing to count
 * (perf_exclude_event and perf_tp_event_match, kernel/events/core.c): context switches, tracepoints, kprobes.
 */
bool event_needs_kernel(const struct event_spec *s);

/*
 * DWARF number of the register whose value is the weight, -1 for other weights. Of kprobes it is a register
 * of the kernel function (PERF_SAMPLE_REGS_INTR), of everything else one of the process
 * (PERF_SAMPLE_REGS_USER).
 */
int event_weight_register(const struct event_spec *s);

/* ---- the tables, for help, pages and lists ---- */

struct event_row {
    const char *name;
    const char *what; /* one line */
    const char *unit; /* of its counts */
    const char *type; /* neutral name of the sample type: "page_faults" */
    enum event_kind kind;
    uint32_t perf_type;
    uint64_t perf_config;
    uint64_t period; /* the default rate: this, or */
    uint32_t frequency_hz;
    bool needs_kernel;
    const char *refused; /* why this build does not have it; NULL: it has */
};
extern const struct event_row event_table[];
extern const size_t event_table_rows;

struct event_preset {
    const char *name;
    const char *events; /* as for -e */
    const char *what;
    const char *cost;
    const char *refused;
};
extern const struct event_preset event_presets[];
extern const size_t event_preset_rows;

struct event_key {
    const char *name;    /* "frequency" */
    const char *aliases; /* "freq f", separated by blanks */
    const char *what;
};
extern const struct event_key event_keys[];
extern const size_t event_key_rows;

#endif
