/*
 * tracefs.c - tracepoints as the kernel lists them: their numbers, and the fields of their records
 *
 * Documentation/trace/events.rst, sections 2.3 (numbers) and 4 (format files). Since 4.1 tracefs has a place
 * of its own; before, and beside it since, it shows in debugfs.
 */
#include "tracefs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"

#define FORMAT_MAX 65536 /* the longest format file of Linux 6.18 has 9 KiB */

static int open_events(const char *root)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/events", root);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int unreadable(const char *root, struct err *e)
{
    return err_set(e, 0,
                   "%s is not readable for this user: run as root, remount it with gid= of a group of yours "
                   "and mode=750, or give the tracepoint's number with id=",
                   root);
}

/* Of both places the usual one is worth talking about, unless this kernel does not have it. */
static int explain_absence(const struct perf_machine *m, const int *codes, struct err *e)
{
    bool usual = access(m->tracefs[0], F_OK) == 0 || errno != ENOENT;
    const char *root = m->tracefs[usual ? 0 : 1];
    int code = codes[usual ? 0 : 1];

    if (!usual && code == ENOENT)
        return err_set(e, 0, "this kernel has no tracepoints (there is no %s)", m->tracefs[0]);
    if (code == ENOENT)
        return err_set(e, 0,
                       "tracefs is not mounted: mount -t tracefs tracefs %s, or give the tracepoint's number "
                       "with id=",
                       root);
    if (code == EACCES || code == EPERM)
        return unreadable(root, e);
    return err_set(e, code, "%s/events", root);
}

int tracefs_open(const struct perf_machine *m, struct err *e)
{
    int codes[2];

    for (int i = 0; i < 2; i++) {
        int fd = open_events(m->tracefs[i]);

        if (fd >= 0)
            return fd;
        codes[i] = errno;
    }
    return explain_absence(m, codes, e);
}

const char *tracefs_path(const struct perf_machine *m)
{
    CLOSE_FD int fd = open_events(m->tracefs[0]);

    return m->tracefs[fd >= 0 ? 0 : 1];
}

/* ---- nearest names ---- */

struct nearest {
    const char *word;
    char name[WORD_MAX];
    unsigned distance;
};

