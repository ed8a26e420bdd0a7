/*
 * replay_script.c - records from a script, through the whole worker, to a profile: exact times without a
 * kernel
 *
 *     replay_script OUT.pb.gz [DEATHS SEED] < SCRIPT
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
 * ring had no room for exit PID TID die feed|added|export             the worker dies over the next record,
 * when it has added up the one before but the feed does not know that, or once while it exports
 *
 * With DEATHS, so many workers die at times that follow from SEED, wherever they are before they export.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/feed.h"
#include "ringside/ledger.h"
#include "ringside/sink.h"
#include "ringside/stats.h"
#include "ringside/worker.h"

#define RECORDS_MAX 20000

enum death { LIVE, DIE_OVER, DIE_AFTER };

/* Shared by all workers of the run. */
struct script {
    struct feed feed; /* first: ops get a pointer to it */
    struct feed_record record[RECORDS_MAX];
    char name[RECORDS_MAX][16];
    uint8_t death[RECORDS_MAX];
    uint32_t count, at;
    bool current; /* the record at `at` was handed out */
    bool finishing;
    uint32_t export_deaths;
    uint32_t deaths, deaths_seed;
    struct feed_totals totals[FEED_EVENTS_MAX];
    uint64_t charged_ns;
};

static bool op_next(struct feed *feed, struct feed_record *out)
{
    struct script *s = (struct script *)feed;

    if (s->current && s->death[s->at] == DIE_AFTER) {
        s->death[s->at] = LIVE;
        raise(SIGKILL);
    }
    s->at += s->current; /* as a ring: what was read stays until the next is asked for */
    s->current = false;
    if (s->at == s->count)
        return false;
    if (s->death[s->at] == DIE_OVER) {
        s->death[s->at] = LIVE;
        raise(SIGKILL);
    }
    *out = s->record[s->at];
    s->current = true;
    return true;
}

static enum feed_wait op_wait(__attribute__((unused)) struct feed *feed,
                              __attribute__((unused)) uint64_t deadline_ns,
                              __attribute__((unused)) bool eager)
{
    return FEED_ENDED;
}

static void op_nothing(__attribute__((unused)) struct feed *feed) {}

static void op_finish(struct feed *feed)
{
    struct script *s = (struct script *)feed;

    s->finishing = true;
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL); /* a profile is given up after the third death */
}

/* The worker says that it is alive: at the end of the feed only while it exports. */
static void on_alive(void *ctx, __attribute__((unused)) bool asleep)
{
    struct script *s = ctx;

    if (!s->finishing || !s->export_deaths || s->at < s->count)
        return;
    s->export_deaths--;
    raise(SIGKILL);
}

static void op_totals(struct feed *feed, uint32_t event, struct feed_totals *out)
{
    *out = ((struct script *)feed)->totals[event];
}

static const struct feed_ops ops = {
    .next = op_next, .wait = op_wait, .finish = op_finish, .totals = op_totals, .close = op_nothing};

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

static bool take_death_line(struct script *s, const char *line)
{
    char where[8];

    if (sscanf(line, "die %7s", where) != 1)
        return false;
    if (strcmp(where, "export") == 0)
        s->export_deaths++;
    else if (strcmp(where, "added") == 0 && s->count)
        s->death[s->count - 1] = DIE_AFTER;
    else if (s->count < RECORDS_MAX)
        s->death[s->count] = DIE_OVER;
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

/* Within what this takes here, or so; or too late, which does not matter. */
static void die_some_time(struct script *s)
{
    struct itimerval timer = {0};

    if (!s->deaths)
        return;
    s->deaths--;
    s->deaths_seed = s->deaths_seed * 1103515245U + 12345;
    timer.it_value.tv_usec = 1 + s->deaths_seed / 65536 % 6000;
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* Workers, until one comes to the end. */
static int run(struct script *s, const struct worker_config *config)
{
    for (;;) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
            s->current = false;
            s->finishing = s->at == s->count; /* it goes on with the export */
            signal(SIGALRM, SIG_DFL);
            die_some_time(s);
            _exit(worker_run(config, &s->feed));
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            return -1;
        if (WIFEXITED(status) && WEXITSTATUS(status) != WORKER_AGAIN)
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGALRM)
            return -1;
    }
}

int main(int argc, char **argv)
{
    struct script *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct worker_config config = {.service = "replay", .version = "test", .stats = stats_new()};
    struct sink_naming naming = {.service = "replay", .pid = 1};
    char line[128];
    struct err e = {0};
    int result;

    if (s == MAP_FAILED)
        return 2;
    s->feed.ops = &ops;
    while (fgets(line, sizeof(line), stdin))
        if (!take_task_line(s, line) && !take_run_line(s, line) && !take_event_line(s, line) &&
            !take_death_line(s, line)) {
            fprintf(stderr, "not understood: %s", line);
            return 2;
        }
    config.charged_ns = &s->charged_ns;
    config.alive = on_alive;
    config.watch_ctx = s;
    config.ledger = ledger_new(&e);
    config.sink = argc == 2 || argc == 4 ? sink_open(argv[1], &naming, &e) : NULL;
    if (!config.sink || !config.ledger) {
        fprintf(stderr, "usage: replay_script OUT.pb.gz [DEATHS SEED] < SCRIPT\n%s\n", e.text);
        return 2;
    }
    if (argc == 4) {
        s->deaths = (uint32_t)atol(argv[2]);
        s->deaths_seed = (uint32_t)atol(argv[3]);
    }
    result = run(s, &config);
    sink_close(config.sink);
    ledger_free(config.ledger);
    stats_free(config.stats);
    munmap(s, sizeof(*s));
    return result != WORKER_DONE;
}
