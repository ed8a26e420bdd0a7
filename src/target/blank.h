/*
 * blank.h - what servers take off at both ends of a text; private to the module
 */
#ifndef RINGSIDE_TARGET_BLANK_H
#define RINGSIDE_TARGET_BLANK_H

#include <stddef.h>

/* Skips blanks at the beginning. */
const char *blank_skip(const char *text);
/* Length of the n bytes of text without blanks at their end. */
size_t blank_trim(const char *text, size_t n);

#endif
