/*
 * completion.c - what shells offer behind "ringside", made from the table
 */
#include <stdio.h>
#include <string.h>

#include "table.h"

/* Completed are names that do something; the other ones need not be found by pressing a key. */
static bool is_offered(const struct option_row *row)
{
    return !row->later && !row->no_effect && !option_is_secret(row);
}

static bool takes_argument(const struct option_row *row)
{
    return row->argument && !option_is_secret(row);
}

/* ---- bash ---- */

static void print_bash_arguments(FILE *to)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (!takes_argument(row) || !is_offered(row))
            continue;
        fputs("    ", to);
        if (row->letter)
            fprintf(to, "-%c | ", row->letter);
        fprintf(to, "--%s)", row->name);
        if (row->is_path || row->words)
            fputs(" mapfile -t COMPREPLY < <(compgen", to);
        if (row->is_path)
            fputs(" -f", to);
        if (row->words)
            fprintf(to, " -W '%s'", row->words);
        fputs(row->is_path || row->words ? " -- \"$cur\"); return ;;\n" : " return ;;\n", to);
    }
}

/* "-O|--output|..." of all options that take the next word. */
static void print_bash_pattern(FILE *to)
{
    const char *bar = "";

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (!takes_argument(row))
            continue;
        if (row->letter)
            fprintf(to, "%s-%c", bar, row->letter);
        fprintf(to, "%s--%s", row->letter ? "|" : bar, row->name);
        bar = "|";
    }
}

static void print_bash_names(FILE *to)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (!is_offered(row))
            continue;
        fprintf(to, "        --%s\n", row->name);
        if (row->type == OPTION_SWITCH)
            fprintf(to, "        --no-%s\n", row->name);
    }
}

/* Names of files may hold blanks: each line that compgen prints is one. */
void options_print_bash_completion(FILE *to)
{
    fputs("# bash completion for ringside(1). Made from the option table; a test fails when it is stale.\n\n"
          "_ringside()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i\n"
          "    COMPREPLY=()\n\n"
          "    # Behind the command the completion is the command's.\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n"
          "        --) ((i++)); break ;;\n"
          "        ",
          to);
    print_bash_pattern(to);
    fputs(")\n"
          "            # bash takes \"=\" for a word of its own\n"
          "            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))\n"
          "            ((i++)) ;;\n"
          "        -*|=) ;;\n"
          "        *) break ;;\n"
          "        esac\n"
          "    done\n"
          "    if ((i < COMP_CWORD)); then\n"
          "        if declare -F _command_offset >/dev/null; then _command_offset $i; "
          "else mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); fi\n"
          "        return\n"
          "    fi\n\n"
          "    [[ $cur == = ]] && cur=\n"
          "    [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
          "    case $prev in\n",
          to);
    print_bash_arguments(to);
    fputs("    esac\n\n"
          "    local names=(\n",
          to);
    print_bash_names(to);
    fputs("    )\n"
          "    if [[ $cur == -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"${names[*]}\" -- \"$cur\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -c -f -- \"$cur\")\n"
          "    fi\n"
          "}\n"
          "complete -o filenames -F _ringside ringside\n",
          to);
}

/* ---- zsh ---- */

/* In a spec of _arguments: single-quoted for the shell, where brackets and colons mean something. */
static void print_zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:\\", *text))
            fprintf(to, "\\%c", *text);
        else
            fputc(*text, to);
    }
}

static void print_zsh_argument(FILE *to, const struct option_row *row)
{
    fputc(':', to);
    print_zsh_text(to, row->argument);
    fputc(':', to);
    if (row->words && row->is_path)
        fprintf(to, " _alternative \"words\\:where\\:(%s)\" \"files\\:file\\:_files\"", row->words);
    else if (row->words)
        fprintf(to, "(%s)", row->words);
    else if (row->is_path)
        fputs("_files", to);
    else
        fputc(' ', to);
}

static void print_zsh_spec(FILE *to, const struct option_row *row, bool negated)
{
    const char *star = option_repeats(row) ? "*" : "";

    fputs("    ", to);
    if (row->letter && !negated)
        fprintf(to, "%s{-%c%s,--%s%s}", *star ? "'*'" : "", row->letter, row->argument ? "+" : "", row->name,
                row->argument ? "=" : "");
    else
        fprintf(to, "%s--%s%s%s", *star ? "'*'" : "", negated ? "no-" : "", row->name,
                row->argument ? "=" : "");
    fputs("'[", to);
    if (negated)
        fprintf(to, "not --%s", row->name);
    else
        print_zsh_text(to, row->help);
    fputc(']', to);
    if (row->argument)
        print_zsh_argument(to, row);
    fputs("' \\\n", to);
}

void options_print_zsh_completion(FILE *to)
{
    fputs("#compdef ringside\n"
          "# zsh completion for ringside(1). Made from the option table; a test fails when it is stale.\n\n"
          "_arguments -s -S : \\\n", /* behind the colon -O is a spec, before it an option of _arguments */
          to);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (!is_offered(row))
            continue;
        print_zsh_spec(to, row, false);
        if (row->type == OPTION_SWITCH)
            print_zsh_spec(to, row, true);
    }
    fputs("    '(-)1:command: _command_names -e' \\\n"
          "    '*::arguments: _normal'\n",
          to);
}
