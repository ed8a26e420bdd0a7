/*
 * helper_delay_call - runs a command in which one system call, of it or of any process it starts, begins
 * later
 *
 *     helper_delay_call NUMBER MILLISECONDS COMMAND [ARGUMENTS...]
 *
 * By seccomp_unotify(2): unlike a tracer's, the processes' other calls and their signals take no longer. Ends
 * when the last of them has, with the command's status.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS_MAX 64

struct call {
    uint64_t id;
    int64_t due_ms;
};

static void die(const char *what)
{
    perror(what);
    exit(125);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int install_filter(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
    int listener;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        die("helper_delay_call: prctl");
    listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0)
        die("helper_delay_call: seccomp");
    return listener;
}

union rights {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void pass(int socket, int *fd, ssize_t (*call)(int, struct msghdr *))
{
    char byte = 0;
    struct iovec bytes = {&byte, 1};
    union rights rights = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)};

    *(int *)(void *)CMSG_DATA(&rights.header) = *fd;
    if (call(socket, &message) != 1)
        die("helper_delay_call: socket");
    *fd = *(int *)(void *)CMSG_DATA(&rights.header);
    close(socket);
}

static ssize_t send_it(int socket, struct msghdr *message)
{
    return sendmsg(socket, message, MSG_NOSIGNAL);
}

static ssize_t receive_it(int socket, struct msghdr *message)
{
    return recvmsg(socket, message, MSG_CMSG_CLOEXEC);
}

/* ENOENT: who made the call was killed meanwhile. */
static void let_go(int listener, uint64_t id)
{
    struct seccomp_notif_resp answer = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno != ENOENT)
        die("helper_delay_call: answer");
}

static void take(int listener, struct call *call, int delay_ms)
{
    struct seccomp_notif notification = {0};

    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) {
        if (errno != ENOENT && errno != EINTR)
            die("helper_delay_call: notification");
        return;
    }
    *call = (struct call){notification.id, now_ms() + delay_ms};
}

/*
 * Until no process has the filter any more; returns the child's status. A child that was not waited for still
 * has it before Linux 6.11. All calls wait equally long, so that the first to come is the first due.
 */
static int serve(int listener, pid_t child, int delay_ms)
{
    struct call calls[CALLS_MAX];
    unsigned first = 0, next = 0; /* modulo CALLS_MAX */
    struct pollfd pollfds[] = {{.fd = listener},
                               {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN}};
    int status = 0;

    while (!(pollfds[0].revents & POLLHUP)) {
        int64_t left = first == next ? -1 : calls[first % CALLS_MAX].due_ms - now_ms();

        if (first != next && left <= 0) {
            let_go(listener, calls[first++ % CALLS_MAX].id);
            continue;
        }
        pollfds[0].events = next - first < CALLS_MAX ? POLLIN : 0;
        if (poll(pollfds, 2, (int)left) < 0)
            die("helper_delay_call: poll");
        if (pollfds[0].revents & POLLIN) {
            calls[next % CALLS_MAX].id = 0;
            take(listener, &calls[next % CALLS_MAX], delay_ms);
            next += calls[next % CALLS_MAX].id != 0;
        }
        if (pollfds[1].revents && waitpid(child, &status, 0) == child)
            pollfds[1].fd = -1;
    }
    return status;
}

int main(int argc, char **argv)
{
    int sockets[2], listener = -1, status;
    pid_t child;

    if (argc < 4) {
        fprintf(stderr, "usage: helper_delay_call NUMBER MILLISECONDS COMMAND [ARGUMENTS...]\n");
        return 2;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
        die("helper_delay_call: socketpair");
    child = fork();
    if (child < 0)
        die("helper_delay_call: fork");
    if (child == 0) {
        listener = install_filter((unsigned)atoi(argv[1]));
        pass(sockets[0], &listener, send_it);
        close(listener);
        execvp(argv[3], argv + 3);
        die("helper_delay_call: exec");
    }
    close(sockets[0]);
    pass(sockets[1], &listener, receive_it);
    status = serve(listener, child, atoi(argv[2]));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
