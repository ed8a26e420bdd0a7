/*
 * make_filter.c - run while building: writes the worker's filter as a C header
 *
 *     make_filter filters.h
 *
 * libseccomp makes good programs, and takes half a megabyte to do so: none of that is the worker's.
 *
 * The list is what the worker, glibc, jemalloc, libcurl with OpenSSL and the modules glibc loads to look up
 * names are seen to use, and what later versions of them try first. Unknown calls fail as on a kernel that
 * has not got them (ENOSYS), so that libraries fall back to what they used before. Calls that would lead out
 * of here fail with EPERM.
 */
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Numbers that headers of 2022 (Linux 6.1) need not have: the same on all processors (asm-generic/unistd.h).
 */
#define NR_FUTEX_WAKE    454
#define NR_FUTEX_WAIT    455
#define NR_FUTEX_REQUEUE 456

static const int always[] = {
    /* files; open is below */
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_pwrite64,
    __NR_preadv,
    __NR_pwritev,
    __NR_preadv2,
    __NR_pwritev2,
    __NR_close,
    __NR_close_range,
    __NR_stat,
    __NR_lstat,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_statfs,
    __NR_fstatfs,
    __NR_access,
    __NR_faccessat,
    __NR_faccessat2,
    __NR_readlink,
    __NR_readlinkat,
    __NR_getdents,
    __NR_getdents64,
    __NR_lseek,
    __NR_ftruncate,
    __NR_fallocate,
    __NR_fsync,
    __NR_fdatasync,
    __NR_fadvise64,
    __NR_copy_file_range,
    __NR_sendfile,
    __NR_rename,
    __NR_renameat,
    __NR_renameat2,
    __NR_unlink,
    __NR_unlinkat,
    __NR_mkdir,
    __NR_mkdirat,
    __NR_rmdir,
    __NR_flock,
    __NR_umask,
    __NR_chdir,
    __NR_fchdir,
    __NR_getcwd,
    __NR_dup,
    __NR_dup2,
    __NR_dup3,
    __NR_pipe,
    __NR_pipe2,
    __NR_memfd_create,
    /* memory; mmap and mprotect are below */
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_brk,
    __NR_msync,
    __NR_mincore,
    __NR_membarrier,
    /* waiting and time */
    __NR_poll,
    __NR_ppoll,
    __NR_select,
    __NR_pselect6,
    __NR_epoll_create,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_epoll_wait,
    __NR_epoll_pwait,
    __NR_epoll_pwait2,
    __NR_eventfd,
    __NR_eventfd2,
    __NR_timerfd_create,
    __NR_timerfd_settime,
    __NR_timerfd_gettime,
    __NR_nanosleep,
    __NR_clock_nanosleep,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_gettimeofday,
    __NR_time,
    __NR_times,
    __NR_pause,
    __NR_restart_syscall,
    /* threads and signals; clone and tgkill are below */
    __NR_futex,
    __NR_futex_waitv,
    NR_FUTEX_WAKE,
    NR_FUTEX_WAIT,
    NR_FUTEX_REQUEUE,
    __NR_set_robust_list,
    __NR_get_robust_list,
    __NR_rseq,
    __NR_set_tid_address,
    __NR_sched_yield,
    __NR_sched_getaffinity,
    __NR_sched_getparam,
    __NR_sched_getscheduler,
    __NR_getcpu,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_rt_sigpending,
    __NR_rt_sigtimedwait,
    __NR_rt_sigsuspend,
    __NR_sigaltstack,
    __NR_signalfd,
    __NR_signalfd4,
    __NR_exit,
    __NR_exit_group,
    /* who and where one is */
    __NR_getpid,
    __NR_gettid,
    __NR_getppid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_getresuid,
    __NR_getresgid,
    __NR_getgroups,
    __NR_getpgrp,
    __NR_getpgid,
    __NR_getsid,
    __NR_capget,
    __NR_getrlimit,
    __NR_getrusage,
    __NR_getpriority,
    __NR_sysinfo,
    __NR_uname,
    __NR_getrandom,
    /* a deleted file is put together from its process's memory */
    __NR_process_vm_readv,
    /* syslog(3), and the supervisor that opens files; socket is below */
    __NR_connect,
    __NR_sendto,
    __NR_sendmsg,
    __NR_recvfrom,
    __NR_recvmsg,
    __NR_shutdown,
    __NR_getsockopt,
    __NR_setsockopt,
    __NR_getsockname,
    __NR_getpeername,
};

