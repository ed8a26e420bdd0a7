/*
 * helper_refuse_perf - runs a command in which perf_event_open says EACCES at the very step where something
 * inside the kernel would, and goes on as usual up to there
 *
 *     helper_refuse_perf paranoid COMMAND [ARGUMENTS...]    as Debian's patch with perf_event_paranoid 3:
 * once the flags are found to exist helper_refuse_perf module COMMAND [ARGUMENTS...]      as a security
 * module of Linux 6.2: once the attributes are read
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW(n)  (offsetof(struct seccomp_data, args) + 8 * (n)) /* little-endian */
#define HIGH(n) (LOW(n) + 4)
#define FLAGS   (PERF_FLAG_FD_CLOEXEC << 1)

int main(int argc, char **argv)
{
    int module = argc > 2 && strcmp(argv[1], "module") == 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(4)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FLAGS, 5, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, HIGH(0)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, module ? 1 : 0, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (argc < 3 || (!module && strcmp(argv[1], "paranoid") != 0)) {
        fprintf(stderr, "usage: helper_refuse_perf paranoid|module COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("helper_refuse_perf: prctl");
        return 125;
    }
    execvp(argv[2], argv + 2);
    perror("helper_refuse_perf: exec");
    return errno == ENOENT ? 127 : 126;
}
