/*
 * landlock.h - the folders a worker may write to
 */
#ifndef RINGSIDE_SANDBOX_LANDLOCK_H
#define RINGSIDE_SANDBOX_LANDLOCK_H

struct err;
struct sandbox_needs;

/*
 * Of the calling thread and those it makes, with no way back; no_new_privs must be set. Takes away the right
 * to look into other processes as well (ptrace(2)). Kernels without it (before 5.13) are no failure.
 */
int landlock_confine(const struct sandbox_needs *needs, struct err *e);

#endif
