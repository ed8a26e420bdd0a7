/*
 * machine.c - the machine that this is, and the rehearsal: events armed and rings mapped as in a run
 *
 * In a process of its own, which ends at once: what it opens is gone with it, a filter that kills kills no
 * more than it, and its descriptor limit is nobody else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/event.h"

#include "report.h"

#define PATIENCE_S 20 /* with thousands of CPUs it takes a while */

static void allow_files(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* One by one, for the reason; the last word is that of all together. */
static void try_processes(const struct doctor_run *run, struct perf_armed *armed, int *fds,
                          struct doctor_rehearsal *out)
{
    for (uint32_t i = 0; i < run->pid_count; i++) {
        struct perf_whom one = {.events = run->events, .pid = &run->pids[i], .count = 1};
        struct perf_attached attached;
        struct err e = {0};

        if (perf_attach(&one, armed, fds, &attached, &e) < 0) {
            if (!out->refused.text[0])
                out->refused = e;
            continue;
        }
        out->attached++;
        for (uint32_t k = 0; k < perf_armed_fds(armed); k++)
            close(fds[k]);
        perf_attached_release(&attached);
    }
}

static int arm(const struct doctor_run *run, struct perf_armed *armed, int *fds,
               struct perf_attached *attached, struct err *e)
{
    struct perf_whom whom = {.events = run->events, .pid = run->pids, .count = run->pid_count};

    if (run->whole_host)
        return perf_arm_host(run->events, armed, fds, e);
    if (run->pid_count)
        return perf_attach(&whom, armed, fds, attached, e);
    return perf_arm(run->events, armed, fds, e);
}

static void map(const struct perf_armed *armed, const int *fds, const struct perf_attached *attached,
                struct doctor_rehearsal *out)
{
    struct perf_reader reader = {.attached = attached};
    struct feed *feed = perf_feed_new(armed, fds, &reader, &out->mapped);

    if (!feed)
        return;
    out->got_ring_kb = feed->info.ring_bytes >> 10;
    for (uint32_t i = 0; i < armed->events; i++)
        out->counts_lost |= armed->event[i].counted && !feed->info.event[i].task_counts;
    feed_close(feed); /* and with it the descriptors */
}

static void set_up(const struct doctor_run *run, struct doctor_rehearsal *out)
{
    struct perf_armed *armed = base_calloc(1, sizeof(*armed));
    int *fds = base_calloc(PERF_FDS_MAX, sizeof(*fds));
    struct perf_attached attached = {0};

    allow_files();
    try_processes(run, armed, fds, out);
    if (arm(run, armed, fds, &attached, &out->armed) < 0)
        return;
    out->cpus = armed->cpus;
    out->events = armed->events;
    out->descriptors = perf_armed_fds(armed);
    out->wanted_ring_kb = armed->ring_pages * ((uint32_t)sysconf(_SC_PAGESIZE) >> 10);
    map(armed, fds, &attached, out);
    if (armed->probes)
        perf_remove_probes(perf_this_machine(), getpid(), true);
}

/* Never returns. What it is told to forget about is what the parent says better. */
static void rehearse_here(int to, const struct doctor_run *run)
{
    const struct log_config silent = {.level = LEVEL_ERROR, .mode = LOG_MODE_DISABLED};
    struct doctor_rehearsal done = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_DUMPABLE, 0); /* a filter's SIGSYS leaves no core */
    alarm(PATIENCE_S);
    log_open(&silent, NULL);
    set_up(run, &done);
    _exit(write(to, &done, sizeof(done)) != sizeof(done));
}

static void rehearse(void *ctx, const struct doctor_run *run, struct doctor_rehearsal *out)
{
    struct doctor_rehearsal done;
    int pipe_fds[2], status = 0;
    pid_t pid;

    (void)ctx;
    *out = (struct doctor_rehearsal){0};
    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        err_set(&out->armed, errno, "make a pipe");
        return;
    }
    pid = fork();
    if (pid == 0)
        rehearse_here(pipe_fds[1], run);
    close(pipe_fds[1]);
    if (pid < 0)
        err_set(&out->armed, errno, "start a process");
    else if (read(pipe_fds[0], &done, sizeof(done)) == sizeof(done))
        *out = done;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && WIFSIGNALED(status))
        out->signal = WTERMSIG(status);
    close(pipe_fds[0]);
}

static bool is_writable(void *ctx, const char *path)
{
    struct stat st;

    (void)ctx;
    return stat(path, &st) == 0 &&
           faccessat(AT_FDCWD, path, S_ISDIR(st.st_mode) ? W_OK | X_OK : W_OK, AT_EACCESS) == 0;
}

static uint32_t count_allowed(void)
{
    size_t bytes = CPU_ALLOC_SIZE(PERF_CPUS_MAX);
    cpu_set_t *set = CPU_ALLOC(PERF_CPUS_MAX);
    uint32_t count = 0;

    if (set && sched_getaffinity(0, bytes, set) == 0)
        count = (uint32_t)CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    return count;
}

void doctor_this_machine(struct doctor_machine *out)
{
    struct rlimit locked, files;

    *out = (struct doctor_machine){
        .root = "",
        .perf = perf_this_machine(),
        .is_writable = is_writable,
        .rehearse = rehearse,
        .cpus_online = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
        .cpus_allowed = count_allowed(),
        .locked_bytes = UINT64_MAX,
        .descriptors = UINT64_MAX,
        .user = geteuid(),
        .other_pid = getpid() == 1 ? 0 : 1,
    };
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur != RLIM_INFINITY)
        out->locked_bytes = locked.rlim_cur;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max != RLIM_INFINITY)
        out->descriptors = files.rlim_max;
}
