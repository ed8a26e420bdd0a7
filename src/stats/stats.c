/*
 * stats.c - the page of counters, their names, and what the calling process itself has used
 */
#include "ringside/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "ringside/base.h"

static const char *const names[STATS_COUNT] = {
#define STATS_NAME(id, name) [STATS_##id] = name,
    STATS_COUNTERS(STATS_NAME)
#undef STATS_NAME
};

struct stats *stats_new(void)
{
    void *page = mmap(NULL, sizeof(struct stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        log_error(stats, "no page for the counters: %s", strerror(errno));
        exit(1); /* as every out-of-memory */
    }
    return page;
}

void stats_free(struct stats *s)
{
    if (s)
        munmap(s, sizeof(*s));
}

const char *stats_name(enum stats_id id)
{
    return (unsigned)id < STATS_COUNT ? names[id] : "unknown";
}

/* VmHWM rather than ru_maxrss: the latter keeps the peak of what this process was before an exec. */
static uint64_t peak_rss(uint64_t fallback)
{
    char text[4096];
    const char *line;

    if (read_small_file(AT_FDCWD, "/proc/self/status", text, sizeof(text), NULL) < 0)
        return fallback;
    line = strstr(text, "\nVmHWM:");
    return line ? strtoull(line + strlen("\nVmHWM:"), NULL, 10) * 1024 : fallback;
}

void stats_self(struct stats_self *out)
{
    struct rusage used;

    *out = (struct stats_self){0};
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        out->cpu_ns = rusage_cpu_ns(&used);
        out->peak_rss_bytes = (uint64_t)used.ru_maxrss * 1024;
    }
    out->peak_rss_bytes = peak_rss(out->peak_rss_bytes);
}
