/*
 * readable.h - the name a person wants to read
 */
#ifndef RINGSIDE_SYMBOL_READABLE_H
#define RINGSIDE_SYMBOL_READABLE_H

#include <stdbool.h>

/* Bytes in and out, with the NUL: longer input is left alone, longer output is cut, ending in "...". */
#define READABLE_MAX 4096

/*
 * Demangles C++ (Itanium ABI) and Rust (both manglings). Template arguments and parameters stay, since they
 * alone tell overloads apart; return types go, since only templates carry them, and so do Rust's hashes.
 * False: the name is not mangled, and out is not to be used.
 */
bool readable_name(const char *linked, char out[READABLE_MAX]);

#endif
