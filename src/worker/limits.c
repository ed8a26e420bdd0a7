/*
 * limits.c - memory, and profiles: when this worker has to make room for another
 *
 * What it counted is in the ledger, so the next one goes on where it was; caches it makes anew.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker_private.h"

#define LOOK_INTERVAL_NS NSEC_PER_SEC
#define LATER_MAX        6 /* doublings: about a minute */
#define TOLD_EACH        8 /* then when there were twice as many */

/* Where workers before this one had too much as soon as they looked, another will not have less: each start
 * costs the records of a moment, so they get rarer. */
static uint32_t first_look(const struct worker *w)
{
    return w->config->history ? MIN_OF(w->config->history->hurried, (uint32_t)LATER_MAX) : 0;
}

void limits_open(struct worker *w)
{
    w->limits.statm_fd = -1;
    if (!w->config->memory_bytes_max)
        return;
    w->limits.statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    w->limits.next_look_ns = clock_mono_ns() + (LOOK_INTERVAL_NS << first_look(w));
}

void limits_release(struct worker *w)
{
    if (w->limits.statm_fd >= 0)
        close(w->limits.statm_fd);
}

/* The second number of statm, in pages (proc(5)); 0 when it cannot be read. */
static uint64_t resident_bytes(const struct worker *w)
{
    char text[128], *end;
    ssize_t n = pread(w->limits.statm_fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return 0;
    text[n] = '\0';
    strtoull(text, &end, 10);
    return strtoull(end, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A limit that cannot be kept takes a worker every few seconds, for ever: a log must not fill. */
static void say_exceeded(const struct worker *w, uint64_t bytes)
{
    uint32_t before = w->config->history ? w->config->history->refreshes : 0;

    if (before >= TOLD_EACH && (before & (before - 1)))
        return;
    log_warn(worker, "%llu MiB resident, more than the limit of %llu: another worker goes on",
             (unsigned long long)(bytes >> 20), (unsigned long long)(w->config->memory_bytes_max >> 20));
}

static bool memory_exceeded(struct worker *w)
{
    uint64_t now_ns = clock_mono_ns(), bytes;

    if (w->limits.statm_fd < 0 || now_ns < w->limits.next_look_ns)
        return false;
    w->limits.next_look_ns = now_ns + LOOK_INTERVAL_NS;
    bytes = resident_bytes(w);
    if (bytes <= w->config->memory_bytes_max) {
        w->limits.tried = false;
        return false;
    }
    if (!w->limits.tried) { /* it may take a moment until the allocator has given back what is free */
        w->limits.tried = true;
        worker_forget_names(w);
        return false;
    }
    say_exceeded(w, bytes);
    return true;
}

bool limits_reached(struct worker *w)
{
    if (w->config->profiles_max && w->limits.profiles >= w->config->profiles_max)
        return true;
    return memory_exceeded(w);
}
