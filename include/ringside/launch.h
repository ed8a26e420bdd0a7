/*
 * launch.h - the hand-over: processes forked in the right order, descriptors over a socket, the held exec
 */
#ifndef RINGSIDE_LAUNCH_H
#define RINGSIDE_LAUNCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define LAUNCH_MESSAGE_MAX 8192

/* Messages between the profiler and the process that becomes the target, one byte of kind first. */
enum launch_kind {
    LAUNCH_RINGS =
        'R', /* to the profiler: how the events were armed; the rest of the descriptors in LAUNCH_MORE */
    LAUNCH_MORE = 'M',      /* more descriptors */
    LAUNCH_READY = 'Y',     /* to the target: rings are mapped, go */
    LAUNCH_NO_EVENTS = 'N', /* to the profiler: nothing could be armed, end quietly */
    LAUNCH_EXEC_FAILED = 'X',
    LAUNCH_DONE =
        'D', /* from the profiler, before it closes: it ended in order, and has said what went wrong */
    LAUNCH_FINISH = 'F', /* to the profiler, parent shape: the command ended, write the profile */
    LAUNCH_STOP = 'S',   /* likewise: the parent was told to end, so wait for no server any more */
};

#define LAUNCH_FDS_MAX 250

/* A message to send; all but the kind is optional. */
struct launch_outgoing {
    enum launch_kind kind;
    const void *data; /* at most LAUNCH_MESSAGE_MAX bytes */
    size_t bytes;
    const int *fds; /* borrowed; at most LAUNCH_FDS_MAX */
    uint32_t fd_count;
};
/* -1 with errno in *e; never raises SIGPIPE. */
int launch_send(int socket, const struct launch_outgoing *m, struct err *e);
/* A message that is just its kind. */
int launch_say(int socket, enum launch_kind kind);

struct launch_message {
    enum launch_kind kind;
    unsigned char data[LAUNCH_MESSAGE_MAX];
    size_t bytes;
    int fds[LAUNCH_FDS_MAX]; /* close-on-exec, owned by the caller */
    uint32_t fd_count;
};
/*
 * 1: a message; 0: the other side closed (exec happened, or it died); -1 with *e: error or time-out
 * (timeout_ms < 0: forever). A message whose descriptors do not all fit into this process is an error, and
 * none is left.
 */
int launch_receive(int socket, struct launch_message *out, int timeout_ms, struct err *e);

/* Likewise, but only tells the kind and leaves the message to whoever shares the socket. */
int launch_peek(int socket, enum launch_kind *kind, int timeout_ms, struct err *e);

/* Until the other side has closed its end, whatever it said before, or the time is up. */
void launch_await_close(int socket, int timeout_ms);

/* A pair of connected sockets that keep message boundaries, both close-on-exec. */
int launch_socketpair(int pair[2], struct err *e);

/*
 * What the command finds is how this process was before Ringside changed anything: signal mask, what becomes
 * of SIGCHLD, limit on descriptors. For when there is no time to undo each change.
 */
struct launch_before {
    sigset_t mask;
    struct sigaction chld;
    unsigned long files_soft, files_hard;
};
void launch_remember(struct launch_before *b);
void launch_restore(const struct launch_before *b);

/* Descriptors are one for each event and CPU, more than the usual soft limit on a large host. The limit
 * before is in *before, for launch_restore_files(): the command must not see another. */
struct rlimit;
void launch_allow_files(struct rlimit *before);
void launch_restore_files(const struct rlimit *before);

/* A detached process on its way: the go-between that forks it still has to be collected. */
struct launch_detached {
    pid_t go_between;
    sigset_t saved_mask; /* the caller's; SIGCHLD is blocked until launch_settle() */
};

/*
 * Forks a process that is no child of the caller, in its own session. Returns 1 in the new process, 0 in the
 * caller, -1 with *e. The caller has time for something useful before it must call launch_settle(), which
 * leaves it without children, pending signals or changed dispositions.
 */
int launch_fork_detached(struct launch_detached *d, struct err *e);
/* Not longer than that: what takes longer is killed, and there may be no new process. */
int launch_settle(struct launch_detached *d, uint32_t timeout_ms, struct err *e);

/* Closes every descriptor except those listed (at most 64); of the first three, those not listed become
 * /dev/null, or what comes close to it where there is none. */
void launch_close_others(const int *keep, uint32_t n);

/* execvp; returns only on failure, with the exit status a shell would use (126, 127) and *e filled. */
int launch_exec(char **command, struct err *e);

/* Waits for that child alone, for nothing else: its wait status. */
int launch_wait(pid_t child, uint64_t *cpu_ns);

/*
 * The parent shape's waiting: forwards signals that were sent to the caller to child, reaps whatever ends,
 * and returns the child's wait status; *cpu_ns gets the CPU time of it and of all it waited for (wait4's
 * rusage). What the terminal, or anybody, sends to the whole group reaches the child by itself and is
 * not sent twice; for that the caller leaves its process group, where there is no terminal, before the
 * command starts.
 */
struct launch_parent {
    int signal_fd;
    sigset_t saved_mask;         /* the caller's, given back to the child before exec */
    struct sigaction saved_chld; /* likewise; where it is "ignore", no child's end would be told */
};
int launch_parent_prepare(struct launch_parent *p, struct err *e); /* before forking; all or nothing */
void launch_parent_restore(struct launch_parent *p);               /* in the child, or without one */
void launch_parent_leave_group(void);                              /* when there is a child in it */
int launch_parent_wait(struct launch_parent *p, pid_t child, uint64_t *cpu_ns);

#endif
