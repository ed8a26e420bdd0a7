/*
 * identity.h - what the service is called
 */
#ifndef RINGSIDE_OPTIONS_IDENTITY_H
#define RINGSIDE_OPTIONS_IDENTITY_H

#include "ringside/options.h"

/* Moves tags that have an option of their own there, where nobody gave it. */
void option_take_identity(struct options *o);

#endif
