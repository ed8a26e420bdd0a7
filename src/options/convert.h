/*
 * convert.h - texts of other names made texts of the option's own
 */
#ifndef RINGSIDE_OPTIONS_CONVERT_H
#define RINGSIDE_OPTIONS_CONVERT_H

#include "store.h"

/* Senses of one text to one text: borrowed or of the store. */
const char *option_convert(struct option_store *s, enum option_sense sense, const char *text);

/*
 * Takes the next pair out of OTEL_RESOURCE_ATTRIBUTES: "key=value,key=value", percent-encoded (W3C Baggage,
 * which the OpenTelemetry resource specification refers to). *key and *value are of the store. 1, 0 at the
 * end, -1 when what was taken is no pair.
 */
int option_next_attribute(struct option_store *s, const char **at, char **key, char **value);

#endif
