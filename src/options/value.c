/*
 * value.c - from an option's text to its value
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store.h"

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

static int parse_number(const struct option_row *row, const char *text, long *out, struct err *e)
{
    const char *rest, *or_none = row->type == OPTION_LIMIT ? ", or -1" : "";

    if (!take_number(text, out, &rest) || *rest)
        return err_set(e, 0, QUOTED " is not a number (%ld to %ld%s)", text, row->min, row->max, or_none);
    if ((*out < row->min || *out > row->max) && !(row->type == OPTION_LIMIT && *out == -1))
        return err_set(e, 0, QUOTED " is out of bounds (%ld to %ld%s)", text, row->min, row->max, or_none);
    return 0;
}

static int set_count(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    long value;

    if (parse_number(row, text, &value, e) < 0)
        return -1;
    if (row->step)
        value -= value % row->step;
    *(uint32_t *)place(o, row) = (uint32_t)value;
    return 0;
}

static int set_integer(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    long value;

    if (parse_number(row, text, &value, e) < 0)
        return -1;
    *(int *)place(o, row) = (int)value;
    return 0;
}

static int set_msec(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    const char *unit;
    long value;

    if (!take_number(text, &value, &unit) || (*unit && strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0))
        return err_set(e, 0, QUOTED " is not a time (milliseconds, or with a unit: 500ms, 2s)", text);
    if (strcmp(unit, "s") == 0 && value <= row->max && value >= 0) /* no overflow beyond the bounds */
        value *= 1000;
    if (value < row->min || value > row->max)
        return err_set(e, 0, QUOTED " is out of bounds (%ld to %ld ms)", text, row->min, row->max);
    *(uint32_t *)place(o, row) = (uint32_t)value;
    return 0;
}

static int set_span(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    static const struct {
        const char *name;
        long seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    const char *unit;
    long value, seconds = 0;

    if (take_number(text, &value, &unit))
        for (size_t i = 0; i < ARRAY_LEN(units); i++)
            if (strcmp(unit, units[i].name) == 0)
                seconds = units[i].seconds;
    if (!seconds)
        return err_set(e, 0, QUOTED " is not a time (seconds, or with a unit: 30s, 5m, 2h)", text);
    if (value < 0 || value > row->max / seconds || value * seconds < row->min)
        return err_set(e, 0, QUOTED " is out of bounds (%ld to %ld s)", text, row->min, row->max);
    *(uint32_t *)place(o, row) = (uint32_t)(value * seconds);
    return 0;
}

static int set_switch(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    int on = option_switch_word(text);

    if (on < 0)
        return err_set(e, 0, QUOTED " is none of 1, true, yes, on, 0, false, no, off", text);
    *(bool *)place(o, row) = on;
    return 0;
}

int option_switch_word(const char *text)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        {"1", true},    {"true", true},     {"yes", true}, {"on", true},     {"enable", true},
        {"t", true},    {"y", true},        {"0", false},  {"false", false}, {"no", false},
        {"off", false}, {"disable", false}, {"f", false},  {"n", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(text, words[i].text) == 0)
            return words[i].value;
    return -1;
}

static int refuse_empty(const struct option_row *row, const char *text, struct err *e)
{
    return *text ? 0 : err_set(e, 0, "the argument %s is empty", row->argument);
}

static int set_text(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (refuse_empty(row, text + strspn(text, " \t\r\n"), e) < 0)
        return -1;
    *(const char **)place(o, row) = text;
    return 0;
}

static int add_text(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (!option_texts_add(o->store, place(o, row), text))
        return err_set(e, 0, "more than %d", OPTION_TEXTS_MAX);
    return 0;
}

int option_check_tag(const char *tag, size_t n, struct err *e)
{
    const char *colon = memchr(tag, ':', n);
    int shown = (int)MIN_OF(n, (size_t)60);

    if (!colon || colon == tag || colon == tag + n - 1)
        return err_set(e, 0, "\"%.*s\" is not a tag (KEY:VALUE)", shown, tag);
    if (n > OPTION_TAG_MAX)
        return err_set(e, 0, "\"%.*s...\" is longer than %d bytes", shown, tag, OPTION_TAG_MAX);
    if (memchr(tag, ',', n))
        return err_set(e, 0, "\"%.*s\": there can be no comma in a tag", shown, tag);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)tag[i] < 0x20)
            return err_set(e, 0, "there can be no control character in a tag");
    return 0;
}

bool option_next_tag(const char **list, const char **tag, size_t *n)
{
    *tag = *list + strspn(*list, ", \t");
    *n = strcspn(*tag, ",");
    *list = *tag + *n;
    while (*n && ((*tag)[*n - 1] == ' ' || (*tag)[*n - 1] == '\t'))
        (*n)--;
    return *n > 0;
}

static int add_tags(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    const char *tag;
    size_t n;

    if (refuse_empty(row, text, e) < 0)
        return -1;
    while (option_next_tag(&text, &tag, &n))
        if (option_check_tag(tag, n, e) < 0 || add_text(o, row, option_take_text(o->store, tag, n), e) < 0)
            return -1;
    return 0;
}

/* "URL URL": no URL has a blank in it. */
static int add_urls(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    static const char blanks[] = " \t\n";

    if (refuse_empty(row, text + strspn(text, blanks), e) < 0)
        return -1;
    while (*(text += strspn(text, blanks))) {
        size_t n = strcspn(text, blanks);

        if (add_text(o, row, option_take_text(o->store, text, n), e) < 0)
            return -1;
        text += n;
    }
    return 0;
}

