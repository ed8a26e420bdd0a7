/*
 * replay.c - bench-replay: a recording through the whole worker, from records to the bytes of the profile
 *
 *     bench-replay [-n TIMES] RECORDING [OUT]
 *
 * Everything but rings and wake-ups: what callgrind or a profiler should look at. OUT, a file or a folder,
 * gets the profiles; without it they are written nowhere, but encoded all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

#include "bench.h"

struct memory_feed {
    struct feed feed; /* first: ops get a pointer to it */
    const struct recording *recording;
    uint32_t at;
};

static bool memory_next(struct feed *feed, struct feed_record *out)
{
    struct memory_feed *f = (struct memory_feed *)feed;

    if (f->at == f->recording->count)
        return false;
    *out = f->recording->record[f->at++];
    return true;
}

static enum feed_wait memory_wait(struct feed *feed, uint64_t deadline_ns, bool eager)
{
    (void)feed, (void)deadline_ns, (void)eager;
    return FEED_ENDED;
}

static void memory_totals(struct feed *feed, struct feed_totals *out)
{
    (void)feed;
    *out = (struct feed_totals){0};
}

static void memory_nothing(struct feed *feed)
{
    (void)feed;
}

static const struct feed_ops memory_ops = {
    .next = memory_next,
    .wait = memory_wait,
    .finish = memory_nothing,
    .totals = memory_totals,
    .close = memory_nothing,
};

static int replay(const struct recording *r, const char *path, struct err *e)
{
    struct memory_feed feed = {.feed = {.ops = &memory_ops, .info = r->info}, .recording = r};
    struct worker_config config = {.service = "replay", .version = "bench", .stats = stats_new()};
    struct sink_naming naming = {.service = "replay"};
    uint64_t began;
    int result;

    config.sink = sink_open(path, &naming, e);
    if (!config.sink)
        return -1;
    began = cpu_now_ns();
    result = worker_run(&config, &feed.feed);
    began = cpu_now_ns() - began;
    printf("%u samples, %.1f ms, %.3f us/sample\n", r->samples, (double)began / 1e6,
           (double)began / 1e3 / r->samples);
    sink_close(config.sink);
    stats_free(config.stats);
    return result < 0 ? err_set(e, 0, "no profile written") : 0;
}

int main(int argc, char **argv)
{
    struct recording recording = {0};
    struct err e = {0};
    long times = 1;
    int option, result;

    while ((option = getopt(argc, argv, "n:")) >= 0) {
        if (option != 'n' || (times = atol(optarg)) < 1)
            return 2;
    }
    if (argc - optind < 1 || argc - optind > 2) {
        fputs("usage: bench-replay [-n TIMES] RECORDING [OUT]\n", stderr);
        return 2;
    }
    result = recording_load(&recording, argv[optind], &e);
    while (result == 0 && times-- > 0)
        result = replay(&recording, argc - optind == 2 ? argv[optind + 1] : "/dev/null", &e);
    if (result < 0)
        fprintf(stderr, "bench-replay: %s\n", e.text);
    recording_release(&recording);
    return result < 0;
}