/* glibc asks for the machine's addresses (netlink, which it binds) before it looks names up. */
static const int with_network[] = {
    __NR_socketpair,
    __NR_bind,
    __NR_sendmmsg,
    __NR_recvmmsg,
};

static const int refused[] = {
    /* other programs and processes */
    __NR_execve,
    __NR_execveat,
    __NR_fork,
    __NR_vfork,
    __NR_ptrace,
    __NR_process_vm_writev,
    __NR_kcmp,
    __NR_tkill,
    __NR_rt_sigqueueinfo,
    __NR_rt_tgsigqueueinfo,
    __NR_pidfd_open,
    __NR_pidfd_getfd,
    __NR_pidfd_send_signal,
    __NR_process_madvise,
    __NR_process_mrelease,
    __NR_migrate_pages,
    __NR_move_pages,
    /* who one is */
    __NR_setuid,
    __NR_setgid,
    __NR_setreuid,
    __NR_setregid,
    __NR_setresuid,
    __NR_setresgid,
    __NR_setfsuid,
    __NR_setfsgid,
    __NR_setgroups,
    __NR_capset,
    __NR_setns,
    __NR_unshare,
    __NR_personality,
    __NR_seccomp,
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
    /* the machine */
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_open_tree,
    __NR_move_mount,
    __NR_fsopen,
    __NR_fsconfig,
    __NR_fsmount,
    __NR_fspick,
    __NR_mount_setattr,
    __NR_swapon,
    __NR_swapoff,
    __NR_reboot,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_kexec_file_load,
    __NR_acct,
    __NR_syslog,
    __NR_settimeofday,
    __NR_clock_settime,
    __NR_adjtimex,
    __NR_clock_adjtime,
    __NR_sethostname,
    __NR_setdomainname,
    __NR_iopl,
    __NR_ioperm,
    __NR_quotactl,
    __NR_vhangup,
    __NR_open_by_handle_at,
    __NR_name_to_handle_at,
    __NR_mknod,
    __NR_mknodat,
    __NR_chown,
    __NR_fchown,
    __NR_chmod,
    __NR_fchmod,
    __NR_fchmodat,
    __NR_lchown,
    __NR_fchownat,
    /* wide doors into the kernel */
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_fanotify_init,
    __NR_modify_ldt,
    __NR_pkey_mprotect,
    __NR_remap_file_pages,
    __NR_memfd_secret,
    __NR_vmsplice,
    /* a server of its own */
    __NR_listen,
    __NR_accept,
    __NR_accept4,
};

/* ---- calls that are allowed with certain arguments; any of a call's rows will do ---- */

#define BITS(n, mask, value) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, mask, value)
/* Of an int: the upper half of its register may hold anything. */
#define SAME(n, value)       BITS(n, 0xffffffffULL, (value)&0xffffffffULL)
/*
 * For reading, or a file that is made: what is there is not written to. Much of /proc and /sys belongs to
 * user 0, whatever capabilities it has, and the memory of its other processes lies in /proc/PID/mem. openat2
 * has its flags in memory, where a filter does not see them.
 */
