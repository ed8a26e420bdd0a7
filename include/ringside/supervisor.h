/*
 * supervisor.h - one run from parsed options to exit status: opens, launches, hands over, passes signals
 */
#ifndef RINGSIDE_SUPERVISOR_H
#define RINGSIDE_SUPERVISOR_H

struct options;

/*
 * Service shape: does not return when the command starts (this process becomes it). Parent shape: returns the
 * command's exit status once the profile is written. Otherwise returns an exit status: 2 unusable output, 126
 * or 127 exec failures.
 */
int supervisor_run(const struct options *options, const char *version);

#endif
