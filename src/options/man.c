/*
 * man.c - the manual page ringside(1), made from the table; macros of man(7)
 */
#include <stdio.h>
#include <string.h>

#include "help.h"

/*
 * roff reads backslashes anywhere, and dots and quotes at the start of a line; a bare dash may be set as a
 * hyphen that cannot be pasted into a shell. Backquotes are how our texts mark what is typed: bold here.
 */
static void print_text(FILE *to, const char *text)
{
    bool bold = false;

    if (*text == '.' || *text == '\'')
        fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", to);
        } else if (*text == '\\') {
            fputs("\\e", to);
        } else if (*text == '-') {
            fputs("\\-", to);
        } else if (*text == '\'') {
            fputs("\\(aq", to);
        } else {
            fputc(*text, to);
        }
    }
}

static void print_line(FILE *to, const char *text)
{
    print_text(to, text);
    fputc('\n', to);
}

static void print_sentence(FILE *to, const char *text)
{
    char first[2] = {(char)(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]), '\0'};

    print_text(to, first);
    print_text(to, text + 1);
    fputs(".\n", to);
}

static void print_long_name(FILE *to, const char *name, const char *argument)
{
    fputs("\\fB\\-\\-", to);
    print_text(to, name);
    fputs("\\fR", to);
    if (argument) {
        fputs(" \\fI", to);
        print_text(to, argument);
        fputs("\\fR", to);
    }
}

static void print_names(FILE *to, const struct option_row *row)
{
    char negated[OPTION_NAME_MAX];

    fputs(".TP\n", to);
    if (row->letter)
        fprintf(to, "\\fB\\-%c\\fR, ", row->letter);
    print_long_name(to, row->name, row->argument);
    if (row->type == OPTION_SWITCH) {
        snprintf(negated, sizeof(negated), "no-%s", row->name);
        fputs(", ", to);
        print_long_name(to, negated, NULL);
    }
    fputc('\n', to);
}

static void print_value(FILE *to, const struct option_row *row)
{
    const char *fallback = row->fallback ? row->fallback : row->note;
    char text[200];

    if (row->later)
        return print_line(to, "Not in this build.");
    if (row->no_effect)
        return print_line(to, "Taken without effect.");
    if (option_has_bounds(row)) {
        snprintf(text, sizeof(text), "%ld to %ld%s", row->min, row->max,
                 row->type == OPTION_LIMIT ? ", or -1." : ".");
        print_line(to, text);
    }
    if (fallback) {
        snprintf(text, sizeof(text), "Default: %s.", fallback);
        print_line(to, text);
    }
}

static void print_options(FILE *to)
{
    for (int group = 0; group < OPTION_GROUPS; group++) {
        fputs(".SS \"", to);
        print_text(to, option_group_title[group]);
        fputs("\"\n", to);
        for (size_t i = 0; i < option_count; i++) {
            const struct option_row *row = &option_table[i];

            if ((int)row->group != group)
                continue;
            print_names(to, row);
            print_sentence(to, row->help);
            if (row->more)
                print_line(to, row->more);
            print_value(to, row);
        }
    }
}

static void print_variables(FILE *to)
{
    print_line(to,
               "Every option but those that only give information is also read from a variable: "
               "`RINGSIDE_` and its long name in capitals, with _ for -. An empty one counts as not set.");
    print_line(to,
               "These are read as well, because people have set them for other tools; what makes no sense in "
               "them is left out with a warning:");
    fputs(".na\n", to); /* names are too long to fill lines with */
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (!row->variable[0].name || row->no_effect)
            continue;
        fputs(".TP\n\\fB\\-\\-", to);
        print_text(to, row->name);
        fputs("\\fR\n", to);
        for (size_t j = 0; j < OPTION_ALIASES_MAX && row->variable[j].name; j++) {
            const struct option_alias *alias = &row->variable[j];

            fputs(j ? ", " : "", to);
            print_text(to, alias->sense != SENSE_OTEL ? alias->name : "OTEL_RESOURCE_ATTRIBUTES");
            if (alias->sense == SENSE_OTEL && *alias->name)
                fprintf(to, " (%s)", alias->name);
        }
        fputc('\n', to);
    }
    fputs(".ad\n", to);
}

