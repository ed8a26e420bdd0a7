/*
 * sandbox.h - the worker gives up what it does not need before it reads anything the target made
 *
 * A worker parses files, records and answers that others control. So it has no capability in any set, can
 * gain none (no_new_privs), and may make only the system calls of a list (seccomp). All of that is
 * protection of ourselves: where the kernel refuses a part, the worker goes on with the rest.
 */
#ifndef RINGSIDE_SANDBOX_H
#define RINGSIDE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct err;

/* A file, socket, or folder (W_OK | X_OK) that will be used. */
struct sandbox_place {
    const char *path;
    int mode;      /* as of access(2) */
    int folder_fd; /* the folder is open already, whatever its path is now: then path is for messages; 0: it
                      is not */
};

struct sandbox_needs {
    /* Servers: sockets, and libraries that are loaded when a name is first looked up. */
    bool network;
    /* Some of them are on this machine (unix://). Where there were capabilities and none is, no local daemon
     * can be talked to, nor any that looks names up: files and DNS are left. */
    bool local_servers;
    /* Where one is closed to the user without capabilities, CAP_DAC_OVERRIDE or CAP_DAC_READ_SEARCH stays,
     * and a message says so. Where there were capabilities, no other folder is written to. */
    const struct sandbox_place *place;
    uint32_t places;
};

/* Whether there is any capability to give up, and so a process with more rights than the worker will have.
 * Then that one has to open what belongs to other processes: a sandboxed one may not even look into those of
 * its own user. */
bool sandbox_takes(void);

/*
 * Of the calling process, which has no other thread yet: what it opened before stays open. -1 with *e: the
 * first part that failed; all others were done.
 */
int sandbox_enter(const struct sandbox_needs *needs, struct err *e);

#endif
