/*
 * err.c - error texts: made once with errno and object, wrapped on the way up
 */
#include "ringside/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    const char *cause;
    va_list args;
    size_t at;

    if (!e)
        return -1;
    e->code = code;
    va_start(args, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, args);
    va_end(args);
    if (!code)
        return -1;
    cause = strerror(code);
    at = MIN_OF(strlen(e->text), sizeof(e->text) - sizeof(": ") - strlen(cause));
    snprintf(e->text + at, sizeof(e->text) - at, ": %s", cause);
    return -1;
}

bool err_is_shortage(const struct err *e)
{
    static const int codes[] = {ENOMEM, EMFILE,  ENFILE, ENOSPC, EDQUOT,    EIO,    EAGAIN,
                                EINTR,  ENOBUFS, EBUSY,  ENOLCK, ETIMEDOUT, ESTALE, ENOSYS};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (e->code == codes[i])
            return true;
    return false;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char context[sizeof(e->text)];
    size_t had, room;
    va_list args;
    int n;

    if (!e)
        return -1;
    va_start(args, fmt);
    n = vsnprintf(context, sizeof(context), fmt, args);
    va_end(args);
    had = strlen(e->text);
    room = sizeof(e->text) - 1 - had;
    if (n < 0 || (size_t)n + 2 > room)
        return -1;
    memmove(e->text + n + 2, e->text, had + 1);
    memcpy(e->text, context, (size_t)n);
    memcpy(e->text + n, ": ", 2);
    return -1;
}
