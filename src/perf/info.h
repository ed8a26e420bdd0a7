/*
 * info.h - how events were armed, in the words that readers of a feed know
 */
#ifndef RINGSIDE_PERF_INFO_H
#define RINGSIDE_PERF_INFO_H

struct feed_info;
struct perf_armed;

void info_fill(struct feed_info *info, const struct perf_armed *armed);

#endif