#define READS(n)             BITS(n, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)
#define MAKES(n)             BITS(n, O_CREAT | O_EXCL, O_CREAT | O_EXCL)
/* A file of user 0's that sets the user would be a way to all capabilities for whoever executes it. */
#define NO_PROGRAM(n)        BITS(n, S_ISUID | S_ISGID | S_IXUSR | S_IXGRP | S_IXOTH, 0)
#define SOCK_TYPE            0xfU /* the rest are flags (linux/net.h, SOCK_TYPE_MASK) */
#define CLONE_OTHERS                                                                                         \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
     CLONE_NEWNET | CLONE_PTRACE | CLONE_UNTRACED | CLONE_VFORK)
#define CLONE_OF_THREADS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

struct choice {
    int call;
    unsigned count;
    struct scmp_arg_cmp is[2];
};

/* linux/prctl.h; names of memory are jemalloc's and glibc's. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

static const struct choice choices[] = {
    {__NR_clone, 1, {BITS(0, CLONE_OTHERS | CLONE_OF_THREADS, CLONE_OF_THREADS)}},
    {__NR_open, 1, {READS(1)}},
    {__NR_open, 2, {MAKES(1), NO_PROGRAM(2)}},
    {__NR_openat, 1, {READS(2)}},
    {__NR_openat, 2, {MAKES(2), NO_PROGRAM(3)}},
    {__NR_tgkill, 1, {SAME(0, FILTER_OWN_PID)}}, /* raise(), abort() */
    {__NR_kill, 1, {SAME(0, FILTER_OWN_PID)}},
    {__NR_mprotect, 1, {BITS(2, PROT_EXEC, 0)}},
    {__NR_mmap, 1, {BITS(2, PROT_EXEC, 0)}},
    {__NR_socket, 2, {SAME(0, AF_UNIX), BITS(1, SOCK_TYPE, SOCK_DGRAM)}}, /* syslog(3) */
    {__NR_prlimit64, 2, {SAME(0, 0), BITS(2, ~0ULL, 0)}},                 /* asks only */
    {__NR_prctl, 1, {SAME(0, PR_SET_NAME)}},
    {__NR_prctl, 1, {SAME(0, PR_GET_NAME)}},
    {__NR_prctl, 1, {SAME(0, PR_SET_VMA)}},
    {__NR_prctl, 1, {SAME(0, PR_GET_DUMPABLE)}},
    {__NR_prctl, 1, {SAME(0, PR_CAPBSET_READ)}},
    {__NR_prctl, 1, {SAME(0, PR_GET_NO_NEW_PRIVS)}},
    {__NR_prctl, 1, {SAME(0, PR_GET_SECCOMP)}},
    {__NR_prctl, 1, {SAME(0, PR_GET_TIMERSLACK)}},
    {__NR_prctl, 1, {SAME(0, PR_SET_TIMERSLACK)}},
    {__NR_fcntl, 1, {SAME(1, F_DUPFD)}},
    {__NR_fcntl, 1, {SAME(1, F_DUPFD_CLOEXEC)}},
    {__NR_fcntl, 1, {SAME(1, F_GETFD)}},
    {__NR_fcntl, 1, {SAME(1, F_SETFD)}},
    {__NR_fcntl, 1, {SAME(1, F_GETFL)}},
    {__NR_fcntl,
     2,
     {SAME(1, F_SETFL), BITS(2, O_NONBLOCK, O_NONBLOCK)}}, /* not to make the supervisor wait */
    {__NR_fcntl, 1, {SAME(1, F_GETLK)}},
    {__NR_fcntl, 1, {SAME(1, F_SETLK)}},
    {__NR_fcntl, 1, {SAME(1, F_SETLKW)}},
    {__NR_fcntl, 1, {SAME(1, F_OFD_GETLK)}},
    {__NR_fcntl, 1, {SAME(1, F_OFD_SETLK)}},
    {__NR_fcntl, 1, {SAME(1, F_OFD_SETLKW)}},
    {__NR_fcntl, 1, {SAME(1, F_ADD_SEALS)}},
    {__NR_fcntl, 1, {SAME(1, F_GET_SEALS)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_ENABLE)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_DISABLE)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_RESET)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_ID)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_SET_OUTPUT)}},
    {__NR_ioctl, 1, {SAME(1, PERF_EVENT_IOC_PAUSE_OUTPUT)}},
    {__NR_ioctl, 1, {SAME(1, TCGETS)}}, /* isatty() */
    {__NR_ioctl, 1, {SAME(1, FIONREAD)}},
};

