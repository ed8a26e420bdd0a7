/*
 * whom.h - why a process, or the whole host, cannot be looked at: in words, with the remedy
 */
#ifndef RINGSIDE_PERF_WHOM_H
#define RINGSIDE_PERF_WHOM_H

#include <sys/types.h>

struct err;

/*
 * Whether there is something to attach to. -1 with *e: no such process, a thread, a kernel thread, one that
 * has ended, this one. pidfd: of the process; -1 on kernels without.
 */
int whom_check(pid_t pid, int pidfd, struct err *e);
/* A descriptor of the process, -1 where this kernel has none. -1 with *e: no such process. */
int whom_open(pid_t pid, int *pidfd, struct err *e);

/* Always -1. code: what opening an event on one of its threads got, while one on ourselves could be opened.
 */
int whom_explain(pid_t pid, int code, struct err *e);
/* code: what opening an event for everything on a CPU got. */
void whom_explain_host(const char *event, int code, struct err *e);

#endif
