/*
 * show.c - --show-config and --capture-config: every value, as a config file
 */
#include "ringside/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"
#include "targets.h"

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

/* What nobody gave, and what must not be read back, is a comment. */
static void print_line(FILE *to, bool comment, const char *name, const struct buf *value, const char *remark)
{
    int width = fprintf(to, "%s%-*s = %.*s", comment ? "# " : "", VALUE_COLUMN - (comment ? 2 : 0), name,
                        (int)value->len, value->data);

    fprintf(to, "%*s# %s\n", width < ORIGIN_COLUMN ? ORIGIN_COLUMN - width : 1, "", remark);
}

static uint32_t count_tags(const char *text)
{
    const char *tag;
    uint32_t count = 0;
    size_t n;

    while (option_next_tag(&text, &tag, &n))
        count++;
    return count;
}

static uint32_t count_words(const char *text, const char *dividers)
{
    uint32_t count = 0;

    for (; *(text += strspn(text, dividers)); count++)
        text += strcspn(text, dividers);
    return count;
}

/* How many values a text holds. */
static uint32_t count_values(const struct option_row *row, const char *text)
{
    switch (row->type) {
    case OPTION_TAGS:
        return count_tags(text);
    case OPTION_URLS:
        return count_words(text, " \t\n");
    case OPTION_PIDS:
        return count_words(text, OPTION_PID_DIVIDERS);
    default:
        return 1;
    }
}

const struct option_given *option_given_of_value(const struct options *o, const struct option_row *row,
                                                 uint32_t i)
{
    const struct option_given *given = option_given(o->store, row);

    while (option_repeats(row) && given) {
        uint32_t count = count_values(row, given->text);

        if (i < count)
            break;
        i -= count;
        given = given->next;
    }
    return given;
}

static void show_events(FILE *to, const struct options *o, const struct option_row *row, const char *remark)
{
    char text[EVENT_TEXT_MAX];
    struct buf value;

    buf_init(&value, VALUE_MAX);
    for (uint32_t i = 0; i < o->events.count; i++) {
        value.len = 0;
        event_spec_print(&o->events.spec[i], text, sizeof(text));
        option_quote(text, &value);
        print_line(to, true, row->name, &value, remark);
    }
    buf_release(&value);
}

/* What the run goes by where nobody gave anything: the events, the name of the service, the file that was
 * read. */
static void show_default(FILE *to, const struct options *o, const struct option_row *row)
{
    const char *remark = origin_text(row, NULL, NULL, 0), *text = NULL;
    struct buf value;

    if (row->type == OPTION_EVENTS)
        return show_events(to, o, row, o->preset ? "of --preset" : "default");
    if (strcmp(row->name, "service") == 0)
        text = o->service;
    else if (strcmp(row->name, "config") == 0)
        text = o->store->config_path;
    buf_init(&value, VALUE_MAX);
    if (text)
        option_quote(text, &value);
    else if (row->type == OPTION_URLS && o->targets.count)
        option_hide_credentials(o->targets.at[0], &value);
    if (strcmp(row->name, "config") == 0)
        remark = text ? "found there" : "neither " RINGSIDE_CONFIG_HERE " nor " RINGSIDE_CONFIG_SYSTEM;
    print_line(to, true, row->name, &value, remark);
    buf_release(&value);
}

/* Where a secret came from, and where a file is that is not to be read again. */
static void show_aside(FILE *to, const struct options *o, const struct option_row *row)
{
    const struct option_given *given = option_given(o->store, row);
    char remark[300];
    struct buf value;

    buf_init(&value, VALUE_MAX);
    if (option_is_secret(row))
        buf_add_text(&value, "(set)");
    else
        option_quote(given->text, &value);
    print_line(to, true, row->name, &value, origin_text(row, given, remark, sizeof(remark)));
    buf_release(&value);
}

/* Of a URL with a password or query in it, a text that can be shown takes the place of the value. */
static bool hide_credentials(const struct option_row *row, const struct options *o, uint32_t i,
                             struct buf *value)
{
    const void *place = (const char *)o + row->offset;
    const char *text;
    struct buf shown;
    bool hidden;

    if (!row->is_address)
        return false;
    text = option_repeats(row) ? ((const struct option_texts *)place)->at[i] : *(const char *const *)place;
    buf_init(&shown, VALUE_MAX);
    option_hide_credentials(text, &shown);
    hidden = shown.len != strlen(text) || memcmp(shown.data, text, shown.len) != 0;
    if (hidden) {
        value->len = 0;
        buf_add(value, shown.data, shown.len);
    }
    buf_release(&shown);
    return hidden;
}

static void show_values(FILE *to, const struct options *o, const struct option_row *row)
{
    char remark[300];
    struct buf value;

    buf_init(&value, VALUE_MAX);
    for (uint32_t i = 0; option_format(o, row, i, &value); i++) {
        bool hidden = hide_credentials(row, o, i, &value);

        print_line(to, hidden, row->name, &value,
                   origin_text(row, option_given_of_value(o, row, i), remark, sizeof(remark)));
        value.len = 0;
    }
    buf_release(&value);
}

void options_print_config(FILE *to, const struct options *o)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const struct option_given *given = option_given(o->store, row);

        if (row->no_effect || row->type == OPTION_ACTION)
            continue;
        if (!given && !row->fallback)
            show_default(to, o, row);
        else if (option_is_secret(row) || row->command_line_only)
            show_aside(to, o, row);
        else
            show_values(to, o, row);
    }
    for (uint32_t i = 0; i < o->notes.count; i++)
        fprintf(to, "# note: %s\n", o->notes.at[i]);
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
        bool hidden = hide_credentials(row, o, i, &value);

        buf_printf(out, "%s%s = %.*s\n", hidden ? "# credentials are not written here: " : "", row->name,
                   (int)value.len, value.data);
        value.len = 0;
    }
    buf_release(&value);
}

static void capture(struct buf *out, const struct options *o)
{
    buf_add_text(out, "# Written by ringside --capture-config; ringside --config FILE reads it.\n");
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];

        if (option_is_secret(row) && option_given(o->store, row))
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

/* A device or pipe, or a link such as /dev/stdout: written to, where a file would be replaced. */
static int write_in_place(const char *path, const struct buf *text, struct err *e)
{
    FILE *file = fopen(path, "we");
    bool written;

    if (!file)
        return err_set(e, errno, "open %s", path);
    written = fwrite(text->data, 1, text->len, file) == text->len;
    if (fclose(file) == EOF || !written)
        return err_set(e, errno, "write %s", path);
    return 0;
}

int options_capture_config(const struct options *o, struct err *e)
{
    bool in_place;
    struct stat there;
    struct buf text;
    int result;

    in_place = lstat(o->capture_config, &there) == 0 && !S_ISREG(there.st_mode);
    buf_init(&text, 1 << 20);
    capture(&text, o);
    result = in_place ? write_in_place(o->capture_config, &text, e)
                      : write_atomically(o->capture_config, &text, e);
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
