/*
 * options.h - one table row per option; everything said about options is made from the table
 *
 * Precedence: command line, then RINGSIDE_* environment, then default.
 */
#ifndef RINGSIDE_OPTIONS_H
#define RINGSIDE_OPTIONS_H

#include "ringside/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct options {
    const char *service;       /* -S; default: the command's base name */
    const char *output;        /* -O; NULL: profiles are not written */
    bool wait;                 /* --wait */
    bool wait_set;             /* --wait or --no-wait was asked for: the shape of -O implies nothing */
    uint32_t upload_period_s;  /* -u */
    uint32_t frequency_hz;     /* --frequency */
    uint32_t stack_bytes;      /* --stack-sample-size, rounded down to a multiple of 8 */
    uint32_t start_timeout_ms; /* how long the command is held back for the profiler */
    int nice;                  /* of the profiler */
    enum level log_level;
    enum log_mode log_mode;
    const char *log_path;
    bool help, version;
    char **command; /* NULL-terminated rest of the command line, borrowed from argv */
};

/*
 * Fills *o from argv and environ. Strings are borrowed from them. Returns -1 with *e (for a person, naming
 * the option or variable and quoting the text) on the first thing wrong; the caller exits 2.
 */
int options_parse(struct options *o, int argc, char **argv, char **envp, struct err *e);

/* --help. */
void options_print_help(FILE *to);
/* Markdown of docs/commands.md, generated. */
void options_print_commands_page(FILE *to);

/* Checks the table itself: names unique, defaults inside bounds, help present. For the unit tests. */
int options_check_table(struct err *e);

#endif
