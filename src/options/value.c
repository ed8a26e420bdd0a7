/*
 * value.c - from an option's text to its value
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "table.h"

#define QUOTED "\"%.60s\"" /* of what was given: enough to find it again, room for the reason */

static void *place(struct options *o, const struct option_row *row)
{
    return (char *)o + row->offset;
}

/* A decimal number and what follows it. False when there is none; too large for a long: LONG_MAX, LONG_MIN.
 */
static bool take_number(const char *text, long *value, const char **rest)
{
    const char *digits = text + (*text == '-');
    char *end;

    if (*digits < '0' || *digits > '9')
        return false;
    *value = strtol(text, &end, 10); /* saturates */
    *rest = end;
    return true;
}

static int check_bounds(const struct option_row *row, const char *text, long value, struct err *e)
{
    if (value < row->min || value > row->max)
        return err_set(e, 0, QUOTED " is out of bounds (%ld to %ld)", text, row->min, row->max);
    return 0;
}

static int parse_number(const struct option_row *row, const char *text, long *out, struct err *e)
{
    const char *rest;

    if (!take_number(text, out, &rest) || *rest)
        return err_set(e, 0, QUOTED " is not a number (%ld to %ld)", text, row->min, row->max);
    return check_bounds(row, text, *out, e);
}

static int store_count(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    long value;

    if (parse_number(row, text, &value, e) < 0)
        return -1;
    if (row->step)
        value -= value % row->step;
    *(uint32_t *)place(o, row) = (uint32_t)value;
    return 0;
}

static int store_integer(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    long value;

    if (parse_number(row, text, &value, e) < 0)
        return -1;
    *(int *)place(o, row) = (int)value;
    return 0;
}

static int store_msec(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    const char *unit;
    long value;

    if (!take_number(text, &value, &unit) || (*unit && strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0))
        return err_set(e, 0, QUOTED " is not a time (milliseconds, or with a unit: 500ms, 2s)", text);
    if (strcmp(unit, "s") == 0 && value <= row->max) /* no overflow beyond the bounds */
        value *= 1000;
    if (value < row->min || value > row->max)
        return err_set(e, 0, QUOTED " is out of bounds (%ld to %ld ms)", text, row->min, row->max);
    *(uint32_t *)place(o, row) = (uint32_t)value;
    return 0;
}

static int store_switch(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        {"1", true},  {"true", true},   {"yes", true}, {"on", true},
        {"0", false}, {"false", false}, {"no", false}, {"off", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i].text) == 0) {
            *(bool *)place(o, row) = words[i].value;
            return 0;
        }
    }
    return err_set(e, 0, QUOTED " is none of 1, true, yes, on, 0, false, no, off", text);
}

static int store_text(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (!*text)
        return err_set(e, 0, "the argument %s is empty", row->argument);
    *(const char **)place(o, row) = text;
    return 0;
}

static int store_level(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    int level = log_level_parse(text);

    if (level < 0)
        return err_set(e, 0, QUOTED " is none of error, warn, notice, info, debug", text);
    *(enum level *)place(o, row) = (enum level)level;
    return 0;
}

/* Any text can be the name of a file, but one that is nearly a word is a slip. */
static int store_log_mode(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    static const char *const words[] = {
        [LOG_MODE_STDERR] = "stderr",
        [LOG_MODE_STDOUT] = "stdout",
        [LOG_MODE_SYSLOG] = "syslog",
        [LOG_MODE_DISABLED] = "disabled",
    };

    if (!*text)
        return err_set(e, 0, "the argument %s is empty", row->argument);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *(enum log_mode *)place(o, row) = (enum log_mode)i;
            o->log_path = NULL;
            return 0;
        }
        if (strlen(text) < 16 && !strpbrk(text, "./") && word_distance(text, words[i]) <= 2)
            return err_set(e, 0, QUOTED ": did you mean %s? (a file of that name: ./%s)", text, words[i],
                           text);
    }
    *(enum log_mode *)place(o, row) = LOG_MODE_FILE;
    o->log_path = text;
    return 0;
}

int option_store(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    switch (row->type) {
    case OPTION_COUNT:
        return store_count(o, row, text, e);
    case OPTION_INTEGER:
        return store_integer(o, row, text, e);
    case OPTION_MSEC:
        return store_msec(o, row, text, e);
    case OPTION_SWITCH:
    case OPTION_ACTION:
        return store_switch(o, row, text, e);
    case OPTION_LEVEL:
        return store_level(o, row, text, e);
    case OPTION_LOG_MODE:
        return store_log_mode(o, row, text, e);
    default:
        return store_text(o, row, text, e);
    }
}
