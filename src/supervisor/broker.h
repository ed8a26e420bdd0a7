/*
 * broker.h - the supervisor opens for the worker what the worker may not: programs, and lists of mappings
 *
 * Made where the supervisor has capabilities that its workers give up. It gives out descriptors for reading
 * of regular files that are ELF programs or libraries, of /proc/PID/maps, and bytes of what processes have
 * mapped of files: what a worker needs to find names, and nothing else of what the supervisor could open.
 */
#ifndef RINGSIDE_SUPERVISOR_BROKER_H
#define RINGSIDE_SUPERVISOR_BROKER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringside/procfs.h"

struct err;

#define BROKER_MEMORY_MAX 16384 /* bytes of one answer */

/* ---- what is said ---- */

enum { BROKER_MEMORY = PROCFS_KINDS, BROKER_KINDS };

struct broker_request {
    uint64_t number; /* comes back with the answer */
    uint64_t start, end, at;
    uint32_t kind; /* enum procfs_kind, or BROKER_MEMORY */
    int32_t pid;
    uint32_t size; /* of memory */
    char path[PATH_MAX];
};

/* With a descriptor, or with bytes, or with neither and an error. */
struct broker_answer {
    uint64_t number;
    int32_t error;
    uint32_t bytes;
};

/* Whether n bytes are a request that makes sense; then *out is it. */
bool broker_decode(const void *bytes, size_t n, struct broker_request *out);

/* ---- both sides, before they part ---- */

struct broker {
    int fd[2]; /* the supervisor's, the worker's; -1: there is none */
    bool wanted;
};
int broker_make(struct broker *b, struct err *e);
/* For another worker: what the last one did to its socket, sent or left unread goes with it. */
void broker_renew(struct broker *b);
void broker_release(struct broker *b);

/* ---- in the supervisor ---- */

/* Answers one request, if there is one, and closes for a worker that shut its end down. Never waits for the
 * worker and never allocates. */
void broker_serve(struct broker *b);

/* ---- in the worker ---- */

struct broker_door {
    struct procfs_door door;
    int fd;
    uint64_t number;
    uint64_t shut_until_ns; /* it did not answer lately */
};
/* NULL where there is no broker; else &d->door, which borrows *d and the descriptor. */
const struct procfs_door *broker_enter(struct broker *b, struct broker_door *d);

#endif