static void print_term(FILE *to, const char *term)
{
    fputs(".TP\n\\fB", to);
    print_text(to, term);
    fputs("\\fR\n", to);
}

static void print_events(FILE *to)
{
    fputs(".SH EVENTS\n", to);
    print_line(to,
               "An event is a name and perhaps KEY=VALUE pairs, divided by blanks or commas; events in one "
               "text are divided by semicolons. Besides the names below there are tracepoints "
               "(`sched:sched_switch`), probes (`uprobe:PATH:SYMBOL[+OFFSET]`, `uretprobe:`, "
               "`kprobe:SYMBOL`, `kretprobe:`) and raw events of the processor (`rNNNN`). "
               "`ringside -e help` tells what this machine has.");
    for (size_t i = 0; i < event_table_rows; i++) {
        print_term(to, event_table[i].name);
        print_line(to, event_table[i].refused ? event_table[i].refused : event_table[i].what);
    }
    fputs(".SS Keys\n", to);
    for (size_t i = 0; i < event_key_rows; i++) {
        print_term(to, event_keys[i].name);
        print_line(to, event_keys[i].what);
    }
    fputs(".SH PRESETS\n", to);
    for (size_t i = 0; i < event_preset_rows; i++) {
        const struct event_preset *preset = &event_presets[i];

        print_term(to, preset->name);
        print_sentence(to, preset->what);
        print_sentence(to, preset->refused ? preset->refused : preset->cost);
    }
}

static void print_files(FILE *to)
{
    fputs(".TP\n\\fBringside.conf\\fR\n", to);
    print_line(to, "In the working folder, else in the system's folder for configuration; or what `--config` "
                   "names. Lines of `name = value`, the names those of the long options. It must belong to "
                   "root or to the user when it is found in the working folder.");
    fputs(".SH EXIT STATUS\n", to);
    print_line(to, "The command's own, or 128 and the signal's number when a signal ended it. Otherwise:");
    fputs(".TP\n2\n", to);
    print_line(to,
               "something is wrong with an option, a variable, the config file or the output; nothing was "
               "started");
    fputs(".TP\n126\n", to);
    print_line(to, "the command was found but could not be executed");
    fputs(".TP\n127\n", to);
    print_line(to, "the command was not found");
}

static void print_examples(FILE *to)
{
    for (size_t i = 0; i < option_example_count; i++) {
        fputs(".TP\n\\fB", to);
        print_text(to, option_examples[i].command);
        fputs("\\fR\n", to);
        print_line(to, option_examples[i].what);
    }
}

void options_print_man_page(FILE *to)
{
    fputs(".\\\" Made from the option table (src/options/rows.c); a test fails when it is stale.\n"
          ".TH RINGSIDE 1 \"\" \"Ringside\" \"User Commands\"\n"
          ".nh\n"
          ".SH NAME\nringside \\- profile a command and everything it starts\n"
          ".SH SYNOPSIS\n\\fBringside\\fR [\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]\n"
          ".SH DESCRIPTION\n",
          to);
    print_line(to,
               "Runs a command, samples the CPU time of it and of everything it starts, and writes "
               "profiles in the pprof format. The command keeps the process id it would have had, and runs "
               "whatever becomes of the profiler.");
    fputs(".PP\n", to);
    print_line(to,
               "Options end at the first word that is none, or at `--`. From strongest to weakest they "
               "come from the command line, from `RINGSIDE_` variables, from variables of other tools, and "
               "from the config file; `--show-config` tells what counts.");
    fputs(".SH OPTIONS\n", to);
    print_options(to);
    if (!option_find("event", strlen("event")).row->later)
        print_events(to);
    fputs(".SH ENVIRONMENT\n", to);
    print_variables(to);
    fputs(".SH FILES\n", to);
    print_files(to);
    fputs(".SH EXAMPLES\n", to);
    print_examples(to);
}
