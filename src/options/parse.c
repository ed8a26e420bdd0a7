/*
 * parse.c - command line and environment to struct options
 *
 * Each layer notes texts; for every option the text of the strongest layer that has one is then turned into
 * its value, so a flag also overrides a variable that makes no sense. Another layer is another loop over the
 * table.
 */
#include "ringside/options.h"

#include <string.h>

#include "table.h"

struct setting {
    const char *text;
    enum option_source source;
};

struct parser {
    struct setting setting[OPTIONS_MAX]; /* by row */
    char **argv;
    int argc, at;
};

static void note(struct parser *p, const struct option_row *row, const char *text, enum option_source source)
{
    struct setting *s = &p->setting[row - option_table];

    if (s->text && source < s->source)
        return;
    *s = (struct setting){.text = text, .source = source};
}

/* ---- command line ---- */

/* n: of the option's name; what comes before it are dashes. */
static int unknown_option(const char *arg, const char *name, size_t n, struct err *e)
{
    char suggestion[OPTION_NAME_MAX];
    int shown = (int)MIN_OF((size_t)(name - arg) + n, (size_t)60);

    if (option_suggest(name, n, suggestion))
        return err_set(e, 0, "unknown option \"%.*s\": did you mean --%s?", shown, arg, suggestion);
    return err_set(e, 0, "unknown option \"%.*s\" (ringside --help shows all)", shown, arg);
}

static int take_argument(struct parser *p, const struct option_row *row, const char *spelled, struct err *e)
{
    if (p->at == p->argc)
        return err_set(e, 0, "option %.60s: the argument %s is missing", spelled, row->argument);
    note(p, row, p->argv[p->at++], SOURCE_COMMAND_LINE);
    return 0;
}

static int take_long(struct parser *p, const char *arg, struct err *e)
{
    const char *name = arg + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    bool negated;
    const struct option_row *row = option_find(name, n, &negated);

    if (!row)
        return unknown_option(arg, name, n, e);
    if (row->argument && !equals)
        return take_argument(p, row, arg, e);
    if (equals && (negated || row->type == OPTION_ACTION))
        return err_set(e, 0, "option \"%.60s\" takes no argument", arg);
    note(p, row, equals ? equals + 1 : (negated ? "0" : "1"), SOURCE_COMMAND_LINE);
    return 0;
}

/* "-v", "-Sname", "-S name", "-hv". */
static int take_short(struct parser *p, const char *arg, struct err *e)
{
    bool negated;

    /* "-output" would otherwise write the log to a file "utput". */
    if (arg[2] && option_find(arg + 1, strlen(arg + 1), &negated))
        return err_set(e, 0, "option \"%.60s\": did you mean -%.60s?", arg, arg);
    for (const char *c = arg + 1; *c; c++) {
        const struct option_row *row = option_find_letter(*c);
        char spelled[] = {'-', *c, '\0'};

        if (!row)
            return unknown_option(arg, arg + 1, strlen(arg + 1), e);
        if (row->argument && !c[1])
            return take_argument(p, row, spelled, e);
        note(p, row, row->argument ? c + 1 : "1", SOURCE_COMMAND_LINE);
        if (row->argument)
            return 0;
    }
    return 0;
}

/* Up to the command: the first word that is no option. */
static int take_command_line(struct parser *p, struct err *e)
{
    while (p->at < p->argc) {
        const char *arg = p->argv[p->at];

        if (arg[0] != '-' || !arg[1])
            return 0;
        p->at++;
        if (strcmp(arg, "--") == 0)
            return 0;
        if ((arg[1] == '-' ? take_long(p, arg, e) : take_short(p, arg, e)) < 0)
            return -1;
    }
    return 0;
}

/* ---- the other layers ---- */

static const char *find_variable(char **envp, const char *name)
{
    size_t n = strlen(name);

    for (; envp && *envp; envp++)
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

/* An empty variable is one that is not set: there is no other way to unset what an image's author has set. */
static void take_environment(struct parser *p, char **envp)
{
    char name[OPTION_VARIABLE_MAX];

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const char *text;

        if (row->type == OPTION_ACTION)
            continue;
        option_variable(row, name);
        text = find_variable(envp, name);
        if (text && *text)
            note(p, row, text, SOURCE_ENVIRONMENT);
    }
}

static void take_defaults(struct parser *p)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].fallback)
            note(p, &option_table[i], option_table[i].fallback, SOURCE_DEFAULT);
}

/* ---- values ---- */

static int store_setting(struct options *o, const struct option_row *row, const struct setting *s,
                         struct err *e)
{
    char variable[OPTION_VARIABLE_MAX];

    if (!s->text || option_store(o, row, s->text, e) == 0)
        return 0;
    if (s->source == SOURCE_ENVIRONMENT) {
        option_variable(row, variable);
        return err_wrap(e, "variable %s", variable);
    }
    return err_wrap(e, "option --%s", row->name);
}

static int store_all(struct options *o, const struct parser *p, struct err *e)
{
    for (size_t i = 0; i < option_count; i++)
        if (store_setting(o, &option_table[i], &p->setting[i], e) < 0)
            return -1;
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    return *name ? name : "unnamed";
}

/* By somebody, not by default. */
static bool was_set(const struct parser *p, const char *name)
{
    bool negated;
    const struct setting *s = &p->setting[option_find(name, strlen(name), &negated) - option_table];

    return s->text && s->source != SOURCE_DEFAULT;
}

int options_parse(struct options *o, int argc, char **argv, char **envp, struct err *e)
{
    struct parser p = {.argv = argv, .argc = argc, .at = MIN_OF(argc, 1)};

    *o = (struct options){0};
    if (take_command_line(&p, e) < 0)
        return -1;
    o->command = argv + p.at;
    o->help = was_set(&p, "help");
    o->version = was_set(&p, "version");
    if (o->help || o->version) /* whatever else is wrong, help is given */
        return 0;
    take_environment(&p, envp);
    take_defaults(&p);
    if (store_all(o, &p, e) < 0)
        return -1;
    o->wait_set = was_set(&p, "wait");
    if (p.at >= argc)
        return err_set(e, 0, "no command to run: ringside [options] command [arguments]");
    if (!o->service)
        o->service = base_name(o->command[0]);
    return 0;
}
