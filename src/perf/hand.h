/*
 * hand.h - what a reader works on, and what readers died of
 */
#ifndef RINGSIDE_PERF_HAND_H
#define RINGSIDE_PERF_HAND_H

#include <stdbool.h>

struct feed_record;
struct perf_hand;

/* A new reader: if the one before died of what it had in hand, that is remembered. Its content is checked: a
 * dying process wrote it. */
void hand_begin(struct perf_hand *hand);

/* From here to hand_put_down() a reader that dies may have died of this record. False: better not touch it.
 */
bool hand_take(struct perf_hand *hand, const struct feed_record *record);
void hand_put_down(struct perf_hand *hand);

#endif