static DIR *open_folder(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

/* The folder in a folder that is named most like a word, or exactly so. */
static bool find_nearest(int dir_fd, const char *folder, struct nearest *n)
{
    DIR *dir = open_folder(dir_fd, folder);
    struct dirent *entry;

    n->distance = MIN_OF((unsigned)strlen(n->word) / 3, 3U) + 1;
    n->name[0] = '\0';
    while (dir && (entry = readdir(dir))) {
        unsigned distance = word_distance(n->word, entry->d_name);

        if (entry->d_name[0] == '.' || entry->d_type == DT_REG || distance >= n->distance ||
            strlen(entry->d_name) >= sizeof(n->name))
            continue;
        n->distance = distance;
        snprintf(n->name, sizeof(n->name), "%.*s", WORD_MAX - 1, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return n->name[0] != '\0';
}

static int unknown_tracepoint(int events_fd, const char *group, const char *name, struct err *e)
{
    struct nearest g = {.word = group}, t = {.word = name};
    bool has_group = faccessat(events_fd, group, F_OK, 0) == 0;

    if (!has_group && !find_nearest(events_fd, ".", &g))
        return err_set(e, 0, "there is no group \"%.60s\" of tracepoints", group);
    if (find_nearest(events_fd, has_group ? group : g.name, &t))
        return err_set(e, 0, "there is no tracepoint %.60s:%.60s; did you mean %s:%s?", group, name,
                       has_group ? group : g.name, t.name);
    if (!has_group)
        return err_set(e, 0, "there is no group \"%.60s\" of tracepoints; did you mean %s?", group, g.name);
    return err_set(e, 0, "the group %.60s has no tracepoint \"%.60s\"", group, name);
}

/* ---- numbers ---- */

struct room {
    char *text;
    size_t bytes;
};

/* Reads events/GROUP/NAME/FILE, NUL-terminated. */
static int read_file_of(const struct perf_machine *m, const char *const names[3], struct room room,
                        struct err *e)
{
    CLOSE_FD int events_fd = tracefs_open(m, e);
    char path[3 * 256 + 3];
    struct err cause = {0};

    if (events_fd < 0)
        return -1;
    snprintf(path, sizeof(path), "%.255s/%.255s/%.255s", names[0], names[1], names[2]);
    if (read_small_file(events_fd, path, room.text, room.bytes, &cause) >= 0)
        return 0;
    if (cause.code == ENOENT)
        return unknown_tracepoint(events_fd, names[0], names[1], e);
    if (cause.code == EACCES || cause.code == EPERM)
        return unreadable(tracefs_path(m), e);
    return err_set(e, cause.code, "read %s/events/%.255s", tracefs_path(m), path);
}

long tracefs_id(const struct perf_machine *m, const char *group, const char *name, struct err *e)
{
    const char *const names[3] = {group, name, "id"};
    char text[32];
    long id;

    if (read_file_of(m, names, (struct room){text, sizeof(text)}, e) < 0)
        return -1;
    id = strtol(text, NULL, 10);
    if (id <= 0)
        return err_set(e, 0, "%s/events/%s/%s/id holds no number", tracefs_path(m), group, name);
    return id;
}

/* ---- fields ---- */

/* A line of a format file: "field:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;" */
struct field {
    const char *name; /* in the line */
    size_t name_bytes;
    unsigned elements; /* 0: no array */
    unsigned offset, size, is_signed;
    bool elsewhere; /* the record holds where the data is, not the data */
};

static bool number_after(const char *line, const char *end, const char *word, unsigned *out)
{
    const char *at = memmem(line, (size_t)(end - line), word, strlen(word));

    if (!at)
        return false;
    *out = (unsigned)strtoul(at + strlen(word), NULL, 10);
    return true;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool parse_field_line(const char *line, const char *end, struct field *out)
{
    const char *type = line + strspn(line, " \t");
    const char *stop = memchr(type, ';', type < end ? (size_t)(end - type) : 0);
    const char *bracket;

    if (!stop || strncmp(type, "field:", 6) != 0)
        return false;
    *out = (struct field){.elsewhere = memmem(type, (size_t)(stop - type), "_loc ", 5) != NULL};
    if (!number_after(stop, end, "offset:", &out->offset) || !number_after(stop, end, "size:", &out->size))
        return false;
    number_after(stop, end, "signed:", &out->is_signed);
    bracket = memrchr(type, '[', (size_t)(stop - type));
    if (bracket && stop[-1] == ']') {
        out->elements = (unsigned)strtoul(bracket + 1, NULL, 10);
        stop = bracket;
    }
    out->name = stop;
    while (out->name > type + 6 && is_name_char(out->name[-1]))
        out->name--;
    out->name_bytes = (size_t)(stop - out->name);
    return out->name_bytes > 0;
}

/* Narrows the field to what was asked for, a number of the sizes that can be read. */
static int take_field(const struct field *f, const char *asked, struct perf_target *out, struct err *e)
{
    const char *bracket = strchr(asked, '[');
    unsigned long index = bracket ? strtoul(bracket + 1, NULL, 10) : 0;
    unsigned size = f->elements ? f->size / f->elements : f->size;

    if (f->elsewhere)
        return err_set(e, 0, "the field %s is a text or list of any length, not a number", asked);
    if (bracket && !f->elements)
        return err_set(e, 0, "the field %.*s is no array", (int)f->name_bytes, f->name);
    if (bracket && index >= f->elements)
        return err_set(e, 0, "the field %s: %.*s has %u elements", asked, (int)f->name_bytes, f->name,
                       f->elements);
    if (!bracket && f->elements > 1)
        return err_set(e, 0, "the field %s is an array of %u; write %s[INDEX]", asked, f->elements, asked);
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return err_set(e, 0, "the field %s is no number: it has %u bytes", asked, size);
    if (f->offset + index * size > UINT16_MAX - 8)
        return err_set(e, 0, "the field %s lies beyond the end of a record", asked);
    out->raw_offset = (uint16_t)(f->offset + index * size);
    out->raw_size = (uint8_t)size;
    out->raw_signed = f->is_signed;
    return 0;
}

static int no_such_field(const char *format, const char *asked, struct err *e)
{
    char names[160] = "";
    size_t n = 0;

    for (const char *line = format, *end; *line; line = *end ? end + 1 : end) {
        struct field f;

        end = strchrnul(line, '\n');
        if (!parse_field_line(line, end, &f) || memmem(f.name, f.name_bytes, "common_", 7))
            continue;
        if (n + f.name_bytes + 3 < sizeof(names))
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%.*s", n ? ", " : "", (int)f.name_bytes,
                                  f.name);
    }
    return err_set(e, 0, "there is no field %s; there are %s", asked, n ? names : "none");
}

int tracefs_parse_field(const char *format, const char *field, struct perf_target *out, struct err *e)
{
    size_t n = strcspn(field, "[");

    for (const char *line = format, *end; *line; line = *end ? end + 1 : end) {
        struct field f;

        end = strchrnul(line, '\n');
        if (parse_field_line(line, end, &f) && f.name_bytes == n && memcmp(f.name, field, n) == 0)
            return take_field(&f, field, out, e);
    }
    return no_such_field(format, field, e);
}

int tracefs_field(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                  struct err *e)
{
    const char *const names[3] = {s->group, s->target, "format"};
    FREE_PTR char *format = base_alloc(FORMAT_MAX);

    if (read_file_of(m, names, (struct room){format, FORMAT_MAX}, e) < 0)
        return -1;
    return tracefs_parse_field(format, s->raw_field, out, e);
}

/* ---- how many ---- */

static bool is_folder(int dir_fd, const struct dirent *entry, const char *file)
{
    char path[NAME_MAX + 16];

    if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
        return false;
    snprintf(path, sizeof(path), "%s/%s", entry->d_name, file);
    return faccessat(dir_fd, path, F_OK, 0) == 0;
}

static unsigned count_group(int events_fd, const char *name)
{
    DIR *dir = open_folder(events_fd, name);
    struct dirent *entry;
    unsigned n = 0;

    while (dir && (entry = readdir(dir)))
        n += is_folder(dirfd(dir), entry, "id");
    if (dir)
        closedir(dir);
    return n;
}

void tracefs_count(int events_fd, unsigned *groups, unsigned *tracepoints)
{
    DIR *dir = open_folder(events_fd, ".");
    struct dirent *entry;

    *groups = *tracepoints = 0;
    while (dir && (entry = readdir(dir))) {
        unsigned n = entry->d_name[0] == '.' ? 0 : count_group(events_fd, entry->d_name);

        *groups += n > 0;
        *tracepoints += n;
    }
    if (dir)
        closedir(dir);
}
