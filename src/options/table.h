/*
 * table.h - the option table: all there is to know about an option is in its row
 */
#ifndef RINGSIDE_OPTIONS_TABLE_H
#define RINGSIDE_OPTIONS_TABLE_H

#include <stddef.h>

#include "ringside/options.h"

enum option_type {
    OPTION_TEXT,     /* const char *; not empty */
    OPTION_SECRET,   /* const char *; never shown, never on the command line */
    OPTION_SECRETS,  /* struct option_texts, a line each; may be given several times */
    OPTION_EVENTS,   /* struct option_texts; may be given several times */
    OPTION_URLS,     /* struct option_texts, divided by blanks; may be given several times */
    OPTION_TAGS,     /* struct option_texts; a list, may be given several times */
    OPTION_PIDS,     /* struct option_texts, numbers in a list; may be given several times */
    OPTION_SWITCH,   /* bool; --NAME and --no-NAME */
    OPTION_ACTION,   /* bool; --NAME, maybe --NAME=FORM, instead of a run, on the command line only */
    OPTION_COUNT,    /* uint32_t, min to max, rounded down to a multiple of step */
    OPTION_INTEGER,  /* int, min to max */
    OPTION_LIMIT,    /* int, min to max, or -1: no limit */
    OPTION_MSEC,     /* uint32_t, min to max; "1500", "1500ms", "2s" */
    OPTION_SPAN,     /* uint32_t in seconds, min to max; "30", "30s", "5m", "2h"; 0: not given */
    OPTION_CPUS,     /* cpu_set_t, and cpu_affinity_set; "0xa4", "0-3,8" */
    OPTION_LEVEL,    /* enum level */
    OPTION_LOG_MODE, /* enum log_mode, and log_path for any other text */
};

enum option_group {
    GROUP_OUTPUT,
    GROUP_ACCESS,
    GROUP_LABELS,
    GROUP_SAMPLING,
    GROUP_TARGET,
    GROUP_RUNNING,
    GROUP_CONFIGURATION,
    GROUP_MESSAGES,
    GROUP_INFORMATION,
    GROUP_DDPROF,
    OPTION_GROUPS
};

/* How the text of another name becomes one of the option's own. */
enum option_sense {
    SENSE_SAME,
    SENSE_ENABLED,      /* a switch that knows "auto", which is on */
    SENSE_PREFIX,       /* of file names: the folder they would be in */
    SENSE_TAG_LIST,     /* tags divided by commas or, without any, by blanks */
    SENSE_MASK,         /* of CPUs, hexadecimal with or without 0x */
    SENSE_OTEL,         /* OTEL_RESOURCE_ATTRIBUTES: the attribute that is the option */
    SENSE_DATADOG,      /* an agent's URL */
    SENSE_PYROSCOPE,    /* a URL, or what is meant for Pyroscope only */
    SENSE_PARCA,        /* what is meant for Parca only */
    SENSE_OTLP,         /* the URL of the endpoint itself, or what is meant for it only */
    SENSE_OTLP_BASE,    /* a URL that the path of the signal is appended to */
    SENSE_OTLP_HEADERS, /* KEY=VALUE,... */
    SENSE_LABELS,       /* KEY=VALUE,... as tags */
    SENSE_SECONDS,      /* "15s", "2m" as a number of seconds */
};

struct option_alias {
    const char *name;
    enum option_sense sense;
};

#define OPTION_NAMES_MAX   2
#define OPTION_ALIASES_MAX 4

struct option_row {
    const char *name;     /* the long name; RINGSIDE_ and the name in capitals, _ for -, is its variable */
    char letter;          /* 0: none */
    const char *argument; /* what help calls it; NULL: takes none */
    enum option_type type;
    enum option_group group;
    struct option_alias also[OPTION_NAMES_MAX];       /* other long names */
    struct option_alias variable[OPTION_ALIASES_MAX]; /* shared with other tools, strongest first */
    bool rare;                                        /* --help leaves it to --help-all */
    bool takes_word;                                  /* a switch that also takes a word: "-I true" */
    bool command_line_only;                           /* makes no sense in a file */
    bool default_varies; /* the default means something else than the same text given */
    bool is_path;        /* for completion */
    bool is_address;     /* may have credentials in it, which are not shown */
    long min, max, step;
    const char *fallback;  /* the default, as it could be given; NULL: none */
    const char *example;   /* a value other than the default; switches need none */
    const char *words;     /* values to choose from, for completion; of an action: the form it also takes */
    const char *help;      /* one line */
    const char *more;      /* further sentences for the page of all options; may be NULL */
    const char *note;      /* what the default means, when fallback does not say it */
    const char *later;     /* what this build lacks for it; NULL: it works */
    const char *no_effect; /* why it is taken and does nothing; NULL: it does something */
    size_t offset;         /* in struct options; of options without effect none */
};

#define OPTIONS_MAX 80
extern const struct option_row option_table[];
extern const size_t option_count;

extern const char *const option_group_title[OPTION_GROUPS];

#define OPTION_VARIABLE_MAX 64
void option_variable(const struct option_row *row, char out[OPTION_VARIABLE_MAX]);

static inline size_t option_index(const struct option_row *row)
{
    return (size_t)(row - option_table);
}

static inline bool option_repeats(const struct option_row *row)
{
    return row->type == OPTION_EVENTS || row->type == OPTION_TAGS || row->type == OPTION_URLS ||
           row->type == OPTION_PIDS || row->type == OPTION_SECRETS;
}

static inline bool option_is_secret(const struct option_row *row)
{
    return row->type == OPTION_SECRET || row->type == OPTION_SECRETS;
}

static inline bool option_has_bounds(const struct option_row *row)
{
    return row->min != row->max;
}

/* The row of a long name, - and _ alike, n bytes of it; NULL. */
struct option_name {
    const struct option_row *row;
    enum option_sense sense;
    bool negated; /* switches: the --no- form */
};
struct option_name option_find(const char *name, size_t n);
const struct option_row *option_find_letter(char letter);

/* The long name (with --no- forms when negations are possible) most like what was given, or NULL when none is
 * close. out holds the name. */
#define OPTION_NAME_MAX WORD_MAX
const char *option_suggest(const char *given, size_t n, bool negations, char out[OPTION_NAME_MAX]);

#endif
