/*
 * help.h - texts that all pages share
 */
#ifndef RINGSIDE_OPTIONS_HELP_H
#define RINGSIDE_OPTIONS_HELP_H

#include "table.h"

extern const char *const option_usage;

struct option_usage_example {
    const char *command, *what;
};
extern const struct option_usage_example option_examples[];
extern const size_t option_example_count;

#endif
