/*
 * helper_deny_perf - runs a command in which perf_event_open fails with a chosen errno, as under a
 * container's seccomp filter
 *
 *     helper_deny_perf ERRNO COMMAND [ARGUMENTS...]
 *
 * ERRNO 0: it ends the process.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned denied = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K,
                 denied ? SECCOMP_RET_ERRNO | (denied & SECCOMP_RET_DATA) : SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (argc < 3) {
        fprintf(stderr, "usage: helper_deny_perf ERRNO COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("helper_deny_perf: prctl");
        return 125;
    }
    execvp(argv[2], argv + 2);
    perror("helper_deny_perf: exec");
    return errno == ENOENT ? 127 : 126;
}
