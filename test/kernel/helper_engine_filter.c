/*
 * helper_engine_filter - runs a command under a system call filter like the one container engines put on
 * every container (moby/profiles, seccomp/default.json): what it leaves out fails with EPERM
 *
 *     helper_engine_filter new|new+perf|old COMMAND [ARGUMENTS...]
 *
 * new: as of Docker 20.10.10 and later, clone3 is ENOSYS; new+perf: with --cap-add PERFMON; old: engines that
 * answer EPERM to every call they do not know. Takes CAP_SYS_ADMIN, as engines have it: without no_new_privs.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMESPACES                                                                                           \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET)
#define KNOWN_TO_OLD 334 /* rseq; what came after 4.18 */
#define REFUSE(code) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))
#define ALLOW        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const unsigned refused[] = {SYS_perf_event_open, /* first: "new+perf" leaves it out */
                                   SYS_acct,
                                   SYS_add_key,
                                   SYS_bpf,
                                   SYS_clock_adjtime,
                                   SYS_clock_settime,
                                   SYS_delete_module,
                                   SYS_fanotify_init,
                                   SYS_finit_module,
                                   SYS_fsconfig,
                                   SYS_fsmount,
                                   SYS_fsopen,
                                   SYS_fspick,
                                   SYS_get_mempolicy,
                                   SYS_init_module,
                                   SYS_io_uring_enter,
                                   SYS_io_uring_register,
                                   SYS_io_uring_setup,
                                   SYS_ioperm,
                                   SYS_iopl,
                                   SYS_kcmp,
                                   SYS_kexec_file_load,
                                   SYS_kexec_load,
                                   SYS_keyctl,
                                   SYS_mbind,
                                   SYS_mount,
                                   SYS_move_mount,
                                   SYS_move_pages,
                                   SYS_open_by_handle_at,
                                   SYS_open_tree,
                                   SYS_pidfd_getfd,
                                   SYS_pivot_root,
                                   SYS_quotactl,
                                   SYS_reboot,
                                   SYS_request_key,
                                   SYS_set_mempolicy,
                                   SYS_setdomainname,
                                   SYS_sethostname,
                                   SYS_setns,
                                   SYS_settimeofday,
                                   SYS_swapoff,
                                   SYS_swapon,
                                   SYS_syslog,
                                   SYS_umount2,
                                   SYS_unshare,
                                   SYS_userfaultfd,
                                   SYS_ustat,
                                   SYS_vhangup};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t build(struct sock_filter *out, const char *kind)
{
    size_t n = 0;

    out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = strcmp(kind, "new+perf") == 0; i < COUNT(refused); i++) {
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
        out[n++] = (struct sock_filter)REFUSE(EPERM);
    }
    if (strcmp(kind, "old") == 0) {
        out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, KNOWN_TO_OLD, 0, 1);
        out[n++] = (struct sock_filter)REFUSE(EPERM);
    }
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
    out[n++] = (struct sock_filter)REFUSE(ENOSYS);
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args));
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 0, 1);
    out[n++] = (struct sock_filter)REFUSE(EPERM);
    out[n++] = (struct sock_filter)ALLOW;
    return n;
}

int main(int argc, char **argv)
{
    struct sock_filter filter[2 * COUNT(refused) + 16];
    struct sock_fprog program = {.filter = filter};

    if (argc < 3) {
        fprintf(stderr, "usage: helper_engine_filter new|new+perf|old COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    program.len = (unsigned short)build(filter, argv[1]);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
        perror("helper_engine_filter: prctl");
        return 125;
    }
    execvp(argv[2], argv + 2);
    perror("helper_engine_filter: exec");
    return errno == ENOENT ? 127 : 126;
}
