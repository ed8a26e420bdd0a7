/*
 * json.h - text as a JSON string; private to the module
 */
#ifndef RINGSIDE_TARGET_JSON_H
#define RINGSIDE_TARGET_JSON_H

#include <stdbool.h>

struct buf;

#define JSON_TEXT_MAX 1024 /* bytes of a text that are written; the rest is cut off */

/* Adds text in quotes, whatever it holds: clean UTF-8 comes out. False when it does not fit. */
bool json_add_text(struct buf *b, const char *text);

#endif
