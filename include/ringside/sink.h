/*
 * sink.h - where finished profiles go: a single file, or a folder that gets one file per period
 *
 * Single-threaded. The supervisor opens one to find a bad output before the command starts; the profiler
 * opens its own and writes.
 */
#ifndef RINGSIDE_SINK_H
#define RINGSIDE_SINK_H

#include <stdbool.h>
#include <stdint.h>

struct byte_out;
struct err;

struct sink;

/* What a file's name is made of. */
struct sink_naming {
    const char *service; /* made safe for a file name */
    uint32_t pid;
};

/*
 * path naming a folder (it exists as one, or ends in '/': then it is made) gets
 * SERVICE-TIME-pidPID-NUMBER.pb.gz files that sort by time; a device or pipe gets the bytes as they come, at
 * the end of what is there; anything else is the one file itself, replaced atomically. Checks now that it can
 * be written, and leaves nothing behind but a folder it made.
 *
 * Returns a sink of the caller's, for sink_close(), or NULL with *e. Names are copied, the folder is held
 * open: a later chdir() does not matter.
 */
struct sink *sink_open(const char *path, const struct sink_naming *naming, struct err *e);
void sink_close(struct sink *s);
/* For a process that goes on with a sink of its parent's: whose profiles they are, and how many there were.
 */
void sink_continue(struct sink *s, uint32_t pid, uint32_t profiles);
bool sink_is_folder(const struct sink *s);
/* What it writes to without a name: a pipe, a device, standard output; borrowed. -1: it makes files. */
int sink_stream_fd(const struct sink *s);
/* The folder files are made in, borrowed; -1: none are. */
int sink_folder_fd(const struct sink *s);
/* Whether -O path means the single-file shape; asks the file system, opens nothing. */
bool sink_path_is_folder(const char *path);

/* A finished profile: `fill` writes its bytes to what it is given, once. */
struct sink_profile {
    uint64_t time_wall_ns; /* start of its window, for the name */
    int (*fill)(void *ctx, const struct byte_out *out, struct err *e);
    void *ctx;
    /* A process before this one began to put it, and died before it could say whether it did: in a folder
     * there will be one file all the same. */
    bool again;
};

#define SINK_PATH_MAX 4400 /* PATH_MAX and a name */

/*
 * The file appears complete or not at all, and in a folder never replaces another. path_out (may be NULL)
 * gets the final path, "" when the output is no file. Writing to a pipe nobody reads any more raises SIGPIPE
 * unless the caller ignores it.
 */
int sink_put(struct sink *s, const struct sink_profile *p, char path_out[SINK_PATH_MAX], struct err *e);

#endif
