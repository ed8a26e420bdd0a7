/*
 * lines.h - a file of /proc line by line, through one buffer
 */
#ifndef RINGSIDE_PROCFS_LINES_H
#define RINGSIDE_PROCFS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct err;

#define LINES_BUFFER 65536

struct lines {
    int fd;
    size_t at, end; /* of the bytes read and not yet handed out */
    bool skipping;  /* the rest of a line that is longer than the buffer */
    bool ended;
    char bytes[LINES_BUFFER];
};

/* Takes over fd. */
struct lines *lines_of(int fd);
void lines_close(struct lines *l);

/*
 * The next line without its newline, NUL-terminated, the caller's to write on until the next call. Lines
 * longer than the buffer are left out. NULL at the end; with *failed set when reading failed, errno kept.
 */
char *lines_next(struct lines *l, bool *failed);

/* The same for a line that is there already, which nearly all are; *bytes: its length. NULL: ask
 * lines_next().
 */
static inline char *lines_ready(struct lines *l, size_t *bytes)
{
    char *line = l->bytes + l->at;
    char *newline = l->skipping ? NULL : memchr(line, '\n', l->end - l->at);

    if (!newline)
        return NULL;
    *newline = '\0';
    *bytes = (size_t)(newline - line);
    l->at += *bytes + 1;
    return line;
}

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

/*
 * Eight lower-case hex digits at once, without a branch on any of them: they are as good as random. A letter
 * is told by bit 6, and brought behind the digits; then exactly the letters must count ten or more.
 */
static inline bool hex8(const char *text, uint64_t *out)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t v, letters, nibbles;

    memcpy(&v, text, sizeof(v));
    letters = v >> 6 & ones;
    v -= letters * ('a' - '0' - 10);
    nibbles = v & 0x0f * ones;
    if (v - nibbles != 0x30 * ones || ((nibbles + 6 * ones) >> 4 & ones) != letters)
        return false;
    v = (nibbles << 4 | nibbles >> 8) & 0x00ff00ff00ff00ff; /* the first digit is in the lowest byte */
    v = (v << 8 | v >> 16) & 0x0000ffff0000ffff;
    *out = (v << 16 | v >> 32) & 0xffffffff;
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
