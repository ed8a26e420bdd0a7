/*
 * markdown.c - docs/commands.md, made from the table
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "help.h"

static void print_heading(FILE *to, const struct option_row *row)
{
    const char *space = row->argument ? " " : "", *argument = row->argument ? row->argument : "";

    fputs("\n### `", to);
    if (row->letter)
        fprintf(to, "-%c%s%s`, `", row->letter, space, argument);
    fprintf(to, "--%s%s%s`", row->name, space, argument);
    if (row->type == OPTION_SWITCH)
        fprintf(to, ", `--no-%s`", row->name);
    for (size_t i = 0; i < OPTION_NAMES_MAX && row->also[i].name; i++)
        fprintf(to, ", `--%s%s%s`", row->also[i].name, space, argument);
    fputs("\n\n", to);
}

static void print_sentence(FILE *to, const char *text)
{
    fprintf(to, "%c%s.\n", text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], text + 1);
}

static void print_variables(FILE *to, const struct option_row *row)
{
    char variable[OPTION_VARIABLE_MAX];

    option_variable(row, variable);
    fprintf(to, "\n- Variable: `%s`", variable);
    for (size_t i = 0; i < OPTION_ALIASES_MAX && row->variable[i].name; i++) {
        const struct option_alias *alias = &row->variable[i];

        if (alias->sense != SENSE_OTEL)
            fprintf(to, ", `%s`", alias->name);
        else if (*alias->name)
            fprintf(to, ", `%s` in `OTEL_RESOURCE_ATTRIBUTES`", alias->name);
        else
            fputs(", the rest of `OTEL_RESOURCE_ATTRIBUTES`", to);
    }
    fputc('\n', to);
}

static void print_details(FILE *to, const struct option_row *row)
{
    if (row->later)
        fprintf(to, "\n**Not in this build** (%s): anything but the default is refused.\n", row->later);
    if (row->no_effect)
        fprintf(to, "\nTaken without effect: %s.\n", row->no_effect);
    if (row->type == OPTION_ACTION)
        return;
    print_variables(to, row);
    if (row->fallback)
        fprintf(to, "- Default: `%s`\n", row->fallback);
    else
        fprintf(to, "- Default: %s\n", row->note ? row->note : "none");
    if (option_has_bounds(row))
        fprintf(to, "- From %ld to %ld%s\n", row->min, row->max, row->type == OPTION_LIMIT ? ", or -1" : "");
}

static void print_examples(FILE *to)
{
    fputs("\n## Examples\n\n| command | what it does |\n|---|---|\n", to);
    for (size_t i = 0; i < option_example_count; i++)
        fprintf(to, "| `%s` | %s |\n", option_examples[i].command, option_examples[i].what);
}

/* ---- events ---- */

static void print_events(FILE *to)
{
    fputs(
        "\n## Events\n\n"
        "An event is a name and perhaps `KEY=VALUE` pairs, divided by blanks or commas: `-e 'sCPU "
        "freq=199'`. "
        "Besides the names below there are tracepoints (`sched:sched_switch`), probes "
        "(`uprobe:PATH:SYMBOL[+OFFSET]`, `uretprobe:`, `kprobe:SYMBOL`, `kretprobe:`) and raw events of the "
        "processor (`rNNNN`). `ringside -e help` tells what this machine has.\n\n"
        "| name | what it counts | rate unless given |\n|---|---|---|\n",
        to);
    for (size_t i = 0; i < event_table_rows; i++) {
        const struct event_row *row = &event_table[i];

        fprintf(to, "| `%s` | %s | ", row->name, row->what);
        if (row->refused)
            fprintf(to, "%s |\n", row->refused);
        else if (row->frequency_hz)
            fprintf(to, "%u a second |\n", row->frequency_hz);
        else
            fprintf(to, "every %" PRIu64 " |\n", row->period);
    }
    fputs("\n| key | short | what it says |\n|---|---|---|\n", to);
    for (size_t i = 0; i < event_key_rows; i++)
        fprintf(to, "| `%s` | `%s` | %s |\n", event_keys[i].name, event_keys[i].aliases, event_keys[i].what);
}

static void print_presets(FILE *to)
{
    fputs("\n## Presets\n\n| preset | events | what for | what it costs |\n|---|---|---|---|\n", to);
    for (size_t i = 0; i < event_preset_rows; i++) {
        const struct event_preset *preset = &event_presets[i];

        fprintf(to, "| `%s` | `%s` | %s | %s |\n", preset->name, preset->events, preset->what,
                preset->refused ? preset->refused : preset->cost);
    }
}

static void print_introduction(FILE *to)
{
    fprintf(
        to,
        "<!-- Made from the option table (src/options/rows.c); a test fails when it is stale and says how "
        "to make it anew. -->\n\n"
        "# Command line\n\n    %s\n\n"
        "Options end at the first word that is none, or at `--`. Long names take `--name value` or "
        "`--name=value`, and `_` for `-`; short ones `-S value` or `-Svalue`. Of an option given twice the "
        "last one counts, but for those that may be repeated. Switches take `--name`, `--no-name` or "
        "`--name=WORD` with 1, true, yes, on, enable or 0, false, no, off, disable.\n\n"
        "## Where values come from\n\n"
        "From strongest to weakest: the command line, `RINGSIDE_` variables, variables of other tools "
        "(`DD_`, `OTEL_`; where an option names several, the first that is set), the config file, the "
        "default. A variable that is empty counts as not set. What an option has collected in one of these "
        "replaces what weaker ones have for it.\n\n"
        "The config file is what `--config` names, else `ringside.conf` in the working folder, else "
        "`ringside.conf` in the folder for system configuration that the build was made for "
        "(`/usr/local/etc` unless told otherwise). It has lines of `name = value`, the names those of the "
        "long options. `ringside --show-config` tells what counts and why; its output is such a file. "
        "[configuration.md](configuration.md) has examples for containers and units.\n\n"
        "What is wrong with an option, one of our variables or a line of the file ends ringside with status "
        "2 "
        "before anything is started, and so does an option that this build does not have. Variables that "
        "other "
        "tools read too must not keep a service from starting: what makes no sense in them, or is not in "
        "this "
        "build, is left out with a warning.\n",
        option_usage);
}

static void print_exit_statuses(FILE *to)
{
    fputs("\n## Exit status\n\n"
          "The command's own: ringside becomes it, or (with `--wait` or a single output file) passes on its "
          "status, 128 and the signal's number when a signal ended it. Otherwise:\n\n"
          "| status | why |\n|---|---|\n"
          "| 2 | something is wrong with an option, a variable or the output; nothing was started |\n"
          "| 3, 4 | of `--doctor` alone: profiling works with limits, does not work |\n"
          "| 126 | the command was found but could not be executed |\n"
          "| 127 | the command was not found |\n",
          to);
}

void options_print_commands_page(FILE *to)
{
    print_introduction(to);
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
    if (!option_find("event", strlen("event")).row->later) {
        print_events(to);
        print_presets(to);
    }
    print_examples(to);
    print_exit_statuses(to);
}
