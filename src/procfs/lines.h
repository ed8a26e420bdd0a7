/*
 * lines.h - a file of /proc line by line, through one buffer
 */
#ifndef RINGSIDE_PROCFS_LINES_H
#define RINGSIDE_PROCFS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define LINES_BUFFER 65536

struct lines {
    int fd;
    size_t at, end; /* of the bytes read and not yet handed out */
    bool skipping;  /* the rest of a line that is longer than the buffer */
    bool ended;
    char bytes[LINES_BUFFER];
};

/* NULL with *e when the file cannot be opened. */
struct lines *lines_open(const char *path, struct err *e);
void lines_close(struct lines *l);

/*
 * The next line without its newline, NUL-terminated, the caller's to write on until the next call. Lines
 * longer than the buffer are left out. NULL at the end; with *failed set when reading failed, errno kept.
 */
char *lines_next(struct lines *l, bool *failed);

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* Reads lower-case hex digits, at least one and at most 16; moves *at behind them. */
static inline bool take_hex(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t value = 0;
    int digit;

    while ((digit = hex_digit(*p)) >= 0 && p - *at < 16) {
        value = value << 4 | (unsigned)digit;
        p++;
    }
    if (p == *at)
        return false;
    *at = p;
    *out = value;
    return true;
}

static inline bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

#endif
