/*
 * targets.h - where profiles are sent
 */
#ifndef RINGSIDE_OPTIONS_TARGETS_H
#define RINGSIDE_OPTIONS_TARGETS_H

#include "ringside/options.h"

/* Fills o->targets from the options about servers. */
void option_choose_targets(struct options *o);

/* Adds a URL as it may be shown: user, password and query are "***". */
void option_hide_credentials(const char *url, struct buf *out);

#endif
