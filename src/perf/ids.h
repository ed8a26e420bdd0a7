/*
 * ids.h - which event a record is of, by the identifier that the kernel puts into every record
 */
#ifndef RINGSIDE_PERF_IDS_H
#define RINGSIDE_PERF_IDS_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct id_slot {
    uint64_t id;
    uint32_t event; /* plus one; 0: empty */
};

struct ids {
    struct id_slot *slot; /* NULL with a single event: all records are its own */
    uint32_t slots;       /* a power of two, at most half full */
};

#define IDS_UNKNOWN UINT32_MAX

/* fds: of each event one for each CPU. -1 with *e when the kernel does not tell the identifiers. */
int ids_init(struct ids *ids, const int *fds, uint32_t events, uint32_t cpus, struct err *e);
/* fd: one more descriptor of an event. */
void ids_add(struct ids *ids, int fd, uint32_t event);
void ids_release(struct ids *ids);

/* The event of a raw record of n bytes, aligned to 8; IDS_UNKNOWN. */
uint32_t ids_event_of(const struct ids *ids, const void *record, size_t n);

#endif