/* A line each: what a server is told may hold any other character. */
static int add_lines(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (refuse_empty(row, text, e) < 0)
        return -1;
    while (*(text += strspn(text, "\r\n"))) {
        size_t n = strcspn(text, "\r\n");

        if (add_text(o, row, option_take_text(o->store, text, n), e) < 0)
            return -1;
        text += n;
    }
    return 0;
}

/* "12,34" or what pgrep prints. */
static int add_pids(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (refuse_empty(row, text + strspn(text, OPTION_PID_DIVIDERS), e) < 0)
        return -1;
    while (*(text += strspn(text, OPTION_PID_DIVIDERS))) {
        size_t n = strcspn(text, OPTION_PID_DIVIDERS);
        const char *word = option_take_text(o->store, text, n);
        long value;

        if (parse_number(row, word, &value, e) < 0 || add_text(o, row, word, e) < 0)
            return -1;
        text += n;
    }
    return 0;
}

static int set_level(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    int level = log_level_parse(strcasecmp(text, "informational") == 0 ? "info" : text);

    if (level < 0)
        return err_set(e, 0, QUOTED " is none of error, warn, notice, info, debug", text);
    *(enum level *)place(o, row) = (enum level)level;
    return 0;
}

const char *const option_log_modes[LOG_MODE_FILE] = {
    [LOG_MODE_STDERR] = "stderr",
    [LOG_MODE_STDOUT] = "stdout",
    [LOG_MODE_SYSLOG] = "syslog",
    [LOG_MODE_DISABLED] = "disabled",
};

/* Any text can be the name of a file, but one that is nearly a word is a slip. */
static int set_log_mode(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    if (refuse_empty(row, text, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(option_log_modes); i++) {
        const char *word = option_log_modes[i];

        if (strcasecmp(text, word) == 0) {
            *(enum log_mode *)place(o, row) = (enum log_mode)i;
            o->log_path = NULL;
            return 0;
        }
        if (strlen(text) < 16 && !strpbrk(text, "./") && word_distance(text, word) <= 2)
            return err_set(e, 0, QUOTED ": did you mean %s? (a file of that name: ./%s)", text, word, text);
    }
    *(enum log_mode *)place(o, row) = LOG_MODE_FILE;
    o->log_path = text;
    return 0;
}

/* ---- CPUs ---- */

int option_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The digits of a mask, the last of them CPUs 0 to 3. */
static bool read_mask(const char *digits, cpu_set_t *out)
{
    size_t n = strlen(digits);

    for (size_t i = 0; i < n; i++) {
        int digit = option_hex_digit(digits[n - 1 - i]);

        if (digit < 0)
            return false;
        for (unsigned bit = 0; bit < 4; bit++) {
            if (!(digit >> bit & 1))
                continue;
            if (4 * i + bit >= CPU_SETSIZE)
                return false;
            CPU_SET(4 * i + bit, out);
        }
    }
    return n > 0;
}

/* "0-3,8" */
static bool read_cpu_list(const char *text, cpu_set_t *out)
{
    for (;;) {
        long first, last;

        if (*text == '-' || !take_number(text, &first, &text))
            return false;
        last = first;
        if (*text == '-' && (text[1] == '-' || !take_number(text + 1, &last, &text)))
            return false;
        if (last < first || last >= CPU_SETSIZE)
            return false;
        for (long cpu = first; cpu <= last; cpu++)
            CPU_SET((size_t)cpu, out);
        if (!*text)
            return true;
        if (*text++ != ',')
            return false;
    }
}

static int set_cpus(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    cpu_set_t *cpus = place(o, row);
    bool is_mask = strncasecmp(text, "0x", 2) == 0;

    CPU_ZERO(cpus);
    if (!(is_mask ? read_mask(text + 2, cpus) : read_cpu_list(text, cpus)) || CPU_COUNT(cpus) == 0)
        return err_set(e, 0, QUOTED " is no set of CPUs (a mask like 0xa4 or a list like 0-3,8; 0 to %d)",
                       text, CPU_SETSIZE - 1);
    o->cpu_affinity_set = true;
    return 0;
}

int option_set(struct options *o, const struct option_row *row, const char *text, struct err *e)
{
    switch (row->type) {
    case OPTION_COUNT:
        return set_count(o, row, text, e);
    case OPTION_INTEGER:
    case OPTION_LIMIT:
        return set_integer(o, row, text, e);
    case OPTION_MSEC:
        return set_msec(o, row, text, e);
    case OPTION_SPAN:
        return set_span(o, row, text, e);
    case OPTION_SWITCH:
        return set_switch(o, row, text, e);
    case OPTION_ACTION:
        return set_switch(o, row, row->words && strcmp(text, row->words) == 0 ? "yes" : text, e);
    case OPTION_LEVEL:
        return set_level(o, row, text, e);
    case OPTION_LOG_MODE:
        return set_log_mode(o, row, text, e);
    case OPTION_CPUS:
        return set_cpus(o, row, text, e);
    case OPTION_TAGS:
        return add_tags(o, row, text, e);
    case OPTION_URLS:
        return add_urls(o, row, text, e);
    case OPTION_PIDS:
        return add_pids(o, row, text, e);
    case OPTION_SECRETS:
        return add_lines(o, row, text, e);
    case OPTION_EVENTS:
        return refuse_empty(row, text, e) < 0 ? -1 : add_text(o, row, text, e);
    default:
        return set_text(o, row, text, e);
    }
}
