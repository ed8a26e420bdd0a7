/*
 * table.h - the option table: all there is to know about an option is in its row
 */
#ifndef RINGSIDE_OPTIONS_TABLE_H
#define RINGSIDE_OPTIONS_TABLE_H

#include <stddef.h>

#include "ringside/options.h"

enum option_type {
    OPTION_TEXT,     /* const char *; not empty */
    OPTION_SWITCH,   /* bool; --NAME and --no-NAME */
    OPTION_ACTION,   /* bool; --NAME instead of a run, on the command line only */
    OPTION_COUNT,    /* uint32_t, min to max, rounded down to a multiple of step */
    OPTION_INTEGER,  /* int, min to max */
    OPTION_MSEC,     /* uint32_t, min to max; "1500", "1500ms", "2s" */
    OPTION_LEVEL,    /* enum level */
    OPTION_LOG_MODE, /* enum log_mode, and log_path for any other text */
};

enum option_group {
    GROUP_OUTPUT,
    GROUP_SAMPLING,
    GROUP_RUNNING,
    GROUP_MESSAGES,
    GROUP_INFORMATION,
    OPTION_GROUPS
};

struct option_row {
    const char *name;     /* the long name; RINGSIDE_ and the name in capitals, _ for -, is its variable */
    char letter;          /* 0: none */
    const char *argument; /* what help calls it; NULL: takes none */
    enum option_type type;
    enum option_group group;
    long min, max, step;
    const char *fallback; /* the default, as it could be given; NULL: none */
    const char *help;     /* one line */
    const char *more;     /* further sentences for the page of all options; may be NULL */
    const char *note;     /* what the default means, when fallback does not say it */
    size_t offset;        /* in struct options */
};

#define OPTIONS_MAX 64
extern const struct option_row option_table[];
extern const size_t option_count;
extern const char *const option_group_title[OPTION_GROUPS];

/* Where a value came from; a later one wins over an earlier one. */
enum option_source { SOURCE_DEFAULT, SOURCE_ENVIRONMENT, SOURCE_COMMAND_LINE };

#define OPTION_VARIABLE_MAX 64
void option_variable(const struct option_row *row, char out[OPTION_VARIABLE_MAX]);

/* By long name, - and _ alike, n bytes of it; NULL. Switches: *negated tells the --no- form. */
const struct option_row *option_find(const char *name, size_t n, bool *negated);
const struct option_row *option_find_letter(char letter);

/* Stores a value into *o. -1 with *e: what is wrong with the text, the option not yet named. */
int option_store(struct options *o, const struct option_row *row, const char *text, struct err *e);

/* The long name (with --no- forms) most like what was given, or NULL when none is close. out holds the name.
 */
#define OPTION_NAME_MAX 64
const char *option_suggest(const char *given, size_t n, char out[OPTION_NAME_MAX]);

#endif
