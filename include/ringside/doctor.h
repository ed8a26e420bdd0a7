/*
 * doctor.h - will profiling work here, for this user, how well, and what to do about the rest
 *
 * Changes nothing: events are opened asleep, in processes of its own, and closed again; nothing is sent.
 * Other than what the kernel answers, everything comes from files under a root, so that tests can make up
 * machines.
 */
#ifndef RINGSIDE_DOCTOR_H
#define RINGSIDE_DOCTOR_H

#include "ringside/base.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct doctor_run;
struct event_list;
struct perf_machine;

/* Exit status; 2 is for wrong options. */
enum doctor_verdict { DOCTOR_USABLE = 0, DOCTOR_DEGRADED = 3, DOCTOR_UNUSABLE = 4 };

/* What came of setting up all events and rings as a run does. */
struct doctor_rehearsal {
    int signal;                           /* that the process died of, or 0; what follows is not known then */
    struct err armed, mapped;             /* text[0]: what failed */
    struct err refused;                   /* text[0]: the first process that cannot be attached to */
    uint32_t attached;                    /* processes */
    uint32_t cpus, events, descriptors;   /* that there would be */
    uint32_t wanted_ring_kb, got_ring_kb; /* of each CPU; got: 0 when there are none */
    bool counts_lost;                     /* no room for the rings of what each task counted */
};

struct doctor_machine {
    const char *root; /* "" */
    const struct perf_machine *perf;
    bool (*is_writable)(void *ctx, const char *path); /* what is there */
    void (*rehearse)(void *ctx, const struct doctor_run *run, struct doctor_rehearsal *out);
    void *ctx;
    uint32_t cpus_online, cpus_allowed;
    uint64_t locked_bytes,
        descriptors; /* RLIMIT_MEMLOCK (UINT64_MAX: no limit); RLIMIT_NOFILE, the hard one */
    unsigned user;
    int other_pid; /* somebody else's process, to ask about; 0: none */
};
void doctor_this_machine(struct doctor_machine *out);

/* The run that is asked about. Texts are borrowed, those without a value NULL. */
struct doctor_run {
    const char *version;
    const struct event_list *events;
    const char *output, *spool;
    const char *const *servers; /* as they may be shown */
    uint32_t server_count;
    const int *pids; /* -p */
    uint32_t pid_count;
    bool whole_host;     /* -g */
    const char *refused; /* why the command would not even be started */
};

/* json: docs/doctor.md has the schema. */
enum doctor_verdict doctor_examine(const struct doctor_machine *m, const struct doctor_run *run, bool json,
                                   FILE *to);

#endif
