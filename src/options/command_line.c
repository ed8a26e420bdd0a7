/*
 * command_line.c - options from the command line, up to the command
 */
#include <string.h>

#include "convert.h"

static const struct option_origin from_command_line = {.source = SOURCE_FLAG};

struct flags {
    struct option_store *store;
    struct option_words *words;
    bool about_rights; /* without a store: one of those was there */
};

/* ---- what is refused ---- */

/*
 * Shown of the argument are its first n bytes, of which those from `at` on are at fault: what follows may be
 * anything, a key of somebody's included.
 */
static int unknown_option(const char *arg, size_t at, size_t n, struct err *e)
{
    char suggestion[OPTION_NAME_MAX], shown[64];
    const char *name = arg + strspn(arg, "-");
    size_t length = strcspn(name, "=");

    if (option_suggest(name, length, true, suggestion)) {
        at = 0;
        n = (size_t)(name - arg) + length;
    }
    n = MIN_OF(n, sizeof(shown) - 1);
    memcpy(shown, arg, n);
    shown[n] = '\0';
    if (at == 0 && suggestion[0])
        err_set(e, 0, "unknown option \"%s\": did you mean --%s?", shown, suggestion);
    else
        err_set(e, 0, "unknown option \"%s\" (ringside --help-all shows all)", shown);
    return err_point(e, shown, MIN_OF(at, n), n - MIN_OF(at, n));
}

static int refuse_secret(const struct option_row *row, struct err *e)
{
    char variable[OPTION_VARIABLE_MAX];

    option_variable(row, variable);
    return err_set(e, 0,
                   "option --%s: command lines can be read by every process of the machine; put it into the "
                   "variable %s or the config file (%s = ...)",
                   row->name, variable, row->name);
}

/* ---- what is taken ---- */

/* What may stand between the command and rights it must not have; of a config file nobody knows. */
static bool is_about_rights(const struct option_row *row)
{
    static const char *const names[] = {"drop-caps", "switch-user", "config"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(row->name, names[i]) == 0)
            return true;
    return false;
}

static void give(struct flags *f, struct option_name name, const char *text)
{
    if (!f->store)
        f->about_rights |= is_about_rights(name.row);
    else
        option_give(f->store, name.row, option_convert(f->store, name.sense, text), from_command_line);
}

/* "--", "--nice", "--nice=5" or "-S", but not "-5". */
static bool is_option(const char *word)
{
    if (word[0] != '-' || !word[1])
        return false;
    if (word[1] == '-')
        return !word[2] || option_find(word + 2, strcspn(word + 2, "=")).row;
    return !word[2] && option_find_letter(word[1]);
}

/* "-S $NAME -O cpu.pb.gz" with an empty NAME must not make a service "-O" of it, and a command of the file.
 */
static int take_argument(struct flags *f, struct option_name name, const char *spelled, struct err *e)
{
    struct option_words *w = f->words;

    if (w->at == w->argc)
        return err_set(e, 0, "option %.60s: the argument %s is missing", spelled, name.row->argument);
    if (is_option(w->argv[w->at]))
        return err_set(
            e, 0, "option %.60s: the argument %s is missing, \"%.60s\" follows (if that is it: --%s=%.60s)",
            spelled, name.row->argument, w->argv[w->at], name.row->name, w->argv[w->at]);
    give(f, name, w->argv[w->at++]);
    return 0;
}

/* "-S=shop" would be a service "=shop", or a file. */
static int refuse_equals(const struct option_row *row, const char *letter, struct err *e)
{
    return err_set(e, 0, "option \"-%.60s\": write -%c %.60s or --%s%.60s", letter, *letter, letter + 2,
                   row->name, letter + 1);
}

/*
 * "-I true ./run.sh", as ddprof has it. The last word of all is not a value: then there would be no command,
 * and true(1) is one.
 */
static bool take_word(struct flags *f, struct option_name name)
{
    struct option_words *w = f->words;

    if (!name.row->takes_word || name.negated || w->argc - w->at < 2 ||
        option_switch_word(w->argv[w->at]) < 0)
        return false;
    give(f, name, w->argv[w->at++]);
    return true;
}

