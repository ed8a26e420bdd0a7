/*
 * helper_report - a command that tells on standard output what it was started with, and exits with a status
 *
 *     helper_report STATUS
 *
 * Whatever Ringside might leave behind in the process that becomes the command: descriptors, the signal mask,
 * dispositions, signals that wait, children, limits, priority. The text of a start with it and of one without
 * are the same.
 */
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void show_signals(void)
{
    static const char *const wanted[] = {
        "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "Uid:",        "Gid:",     "Groups:",
        "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:", "TracerPid:"};
    FILE *status = fopen("/proc/self/status", "re");
    char line[512];

    while (status && fgets(line, sizeof(line), status))
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                fputs(line, stdout);
    if (status)
        fclose(status);
}

static void show_fds(void)
{
    DIR *list = opendir("/proc/self/fd");

    for (const struct dirent *entry; list && (entry = readdir(list));) {
        char path[300], to[256];
        ssize_t n;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(list))
            continue;
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        n = readlink(path, to, sizeof(to) - 1);
        to[n < 0 ? 0 : n] = '\0';
        printf("fd %s: %s\n", entry->d_name, atoi(entry->d_name) > 2 ? to : "");
    }
    if (list)
        closedir(list);
}

static void show_limits(void)
{
    static const int limits[] = {RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_DATA, RLIMIT_AS, RLIMIT_CORE};
    struct rlimit limit;

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (getrlimit(limits[i], &limit) == 0)
            printf("limit %d: %llu %llu\n", limits[i], (unsigned long long)limit.rlim_cur,
                   (unsigned long long)limit.rlim_max);
}

static void show_rest(void)
{
    char text[64] = "", folder[4096] = "";
    FILE *score = fopen("/proc/self/oom_score_adj", "re");
    int child = waitpid(-1, NULL, WNOHANG);
    cpu_set_t set;

    if (score && fgets(text, sizeof(text), score))
        printf("oom_score_adj: %s", text);
    if (score)
        fclose(score);
    printf("child: %d %s\n", child, child < 0 ? strerror(errno) : "");
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    printf("nice: %d\ncpus: %d\numask: %o\n", getpriority(PRIO_PROCESS, 0), CPU_COUNT(&set), umask(0));
    printf("folder: %s\n", getcwd(folder, sizeof(folder)) ? folder : "?");
    printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
}

int main(int argc, char **argv)
{
    show_fds();
    show_signals();
    show_limits();
    show_rest();
    if (fflush(stdout) == EOF)
        return 99;
    return argc > 1 ? atoi(argv[1]) : 0;
}
