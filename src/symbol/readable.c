/*
 * readable.c - libiberty's demanglers, fenced in
 *
 * Back references let a kilobyte of a name stand for gigabytes of text. The callback forms print piece by
 * piece, but there is no way to tell them to stop, so a jump out of the callback ends them. They keep what
 * they need on the stack; only a piece of punycode in a Rust name is on the heap, and is lost when the jump
 * happens just there.
 */
#include "readable.h"

#include <setjmp.h>
#include <string.h>

#include <demangle.h>

#include "ringside/base.h"

#define OPTIONS (DMGL_PARAMS | DMGL_ANSI | DMGL_RET_DROP)

/*
 * libiberty's own limit refuses C++ names of more than 1024 bytes, which templates of templates do have
 * (cp-demangle.c, d_demangle_callback). Ours is READABLE_MAX: whatever the name, that takes at most 0.9 MB of
 * stack. Rust's demangler limits depth rather than length, and keeps that.
 */
#define OPTIONS_CXX (OPTIONS | DMGL_NO_RECURSE_LIMIT)

struct text {
    char *out;
    size_t used;
    jmp_buf full;
};

static void add_piece(const char *piece, size_t n, void *ctx)
{
    struct text *t = ctx;
    size_t room = READABLE_MAX - 1 - t->used, part = MIN_OF(n, room);

    if (n == 0)
        return; /* then piece may be NULL */
    memcpy(t->out + t->used, piece, part);
    t->used += part;
    t->out[t->used] = '\0';
    if (n > room)
        longjmp(t->full, 1);
}

typedef int (*demangler)(const char *linked, int options, demangle_callbackref add, void *ctx);

/* What comes out of valid UTF-8 is valid too, unless it is cut. */
static bool run(demangler with, int options, const char *linked, char *out)
{
    struct text t = {.out = out, .used = 0};

    if (setjmp(t.full)) {
        memcpy(out + READABLE_MAX - 4, "...", 4);
        utf8_clean(out); /* the cut may go through a character */
        return true;
    }
    return with(linked, options, add_piece, &t) != 0 && t.used > 0;
}

/* In the older mangling the last part is a hash of 17 characters, the first an h: without one, the demangler
 * refuses the name, after a look at each character. */
static bool may_be_rust(const char *linked)
{
    return linked[1] == 'R' || strstr(linked, "17h") != NULL;
}

bool readable_name(const char *linked, char out[READABLE_MAX])
{
    bool rust = strncmp(linked, "_R", 2) == 0, itanium = strncmp(linked, "_Z", 2) == 0;

    if ((!rust && !itanium) || strnlen(linked, READABLE_MAX) == READABLE_MAX)
        return false;
    /* Rust's older mangling looks like C++ but for a hash at its end: its demangler must look first. */
    if (may_be_rust(linked) && run(rust_demangle_callback, OPTIONS, linked, out))
        return true;
    return itanium && run(cplus_demangle_v3_callback, OPTIONS_CXX, linked, out);
}
