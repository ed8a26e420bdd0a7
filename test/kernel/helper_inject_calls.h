/*
 * helper_inject_calls.h - the system calls that are made on the way to a command: their names, and what each
 * may fail with by its manual page, or under a container runtime's filter
 */
#ifndef TEST_HELPER_INJECT_CALLS_H
#define TEST_HELPER_INJECT_CALLS_H

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

/* What runs out together: memory, descriptors, processes. */
enum call_class { CALL_OTHER, CALL_MEMORY, CALL_DESCRIPTOR, CALL_PROCESS, CALL_DISK };
static const char *const class_names[] = {"other", "memory", "descriptor", "process", "disk"};

#define CALL_CODES_MAX 8
struct call {
    long number;
    const char *name;
    enum call_class class;
    int code[CALL_CODES_MAX]; /* up to 0; none at all: it cannot fail as it is used */
};

#define C(name, class, ...)                                                                                  \
    {                                                                                                        \
        SYS_##name, #name, CALL_##class,                                                                     \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
static const struct call calls[] = {
    C(mmap, MEMORY, ENOMEM, EAGAIN, EPERM),
    C(brk, MEMORY, ENOMEM),
    C(mremap, MEMORY, ENOMEM),
    C(munmap, MEMORY, ENOMEM),
    C(mprotect, MEMORY, ENOMEM),
    C(madvise, OTHER, ENOMEM, EINVAL),
    C(open, DESCRIPTOR, EMFILE, ENFILE, EACCES, ENOMEM, EIO),
    C(openat, DESCRIPTOR, EMFILE, ENFILE, EACCES, ENOMEM, EIO),
    C(socketpair, DESCRIPTOR, EMFILE, ENFILE, EPERM, ENOMEM),
    C(socket, DESCRIPTOR, EMFILE, ENFILE, EPERM, ENOBUFS),
    C(pipe2, DESCRIPTOR, EMFILE, ENFILE),
    C(signalfd4, DESCRIPTOR, EMFILE, ENOMEM, EPERM),
    C(timerfd_create, DESCRIPTOR, EMFILE, ENOMEM, EPERM),
    C(eventfd2, DESCRIPTOR, EMFILE, ENOMEM, EPERM),
    C(epoll_create1, DESCRIPTOR, EMFILE, ENOMEM),
    C(memfd_create, DESCRIPTOR, EMFILE, ENOMEM, ENOSYS),
    C(pidfd_open, DESCRIPTOR, EMFILE, ENOSYS, EPERM),
    C(dup, DESCRIPTOR, EMFILE),
    C(dup2, OTHER, EBUSY, EINTR),
    C(dup3, OTHER, EBUSY, EINTR),
    C(fcntl, DESCRIPTOR, EMFILE, EAGAIN),
    C(perf_event_open, DESCRIPTOR, EPERM, EACCES, ENOSYS, EMFILE, ENOMEM, EINVAL, ENOENT, EBUSY),
    C(clone, PROCESS, EAGAIN, ENOMEM),
    C(clone3, PROCESS, EAGAIN, ENOSYS, ENOMEM),
    C(fork, PROCESS, EAGAIN, ENOMEM),
    C(vfork, PROCESS, EAGAIN, ENOMEM),
    C(write, DISK, ENOSPC, EIO, EINTR),
    C(pwrite64, DISK, ENOSPC, EIO),
    C(writev, DISK, ENOSPC, EIO),
    C(mkdir, DISK, ENOSPC, EACCES, EROFS),
    C(rename, DISK, ENOSPC, EIO),
    C(renameat2, DISK, ENOSYS, ENOSPC, EIO),
    C(ftruncate, DISK, EIO, EINTR),
    C(fallocate, DISK, ENOSPC, EOPNOTSUPP),
    C(fsync, DISK, EIO, ENOSPC),
    C(fdatasync, DISK, EIO, ENOSPC),
    C(read, OTHER, EIO, EINTR, ENOMEM),
    C(pread64, OTHER, EIO, EINTR),
    C(close, OTHER, EIO, EINTR),
    C(sendmsg, OTHER, ENOBUFS, ENOMEM, EINTR, ETOOMANYREFS),
    C(sendto, OTHER, ENOBUFS, ENOMEM, EINTR),
    C(recvmsg, OTHER, ENOMEM, EINTR),
    C(recvfrom, OTHER, ENOMEM, EINTR),
    C(poll, OTHER, EINTR, ENOMEM),
    C(ppoll, OTHER, EINTR, ENOMEM),
    C(epoll_wait, OTHER, EINTR),
    C(epoll_pwait, OTHER, EINTR),
    C(epoll_ctl, OTHER, ENOMEM, ENOSPC),
    C(wait4, OTHER, EINTR),
    C(rt_sigtimedwait, OTHER, EINTR, EAGAIN),
    C(nanosleep, OTHER, EINTR),
    C(clock_nanosleep, OTHER, EINTR),
    C(timerfd_settime, OTHER, EINVAL),
    C(stat, OTHER, EACCES, ENOMEM, EIO),
    C(fstat, OTHER, ENOMEM, EIO),
    C(lstat, OTHER, EACCES, ENOMEM, EIO),
    C(newfstatat, OTHER, EACCES, ENOMEM, EIO),
    C(statx, OTHER, EACCES, ENOMEM, ENOSYS),
    C(access, OTHER, EACCES, EIO),
    C(readlink, OTHER, EACCES, EIO, ENOMEM),
    C(readlinkat, OTHER, EACCES, EIO, ENOMEM),
    C(getcwd, OTHER, ENOENT, ENOMEM),
    C(getdents64, OTHER, EIO, ENOMEM),
    C(lseek, OTHER, ESPIPE),
    C(unlink, OTHER, EIO, EACCES),
    C(unlinkat, OTHER, EIO, EACCES),
    C(rmdir, OTHER, EIO, EBUSY),
    C(chdir, OTHER, EACCES),
    C(flock, OTHER, ENOLCK, EAGAIN, EINTR),
    C(ioctl, OTHER, EINVAL, ENOTTY, EPERM, ENOMEM),
    C(close_range, OTHER, ENOSYS, EPERM, ENOMEM),
    C(prlimit64, OTHER, EPERM, ENOSYS),
    C(getrlimit, OTHER, EPERM),
    C(setrlimit, OTHER, EPERM),
    C(prctl, OTHER, EPERM, EINVAL),
    C(sched_getaffinity, OTHER, EINVAL, EPERM),
    C(sched_setaffinity, OTHER, EINVAL, EPERM),
    C(setpriority, OTHER, EACCES, EPERM),
    C(getrandom, OTHER, ENOSYS, EAGAIN, EINTR),
    C(setsid, OTHER, EPERM),
    C(kill, OTHER, EPERM, ESRCH),
    C(uname, OTHER, EPERM),
    C(sysinfo, OTHER, EPERM),
    C(getrusage, OTHER, EPERM),
    C(clock_gettime, OTHER, EINVAL),
    C(clock_getres, OTHER, EINVAL),
    C(capget, OTHER, EPERM),
    C(capset, OTHER, EPERM),
    C(setgroups, OTHER, EPERM, ENOMEM),
    C(getgroups, OTHER, EINVAL),
    C(setresuid, OTHER, EAGAIN, EPERM),
    C(setresgid, OTHER, EPERM),
    C(seccomp, OTHER, EINVAL, EACCES, ENOMEM),
    C(execve, OTHER, ENOMEM, EACCES, EAGAIN, ENOENT),
    C(connect, OTHER, ECONNREFUSED, EINTR),
    C(bind, OTHER, EADDRINUSE, EACCES),
    C(sigaltstack, MEMORY, ENOMEM),
    C(shmget, MEMORY, ENOMEM),
    /* These only fail with arguments that make no sense, or not at all. */
    C(rt_sigprocmask, OTHER, 0),
    C(rt_sigaction, OTHER, 0),
    C(rt_sigreturn, OTHER, 0),
    C(getpid, OTHER, 0),
    C(getppid, OTHER, 0),
    C(gettid, OTHER, 0),
    C(getuid, OTHER, 0),
    C(geteuid, OTHER, 0),
    C(getgid, OTHER, 0),
    C(getegid, OTHER, 0),
    C(getresuid, OTHER, 0),
    C(getresgid, OTHER, 0),
    C(umask, OTHER, 0),
    C(sched_yield, OTHER, 0),
    C(futex, OTHER, 0),
    C(set_robust_list, OTHER, 0),
    C(set_tid_address, OTHER, 0),
    C(rseq, OTHER, 0),
    C(arch_prctl, OTHER, 0),
    C(restart_syscall, OTHER, 0),
    C(exit, OTHER, 0),
    C(exit_group, OTHER, 0),
};
#undef C

/* For a call that is not in the table *unknown is filled. */
static const struct call *call_find(long number, struct call *unknown)
{
    static char name[24];

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (calls[i].number == number)
            return &calls[i];
    snprintf(name, sizeof(name), "call_%ld", number);
    *unknown = (struct call){number, name, CALL_OTHER, {ENOSYS, EPERM}};
    return unknown;
}

static int call_errno(const struct call *c, unsigned which)
{
    unsigned n = 0;

    while (n < CALL_CODES_MAX && c->code[n])
        n++;
    return n ? c->code[which % n] : 0;
}

#endif
