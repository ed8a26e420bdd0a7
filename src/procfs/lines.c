/*
 * lines.c - reading line by line: /proc files have no size to ask for, and kallsyms has 200 thousand lines
 */
#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"

struct lines *lines_of(int fd)
{
    struct lines *l = base_alloc(sizeof(*l));

    l->fd = fd;
    l->at = l->end = 0;
    l->skipping = l->ended = false;
    return l;
}

void lines_close(struct lines *l)
{
    if (!l)
        return;
    close(l->fd);
    free(l);
}

/* Reads on behind what is there, one byte left for a NUL. False when reading failed. */
static bool fill(struct lines *l)
{
    ssize_t n;

    if (l->at) {
        memmove(l->bytes, l->bytes + l->at, l->end - l->at);
        l->end -= l->at;
        l->at = 0;
    }
    if (l->end == LINES_BUFFER - 1) { /* no newline in a whole buffer */
        l->skipping = true;
        l->end = 0;
    }
    do
        n = read(l->fd, l->bytes + l->end, LINES_BUFFER - 1 - l->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return false;
    l->ended = n == 0;
    l->end += (size_t)n;
    return true;
}

/* What is there up to the next newline; NULL when it is not complete. */
static char *whole_line(struct lines *l)
{
    char *line = l->bytes + l->at;
    char *newline = memchr(line, '\n', l->end - l->at);

    if (newline)
        l->at = (size_t)(newline - l->bytes) + 1;
    else if (l->ended && l->at < l->end)
        newline = l->bytes + (l->at = l->end); /* the last line need not have one */
    else
        return NULL;
    *newline = '\0';
    return line;
}

char *lines_next(struct lines *l, bool *failed)
{
    char *line;

    for (;;) {
        while ((line = whole_line(l)) != NULL) {
            if (!l->skipping)
                return line;
            l->skipping = false;
        }
        if (l->ended)
            return NULL;
        if (!fill(l)) {
            *failed = true;
            return NULL;
        }
    }
}
