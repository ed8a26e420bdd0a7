/*
 * profile_private.h - rows by the ids of their strings, for code that has these already
 */
#ifndef RINGSIDE_PROFILE_PRIVATE_H
#define RINGSIDE_PROFILE_PRIVATE_H

#include "ringside/profile.h"

/* As profile_add_function(). */
uint32_t profile_add_function_ids(struct profile *p, const struct profile_function *f);

#endif
