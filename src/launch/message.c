/*
 * message.c - messages with descriptors over a SOCK_SEQPACKET pair: each arrives whole or not at all
 */
#include "ringside/launch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ringside/base.h"

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(LAUNCH_FDS_MAX * sizeof(int))];
};

int launch_socketpair(int pair[2], struct err *e)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set(e, errno, "socketpair");
    return 0;
}

static void attach_fds(struct msghdr *message, union control *control, const struct launch_outgoing *m)
{
    struct cmsghdr *c;

    memset(control, 0, sizeof(*control));
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(m->fd_count * sizeof(int));
    c = CMSG_FIRSTHDR(message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(m->fd_count * sizeof(int));
    memcpy(CMSG_DATA(c), m->fds, m->fd_count * sizeof(int));
}

int launch_send(int socket, const struct launch_outgoing *m, struct err *e)
{
    char first = (char)m->kind;
    struct iovec parts[2] = {{.iov_base = &first, .iov_len = 1},
                             {.iov_base = (void *)m->data, .iov_len = m->bytes}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    union control control;
    ssize_t sent;

    if (m->bytes > LAUNCH_MESSAGE_MAX || m->fd_count > LAUNCH_FDS_MAX)
        return err_set(e, EMSGSIZE, "send %zu bytes and %u descriptors", m->bytes, m->fd_count);
    if (m->fd_count)
        attach_fds(&message, &control, m);
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? err_set(e, errno, "send to the other side of the hand-over") : 0;
}

int launch_say(int socket, enum launch_kind kind)
{
    return launch_send(socket, &(struct launch_outgoing){.kind = kind}, NULL);
}

/* events: POLLIN, or 0 for the other side's end alone. */
static int wait_for(int socket, short events, int timeout_ms, struct err *e)
{
    uint64_t until = clock_mono_ns() + (uint64_t)MAX_OF(timeout_ms, 0) * NSEC_PER_MSEC;

    for (;;) {
        struct pollfd p = {.fd = socket, .events = events};
        uint64_t now = clock_mono_ns();
        int left =
            timeout_ms < 0 ? -1 : (int)((MAX_OF(until, now) - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
        int n = poll(&p, 1, left);

        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(e, ETIMEDOUT, "wait for the other side of the hand-over");
        if (errno != EINTR)
            return err_set(e, errno, "wait for the other side of the hand-over");
    }
}

static void take_fds(struct msghdr *message, struct launch_message *out)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n > LAUNCH_FDS_MAX - out->fd_count)
            continue;
        memcpy(out->fds + out->fd_count, CMSG_DATA(c), n * sizeof(int));
        out->fd_count += (uint32_t)n;
    }
}

static void close_fds(struct launch_message *m)
{
    while (m->fd_count)
        close(m->fds[--m->fd_count]);
}

/* recvmsg, but for what interrupts it. */
static ssize_t receive(int socket, struct msghdr *message, int flags)
{
    ssize_t n;

    do {
        /* ECONNRESET says once that the other side closed without reading all we sent (net/unix/af_unix.c,
         * unix_release_sock); what it said before is still to come. */
        n = recvmsg(socket, message, flags);
    } while (n < 0 && (errno == EINTR || errno == ECONNRESET));
    return n;
}

void launch_await_close(int socket, int timeout_ms)
{
    wait_for(socket, 0, timeout_ms, NULL);
}

int launch_peek(int socket, enum launch_kind *kind, int timeout_ms, struct err *e)
{
    char first = 0;
    struct iovec part = {.iov_base = &first, .iov_len = 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (wait_for(socket, POLLIN, timeout_ms, e) < 0)
        return -1;
    n = receive(socket, &message, MSG_PEEK);
    if (n < 0)
        return err_set(e, errno, "look at the other side of the hand-over");
    *kind = (enum launch_kind)first;
    return n > 0;
}

int launch_receive(int socket, struct launch_message *out, int timeout_ms, struct err *e)
{
    char first = 0;
    struct iovec parts[2] = {{.iov_base = &first, .iov_len = 1},
                             {.iov_base = out->data, .iov_len = sizeof(out->data)}};
    union control control;
    struct msghdr message = {
        .msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n;

    out->fd_count = 0;
    if (wait_for(socket, POLLIN, timeout_ms, e) < 0)
        return -1;
    n = receive(socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return err_set(e, errno, "receive from the other side of the hand-over");
    if (n == 0)
        return 0;
    take_fds(&message, out);
    if (message.msg_flags & MSG_CTRUNC) {
        /* Descriptors beyond RLIMIT_NOFILE are dropped without an error (net/core/scm.c, scm_detach_fds). */
        close_fds(out);
        return err_set(e, EMFILE, "receive descriptors from the other side of the hand-over (ulimit -n)");
    }
    out->kind = (enum launch_kind)first;
    out->bytes = (size_t)n - 1;
    return 1;
}
