/*
 * filter.h - the system calls of a worker
 */
#ifndef RINGSIDE_SANDBOX_FILTER_H
#define RINGSIDE_SANDBOX_FILTER_H

struct err;

/* Stands in the filter for the process's own id, and is none (threads.h: PID_MAX_LIMIT is 1 << 22). */
#define FILTER_OWN_PID 0x7f4e5d3cU

/* Each with all that the one before it allows. */
enum filter_servers {
    FILTER_NO_SERVERS,
    FILTER_REMOTE_SERVERS,
    FILTER_LOCAL_SERVERS, /* stream sockets of this machine */
};

/* Of all threads of the process, those to come included, with no way back; no_new_privs must be set. */
int filter_install(enum filter_servers servers, struct err *e);

#endif
