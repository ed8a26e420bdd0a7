/*
 * running.h - the third shape of a run: nothing is started, what runs already is profiled
 */
#ifndef RINGSIDE_SUPERVISOR_RUNNING_H
#define RINGSIDE_SUPERVISOR_RUNNING_H

struct run;

/* In the foreground until all who are profiled have ended, a signal, or --duration. An exit status. */
int running_main(const struct run *run);

#endif
