/*
 * replay.c - bench-replay: a recording through the whole worker, from records to the bytes of the profile
 *
 *     bench-replay [-n TIMES] RECORDING [OUT]
 *
 * Everything but rings and wake-ups: what callgrind or a profiler should look at. OUT, a file or a folder,
 * gets the profiles; without it they are written nowhere, but encoded all the same. Prints CPU time, and the
 * page faults and the peak of memory beyond what the recording itself takes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

static void memory_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    (void)feed, (void)event;
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

/* ---- what it costs ---- */

struct cost {
    uint64_t cpu_ns;
    long faults;
    long memory_kb;
};

/* A line of /proc/self/status that ends in kB; -1 when there is none. */
static long status_kb(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    long kb = -1;

    while (f && kb < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %ld", &kb);
    if (f)
        fclose(f);
    return kb;
}

/* proc(5), clear_refs: 5 sets the peak (VmHWM) to what is resident now. */
static void forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "5", 1) != 1)
        fputs("bench-replay: the peak of memory includes the recording\n", stderr);
    if (fd >= 0)
        close(fd);
}

static void cost_begin(struct cost *c)
{
    struct rusage used;

    forget_peak();
    getrusage(RUSAGE_SELF, &used);
    *c = (struct cost){cpu_now_ns(), used.ru_minflt, status_kb("VmRSS")};
}

static void cost_end(struct cost *c, uint32_t samples)
{
    double us = (double)(cpu_now_ns() - c->cpu_ns) / 1e3;
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    printf("%u samples, %.1f ms, %.3f us/sample, %ld page faults, peak %.1f MB\n", samples, us / 1e3,
           us / samples, used.ru_minflt - c->faults, (double)(status_kb("VmHWM") - c->memory_kb) / 1024);
}

static int replay(const struct recording *r, const char *path, struct err *e)
{
    struct memory_feed feed = {.feed = {.ops = &memory_ops, .info = r->info}, .recording = r};
    struct worker_config config = {.service = "replay", .version = "bench", .stats = stats_new()};
    struct sink_naming naming = {.service = "replay"};
    struct cost cost;
    int result;

    config.sink = sink_open(path, &naming, e);
    if (!config.sink)
        return -1;
    cost_begin(&cost);
    result = worker_run(&config, &feed.feed);
    cost_end(&cost, r->samples);
    sink_close(config.sink);
    stats_free(config.stats);
    return result != WORKER_DONE ? err_set(e, 0, "no profile written") : 0;
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
