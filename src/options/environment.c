/*
 * environment.c - options from variables: RINGSIDE_*, and those people have set for other tools
 *
 * One pass over the environment, not one per option: it is on the way of every start.
 */
#include <stdio.h>
#include <string.h>

#include "convert.h"

struct reader {
    struct options *o;
    const char *name; /* of the variable at hand, of the store */
    const char *text;
};

static void note_left_out(struct reader *r, const char *what)
{
    struct buf line;

    buf_init(&line, 600);
    buf_printf(&line, "variable %s: %.400s; left out", r->name, what);
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

/* A slip in a name would otherwise never show. */
static void read_own(struct reader *r, const char *rest)
{
    char name[OPTION_NAME_MAX], nearest[OPTION_NAME_MAX], what[120];
    struct option_name found = {0};
    bool possible = long_name(rest, name);

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

static void give_shared(struct reader *r, const struct option_row *row, size_t order, const char *text)
{
    option_give(r->o->store, row, text,
                (struct option_origin){.source = SOURCE_SHARED, .order = (unsigned)order, .name = r->name});
}

/* One tag that an intake would not take must not cost the others, nor the run. */
static void give_tags(struct reader *r, const struct option_row *row, size_t order, const char *list)
{
    struct err e;

    while (*list) {
        const char *tag = list + strspn(list, " \t");
        size_t n = strcspn(tag, ",");

        list = tag + n + (tag[n] == ',');
        while (n && tag[n - 1] == ' ')
            n--;
        if (n == 0)
            continue;
        if (option_check_tag(tag, n, &e) < 0)
            note_left_out(r, e.text);
        else
            give_shared(r, row, order, option_take_text(r->o->store, tag, n));
    }
}

static void read_shared(struct reader *r)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        for (size_t j = 0; j < OPTION_ALIASES_MAX && row->variable[j].name; j++) {
            const struct option_alias *alias = &row->variable[j];

            if (alias->sense == SENSE_OTEL || strcmp(alias->name, r->name) != 0)
                continue;
            if (alias->sense == SENSE_TAG_LIST)
                give_tags(r, row, j, option_convert(r->o->store, alias->sense, r->text));
            else
                give_shared(r, row, j, option_convert(r->o->store, alias->sense, r->text));
        }
    }
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
    const char *at = r->text, *key, *value;
    const struct option_row *rest;
    struct err e;
    size_t order = 0;
    int got;

    rest = rest_of_attributes(&order);
    while ((got = option_next_attribute(r->o->store, &at, &key, &value)) != 0) {
        char tag[OPTION_TAG_MAX + 100];

        if (got < 0) {
            note_left_out(r, "what is not KEY=VALUE");
            continue;
        }
        if (give_attribute(r, key, value) || !rest)
            continue;
        snprintf(tag, sizeof(tag), "%s:%s", key, value); /* cut, it is still too long for a tag */
        if (option_check_tag(tag, strlen(tag), &e) < 0)
            note_left_out(r, e.text);
        else
            give_shared(r, rest, order, option_take_text(r->o->store, tag, strlen(tag)));
    }
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* An empty variable is one that is not set: there is no other way to unset what an image's author has set. */
void option_read_environment(struct options *o, char **envp)
{
    for (; envp && *envp; envp++) {
        const char *equals;
        struct reader r = {.o = o};

        if (!begins(*envp, "RINGSIDE_") && !begins(*envp, "DD_") && !begins(*envp, "OTEL_") &&
            !begins(*envp, "DATADOG_"))
            continue;
        equals = strchr(*envp, '=');
        if (!equals || !equals[1])
            continue;
        r.name = option_take_text(o->store, *envp, (size_t)(equals - *envp));
        r.text = equals + 1;
        if (begins(r.name, "RINGSIDE_"))
            read_own(&r, r.name + strlen("RINGSIDE_"));
        else if (strcmp(r.name, "OTEL_RESOURCE_ATTRIBUTES") == 0)
            read_attributes(&r);
        else
            read_shared(&r);
    }
}
