/*
 * config.c - options from a file: lines of name = value, read through libinih
 *
 * A flat TOML file such as other profilers have reads too: strings in quotes, arrays of them where an option
 * may be repeated, comments after values. Lines are limited to CONFIG_LINE_MAX bytes and files to
 * CONFIG_BYTES_MAX.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "config_value.h"
#include "convert.h"

#define CONFIG_LINE_MAX  8192
#define CONFIG_BYTES_MAX (64 << 10)

struct config {
    struct option_store *store;
    const char *path;
    const char *at, *end;       /* of the text, what is not read yet */
    unsigned line;              /* the one given to libinih last */
    unsigned failed;            /* the line *e is about; 0: none */
    unsigned seen[OPTIONS_MAX]; /* the line an option was first on */
    struct err *e;
};

/* ---- one option ---- */

static int unknown_key(const char *key, struct err *e)
{
    char suggestion[OPTION_NAME_MAX];

    if (strcmp(key, "command_line") == 0 || strcmp(key, "command-line") == 0)
        return err_set(e, 0, "the command to run can only be given on the command line");
    if (option_suggest(key, strlen(key), false, suggestion))
        return err_set(e, 0, "unknown option \"%.60s\": did you mean %s?", key, suggestion);
    return err_set(e, 0, "unknown option \"%.60s\" (ringside --help-all shows all)", key);
}

static int give_key(struct config *c, const char *key, const char *rest)
{
    struct option_name name = option_find(key, strlen(key));
    struct option_texts values = {0};
    unsigned *seen;

    if (!name.row || name.negated)
        return unknown_key(key, c->e);
    if (name.row->command_line_only)
        return err_set(c->e, 0, "%s makes no sense in a config file", name.row->name);
    seen = &c->seen[option_index(name.row)];
    if (*seen && !option_repeats(name.row))
        return err_set(c->e, 0, "%s is on line %u already", name.row->name, *seen);
    *seen = c->line;
    if (option_read_config_values(c->store, name.row, rest, &values, c->e) < 0)
        return err_wrap(c->e, "%s", name.row->name);
    for (uint32_t i = 0; i < values.count; i++)
        option_give(c->store, name.row, option_convert(c->store, name.sense, values.at[i]),
                    (struct option_origin){.source = SOURCE_FILE, .name = c->path, .line = c->line});
    return 0;
}

static int take_pair(void *ctx, const char *section, const char *key, const char *rest)
{
    struct config *c = ctx;
    int result;

    if (c->failed)
        return 0;
    if (*section && strcmp(section, "ringside") != 0)
        result = err_set(c->e, 0, "sections like [%.40s] have no meaning here", section);
    else
        result = give_key(c, key, rest);
    if (result < 0)
        c->failed = c->line;
    return result == 0;
}

/* ---- the text ---- */

/* The next line, as fgets() would give it. A line that is cut would be taken for two. */
static char *next_line(char *out, int size, void *ctx)
{
    struct config *c = ctx;
    size_t left = (size_t)(c->end - c->at), n;
    const char *newline = memchr(c->at, '\n', left);

    if (c->failed || left == 0)
        return NULL;
    n = newline ? (size_t)(newline - c->at) : left;
    c->line++;
    if (n + 3 > (size_t)size || memchr(c->at, '\0', n)) {
        err_set(c->e, 0, n + 3 > (size_t)size ? "the line is too long" : "there is a NUL byte in the line");
        c->failed = c->line;
        return NULL;
    }
    memcpy(out, c->at, n);
    out[n] = '\0';
    c->at += n + (newline != NULL);
    return out;
}

/*
 * Debian builds libinih so that its limits are variables. Comments after values are looked for here, since
 * libinih knows no quotes; a line that is indented is a line like any other.
 */
static void set_up_libinih(void)
{
    ini_max_line = CONFIG_LINE_MAX;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
}

static int read_text(struct config *c)
{
    int wrong;

    set_up_libinih();
    wrong = ini_parse_stream(next_line, c, take_pair, c);
    if (wrong > 0 && (!c->failed || (unsigned)wrong < c->failed)) {
        c->failed = (unsigned)wrong;
        err_set(c->e, 0, "this is neither NAME = VALUE nor a comment");
    } else if (wrong < 0 && !c->failed) {
        base_out_of_memory();
    }
    return c->failed ? err_wrap(c->e, "%s:%u", c->path, c->failed) : 0;
}

/* ---- the file ---- */

static int read_file(struct option_store *s, int fd, const char *path, struct err *e)
{
    FREE_PTR char *text = base_alloc(CONFIG_BYTES_MAX + 1);
    struct config c = {.store = s, .path = path, .at = text, .e = e};
    size_t have = 0;

    while (have <= CONFIG_BYTES_MAX) {
        ssize_t n = read(fd, text + have, CONFIG_BYTES_MAX + 1 - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, errno, "read config file %s", path);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    s->config_path = path;
    if (have > CONFIG_BYTES_MAX)
        return err_set(e, 0, "config file %s: larger than %d bytes", path, CONFIG_BYTES_MAX);
    c.end = text + have;
    return read_text(&c);
}

static bool is_trusted(const struct stat *s)
{
    return (s->st_uid == 0 || s->st_uid == geteuid()) && (S_ISLNK(s->st_mode) || !(s->st_mode & S_IWOTH));
}

/*
 * Nobody named the file in the working folder, and a service's working folder may be one where others can
 * write: a file of somebody else there must not say where profiles of this service go. The same for a link.
 */
static int check_trusted(int fd, const char *path, struct err *e)
{
    struct stat file, link;

    if (fstat(fd, &file) < 0 || lstat(path, &link) < 0)
        return err_set(e, errno, "config file %s", path);
    if (!S_ISREG(file.st_mode))
        return err_set(e, 0, "config file %s: not a regular file", path);
    if (!is_trusted(&file) || !is_trusted(&link))
        return err_set(
            e, 0,
            "config file %s in the working folder: refused, because it belongs to somebody else or "
            "everybody can write to it (--config %s takes it, --config /dev/null does without)",
            path, path);
    return 0;
}

/*
 * Opened so that a pipe of that name does not hold the start. 0: there is none, or it is read; 1: it cannot
 * be read. Nobody named it, so that is no reason not to start the command.
 */
static int read_usual(struct option_store *s, const char *path, bool trusted, bool *found, struct err *e)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int result;

    *found = fd >= 0 || (errno != ENOENT && errno != ENOTDIR);
    if (!*found)
        return 0;
    if (fd < 0) {
        err_set(e, errno, "config file %s", path);
        return 1;
    }
    result = trusted ? 0 : check_trusted(fd, path, e);
    if (result == 0)
        result = read_file(s, fd, path, e);
    return result < 0 && e->code ? 1 : result;
}

int option_read_config(struct option_store *s, const char *path, struct err *e)
{
    bool found;
    int result;

    if (path) {
        CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        return fd < 0 ? err_set(e, errno, "config file %s", path) : read_file(s, fd, path, e);
    }
    result = read_usual(s, RINGSIDE_CONFIG_HERE, false, &found, e);
    return found ? result : read_usual(s, RINGSIDE_CONFIG_SYSTEM, true, &found, e);
}
