/*
 * ids.h - which event a record is of, by the identifier that the kernel puts into every record
 */
#ifndef RINGSIDE_PERF_IDS_H
#define RINGSIDE_PERF_IDS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct perf_armed;

struct id_slot {
    uint64_t id;
    uint32_t event; /* plus one; 0: empty */
    uint32_t task;  /* number of the task it was opened for */
};

struct ids {
    struct id_slot *slot; /* NULL with a single event: all records are its own */
    uint32_t slots;       /* a power of two, at most half full */
};

#define IDS_UNKNOWN UINT32_MAX

/* fds: as they were armed. -1 with *e when the kernel does not tell the identifiers. */
int ids_init(struct ids *ids, const struct perf_armed *armed, const int *fds, struct err *e);
/* fd: one more descriptor of an event. */
void ids_add(struct ids *ids, int fd, uint32_t event);
void ids_release(struct ids *ids);

/* What a raw record of n bytes, aligned to 8, is of; NULL: it does not say, and with a single event need not.
 */
const struct id_slot *ids_slot_of(const struct ids *ids, const void *record, size_t n);
/* Its event; IDS_UNKNOWN. */
uint32_t ids_event_of(const struct ids *ids, const void *record, size_t n);

#endif
