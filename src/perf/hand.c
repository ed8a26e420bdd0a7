/*
 * hand.c - see hand.h
 *
 * The rings go with their reader, so the very record that it died of does not come again; one like it will,
 * from the same place in the same process. After the second death such records are left out, the first
 * hundred, then one is tried again: what was in hand when somebody else's signal came is no reason to leave
 * out a program's hottest function for ever. Each death makes it four times as many.
 */
#include "hand.h"

#include <string.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/perf.h"

#define DEATHS_ENOUGH  2
#define DEATHS_COUNTED 10 /* then all: 100 * 4^8 is some days' samples */
#define LEAVE_OUT      100

static uint64_t key_of(const struct feed_record *r)
{
    uint64_t place = 0;

    if (r->kind == FEED_SAMPLE)
        place = r->u.sample.regs.known ? r->u.sample.regs.r[ARCH_REG_PC] : 0;
    else if (r->kind == FEED_MMAP)
        place = hash_bytes(r->u.mmap.path, strlen(r->u.mmap.path));
    return hash_u64(place ^ (uint64_t)r->pid << 32 ^ (uint64_t)r->kind << 56) | 1;
}

static struct perf_suspect *suspect_of(struct perf_hand *hand, uint64_t key)
{
    for (uint32_t i = 0; i < PERF_SUSPECTS; i++)
        if (hand->suspect[i].key == key)
            return &hand->suspect[i];
    return NULL;
}

/* The one with the fewest deaths makes room. */
static struct perf_suspect *new_suspect(struct perf_hand *hand, uint64_t key)
{
    struct perf_suspect *least = &hand->suspect[0];

    for (uint32_t i = 1; i < PERF_SUSPECTS; i++)
        if (hand->suspect[i].deaths < least->deaths)
            least = &hand->suspect[i];
    *least = (struct perf_suspect){.key = key};
    return least;
}

void hand_begin(struct perf_hand *hand)
{
    uint64_t key = hand->key;
    struct perf_suspect *s;

    hand->key = 0;
    if (!key || !hand->faulted)
        return;
    s = suspect_of(hand, key);
    if (!s)
        s = new_suspect(hand, key);
    s->deaths = MIN_OF(s->deaths, (uint32_t)DEATHS_COUNTED) + 1;
    s->left_out = 0;
}

static bool is_deadly(struct perf_suspect *s)
{
    if (s->deaths < DEATHS_ENOUGH)
        return false;
    if (s->deaths < DEATHS_COUNTED && s->left_out >= (uint32_t)LEAVE_OUT << 2 * (s->deaths - DEATHS_ENOUGH))
        return false;
    s->left_out += s->left_out < UINT32_MAX;
    return true;
}

bool hand_take(struct perf_hand *hand, const struct feed_record *record)
{
    uint64_t key = key_of(record);

    for (uint32_t i = 0; i < PERF_SUSPECTS; i++)
        if (hand->suspect[i].key == key && is_deadly(&hand->suspect[i]))
            return false;
    __atomic_store_n(&hand->key, key, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* before anything is done with the record */
    return true;
}

void hand_put_down(struct perf_hand *hand)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&hand->key, 0, __ATOMIC_RELAXED);
}
