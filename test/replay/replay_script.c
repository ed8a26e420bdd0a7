/*
 * replay_script.c - records from a script, through the whole worker, to a profile: exact times without a
 * kernel
 *
 *     replay_script OUT.pb.gz < SCRIPT
 *
 * One line per record, in order of time (each is 1 ms after the one before):
 *
 *     info PERIOD_NS kernel|user        how the run was armed
 *     total NS LOST                     what the event counted for the tree; samples the first task lost
 *     charged NS                        what wait4 said at the end
 *     event PERIOD EACH CPUS            another event, numbered from 1; PERIOD 0: it varies; EACH: value of
 * one totals EVENT N LOST               what that event counted for the tree comm PID TID exec|name NAME fork
 * PID TID PARENT_PID sample PID TID                    user registers that point nowhere time PID TID NS LOST
 * exact time of an ended task on one CPU hit PID TID EVENT COUNTED VALUE   a sample of another event count
 * PID TID EVENT N             what an ended task counted of it lost N                            records the
 * ring had no room for exit PID TID
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

#define RECORDS_MAX 20000

struct script {
    struct feed feed; /* first: ops get a pointer to it */
    struct feed_record record[RECORDS_MAX];
    char name[RECORDS_MAX][16];
    uint32_t count, at;
    struct feed_totals totals[FEED_EVENTS_MAX];
    uint64_t charged_ns;
};

static bool op_next(struct feed *feed, struct feed_record *out)
{
    struct script *s = (struct script *)feed;

    if (s->at == s->count)
        return false;
    *out = s->record[s->at++];
    return true;
}

static enum feed_wait op_wait(__attribute__((unused)) struct feed *feed,
                              __attribute__((unused)) uint64_t deadline_ns,
                              __attribute__((unused)) bool eager)
{
    return FEED_ENDED;
}

static void op_finish(__attribute__((unused)) struct feed *feed) {}

static void op_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    *out = ((struct script *)feed)->totals[event];
}

static const struct feed_ops ops = {
    .next = op_next, .wait = op_wait, .finish = op_finish, .totals = op_totals, .close = op_finish};

static struct feed_record *add(struct script *s, enum feed_kind kind, unsigned pid, unsigned tid)
{
    struct feed_record *r = &s->record[s->count];

    if (s->count == RECORDS_MAX) {
        fprintf(stderr, "replay_script: more than %d records\n", RECORDS_MAX);
        exit(2);
    }
    s->count++;
    *r = (struct feed_record){.kind = kind, .pid = pid, .tid = tid, .time_ns = s->count * NSEC_PER_MSEC};
    return r;
}

/* User registers that point nowhere. */
static struct feed_sample *add_sample(struct script *s, unsigned pid, unsigned tid)
{
    struct feed_sample *sample = &add(s, FEED_SAMPLE, pid, tid)->u.sample;

    sample->regs.known = (1U << ARCH_REG_COUNT) - 1;
    sample->regs.r[ARCH_REG_PC] = 0x1000;
    return sample;
}

/* Lines about events other than the one of CPU time. */
static bool take_event_line(struct script *s, const char *line)
{
    struct feed_info *info = &s->feed.info;
    unsigned pid, tid, event, cpus;
    unsigned long long n, value;
    double each;

    if (sscanf(line, "event %llu %lf %u", &n, &each, &cpus) == 3) {
        struct feed_event *added = &info->event[info->events];

        if (info->events == FEED_EVENTS_MAX)
            return false;
        *added = (struct feed_event){.unit = "count", .period = n, .each = each, .task_counts = n > 0};
        snprintf(added->type, sizeof(added->type), "type%u", info->events++);
        info->cpus = cpus;
    } else if (sscanf(line, "totals %u %llu %llu", &event, &n, &value) == 3 && event < info->events) {
        s->totals[event] = (struct feed_totals){.value = n, .lost_samples = value, .known = true};
    } else if (sscanf(line, "hit %u %u %u %llu %llu", &pid, &tid, &event, &n, &value) == 5 &&
               event < info->events) {
        struct feed_sample *sample = add_sample(s, pid, tid);

        sample->event = event;
        sample->counted = n;
        sample->value = (int64_t)value;
    } else if (sscanf(line, "count %u %u %u %llu", &pid, &tid, &event, &n) == 4) {
        struct feed_record *r = add(s, FEED_TASK_COUNT, pid, tid);

        r->u.task_count.event = event;
        r->u.task_count.value = n;
    } else if (sscanf(line, "lost %llu", &n) == 1) {
        add(s, FEED_LOST, 0, 0)->u.lost.records = n;
    } else {
        return false;
    }
    return true;
}

