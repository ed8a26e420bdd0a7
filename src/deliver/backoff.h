/*
 * backoff.h - how long to wait before the next try
 */
#ifndef RINGSIDE_DELIVER_BACKOFF_H
#define RINGSIDE_DELIVER_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* After so many failures in a row before this one: anything up to twice what it was, so that many who lost
 * the same server do not come back in step ("full jitter"). in_haste: the run is ending. */
uint64_t backoff_ns(uint32_t failures, bool in_haste);
/* When the server said how long: that and up to a tenth more. */
uint64_t backoff_after_ns(uint64_t asked_ms);

#endif
