/*
 * pprof.h - a finished profile as gzip-compressed pprof bytes (perftools.profiles.Profile), streamed message
 * by message
 */
#ifndef RINGSIDE_PPROF_H
#define RINGSIDE_PPROF_H

#include <stdint.h>

struct byte_out;
struct err;
struct profile;

/* Writes one gzip member to out. Memory use does not grow with the profile. -1 with *e when out refuses
 * bytes. */
int pprof_write(const struct profile *p, const struct byte_out *out, struct err *e);

/* Bytes of what pprof_write() compresses. Costs as much as writing does without the compression. */
uint64_t pprof_size(const struct profile *p);

#endif
