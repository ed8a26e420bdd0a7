/*
 * help.c - --help and --help-all, made from the table
 */
#include <stdio.h>
#include <string.h>

#include "help.h"

#define HELP_COLUMN 33
#define HELP_WIDTH  100

const char *const option_usage = "ringside [options] command [arguments]";

const struct option_usage_example option_examples[] = {
    {"ringside -O cpu.pb.gz ./bench --size 10", "one profile of the whole run"},
    {"ringside -S shop -O /var/profiles/ ./server", "a service: one profile a minute"},
    {"ringside --wait -O profiles/ ./job.sh", "return when the last profile is written"},
    {"ringside --frequency 999 -O cpu.pb.gz -- make -j4", "more samples of a short run"},
    {"ringside --show-config", "what would count here, and where it comes from"},
};
const size_t option_example_count = ARRAY_LEN(option_examples);

/* "  -S, --service NAME"; the number of columns. */
static int print_names(FILE *to, const struct option_row *row)
{
    const char *no = row->type == OPTION_SWITCH ? "[no-]" : "";
    int columns = row->letter ? fprintf(to, "  -%c, ", row->letter) : fprintf(to, "      ");

    columns += fprintf(to, "--%s%s", no, row->name);
    if (row->argument)
        columns += fprintf(to, " %s", row->argument);
    return columns;
}

/* "(1 to 10000; default 99)" */
static void value_text(const struct option_row *row, char *out, size_t bytes)
{
    const char *fallback = row->fallback ? row->fallback : row->note;

    out[0] = '\0';
    if (row->later)
        snprintf(out, bytes, "(not in this build)");
    else if (row->no_effect)
        snprintf(out, bytes, "(no effect)");
    else if (option_has_bounds(row))
        snprintf(out, bytes, "(%ld to %ld; default %s)", row->min, row->max, fallback ? fallback : "none");
    else if (fallback && strcmp(fallback, "no") != 0)
        snprintf(out, bytes, "(default: %s)", fallback);
}

static void print_row(FILE *to, const struct option_row *row)
{
    int columns = print_names(to, row);
    char value[128];

    if (columns < HELP_COLUMN)
        fprintf(to, "%*s%s", HELP_COLUMN - columns, "", row->help);
    else
        fprintf(to, "\n%*s%s", HELP_COLUMN, "", row->help);
    value_text(row, value, sizeof(value));
    if (value[0] && HELP_COLUMN + strlen(row->help) + 1 + strlen(value) > HELP_WIDTH)
        fprintf(to, "\n%*s%s", HELP_COLUMN, "", value);
    else if (value[0])
        fprintf(to, " %s", value);
    fputc('\n', to);
}

static bool is_shown(const struct option_row *row, bool all)
{
    return all || (!row->rare && !row->later && !row->no_effect);
}

static void print_group(FILE *to, int group, bool all)
{
    bool any = false;

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if ((int)row->group != group || !is_shown(row, all))
            continue;
        if (!any)
            fprintf(to, "\n%s:\n", option_group_title[group]);
        any = true;
        print_row(to, row);
    }
}

void options_print_help(FILE *to, bool all)
{
    fprintf(to, "Usage: %s\n\nRuns a command and profiles the CPU time of it and of everything it starts.\n",
            option_usage);
    for (int group = 0; group < OPTION_GROUPS; group++)
        print_group(to, group, all);
    fputs("\nExamples:\n", to);
    for (size_t i = 0; i < option_example_count; i++)
        fprintf(to, "  %-50s %s\n", option_examples[i].command, option_examples[i].what);
    fputs(
        "\nEvery option can also be given as a variable (RINGSIDE_LOG_LEVEL=debug is --log-level debug,\n"
        "RINGSIDE_WAIT=yes is --wait) and as a line of a config file (log-level = debug). The command line\n"
        "is strongest, then RINGSIDE_ variables, then DD_ and OTEL_ ones, then the file.\n",
        to);
}
