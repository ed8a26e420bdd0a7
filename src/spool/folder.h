/*
 * folder.h - the spool's folder and the run folders in it: made, checked, locked, listed; private to the
 * module
 *
 * A run folder belongs to whoever holds the lock on it (flock(2) on the folder itself, so that there is no
 * lock file to get lost). What is in it is only touched by the holder.
 */
#ifndef RINGSIDE_SPOOL_FOLDER_H
#define RINGSIDE_SPOOL_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define SPOOL_RUN_NAME_BYTES 80
#define SPOOL_RUNS_LISTED    1024 /* run folders looked at in one go; the others' turn comes when these went */

struct spool_run {
    int fd; /* open and locked; -1: none */
    char name[SPOOL_RUN_NAME_BYTES];
    uint32_t mine, others;   /* entries of it in the index, by whether we have the key */
    uint64_t unlisted_bytes; /* of entries beyond the index's maximum */
    bool stuck; /* something done could not be removed: let go of and taken again, it would be sent again */
};

/*
 * Makes the folder and its parents (0700) and opens it. Refuses one that is somebody else's, that others
 * may write to, or that is reached through somebody else's link. A descriptor, or -1 with *e.
 */
int spool_folder_open(const char *path, struct err *e);

/* A new one, held. */
int spool_run_make(int folder_fd, struct spool_run *out, struct err *e);
/* Takes hold of a run that ended. False: it is alive, gone, or no run folder of ours. */
bool spool_run_take(int folder_fd, const char *name, struct spool_run *out);
/* It still is where it was: not removed. */
bool spool_run_is_there(int folder_fd, const struct spool_run *run);
/* Removes the folder when it is empty, and the lock. */
void spool_run_let_go(int folder_fd, struct spool_run *run);

/* Names of all run folders, oldest first; the caller frees *out. */
uint32_t spool_run_list(int folder_fd, char (**out)[SPOOL_RUN_NAME_BYTES]);
/* Calls visit for each file in a run folder but "." and "..". */
void spool_run_walk(int run_fd, void (*visit)(void *ctx, int run_fd, const char *name), void *ctx);
/* Bytes of the entries in a run folder that need not be ours. */
uint64_t spool_run_bytes(int folder_fd, const char *name);

#endif
