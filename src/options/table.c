/*
 * table.c - the rows, and finding one
 */
#include "table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ringside/event.h"

#define AT(field) .offset = offsetof(struct options, field)

const struct option_row option_table[] = {
    {
        .name = "service",
        .letter = 'S',
        .argument = "NAME",
        .type = OPTION_TEXT,
        .group = GROUP_OUTPUT,
        .note = "the command's name",
        .help = "name of the service in the profiles",
        AT(service),
    },
    {
        .name = "output",
        .letter = 'O',
        .argument = "PATH",
        .type = OPTION_TEXT,
        .group = GROUP_OUTPUT,
        .help = "file for one profile, or FOLDER/ for one per period",
        .more = "A path that is a folder or ends in `/` gets one file per period and one at the end, named "
                "`SERVICE-TIME-PIDpid-NUMBER.pb.gz` so that they sort by time. Any other path is the one "
                "file for "
                "the whole run, which appears when it is complete; ringside then stays the command's parent, "
                "as with "
                "`--wait`.",
        AT(output),
    },
    {
        .name = "upload-period",
        .letter = 'u',
        .argument = "SECONDS",
        .type = OPTION_COUNT,
        .group = GROUP_OUTPUT,
        .min = 1,
        .max = 86400,
        .fallback = "59",
        .help = "how much time one profile covers",
        .more = "With a single output file there is one profile for the whole run and this has no effect.",
        AT(upload_period_s),
    },
    {
        .name = "frequency",
        .argument = "HZ",
        .type = OPTION_COUNT,
        .group = GROUP_SAMPLING,
        .min = 1,
        .max = 10000,
        .fallback = "99",
        .help = "samples per second of CPU time",
        .more = "Each sample costs the target 10 to 20 us in a virtual machine and a fraction of that on "
                "bare metal.",
        AT(frequency_hz),
    },
    {
        .name = "stack-sample-size",
        .argument = "BYTES",
        .type = OPTION_COUNT,
        .group = GROUP_SAMPLING,
        .min = 1024,
        .max = EVENT_STACK_MAX,
        .step = 8,
        .fallback = "32768",
        .help = "how much of the stack is copied with each sample",
        .more = "Rounded down to a multiple of 8. Deeper stacks end in a frame `[truncated]`; compilers like "
                "clang need "
                "the maximum.",
        AT(stack_bytes),
    },
    {
        .name = "wait",
        .type = OPTION_SWITCH,
        .group = GROUP_RUNNING,
        .note = "no, or yes with a single output file",
        .help = "stay the command's parent until the last profile is written",
        .more =
            "Signals are forwarded and the exit status is the command's. Without it, ringside becomes the "
            "command, which keeps the process id, and a detached process does the profiling.",
        AT(wait),
    },
    {
        .name = "start-timeout",
        .argument = "TIME",
        .type = OPTION_MSEC,
        .group = GROUP_RUNNING,
        .min = 1,
        .max = 60000,
        .fallback = "2000",
        .help = "how long the command waits for the profiler at most, in ms or as 2s",
        .more = "The command starts in any case. Times take a unit: `500ms`, `2s`.",
        AT(start_timeout_ms),
    },
    {
        .name = "nice",
        .argument = "LEVEL",
        .type = OPTION_INTEGER,
        .group = GROUP_RUNNING,
        .min = -20,
        .max = 19,
        .fallback = "0",
        .help = "scheduling priority of the profiler, not of the command",
        .more = "Below 0 takes privilege.",
        AT(nice),
    },
    {
        .name = "log-level",
        .letter = 'l',
        .argument = "LEVEL",
        .type = OPTION_LEVEL,
        .group = GROUP_MESSAGES,
        .fallback = "warn",
        .help = "error, warn, notice (or info), debug",
        AT(log_level),
    },
    {
        .name = "log-mode",
        .letter = 'o',
        .argument = "WHERE",
        .type = OPTION_LOG_MODE,
        .group = GROUP_MESSAGES,
        .fallback = "stderr",
        .help = "stderr, stdout, syslog, disabled, or a file",
        .more = "A file is appended to.",
        AT(log_mode),
    },
    {
        .name = "help",
        .letter = 'h',
        .type = OPTION_ACTION,
        .group = GROUP_INFORMATION,
        .help = "show this help",
        AT(help),
    },
    {
        .name = "version",
        .letter = 'v',
        .type = OPTION_ACTION,
        .group = GROUP_INFORMATION,
        .help = "show the version",
        AT(version),
    },
};
const size_t option_count = ARRAY_LEN(option_table);

const char *const option_group_title[OPTION_GROUPS] = {
    [GROUP_OUTPUT] = "Output",     [GROUP_SAMPLING] = "Sampling",       [GROUP_RUNNING] = "Running",
    [GROUP_MESSAGES] = "Messages", [GROUP_INFORMATION] = "Information",
};

void option_variable(const struct option_row *row, char out[OPTION_VARIABLE_MAX])
{
    snprintf(out, OPTION_VARIABLE_MAX, "RINGSIDE_%s", row->name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static bool same_name(const char *name, const char *given, size_t n)
{
    if (strlen(name) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] != (given[i] == '_' ? '-' : given[i]))
            return false;
    return true;
}

const struct option_row *option_find(const char *name, size_t n, bool *negated)
{
    bool no = n > 3 && (memcmp(name, "no-", 3) == 0 || memcmp(name, "no_", 3) == 0);

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        *negated = false;
        if (same_name(row->name, name, n))
            return row;
        *negated = true;
        if (no && row->type == OPTION_SWITCH && same_name(row->name, name + 3, n - 3))
            return row;
    }
    *negated = false;
    return NULL;
}

const struct option_row *option_find_letter(char letter)
{
    for (size_t i = 0; letter && i < option_count; i++)
        if (option_table[i].letter == letter)
            return &option_table[i];
    return NULL;
}

static int check_row(const struct option_row *row, struct err *e)
{
    struct options scratch = {0};
    char variable[OPTION_VARIABLE_MAX];
    bool takes_text = row->type != OPTION_SWITCH && row->type != OPTION_ACTION;

    if (!row->name[0] || strlen(row->name) > 40 ||
        row->name[strspn(row->name, "abcdefghijklmnopqrstuvwxyz-")])
        return err_set(e, 0, "a name is lower-case letters and dashes");
    option_variable(row, variable);
    if (strncmp(row->name, "no-", 3) == 0)
        return err_set(e, 0, "names that begin with no- are negations");
    if (!row->help || !*row->help || strlen(row->help) > 70)
        return err_set(e, 0, "help is one line");
    if (takes_text != (row->argument != NULL))
        return err_set(e, 0, "argument and type do not fit");
    if (row->min > row->max || row->offset >= sizeof(scratch) || row->group >= OPTION_GROUPS)
        return err_set(e, 0, "bounds, group or place");
    if (row->fallback && option_store(&scratch, row, row->fallback, e) < 0)
        return err_wrap(e, "default");
    return 0;
}

int options_check_table(struct err *e)
{
    if (option_count > OPTIONS_MAX)
        return err_set(e, 0, "more than %d options", OPTIONS_MAX);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (check_row(row, e) < 0)
            return err_wrap(e, "option %s", row->name);
        for (size_t j = 0; j < i; j++) {
            const struct option_row *other = &option_table[j];

            if (strcmp(row->name, other->name) == 0 || (row->letter && row->letter == other->letter))
                return err_set(e, 0, "options %s and %s share a name or letter", row->name, other->name);
            if (row->offset == other->offset)
                return err_set(e, 0, "options %s and %s share a place", row->name, other->name);
        }
    }
    return 0;
}
