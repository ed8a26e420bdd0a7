/*
 * pprof.h - a finished profile as gzip-compressed pprof bytes (perftools.profiles.Profile), streamed message
 * by message; and the compressor by itself
 */
#ifndef RINGSIDE_PPROF_H
#define RINGSIDE_PPROF_H

#include <stddef.h>
#include <stdint.h>

struct byte_out;
struct err;
struct profile;

/* Writes one gzip member to out. Memory use does not grow with the profile. -1 with *e when out refuses
 * bytes. */
int pprof_write(const struct profile *p, const struct byte_out *out, struct err *e);

/* Bytes of what pprof_write() compresses. Costs as much as writing does without the compression. */
uint64_t pprof_size(const struct profile *p);

/* Writes any bytes as one gzip member to out, for formats that are sent compressed without being pprof. Equal
 * bytes give equal bytes. -1 with *e when out refuses them. */
int pprof_gzip(const void *bytes, size_t n, const struct byte_out *out, struct err *e);

#endif
