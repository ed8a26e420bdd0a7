/*
 * show.c - --show-config and --capture-config: every value, as a config file
 */
#include "ringside/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

#define VALUE_COLUMN  22
#define ORIGIN_COLUMN 50
#define VALUE_MAX     (64 << 10)

/* "flag", "variable DD_ENV", "ringside.conf:3", "default" */
static const char *origin_text(const struct option_row *row, const struct option_given *given, char *out,
                               size_t bytes)
{
    const char *nobody = row->fallback ? "default" : row->note;

    if (!given)
        return nobody ? nobody : "not set";
    if (given->origin.source == SOURCE_FLAG)
        return "flag";
    if (given->origin.source == SOURCE_FILE)
        snprintf(out, bytes, "%s:%u", given->origin.name, given->origin.line);
    else if (row->later && given->origin.source == SOURCE_SHARED)
        snprintf(out, bytes, "variable %s, not in this build", given->origin.name);
    else
        snprintf(out, bytes, "variable %s", given->origin.name);
    return out;
}

static void print_line(FILE *to, const char *name, const struct buf *value, const char *remark)
{
    int width = fprintf(to, "%-*s = %.*s", VALUE_COLUMN, name, (int)value->len, value->data);

    fprintf(to, "%*s# %s\n", width < ORIGIN_COLUMN ? ORIGIN_COLUMN - width : 1, "", remark);
}

static void print_comment(FILE *to, const char *name, const char *value, const char *remark)
{
    int width = fprintf(to, "# %-*s = %s", VALUE_COLUMN - 2, name, value);

    fprintf(to, "%*s# %s\n", width < ORIGIN_COLUMN ? ORIGIN_COLUMN - width : 1, "", remark);
}

/* Tags of one text share its origin: whose text value i came from cannot be told when texts are split. */
static const struct option_given *given_of_value(const struct options *o, const struct option_row *row,
                                                 uint32_t i)
{
    const struct option_given *given = option_given(o->store, row);

    for (; row->type == OPTION_EVENTS && given && i; i--)
        given = given->next;
    return given;
}

static void show_value(FILE *to, const struct options *o, const struct option_row *row)
{
    char remark[300];
    struct buf value;
    uint32_t i = 0;

    buf_init(&value, VALUE_MAX);
    for (; option_format(o, row, i, &value); i++) {
        print_line(to, row->name, &value,
                   origin_text(row, given_of_value(o, row, i), remark, sizeof(remark)));
        value.len = 0;
    }
    if (i == 0)
        print_comment(to, row->name, "", origin_text(row, NULL, remark, sizeof(remark)));
    buf_release(&value);
}

void options_print_config(FILE *to, const struct options *o)
{
    char remark[300];

    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const struct option_given *given = option_given(o->store, row);

        if (row->no_effect || row->type == OPTION_ACTION)
            continue;
        if (row->type == OPTION_SECRET)
            print_comment(to, row->name, given ? "(set)" : "",
                          origin_text(row, given, remark, sizeof(remark)));
        else if (row->command_line_only && given) /* where this came from, not how to run again */
            print_comment(to, row->name, given->text, origin_text(row, given, remark, sizeof(remark)));
        else
            show_value(to, o, row);
    }
}

/* ---- --capture-config ---- */

static bool is_captured(const struct options *o, const struct option_row *row)
{
    if (row->no_effect || row->later || row->type == OPTION_ACTION || row->command_line_only)
        return false;
    if (strcmp(row->name, "show-config") == 0) /* one look is enough */
        return false;
    return !row->default_varies || option_given(o->store, row);
}

static void capture_row(struct buf *out, const struct options *o, const struct option_row *row)
{
    struct buf value;
    uint32_t i = 0;

    buf_init(&value, VALUE_MAX);
    for (; option_format(o, row, i, &value); i++) {
        buf_printf(out, "%s = %.*s\n", row->name, (int)value.len, value.data);
        value.len = 0;
    }
    buf_release(&value);
}

static void capture(struct buf *out, const struct options *o)
{
    buf_add_text(out, "# Written by ringside --capture-config; ringside --config FILE reads it.\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (row->type == OPTION_SECRET && option_given(o->store, row))
            buf_printf(out, "# %s was set; secrets are not written here\n", row->name);
        else if (is_captured(o, row))
            capture_row(out, o, row);
    }
}

static int write_atomically(const char *path, const struct buf *text, struct err *e)
{
    const char *slash = strrchr(path, '/');
    FREE_PTR char *folder = slash ? base_strdup(path) : base_strdup("./");
    struct atomic_file file;
    CLOSE_FD int dir = -1;

    if (slash)
        folder[slash - path + 1] = '\0';
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_set(e, errno, "open %s", folder);
    if (atomic_file_open(&file, dir, slash ? slash + 1 : path, e) < 0)
        return -1;
    if (atomic_file_write(&file, text->data, text->len, e) < 0) {
        atomic_file_abort(&file);
        return -1;
    }
    return atomic_file_commit(&file, e);
}

int options_capture_config(const struct options *o, struct err *e)
{
    struct buf text;
    int result;

    buf_init(&text, 1 << 20);
    capture(&text, o);
    result = write_atomically(o->capture_config, &text, e);
    buf_release(&text);
    return result < 0 ? err_wrap(e, "--capture-config") : 0;
}

/* ---- the example ---- */

void options_print_example_config(FILE *to)
{
    enum option_group group = OPTION_GROUPS;

    fputs("# Example of a config file for ringside: every option with its default, or with an example where "
          "it\n"
          "# has none. It is read as ringside.conf in the working folder or in the system's folder for\n"
          "# configuration (/etc of the installation), or by --config. The command line and variables are\n"
          "# stronger.\n",
          to);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const char *value = row->fallback ? row->fallback : row->type == OPTION_SWITCH ? "yes" : row->example;

        if (row->no_effect || row->later || row->command_line_only)
            continue;
        if (row->group != group)
            fprintf(to, "\n# ---- %s ----\n", option_group_title[row->group]);
        group = row->group;
        fprintf(to, "\n# %s\n#%s = ", row->help, row->name);
        if (value[strspn(value, "-0123456789")] && row->type != OPTION_SWITCH)
            fprintf(to, "\"%s\"\n", value);
        else
            fprintf(to, "%s\n", value);
    }
}
