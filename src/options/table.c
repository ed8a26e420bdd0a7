/*
 * table.c - finding a row, and checking all of them
 */
#include "table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "store.h"

void option_variable(const struct option_row *row, char out[OPTION_VARIABLE_MAX])
{
    snprintf(out, OPTION_VARIABLE_MAX, "RINGSIDE_%s", row->name);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static bool same_name(const char *name, const char *given, size_t n)
{
    if (strlen(name) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (name[i] != (given[i] == '_' ? '-' : given[i]))
            return false;
    return true;
}

static bool find_exactly(const char *name, size_t n, struct option_name *out)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        *out = (struct option_name){.row = row};
        if (same_name(row->name, name, n))
            return true;
        for (size_t j = 0; j < OPTION_NAMES_MAX && row->also[j].name; j++) {
            out->sense = row->also[j].sense;
            if (same_name(row->also[j].name, name, n))
                return true;
        }
    }
    return false;
}

struct option_name option_find(const char *name, size_t n)
{
    struct option_name found;

    if (find_exactly(name, n, &found))
        return found;
    if (n > 3 && (memcmp(name, "no-", 3) == 0 || memcmp(name, "no_", 3) == 0) &&
        find_exactly(name + 3, n - 3, &found) && found.row->type == OPTION_SWITCH) {
        found.negated = true;
        return found;
    }
    return (struct option_name){0};
}

const struct option_row *option_find_letter(char letter)
{
    for (size_t i = 0; letter && i < option_count; i++)
        if (option_table[i].letter == letter)
            return &option_table[i];
    return NULL;
}

/* ---- the check ---- */

static int check_name(const char *name, struct err *e)
{
    if (!name[0] || strlen(name) > 40 || name[strspn(name, "abcdefghijklmnopqrstuvwxyz-")])
        return err_set(e, 0, "a name is lower-case letters and dashes");
    if (strncmp(name, "no-", 3) == 0)
        return err_set(e, 0, "names that begin with no- are negations");
    return 0;
}

/* The default and the example are values, and not the same one. */
static int check_values(const struct option_row *row, struct err *e)
{
    struct option_store store = {0};
    struct options scratch = {.store = &store};
    struct buf by_default, other;
    int result = 0;

    buf_init(&by_default, 1000);
    buf_init(&other, 1000);
    if (row->fallback && option_set(&scratch, row, row->fallback, e) < 0)
        result = err_wrap(e, "default");
    else if (row->fallback)
        option_format(&scratch, row, 0, &by_default);
    if (result == 0 && row->example && option_set(&scratch, row, row->example, e) < 0)
        result = err_wrap(e, "example");
    else if (result == 0 && row->example && !option_format(&scratch, row, 0, &other))
        result = err_set(e, 0, "the example has no value");
    if (result == 0 && row->example && row->fallback && by_default.len == other.len &&
        memcmp(by_default.data, other.data, other.len) == 0)
        result = err_set(e, 0, "the example is the default");
    buf_release(&by_default);
    buf_release(&other);
    option_store_release(&store);
    return result;
}

static int check_row(const struct option_row *row, struct err *e)
{
    bool takes_text = row->type != OPTION_SWITCH && row->type != OPTION_ACTION;

    if (check_name(row->name, e) < 0)
        return -1;
    for (size_t i = 0; i < OPTION_NAMES_MAX && row->also[i].name; i++)
        if (check_name(row->also[i].name, e) < 0)
            return -1;
    if (!row->help || !*row->help || strlen(row->help) > 70)
        return err_set(e, 0, "help is one line");
    if (takes_text != (row->argument != NULL) || takes_text != (row->example != NULL))
        return err_set(e, 0, "argument, example and type do not fit");
    if (row->min > row->max || row->offset >= sizeof(struct options) || row->group >= OPTION_GROUPS)
        return err_set(e, 0, "bounds, group or place");
    if (row->later && row->no_effect)
        return err_set(e, 0, "it cannot come later and never");
    return check_values(row, e);
}

static int check_pair(const struct option_row *a, const struct option_row *b, struct err *e)
{
    if (a->letter && a->letter == b->letter)
        return err_set(e, 0, "options %s and %s share a letter", a->name, b->name);
    if (a->offset == b->offset && !a->no_effect && !b->no_effect)
        return err_set(e, 0, "options %s and %s share a place", a->name, b->name);
    return 0;
}

int options_check_table(struct err *e)
{
    if (option_count > OPTIONS_MAX)
        return err_set(e, 0, "more than %d options", OPTIONS_MAX);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (check_row(row, e) < 0)
            return err_wrap(e, "option %s", row->name);
        if (option_find(row->name, strlen(row->name)).row != row)
            return err_set(e, 0, "option %s: the name is taken", row->name);
        for (size_t j = 0; j < OPTION_NAMES_MAX && row->also[j].name; j++)
            if (option_find(row->also[j].name, strlen(row->also[j].name)).row != row)
                return err_set(e, 0, "option %s: the name %s is taken", row->name, row->also[j].name);
        for (size_t j = 0; j < i; j++)
            if (check_pair(row, &option_table[j], e) < 0)
                return -1;
    }
    return 0;
}

static bool takes_same_text(enum option_sense sense)
{
    return sense == SENSE_SAME || sense == SENSE_ENABLED || sense == SENSE_TAG_LIST || sense == SENSE_MASK;
}

bool options_describe(size_t i, struct option_facts *out)
{
    const struct option_row *row = &option_table[i];
    size_t n = 0;

    if (i >= option_count)
        return false;
    *out = (struct option_facts){
        .name = row->name,
        .letter = row->letter,
        .fallback = row->fallback,
        .sample = row->example,
        .is_switch = row->type == OPTION_SWITCH,
        .is_secret = option_is_secret(row),
        .is_later = row->later != NULL,
        .without_effect = row->no_effect != NULL,
        .command_line_only = row->command_line_only,
    };
    option_variable(row, out->variable);
    if (out->is_switch)
        out->sample = row->fallback && strcmp(row->fallback, "yes") == 0 ? "no" : "yes";
    for (size_t j = 0; j < OPTION_NAMES_MAX && row->also[j].name; j++)
        if (row->also[j].sense == SENSE_SAME)
            out->also[n++] = row->also[j].name;
    n = 0;
    for (size_t j = 0; j < OPTION_ALIASES_MAX && row->variable[j].name; j++)
        if (takes_same_text(row->variable[j].sense))
            out->shared[n++] = row->variable[j].name;
    return true;
}
