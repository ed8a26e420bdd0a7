/*
 * memory.c - allocation that cannot fail, scoped cleanup, and the growing buffer
 */
#include "ringside/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A writable global: there is no one to pass it from where memory runs out. */
static struct {
    void (*handler)(void *ctx);
    void *ctx;
} last_resort;

void base_set_last_resort(void (*handler)(void *ctx), void *ctx)
{
    last_resort.handler = handler;
    last_resort.ctx = ctx;
}

void base_out_of_memory(void)
{
    static const char text[] = "ringside: error: out of memory\n";
    void (*handler)(void *ctx) = last_resort.handler;

    last_resort.handler = NULL; /* it may need memory, too */
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        errno = 0; /* there is nobody to tell */
    if (handler)
        handler(last_resort.ctx);
    _exit(1);
}

/* jemalloc(3); sanitized builds have another allocator. */
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
    __attribute__((weak));

void base_use_thread_cache(void)
{
    bool on = true;

    if (mallctl)
        mallctl("thread.tcache.enabled", NULL, NULL, &on, sizeof(on));
}

static void *must(void *p)
{
    if (!p)
        base_out_of_memory();
    return p;
}

void *base_alloc(size_t bytes)
{
    return must(malloc(bytes ? bytes : 1));
}

void *base_calloc(size_t count, size_t bytes)
{
    return must(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *base_realloc(void *p, size_t bytes)
{
    return must(realloc(p, bytes ? bytes : 1));
}

char *base_strdup(const char *text)
{
    return must(strdup(text));
}

void close_fd_cleanup(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void free_cleanup(void *p)
{
    free(*(void **)p);
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

/* Room for n more bytes. */
static bool buf_reserve(struct buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 64;

    if (n > b->max || b->len > b->max - n)
        return false;
    if (b->len + n <= b->cap)
        return true;
    while (cap < b->len + n)
        cap *= 2;
    cap = MIN_OF(cap, b->max);
    b->data = base_realloc(b->data, cap);
    b->cap = cap;
    return true;
}

bool buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (!buf_reserve(b, n))
        return false;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return true;
}

bool buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    FREE_PTR char *large = NULL;
    const char *text = small;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n < 0)
        return false;
    if ((size_t)n >= sizeof(small)) {
        large = base_alloc((size_t)n + 1);
        va_start(args, fmt);
        vsnprintf(large, (size_t)n + 1, fmt, args);
        va_end(args);
        text = large;
    }
    return buf_add(b, text, (size_t)n);
}