/*
 * Libraries come on first use: a name service at the first look-up, and whatever OpenSSL's configuration
 * names. So code may be mapped from files as long as it is not writable. Without servers nothing is loaded
 * any more.
 */
static const struct choice choices_with_network[] = {
    {__NR_mmap, 2, {BITS(2, PROT_EXEC | PROT_WRITE, PROT_EXEC), BITS(3, MAP_ANONYMOUS, 0)}},
    {__NR_socket, 1, {SAME(0, AF_INET)}},
    {__NR_socket, 1, {SAME(0, AF_INET6)}},
    {__NR_socket, 2, {SAME(0, AF_NETLINK), SAME(2, 0)}}, /* NETLINK_ROUTE */
    {__NR_ioctl, 1, {SAME(1, SIOCGIFINDEX)}},            /* the %eth0 of a link-local address */
};

/* unix://, and daemons that look names up for others. Who may talk to these reaches container engines, D-Bus
 * and all else that trusts its user. */
static const struct choice choices_with_local_servers[] = {
    {__NR_socket, 1, {SAME(0, AF_UNIX)}},
};

/* ---- making it ---- */

static int add_list(scmp_filter_ctx c, uint32_t action, const int *call, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(c, action, call[i], 0);
    return result;
}

static int add_choices(scmp_filter_ctx c, const struct choice *choice, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, choice[i].call, choice[i].count, choice[i].is);
    return result;
}

static int add_rules(scmp_filter_ctx c, enum filter_servers servers)
{
    int result = add_list(c, SCMP_ACT_ALLOW, always, COUNT(always));

    if (result == 0)
        result = add_list(c, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused));
    if (result == 0)
        result = add_choices(c, choices, COUNT(choices));
    if (result == 0 && servers != FILTER_NO_SERVERS)
        result = add_list(c, SCMP_ACT_ALLOW, with_network, COUNT(with_network));
    if (result == 0 && servers != FILTER_NO_SERVERS)
        result = add_choices(c, choices_with_network, COUNT(choices_with_network));
    if (result == 0 && servers == FILTER_LOCAL_SERVERS)
        result = add_choices(c, choices_with_local_servers, COUNT(choices_with_local_servers));
    return result;
}

static int print(const char *name, FILE *program)
{
    struct sock_filter line;

    printf("\nstatic const struct sock_filter %s[] = {\n", name);
    while (fread(&line, sizeof(line), 1, program) == 1)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", line.code, line.jt, line.jf, line.k);
    printf("};\n");
    return ferror(program) ? -1 : 0;
}

/* OPTIMIZE 2: a tree instead of a list. */
static int make(const char *name, enum filter_servers servers)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    FILE *program = tmpfile();
    int result = c && program ? seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2) : -ENOMEM;

    if (result == 0)
        result = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = add_rules(c, servers);
    if (result == 0)
        result = seccomp_export_bpf(c, fileno(program));
    if (result == 0) {
        rewind(program);
        result = print(name, program);
    }
    if (result < 0)
        fprintf(stderr, "make_filter: %s: %s\n", name, strerror(-result));
    seccomp_release(c);
    if (program)
        fclose(program);
    return result;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !freopen(argv[1], "w", stdout)) {
        fprintf(stderr, "usage: make_filter FILE\n");
        return 2;
    }
    printf("/* Made by make_filter. */\n#include <linux/filter.h>\n");
    return make("filter_no_servers", FILTER_NO_SERVERS) < 0 ||
           make("filter_remote_servers", FILTER_REMOTE_SERVERS) < 0 ||
           make("filter_local_servers", FILTER_LOCAL_SERVERS) < 0 || fflush(stdout) != 0;
}
