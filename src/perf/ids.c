/*
 * ids.c - a small open-addressed table
 *
 * With PERF_SAMPLE_IDENTIFIER the identifier is the first word behind a sample's header and the last word of
 * every other record (perf_event_open(2)). Inherited events have the identifier of the one they come from
 * (kernel/events/core.c, primary_event_id).
 */
#include "ids.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ringside/base.h"
#include "ringside/perf.h"

static struct id_slot *slot_of(const struct ids *ids, uint64_t id)
{
    uint32_t i = (uint32_t)hash_u64(id) & (ids->slots - 1);

    while (ids->slot[i].event && ids->slot[i].id != id)
        i = (i + 1) & (ids->slots - 1);
    return &ids->slot[i];
}

int ids_init(struct ids *ids, const struct perf_armed *armed, const int *fds, struct err *e)
{
    uint32_t set = armed->events * armed->cpus, all = set * perf_armed_sets(armed);

    *ids = (struct ids){.slots = 4};
    if (armed->events * perf_armed_sets(armed) <= 1)
        return 0;
    while (ids->slots < 2 * (all + armed->events))
        ids->slots *= 2;
    ids->slot = base_calloc(ids->slots, sizeof(*ids->slot));
    fds += perf_armed_first(armed);
    for (uint32_t i = 0; i < all; i++) {
        uint64_t id;

        if (ioctl(fds[i], PERF_EVENT_IOC_ID, &id) < 0) {
            err_set(e, errno, "identifier of an event");
            ids_release(ids);
            return -1;
        }
        *slot_of(ids, id) = (struct id_slot){.id = id, .event = i % set / armed->cpus + 1, .task = i / set};
    }
    return 0;
}

void ids_add(struct ids *ids, int fd, uint32_t event)
{
    uint64_t id;

    if (ids->slot && ioctl(fd, PERF_EVENT_IOC_ID, &id) == 0)
        *slot_of(ids, id) = (struct id_slot){.id = id, .event = event + 1};
}

void ids_release(struct ids *ids)
{
    free(ids->slot);
    *ids = (struct ids){0};
}

const struct id_slot *ids_slot_of(const struct ids *ids, const void *record, size_t n)
{
    struct perf_event_header header;
    const struct id_slot *slot;
    uint64_t id;

    if (!ids->slot || n < sizeof(header) + sizeof(id))
        return NULL;
    memcpy(&header, record, sizeof(header));
    memcpy(&id, (const char *)record + (header.type == PERF_RECORD_SAMPLE ? sizeof(header) : n - sizeof(id)),
           sizeof(id));
    slot = slot_of(ids, id);
    return slot->event ? slot : NULL;
}

uint32_t ids_event_of(const struct ids *ids, const void *record, size_t n)
{
    const struct id_slot *slot = ids_slot_of(ids, record, n);

    if (!ids->slot)
        return 0;
    return slot ? slot->event - 1 : IDS_UNKNOWN;
}
