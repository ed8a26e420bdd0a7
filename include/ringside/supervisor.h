/*
 * supervisor.h - one run from parsed options to exit status: opens, launches, hands over, passes signals
 */
#ifndef RINGSIDE_SUPERVISOR_H
#define RINGSIDE_SUPERVISOR_H

#include <stdio.h>

struct err;
struct options;

/* Exit status where nothing is started because what was asked for makes no sense. */
#define EXIT_USAGE 2

/*
 * Service shape: does not return when the command starts (this process becomes it). Parent shape: returns the
 * command's exit status once the profile is written. Otherwise returns an exit status: EXIT_USAGE for
 * an unusable output, 126 or 127 for exec failures.
 */
int supervisor_run(const struct options *options, const char *version);

/* The folder where profiles wait for servers, as an absolute path from the heap; NULL: in memory. */
char *supervisor_spool_folder(const struct options *options);

/* The command as it is, for when there is not even the memory to do anything else. Returns on failure only,
 * the exit status. */
int supervisor_exec(char **command);

/* Whether --drop-caps and --switch-user can be done here; -1 with *e: supervisor_run() would refuse. */
int supervisor_check_rights(const struct options *options, struct err *e);

/* -e help: what this machine offers, for this user, and why it refuses the rest. */
void supervisor_list_events(FILE *to);

#endif
