/*
 * help.c - what people read about the options, made from the table
 */
#include "ringside/options.h"

#include <stdio.h>
#include <string.h>

#include "table.h"

#define HELP_COLUMN 33
#define HELP_WIDTH  96

static const char *const usage = "ringside [options] command [arguments]";

static const struct {
    const char *command, *what;
} examples[] = {
    {"ringside -O cpu.pb.gz ./bench --size 10", "one profile of the whole run"},
    {"ringside -S shop -O /var/profiles/ ./server", "a service: one profile a minute"},
    {"ringside --wait -O profiles/ ./job.sh", "return when the last profile is written"},
    {"ringside --frequency 999 -O cpu.pb.gz -- make -j4", "more samples of a short run"},
};

/* "  -S, --service NAME" */
static int print_names(FILE *to, const struct option_row *row)
{
    const char *no = row->type == OPTION_SWITCH ? "[no-]" : "";

    if (row->letter)
        return fprintf(to, "  -%c, --%s%s%s%s", row->letter, no, row->name, row->argument ? " " : "",
                       row->argument ? row->argument : "");
    return fprintf(to, "      --%s%s%s%s", no, row->name, row->argument ? " " : "",
                   row->argument ? row->argument : "");
}

static bool has_bounds(const struct option_row *row)
{
    return row->min != row->max;
}

/* " (1 to 10000; default 99)", on the next line where this one is full. */
static void print_value(FILE *to, const struct option_row *row)
{
    const char *fallback = row->fallback ? row->fallback : row->note;
    char text[128] = "";

    if (has_bounds(row))
        snprintf(text, sizeof(text), "(%ld to %ld; default %s)", row->min, row->max,
                 fallback ? fallback : "none");
    else if (fallback)
        snprintf(text, sizeof(text), "(default: %s)", fallback);
    if (!text[0])
        return;
    if (HELP_COLUMN + strlen(row->help) + 1 + strlen(text) > HELP_WIDTH)
        fprintf(to, "\n%*s%s", HELP_COLUMN, "", text);
    else
        fprintf(to, " %s", text);
}

void options_print_help(FILE *to)
{
    fprintf(to, "Usage: %s\n\nRuns a command and profiles the CPU time of it and of everything it starts.\n",
            usage);
    for (int group = 0; group < OPTION_GROUPS; group++) {
        fprintf(to, "\n%s:\n", option_group_title[group]);
        for (size_t i = 0; i < option_count; i++) {
            const struct option_row *row = &option_table[i];

            if ((int)row->group != group)
                continue;
            fprintf(to, "%*s%s", HELP_COLUMN - print_names(to, row), "", row->help);
            print_value(to, row);
            fputc('\n', to);
        }
    }
    fputs("\nExamples:\n", to);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        fprintf(to, "  %-52s %s\n", examples[i].command, examples[i].what);
    fputs("\nEvery option can also be given as a variable: RINGSIDE_LOG_LEVEL=debug is --log-level debug,\n"
          "RINGSIDE_WAIT=yes is --wait. The command line is stronger.\n",
          to);
}

/* ---- docs/commands.md ---- */

static void print_heading(FILE *to, const struct option_row *row)
{
    fputs("\n### `", to);
    if (row->letter)
        fprintf(to, "-%c%s%s`, `", row->letter, row->argument ? " " : "", row->argument ? row->argument : "");
    fprintf(to, "--%s%s%s`", row->name, row->argument ? " " : "", row->argument ? row->argument : "");
    if (row->type == OPTION_SWITCH)
        fprintf(to, ", `--no-%s`", row->name);
    fputs("\n\n", to);
}

static void print_sentence(FILE *to, const char *text)
{
    fprintf(to, "%c%s.\n", text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], text + 1);
}

static void print_details(FILE *to, const struct option_row *row)
{
    char variable[OPTION_VARIABLE_MAX];

    if (row->type == OPTION_ACTION)
        return;
    option_variable(row, variable);
    fprintf(to, "\n- Variable: `%s`\n", variable);
    if (row->fallback)
        fprintf(to, "- Default: `%s`\n", row->fallback);
    else
        fprintf(to, "- Default: %s\n", row->note ? row->note : "none");
    if (has_bounds(row))
        fprintf(to, "- From %ld to %ld\n", row->min, row->max);
}

static void print_examples(FILE *to)
{
    fputs("\n## Examples\n\n| command | what it does |\n|---|---|\n", to);
    for (size_t i = 0; i < ARRAY_LEN(examples); i++)
        fprintf(to, "| `%s` | %s |\n", examples[i].command, examples[i].what);
}

static void print_exit_statuses(FILE *to)
{
    fputs("\n## Exit status\n\n"
          "The command's own: ringside becomes it, or (with `--wait` or a single output file) passes on its "
          "status, 128 and "
          "the signal's number when a signal ended it. Otherwise:\n\n"
          "| status | why |\n|---|---|\n"
          "| 2 | something is wrong with an option, a variable or the output; nothing was started |\n"
          "| 126 | the command was found but could not be executed |\n"
          "| 127 | the command was not found |\n",
          to);
}

void options_print_commands_page(FILE *to)
{
    fprintf(
        to,
        "<!-- Made from the option table (src/options/table.c); a test fails when it is stale and says how "
        "to make "
        "it anew. -->\n\n"
        "# Command line\n\n    %s\n\n"
        "Options end at the first word that is none, or at `--`. Long names take `--name value` or "
        "`--name=value`, and "
        "`_` for `-`; short ones `-S value` or `-Svalue`. Of an option given twice the last one counts.\n\n"
        "Every option but the last group is also read from the environment. The command line is stronger "
        "than the "
        "environment, and a variable that is empty counts as not set. Switches take 1, true, yes, on or 0, "
        "false, no, "
        "off there.\n",
        usage);
    for (int group = 0; group < OPTION_GROUPS; group++) {
        fprintf(to, "\n## %s\n", option_group_title[group]);
        for (size_t i = 0; i < option_count; i++) {
            const struct option_row *row = &option_table[i];

            if ((int)row->group != group)
                continue;
            print_heading(to, row);
            print_sentence(to, row->help);
            if (row->more)
                fprintf(to, "%s\n", row->more);
            print_details(to, row);
        }
    }
    print_examples(to);
    print_exit_statuses(to);
}
