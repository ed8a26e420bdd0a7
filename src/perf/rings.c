/*
 * rings.c - see rings.h
 */
#include "rings.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "ringside/base.h"
#include "ringside/perf.h"

#include "ring.h"

#define RING_PAGES_MIN 32

static void unmap(struct ring *ring, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ring_close(&ring[i]);
}

static int map_all(struct ring *ring, uint32_t n, const int *fds, uint32_t pages, struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ring_open(&ring[i], fds[i], pages, e) == 0)
            continue;
        unmap(ring, i);
        return -1;
    }
    return 0;
}

/* The locked-memory limit is per user and shared with everything else that user runs: take what is left. */
static int map_what_fits(struct ring *ring, const struct perf_armed *armed, const int *fds, uint32_t *pages,
                         struct err *e)
{
    for (*pages = armed->ring_pages; *pages >= RING_PAGES_MIN; *pages /= 2) {
        if (map_all(ring, armed->cpus, fds, *pages, e) == 0) {
            if (*pages < armed->ring_pages)
                log_info(perf, "rings of %u instead of %u pages: locked-memory limit", *pages,
                         armed->ring_pages);
            return 0;
        }
        if (e->code != EPERM && e->code != ENOMEM)
            return -1;
    }
    perf_explain(ENOMEM, e);
    return -1;
}

/* The records of all events of a CPU go to one ring, in one order. Counters have their own. */
static int join(const struct perf_armed *armed, const int *fds, struct err *e)
{
    uint32_t end = perf_armed_first(armed) + perf_armed_sets(armed) * armed->events * armed->cpus;

    for (uint32_t i = armed->cpus; i < end; i++)
        if (ioctl(fds[i], PERF_EVENT_IOC_SET_OUTPUT, fds[i % armed->cpus]) < 0)
            return err_set(e, errno, "event %s: share the ring",
                           armed->event[i / armed->cpus % armed->events].name);
    return 0;
}

int rings_map(struct ring *ring, const struct perf_armed *armed, const int *fds, uint32_t *pages,
              struct err *e)
{
    if (map_what_fits(ring, armed, fds, pages, e) < 0)
        return -1;
    if (join(armed, fds, e) == 0)
        return 0;
    unmap(ring, armed->cpus);
    return -1;
}

/* ---- without rings: whoever has the descriptors ---- */

static bool has_hung_up(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    return poll(&ready, 1, 0) > 0 && (ready.revents & (POLLHUP | POLLERR));
}

/* All events of a task hang up together. */
bool perf_is_over(const struct perf_armed *armed, const int *fds)
{
    uint32_t n = armed->tasks ? armed->tasks : armed->cpus;
    uint32_t step = armed->tasks ? armed->events * armed->cpus : 1;

    for (uint32_t i = 0; i < n; i++)
        if (!has_hung_up(fds[perf_armed_first(armed) + i * step]))
            return false;
    return true;
}

void perf_enable(const struct perf_armed *armed, const int *fds)
{
    for (uint32_t i = perf_armed_first(armed); i < perf_armed_fds(armed); i++)
        ioctl(fds[i], PERF_EVENT_IOC_ENABLE, 0);
}

void perf_disable(const struct perf_armed *armed, const int *fds)
{
    for (uint32_t i = 0; i < perf_armed_fds(armed); i++)
        ioctl(fds[i], PERF_EVENT_IOC_DISABLE, 0);
}
