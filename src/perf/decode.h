/*
 * decode.h - where the time of a raw record lies, for merging rings without decoding
 */
#ifndef RINGSIDE_PERF_DECODE_H
#define RINGSIDE_PERF_DECODE_H

/* pid and tid, time, identifier. */
#define TRAILER_BYTES         24
#define TRAILER_TIME_FROM_END 16
#define TRAILER_TID_FROM_END  20
/* After the header: identifier, pid and tid. */
#define SAMPLE_TID_OFFSET     20
#define SAMPLE_TIME_OFFSET    24

#endif
