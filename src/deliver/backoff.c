/*
 * backoff.c - see backoff.h
 */
#include "backoff.h"

#include <sys/random.h>

#include "ringside/base.h"

#define FIRST_NS         (1 * NSEC_PER_SEC)
#define LONGEST_NS       (120 * NSEC_PER_SEC)
#define HASTE_FIRST_NS   (100 * NSEC_PER_MSEC)
#define HASTE_LONGEST_NS (1 * NSEC_PER_SEC)
/* Never at once: a server that refuses connections answers in microseconds. */
#define SHORTEST_NS      (50 * NSEC_PER_MSEC)

static uint64_t random_below(uint64_t limit)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        random = hash_u64(clock_mono_ns());
    return limit ? random % limit : 0;
}

uint64_t backoff_ns(uint32_t failures, bool in_haste)
{
    uint64_t longest_ns = in_haste ? HASTE_LONGEST_NS : LONGEST_NS;
    uint64_t limit_ns = (in_haste ? HASTE_FIRST_NS : FIRST_NS) << MIN_OF(failures, 20U);
    uint64_t pause_ns = random_below(MIN_OF(limit_ns, longest_ns));

    return MAX_OF(pause_ns, SHORTEST_NS);
}

uint64_t backoff_after_ns(uint64_t asked_ms)
{
    uint64_t asked_ns = asked_ms * NSEC_PER_MSEC;

    return asked_ns + random_below(asked_ns / 10);
}
