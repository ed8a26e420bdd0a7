/*
 * helper_deny_call - runs a command in which one system call does nothing and fails with a chosen errno, or,
 * with 0, says that it succeeded
 *
 *     helper_deny_call NUMBER FIRST ERRNO COMMAND [ARGUMENTS...]
 *
 * FIRST: only where that is the call's first argument; -1: whatever it is.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    unsigned number = argc > 4 ? (unsigned)atoi(argv[1]) : 0;
    int first = argc > 4 ? atoi(argv[2]) : 0;
    unsigned code = argc > 4 ? (unsigned)atoi(argv[3]) : 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 offsetof(struct seccomp_data, args)), /* little-endian: the low half */
        BPF_JUMP(BPF_JMP | (first < 0 ? BPF_JGE : BPF_JEQ) | BPF_K, first < 0 ? 0 : (unsigned)first, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (argc < 5) {
        fprintf(stderr, "usage: helper_deny_call NUMBER FIRST ERRNO COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("helper_deny_call: prctl");
        return 125;
    }
    execvp(argv[4], argv + 4);
    perror("helper_deny_call: exec");
    return errno == ENOENT ? 127 : 126;
}
