/*
 * rings.c - rings that outlive their reader
 *
 * A ring lives as long as some process maps it. The supervisor does, and never looks into it; the kernel
 * gives the same pages to a worker that maps the descriptor it inherited (perf_mmap: an event with a ring
 * gets one more user), at the same position, and without counting them as locked again.
 *
 * The rings of counters are not held: one that died is only made anew when nobody maps it (feed.c).
 */
#include "rings.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "ringside/base.h"
#include "ringside/perf.h"

#include "ring.h"

#define RING_PAGES_MIN 32

struct perf_rings {
    uint32_t count;
    struct ring ring[];
};

static int map_all(struct ring *ring, uint32_t n, const int *fds, uint32_t pages, struct err *e)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ring_open(&ring[i], fds[i], pages, e) == 0)
            continue;
        while (i-- > 0)
            ring_close(&ring[i]);
        return -1;
    }
    return 0;
}

/* The locked-memory limit is per user and shared with everything else that user runs: take what is left. */
int rings_map(struct ring *ring, uint32_t n, const int *fds, uint32_t *pages, struct err *e)
{
    uint32_t wanted = *pages;

    for (uint32_t try = wanted; try >= RING_PAGES_MIN; try /= 2) {
        if (map_all(ring, n, fds, try, e) == 0) {
            if (try < wanted)
                log_info(perf, "rings of %u instead of %u pages: locked-memory limit", try, wanted);
            *pages = try;
            return 0;
        }
        if (e->code != EPERM && e->code != ENOMEM)
            return -1;
    }
    perf_explain(ENOMEM, e);
    return -1;
}

/* The records of all events of a CPU go to the ring of the first, in one order. */
static int join_rings(const struct perf_armed *armed, const int *fds, struct err *e)
{
    for (uint32_t i = armed->cpus; i < armed->events * armed->cpus; i++)
        if (ioctl(fds[i], PERF_EVENT_IOC_SET_OUTPUT, fds[i % armed->cpus]) < 0)
            return err_set(e, errno, "event %s: share the ring", armed->event[i / armed->cpus].name);
    return 0;
}

struct perf_rings *perf_rings_hold(struct perf_armed *armed, const int *fds, struct err *e)
{
    struct perf_rings *r = base_calloc(1, sizeof(*r) + armed->cpus * sizeof(r->ring[0]));

    if (rings_map(r->ring, armed->cpus, fds, &armed->ring_pages, e) == 0) {
        r->count = armed->cpus;
        if (join_rings(armed, fds, e) == 0)
            return r;
    }
    perf_rings_release(r);
    return NULL;
}

void perf_rings_release(struct perf_rings *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->count; i++)
        ring_close(&r->ring[i]);
    free(r);
}

bool perf_is_over(const struct perf_armed *armed, const int *fds)
{
    for (uint32_t i = 0; i < armed->cpus; i++) {
        struct pollfd ready = {.fd = fds[i], .events = POLLIN};

        if (poll(&ready, 1, 0) <= 0 || !(ready.revents & (POLLHUP | POLLERR)))
            return false;
    }
    return true;
}

void perf_disable(const struct perf_armed *armed, const int *fds)
{
    for (uint32_t i = 0; i < perf_armed_fds(armed); i++)
        ioctl(fds[i], PERF_EVENT_IOC_DISABLE, 0);
}
