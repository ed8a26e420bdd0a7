/*
 * files.h - files under a root; private to the module
 */
#ifndef RINGSIDE_PLACE_FILES_H
#define RINGSIDE_PLACE_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct place;

/* Length; -1, and "" in out, when it cannot be read. A longer file is cut. */
long place_read(const char *root, const char *path, char *out, size_t max);
bool place_has(const char *root, const char *path);
bool place_link(const char *root, const char *path, char *out, size_t max);

/* runtime.c */
void place_look_at_runtime(struct place *p);

#endif
