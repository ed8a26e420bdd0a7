/*
 * help.c - --help and --help-all, made from the table
 */
#include <stdio.h>
#include <string.h>

#include "help.h"

#define HELP_COLUMN 31
#define HELP_WIDTH  80

const char *const option_usage = "ringside [options] command [arguments]";

const struct option_usage_example option_examples[] = {
    {"ringside -O cpu.pb.gz ./bench --size 10", "one profile of the whole run"},
    {"ringside -S shop -O /var/profiles/ ./server", "a service: one profile a minute"},
    {"ringside --wait -O profiles/ ./job.sh", "return when the last profile is written"},
    {"ringside --frequency 999 -O cpu.pb.gz -- make -j4", "more samples of a short run"},
    {"ringside --doctor", "whether profiling works here, and what to do about the rest"},
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
    if (row->type == OPTION_ACTION && row->words)
        columns += fprintf(to, "[=%s]", row->words);
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

/* One line further where n columns more are too many. */
static void make_room(FILE *to, size_t n, int *column)
{
    if (*column == HELP_COLUMN || (size_t)*column + 1 + n <= HELP_WIDTH)
        return;
    fprintf(to, "\n%*s", HELP_COLUMN, "");
    *column = HELP_COLUMN;
}

/* Words from HELP_COLUMN on, in lines of HELP_WIDTH; *column is where the last one ends. */
static void print_words(FILE *to, const char *text, int *column)
{
    while (*text) {
        size_t n = strcspn(text, " ");

        make_room(to, n, column);
        *column += fprintf(to, "%s%.*s", *column > HELP_COLUMN ? " " : "", (int)n, text);
        text += n + (text[n] == ' ');
    }
}

static void print_row(FILE *to, const struct option_row *row)
{
    int columns = print_names(to, row), column = HELP_COLUMN;
    char value[128];

    if (columns + 2 > HELP_COLUMN)
        fprintf(to, "\n%*s", HELP_COLUMN, "");
    else
        fprintf(to, "%*s", HELP_COLUMN - columns, "");
    print_words(to, row->help, &column);
    value_text(row, value, sizeof(value));
    make_room(to, strlen(value), &column);
    print_words(to, value, &column);
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
        fprintf(to, "  %s\n      %s\n", option_examples[i].command, option_examples[i].what);
    fputs("\nEvery option can also be given as a variable (RINGSIDE_LOG_LEVEL=debug is\n"
          "--log-level debug, RINGSIDE_WAIT=yes is --wait) and as a line of a config file\n"
          "(log-level = debug). The command line is strongest, then RINGSIDE_ variables,\n"
          "then DD_ and OTEL_ ones, then the file.\n",
          to);
}
