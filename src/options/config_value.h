/*
 * config_value.h - what stands behind "name =" in a config file
 */
#ifndef RINGSIDE_OPTIONS_CONFIG_VALUE_H
#define RINGSIDE_OPTIONS_CONFIG_VALUE_H

#include "store.h"

/*
 * The texts of one line: bare, "in quotes" with backslashes, 'in quotes' without, or [an, array] where the
 * option may be repeated; then perhaps a comment. They are of the store. -1 with *e.
 */
int option_read_config_values(struct option_store *s, const struct option_row *row, const char *rest,
                              struct option_texts *out, struct err *e);

#endif