/* "--doctor=json": an action that knows another form. */
static int take_form(struct flags *f, struct option_name name, const char *form, struct err *e)
{
    if (strcmp(form, name.row->words) != 0)
        return err_set(e, 0, "option --%s: there is --%s and --%s=%s, but no \"%.60s\"", name.row->name,
                       name.row->name, name.row->name, name.row->words, form);
    give(f, name, form);
    return 0;
}

static int take_long(struct flags *f, const char *arg, struct err *e)
{
    const char *text = arg + 2, *equals = strchr(text, '=');
    size_t n = equals ? (size_t)(equals - text) : strlen(text);
    struct option_name name = option_find(text, n);

    if (!name.row)
        return unknown_option(arg, 0, n + 2, e);
    if (option_is_secret(name.row))
        return refuse_secret(name.row, e);
    if (name.row->argument && !equals)
        return take_argument(f, name, arg, e);
    if (equals && name.row->type == OPTION_ACTION && name.row->words)
        return take_form(f, name, equals + 1, e);
    if (equals && (name.negated || name.row->type == OPTION_ACTION))
        return err_set(e, 0, "option \"%.60s\" takes no argument", arg);
    if (equals)
        give(f, name, equals + 1);
    else if (!take_word(f, name))
        give(f, name, name.negated ? "no" : "yes");
    return 0;
}

/* One letter and what belongs to it: 1 when that was the rest of the word. */
static int take_letter(struct flags *f, const char *arg, const char *letter, struct err *e)
{
    struct option_name name = {.row = option_find_letter(*letter)};
    char spelled[] = {'-', *letter, '\0'};

    if (!name.row)
        return unknown_option(arg, (size_t)(letter - arg), (size_t)(letter - arg) + 1, e);
    if (name.row->argument && !letter[1])
        return take_argument(f, name, spelled, e) < 0 ? -1 : 1;
    if (letter[1] == '=')
        return refuse_equals(name.row, letter, e);
    if (name.row->argument || (name.row->takes_word && option_switch_word(letter + 1) >= 0)) {
        give(f, name, letter + 1);
        return 1;
    }
    if (letter[1] || !take_word(f, name))
        give(f, name, "yes");
    return 0;
}

/* "-v", "-Sname", "-S name", "-hv". */
static int take_short(struct flags *f, const char *arg, struct err *e)
{
    size_t length = strcspn(arg + 1, "=");

    /* "-output" would otherwise write the log to a file "utput". */
    if (arg[2] && option_find(arg + 1, length).row)
        return err_set(e, 0, "option \"%.*s\": did you mean -%.*s?", (int)length + 1, arg, (int)length + 1,
                       arg);
    for (const char *c = arg + 1; *c; c++) {
        int taken = take_letter(f, arg, c, e);

        if (taken)
            return taken < 0 ? -1 : 0;
    }
    return 0;
}

static int take_all(struct flags *f, struct err *e)
{
    struct option_words *w = f->words;

    while (w->at < w->argc) {
        const char *arg = w->argv[w->at];

        if (arg[0] != '-' || !arg[1])
            return 0;
        w->at++;
        if (strcmp(arg, "--") == 0)
            return 0;
        if ((arg[1] == '-' ? take_long(f, arg, e) : take_short(f, arg, e)) < 0)
            return -1;
    }
    return 0;
}

/* Up to the command: the first word that is no option. */
int option_read_command_line(struct option_store *s, struct option_words *w, struct err *e)
{
    return take_all(&(struct flags){.store = s, .words = w}, e);
}

/* ---- without memory ---- */

static bool is_set(char **envp, const char *name)
{
    size_t n = strlen(name);

    for (char **v = envp; v && *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return (*v)[n + 1];
    return false;
}

static bool variables_are_about_rights(char **envp)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        char variable[OPTION_VARIABLE_MAX];

        if (!is_about_rights(row))
            continue;
        option_variable(row, variable);
        if (is_set(envp, variable))
            return true;
        for (size_t j = 0; j < OPTION_ALIASES_MAX && row->variable[j].name; j++)
            if (is_set(envp, row->variable[j].name))
                return true;
    }
    return false;
}

char **options_bare_command(int argc, char **argv, char **envp)
{
    struct option_words words = {.argv = argv, .argc = argc, .at = MIN_OF(argc, 1)};
    struct flags f = {.words = &words};
    struct err e;

    if (take_all(&f, &e) < 0 || f.about_rights || variables_are_about_rights(envp) || words.at == argc)
        return NULL;
    return argv + words.at;
}