static bool take_task_line(struct script *s, const char *line)
{
    unsigned pid, tid, parent;
    unsigned long long ns, lost;
    char how[8], name[16];

    if (sscanf(line, "comm %u %u %7s %15s", &pid, &tid, how, name) == 4) {
        struct feed_record *r = add(s, FEED_COMM, pid, tid);

        r->u.comm.exec = strcmp(how, "exec") == 0;
        r->u.comm.name = strcpy(s->name[r - s->record], name);
    } else if (sscanf(line, "fork %u %u %u", &pid, &tid, &parent) == 3) {
        struct feed_record *r = add(s, FEED_FORK, pid, tid);

        r->u.fork.parent_pid = r->u.fork.parent_tid = parent;
    } else if (sscanf(line, "sample %u %u", &pid, &tid) == 2) {
        add_sample(s, pid, tid)->value = (int64_t)feed_period_ns(&s->feed.info);
    } else if (sscanf(line, "time %u %u %llu %llu", &pid, &tid, &ns, &lost) == 4) {
        struct feed_record *r = add(s, FEED_TASK_COUNT, pid, tid);

        r->u.task_count.value = ns;
        r->u.task_count.lost_samples = lost;
    } else if (sscanf(line, "exit %u %u", &pid, &tid) == 2) {
        add(s, FEED_EXIT, pid, tid);
    } else {
        return false;
    }
    return true;
}

static bool take_run_line(struct script *s, const char *line)
{
    unsigned long long ns, lost;
    char mode[8];

    if (sscanf(line, "info %llu %7s", &ns, mode) == 2) {
        s->feed.info = (struct feed_info){.events = 1,
                                          .event = {{.name = "sCPU",
                                                     .type = "cpu",
                                                     .unit = "nanoseconds",
                                                     .period = ns,
                                                     .stack_bytes = 32768,
                                                     .each = 1,
                                                     .kernel = strcmp(mode, "kernel") == 0,
                                                     .task_counts = true}},
                                          .frequency_hz = (uint32_t)(NSEC_PER_SEC / ns)};
    } else if (sscanf(line, "total %llu %llu", &ns, &lost) == 2) {
        s->totals[0] = (struct feed_totals){.value = ns, .lost_samples = lost, .known = true};
    } else if (sscanf(line, "charged %llu", &ns) == 1) {
        s->charged_ns = ns;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct script *s = base_calloc(1, sizeof(*s));
    struct worker_config config = {.service = "replay", .version = "test", .stats = stats_new()};
    struct sink_naming naming = {.service = "replay", .pid = 1};
    char line[128];
    struct err e = {0};
    int result;

    s->feed.ops = &ops;
    while (fgets(line, sizeof(line), stdin))
        if (!take_task_line(s, line) && !take_run_line(s, line) && !take_event_line(s, line)) {
            fprintf(stderr, "not understood: %s", line);
            return 2;
        }
    config.charged_ns = &s->charged_ns;
    config.sink = argc == 2 ? sink_open(argv[1], &naming, &e) : NULL;
    if (!config.sink) {
        fprintf(stderr, "usage: replay_script OUT.pb.gz < SCRIPT\n%s\n", e.text);
        return 2;
    }
    result = worker_run(&config, &s->feed);
    sink_close(config.sink);
    stats_free(config.stats);
    free(s);
    return result != WORKER_DONE;
}
