/*
 * environment.c - options from variables: RINGSIDE_*, and those people have set for other tools
 *
 * Two passes over the environment, not one per option: it is on the way of every start. Our own variables are
 * read first, so that it is known which of the others are hidden by them.
 */
#include <stdio.h>
#include <string.h>

#include "convert.h"

struct reader {
    struct options *o;
    const char *name; /* of the variable at hand, of the store */
    const char *text;
};

static const char own_prefix[] = "RINGSIDE_";

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void note_left_out(struct reader *r, const char *what)
{
    struct buf line;

    buf_init(&line, 600);
    buf_printf(&line, "variable %s: %.*s; left out", r->name, (int)strcspn(what, "\n"), what);
    option_texts_add(r->o->store, &r->o->notes, option_take_text(r->o->store, line.data, line.len));
    buf_release(&line);
}

/* ---- RINGSIDE_* ---- */

/* "STACK_SAMPLE_SIZE" in the spelling of long names. False when it cannot be one. */
static bool long_name(const char *name, char out[OPTION_NAME_MAX])
{
    size_t n = strlen(name);

    if (n >= OPTION_NAME_MAX)
        return false;
    for (size_t i = 0; i <= n; i++) {
        if (name[i] >= 'a' && name[i] <= 'z')
            return false;
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    }
    return true;
}

/*
 * Kubernetes sets RINGSIDE_PORT in every pod beside a service that is called ringside, and
 * DD_TRACE_AGENT_PORT beside a dd-trace-agent ("Discovering services", kubernetes.io): no reason not to
 * start.
 */
static bool is_service_link(const char *text)
{
    return begins(text, "tcp://") || begins(text, "udp://") || begins(text, "sctp://");
}

/* A slip in a name would otherwise never show. */
static void read_own(struct reader *r, const char *rest)
{
    char name[OPTION_NAME_MAX], nearest[OPTION_NAME_MAX], what[120];
    struct option_name found = {0};
    bool possible = long_name(rest, name);

    if (strcmp(rest, "PORT") == 0 && is_service_link(r->text))
        return note_left_out(r, "set by Kubernetes for a service called ringside");
    if (possible)
        found = option_find(name, strlen(name));
    if (found.row && !found.negated) {
        if (found.row->type != OPTION_ACTION)
            option_give(r->o->store, found.row, option_convert(r->o->store, found.sense, r->text),
                        (struct option_origin){.source = SOURCE_VARIABLE, .name = r->name});
        return;
    }
    if (!possible || !option_suggest(name, strlen(name), false, nearest))
        return note_left_out(r, "there is no such option");
    snprintf(what, sizeof(what), "there is no such option (did you mean that of --%s?)", nearest);
    note_left_out(r, what);
}

/* ---- shared ones ---- */

static bool is_hidden(const struct reader *r, const struct option_row *row)
{
    const struct option_given *given = option_given(r->o->store, row);

    return given && given->origin.source > SOURCE_SHARED;
}

/* Does the text have a value that a run could go with? */
static int check_value(const struct reader *r, const struct option_row *row, const char *text, struct err *e)
{
    struct options scratch = {.store = r->o->store};

    if (option_set(&scratch, row, text, e) < 0)
        return -1;
    if (scratch.preset)
        return event_preset_add(&scratch.events, text, e);
    if (scratch.event_texts.count && strcmp(text, "help") != 0)
        return event_list_add(&scratch.events, text, e);
    return 0;
}

/*
 * The variable is set for somebody else, too: what we make nothing of is left out, and the service starts. Of
 * what repeats, so that one tag that an intake would not take does not cost the others.
 */
static void give_shared(struct reader *r, const struct option_row *row, size_t order, const char *text)
{
    const struct option_given *before = option_given(r->o->store, row);
    unsigned had = 0;
    struct err e;

    if (is_hidden(r, row))
        return;
    for (; option_repeats(row) && before; before = before->next)
        had++;
    if (had >= OPTION_TEXTS_MAX)
        err_set(&e, 0, "more than %d %s", OPTION_TEXTS_MAX, row->name);
    else if (check_value(r, row, text, &e) == 0)
        return option_give(
            r->o->store, row, text,
            (struct option_origin){.source = SOURCE_SHARED, .order = (unsigned)order, .name = r->name});
    note_left_out(r, e.text);
}

