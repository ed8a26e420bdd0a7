/*
 * fuzz_ledger.c - a ledger that a worker left, written over anywhere: the next worker must come to the end of
 * the run, and read nothing that is not there
 *
 * Each five bytes of the input are a part, an offset and a value.
 */
#include "ringside/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define RECORDS 400
/* Of each part; more is never used by that few records. */
#define USED    (64U << 10)

struct script {
    struct feed feed; /* first: ops get a pointer to it */
    uint32_t at, die_at;
};

static void fill(struct feed_record *r, uint32_t i)
{
    uint32_t pid = 1000 + i % 7, tid = pid + (i % 3 ? 0 : 5000);

    *r = (struct feed_record){.pid = pid, .tid = tid, .time_ns = (i + 1) * NSEC_PER_MSEC};
    if (i < 7) {
        r->kind = FEED_COMM;
        r->tid = pid;
        r->u.comm.name = i % 2 ? "odd" : "even";
        r->u.comm.exec = true;
    } else if (i < 21) {
        r->kind = FEED_MMAP;
        r->u.mmap.start = 0x10000;
        r->u.mmap.bytes = 0x10000;
        r->u.mmap.path = i % 2 ? "/usr/lib/none.so" : "/dev/none";
        r->u.mmap.inode = i % 2 ? 4711 : 0;
    } else if (i % 40 == 39) {
        r->kind = i % 80 == 79 ? FEED_EXIT : FEED_TASK_COUNT;
        r->u.task_count.value = r->kind == FEED_EXIT ? 0 : 50 * NSEC_PER_MSEC;
    } else {
        r->kind = FEED_SAMPLE;
        r->u.sample.event = i % 5 == 0;
        r->u.sample.counted = 1;
        r->u.sample.value = 10 * NSEC_PER_MSEC;
        r->u.sample.regs.known = (1U << ARCH_REG_COUNT) - 1;
        r->u.sample.regs.r[ARCH_REG_PC] = 0x10000 + i % 11 * 64;
    }
}

static bool op_next(struct feed *feed, struct feed_record *out)
{
    struct script *s = (struct script *)feed;

    if (s->at == s->die_at)
        _exit(0);
    if (s->at == RECORDS)
        return false;
    fill(out, s->at++);
    return true;
}

static enum feed_wait op_wait(struct feed *feed, uint64_t deadline_ns, bool eager)
{
    (void)feed, (void)deadline_ns, (void)eager;
    return FEED_ENDED;
}

static void op_nothing(struct feed *feed)
{
    (void)feed;
}

static void op_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    (void)feed, (void)event;
    *out = (struct feed_totals){.value = 6 * NSEC_PER_SEC, .known = true};
}

static const struct feed_ops ops = {
    .next = op_next, .wait = op_wait, .finish = op_nothing, .totals = op_totals, .close = op_nothing};

static void run(struct ledger *ledger, uint32_t from, uint32_t die_at)
{
    struct script s = {.at = from, .die_at = die_at};
    struct sink_naming naming = {.service = "fuzz"};
    struct worker_config config = {
        .service = "fuzz", .version = "fuzz", .stats = stats_new(), .ledger = ledger};

    s.feed = (struct feed){.ops = &ops,
                           .info = {.events = 2,
                                    .cpus = 2,
                                    .event = {{.period = 10 * NSEC_PER_MSEC, .each = 1, .task_counts = true},
                                              {.period = 1, .task_counts = true}}}};
    config.sink = sink_open("/dev/null", &naming, NULL);
    worker_run(&config, &s.feed);
    sink_close(config.sink);
    stats_free(config.stats);
}

static size_t used_of(const struct ledger *l, enum ledger_part part, uint8_t **at)
{
    size_t bytes;

    *at = ledger_at(l, part, &bytes);
    return MIN_OF(bytes, (size_t)USED);
}

/* What a worker has left that died after three quarters of the records. */
static struct ledger *left_behind(uint8_t *copy)
{
    struct ledger *l = ledger_new(NULL);
    pid_t pid = fork();
    uint8_t *at;

    if (pid == 0)
        run(l, 0, RECORDS / 4 * 3);
    waitpid(pid, NULL, 0);
    for (int part = 0; part < LEDGER_PARTS; part++) {
        size_t n = used_of(l, (enum ledger_part)part, &at);

        memcpy(copy + part * USED, at, n);
    }
    return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t copy[LEDGER_PARTS * USED];
    static struct ledger *l;
    uint8_t *at;

    if (!l) {
        log_open(&(struct log_config){.mode = LOG_MODE_DISABLED}, NULL);
        l = left_behind(copy);
    }
    for (int part = 0; part < LEDGER_PARTS; part++) {
        size_t used = used_of(l, (enum ledger_part)part, &at);

        ledger_give_back(l, (enum ledger_part)part, 0);
        memcpy(at, copy + part * USED, used);
    }
    for (size_t i = 0; i + 5 <= n; i += 5) {
        size_t used = used_of(l, (enum ledger_part)(data[i] % LEDGER_PARTS), &at);
        size_t offset = (size_t)data[i + 1] | (size_t)data[i + 2] << 8;

        at[offset % used] = data[i + 3];
        if (data[i + 4]) /* often what follows is part of the same number */
            at[(offset + 1) % used] = data[i + 4];
    }
    run(l, RECORDS / 4 * 3, RECORDS + 1);
    return 0;
}
