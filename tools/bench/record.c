/*
 * record.c - bench-record: runs a command and keeps what its rings yield, for bench-unwind to replay
 *
 *     bench-record [-f HZ] [-s STACK_BYTES] OUT COMMAND [ARGUMENT...]
 *
 * The same hand-over as the supervisor's: the command's process arms itself, its parent maps the rings.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/event.h"
#include "ringside/feed.h"
#include "ringside/launch.h"
#include "ringside/perf.h"
#include "ringside/stats.h"

#define DEFAULT_HZ          999
#define DEFAULT_STACK_BYTES 32768
#define READY_TIMEOUT_MS    5000

struct recording {
    struct event_list events;
    const char *path;
    char **command;
    FILE *to;
    struct stats *stats;
    uint64_t samples, records, lost;
};

static int usage(void)
{
    fputs("usage: bench-record [-f HZ] [-s STACK_BYTES] OUT COMMAND [ARGUMENT...]\n", stderr);
    return 2;
}

static int parse(struct recording *r, int argc, char **argv)
{
    long hz = DEFAULT_HZ, stack_bytes = DEFAULT_STACK_BYTES;
    int option;

    while ((option = getopt(argc, argv, "+f:s:")) >= 0) {
        if (option == 'f')
            hz = atol(optarg);
        else if (option == 's')
            stack_bytes = atol(optarg);
        else
            return -1;
    }
    if (argc - optind < 2 || hz < 1 || hz > 100000 || stack_bytes < 8 || stack_bytes > EVENT_STACK_MAX)
        return -1;
    r->events =
        (struct event_list){.spec = {event_cpu((uint32_t)hz, (uint32_t)stack_bytes & ~7U)}, .count = 1};
    r->path = argv[optind];
    r->command = argv + optind + 1;
    return 0;
}

/* ---- the command's side ---- */

static int arm_and_wait(const struct recording *r, int socket, struct err *e)
{
    struct perf_armed armed;
    struct launch_message answer;
    int fds[PERF_FDS_MAX];

    if (perf_arm(&r->events, &armed, fds, e) < 0)
        return -1;
    if (armed.cpus > LAUNCH_FDS_MAX)
        return err_set(e, E2BIG, "hand over %u events", armed.cpus);
    if (launch_send(socket,
                    &(struct launch_outgoing){.kind = LAUNCH_RINGS,
                                              .data = &armed,
                                              .bytes = sizeof(armed),
                                              .fds = fds,
                                              .fd_count = armed.cpus},
                    e) < 0)
        return -1;
    if (launch_receive(socket, &answer, READY_TIMEOUT_MS, e) <= 0)
        return err_wrap(e, "wait for the recorder");
    return 0;
}

static void run_command(const struct recording *r, int socket)
{
    struct err e = {0};
    int status = 126;

    if (arm_and_wait(r, socket, &e) == 0)
        status = launch_exec(r->command, &e);
    fprintf(stderr, "bench-record: %s\n", e.text);
    _exit(status);
}

/* ---- the recorder's side ---- */

static struct feed *receive_feed(struct recording *r, int socket, struct err *e)
{
    struct launch_message m;
    struct perf_armed armed;
    struct feed *feed;

    if (launch_receive(socket, &m, READY_TIMEOUT_MS, e) <= 0 || m.kind != LAUNCH_RINGS ||
        m.bytes != sizeof(armed)) {
        err_wrap(e, "receive the events");
        return NULL;
    }
    memcpy(&armed, m.data, sizeof(armed));
    feed = perf_feed_new(&armed, m.fds, &(struct perf_reader){.stats = r->stats}, e);
    if (feed)
        launch_say(socket, LAUNCH_READY);
    return feed;
}

static int drain(struct recording *r, struct feed *feed, struct err *e)
{
    struct feed_record record;

    while (feed_next(feed, &record)) {
        r->records++;
        r->samples += record.kind == FEED_SAMPLE;
        r->lost += record.kind == FEED_LOST ? record.u.lost.records : 0;
        if (feed_file_write(r->to, &record, e) < 0)
            return -1;
    }
    return 0;
}

static int record_all(struct recording *r, struct feed *feed, struct err *e)
{
    if (feed_file_write_header(r->to, &feed->info, e) < 0)
        return -1;
    do {
        if (drain(r, feed, e) < 0)
            return -1;
    } while (feed->ops->wait(feed, 0, false) == FEED_READY);
    feed->ops->finish(feed);
    return drain(r, feed, e);
}

static int record(struct recording *r, int socket, struct err *e)
{
    struct feed *feed = receive_feed(r, socket, e);
    int result;

    if (!feed)
        return -1;
    r->to = fopen(r->path, "we");
    result = r->to ? record_all(r, feed, e) : err_set(e, errno, "open %s", r->path);
    if (r->to && fclose(r->to) != 0 && result == 0)
        result = err_set(e, errno, "write %s", r->path);
    feed_close(feed);
    return result;
}

int main(int argc, char **argv)
{
    struct recording r = {.stats = stats_new()};
    struct err e = {0};
    int pair[2], result, status = 0;
    pid_t child;

    if (parse(&r, argc, argv) < 0)
        return usage();
    if (launch_socketpair(pair, &e) < 0 || (child = fork()) < 0) {
        fprintf(stderr, "bench-record: %s\n", e.text[0] ? e.text : "cannot fork");
        return 1;
    }
    if (child == 0)
        run_command(&r, pair[1]);
    close(pair[1]);
    signal(SIGINT, SIG_IGN); /* ends the command; what it left is still to be written */
    result = record(&r, pair[0], &e);
    close(pair[0]);
    waitpid(child, &status, 0);
    if (result < 0) {
        fprintf(stderr, "bench-record: %s\n", e.text);
        return 1;
    }
    fprintf(stderr, "bench-record: %llu records, %llu samples, %llu lost\n", (unsigned long long)r.records,
            (unsigned long long)r.samples, (unsigned long long)r.lost);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