static void give_tags(struct reader *r, const struct option_row *row, size_t order, const char *list)
{
    const char *tag;
    size_t n;

    while (option_next_tag(&list, &tag, &n))
        give_shared(r, row, order, option_take_text(r->o->store, tag, n));
}

/* What begins like this is ddprof's alone: whoever has set it expects something of it. */
static const char ddprofs_own[] = "DD_PROFILING_NATIVE";

static void read_shared(struct reader *r)
{
    bool known = false;

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        for (size_t j = 0; j < OPTION_ALIASES_MAX && row->variable[j].name; j++) {
            const struct option_alias *alias = &row->variable[j];

            if (alias->sense == SENSE_OTEL || strcmp(alias->name, r->name) != 0)
                continue;
            known = true;
            if (alias->sense == SENSE_TAG_LIST || alias->sense == SENSE_LABELS)
                give_tags(r, row, j, option_convert(r->o->store, alias->sense, r->text));
            else
                give_shared(r, row, j, option_convert(r->o->store, alias->sense, r->text));
        }
    }
    if (!known && begins(r->name, ddprofs_own))
        note_left_out(r, "it means nothing here");
}

/* ---- OTEL_RESOURCE_ATTRIBUTES ---- */

/* False when no option is called so. */
static bool give_attribute(struct reader *r, const char *key, const char *value)
{
    for (size_t i = 0; i < option_count; i++) {
        for (size_t j = 0; j < OPTION_ALIASES_MAX && option_table[i].variable[j].name; j++) {
            const struct option_alias *alias = &option_table[i].variable[j];

            if (alias->sense != SENSE_OTEL || strcmp(alias->name, key) != 0)
                continue;
            if (*value)
                give_shared(r, &option_table[i], j, value);
            return true;
        }
    }
    return false;
}

/* Where attributes go that are no options of their own: the row with an alias without a name. */
static const struct option_row *rest_of_attributes(size_t *order)
{
    for (size_t i = 0; i < option_count; i++) {
        for (size_t j = 0; j < OPTION_ALIASES_MAX && option_table[i].variable[j].name; j++) {
            *order = j;
            if (!*option_table[i].variable[j].name)
                return &option_table[i];
        }
    }
    return NULL;
}

static void read_attributes(struct reader *r)
{
    const char *at = r->text;
    char *key, *value;
    const struct option_row *rest;
    size_t order = 0;
    struct err e;
    int got;

    rest = rest_of_attributes(&order);
    while ((got = option_next_attribute(r->o->store, &at, &key, &value)) != 0) {
        char tag[OPTION_TAG_MAX + 100];

        if (got < 0) {
            note_left_out(r, "what is not KEY=VALUE");
            continue;
        }
        if (give_attribute(r, key, value) || !rest || is_hidden(r, rest))
            continue;
        snprintf(tag, sizeof(tag), "%s:%s", key, value); /* cut, it is still too long for a tag */
        if (option_check_tag(tag, strlen(tag), &e) <
            0) /* a list of tags it is not: a comma divides nothing */
            note_left_out(r, e.text);
        else
            give_shared(r, rest, order, option_take_text(r->o->store, tag, strlen(tag)));
    }
}

/* ---- all of them ---- */

/* An empty variable, or one of blanks, is one that is not set: there is no other way to unset what an image's
 * author has set. */
static bool take_variable(struct reader *r, const char *variable)
{
    const char *equals = strchr(variable, '=');

    if (!equals || !equals[1 + strspn(equals + 1, " \t\r\n")])
        return false;
    r->name = option_take_text(r->o->store, variable, (size_t)(equals - variable));
    r->text = equals + 1;
    return true;
}

static bool is_shared(const char *variable)
{
    static const char *const prefixes[] = {"DD_", "OTEL_", "DATADOG_", "PYROSCOPE_", "PARCA_"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (begins(variable, prefixes[i]))
            return true;
    return false;
}

void option_read_environment(struct options *o, char **envp)
{
    struct reader r = {.o = o};

    for (char **v = envp; v && *v; v++)
        if (begins(*v, own_prefix) && take_variable(&r, *v))
            read_own(&r, r.name + strlen(own_prefix));
    for (char **v = envp; v && *v; v++) {
        if (!is_shared(*v) || !take_variable(&r, *v))
            continue;
        if (strcmp(r.name, "OTEL_RESOURCE_ATTRIBUTES") == 0)
            read_attributes(&r);
        else
            read_shared(&r);
    }
}
