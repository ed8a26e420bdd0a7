/*
 * explain.h - who refuses, for messages about certain events; private to the module
 */
#ifndef RINGSIDE_PERF_EXPLAIN_H
#define RINGSIDE_PERF_EXPLAIN_H

#include <stdbool.h>

struct err;

/* Whether no event at all is to be had; then *e says why. Asks, if code is such that it may be so. */
bool explain_refusal_of_all(int code, struct err *e);

#endif
