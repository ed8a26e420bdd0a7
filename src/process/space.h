/*
 * space.h - what the addresses of one process show: a sorted array of mappings, shared until somebody changes
 * it
 */
#ifndef RINGSIDE_PROCESS_SPACE_H
#define RINGSIDE_PROCESS_SPACE_H

#include "ringside/process.h"

/* An empty one with one user and no epoch. */
struct address_space *space_new(void);
struct address_space *space_share(struct address_space *s);
/* One user less; the last one's departure frees it. NULL is allowed. */
void space_drop(struct address_space *s);

/* The user's own copy, for changing, of the same epoch; s itself when nobody else uses it. Takes the caller's
 * use of s. */
struct address_space *space_own(struct address_space *s);

/* True when m would change nothing: the same part of the same image already stands there. */
bool space_has(const struct address_space *s, const struct mapping *m);

/*
 * Puts m in, over whatever overlaps it, as mmap(2) does; its count in the image's `mappings` goes with it.
 * False, and nothing changed or taken, when there would be more than max mappings.
 */
bool space_insert(struct address_space *s, const struct mapping *m, uint32_t max);

#endif
