/*
 * test_launch.c - messages with descriptors, and forking a process that is nobody's child
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"

TEST(message__carries_data_and_descriptors)
{
    int pair[2], pipes[2];
    struct launch_outgoing hello = {
        .kind = LAUNCH_RINGS, .data = "hello", .bytes = 5, .fds = pipes, .fd_count = 2};
    static struct launch_message m;
    struct err e;
    char c = 'x';

    assert_int_equal(launch_socketpair(pair, &e), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(launch_send(pair[0], &hello, &e), 0);
    assert_int_equal(launch_receive(pair[1], &m, 1000, &e), 1);
    assert_int_equal(m.kind, LAUNCH_RINGS);
    assert_int_equal(m.bytes, 5);
    assert_memory_equal(m.data, "hello", 5);
    assert_int_equal(m.fd_count, 2);
    assert_int_equal(write(m.fds[1], &c, 1), 1);
    c = 0;
    assert_int_equal(read(pipes[0], &c, 1), 1);
    assert_int_equal(c, 'x');
    for (int i = 0; i < 2; i++) {
        close(m.fds[i]);
        close(pipes[i]);
    }
    close(pair[0]);
    assert_int_equal(launch_receive(pair[1], &m, 1000, &e), 0); /* closed, not an error */
    close(pair[1]);
}

TEST(message__arrives_from_a_side_that_closed_without_listening)
{
    int pair[2];
    static struct launch_message m;
    enum launch_kind kind;
    struct err e;

    assert_int_equal(launch_socketpair(pair, &e), 0);
    assert_int_equal(launch_say(pair[0], LAUNCH_FINISH), 0);
    assert_int_equal(launch_say(pair[1], LAUNCH_DONE), 0);
    close(pair[1]);
    assert_int_equal(launch_peek(pair[0], &kind, 1000, &e), 1);
    assert_int_equal(kind, LAUNCH_DONE);
    assert_int_equal(launch_receive(pair[0], &m, 1000, &e), 1);
    assert_int_equal(m.kind, LAUNCH_DONE);
    assert_int_equal(launch_receive(pair[0], &m, 1000, &e), 0);
    assert_int_equal(launch_peek(pair[0], &kind, 1000, &e), 0);
    close(pair[0]);
}

TEST(message__does_not_hide_that_its_sender_closed)
{
    int pair[2];
    struct err e;
    pid_t other;

    assert_int_equal(launch_socketpair(pair, &e), 0);
    assert_int_equal(launch_say(pair[1], LAUNCH_READY), 0);
    other = fork();
    if (other == 0) {
        static struct launch_message m;

        close(pair[0]);
        launch_receive(pair[1], &m, -1, NULL); /* and closes with its end */
        _exit(m.kind != LAUNCH_EXEC_FAILED);
    }
    close(pair[1]);
    launch_say(pair[0], LAUNCH_EXEC_FAILED);
    launch_await_close(pair[0], 600000);
    assert_int_equal(launch_say(pair[0], LAUNCH_EXEC_FAILED), -1);
    assert_int_equal(waitpid(other, NULL, 0), other);
    close(pair[0]);
}

TEST(message__whose_descriptors_do_not_fit_is_an_error)
{
    int pair[2], pipes[2], next_free;
    struct launch_outgoing hello = {.kind = LAUNCH_RINGS, .fds = pipes, .fd_count = 2};
    static struct launch_message m;
    struct rlimit limit, low;
    struct err e;

    assert_int_equal(launch_socketpair(pair, &e), 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(launch_send(pair[0], &hello, &e), 0);
    next_free = dup(pair[0]);
    close(next_free);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = (struct rlimit){.rlim_cur = (rlim_t)next_free + 1, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    assert_int_equal(launch_receive(pair[1], &m, 1000, &e), -1);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(e.code, EMFILE);
    assert_int_equal(fcntl(next_free, F_GETFD), -1); /* nor is the one that did fit left behind */
    for (int i = 0; i < 2; i++) {
        close(pair[i]);
        close(pipes[i]);
    }
}

TEST(message__gives_up_after_its_time)
{
    struct launch_outgoing too_long = {.kind = LAUNCH_RINGS, .bytes = LAUNCH_MESSAGE_MAX + 1};
    int pair[2];
    static struct launch_message m;
    struct err e;

    assert_int_equal(launch_socketpair(pair, &e), 0);
    assert_int_equal(launch_receive(pair[1], &m, 1, &e), -1);
    assert_int_equal(e.code, ETIMEDOUT);
    assert_int_equal(launch_send(pair[0], &too_long, &e), -1);
    close(pair[0]);
    close(pair[1]);
}

TEST(fork_detached__leaves_no_child_and_no_signal_behind)
{
    int pair[2];
    static struct launch_message m;
    struct err e;
    struct launch_detached detached;
    sigset_t block, pending;
    pid_t facts[2];

    sigemptyset(&block);
    sigaddset(&block, SIGCHLD);
    sigprocmask(SIG_BLOCK, &block, NULL);
    assert_int_equal(launch_socketpair(pair, &e), 0);
    switch (launch_fork_detached(&detached, &e)) {
    case 1:
        facts[0] = getsid(0);
        facts[1] = getppid();
        launch_send(pair[1],
                    &(struct launch_outgoing){.kind = LAUNCH_READY, .data = facts, .bytes = sizeof(facts)},
                    NULL);
        _exit(0);
    case 0:
        break;
    default:
        fail_msg("%s", e.text);
    }
    assert_int_equal(launch_settle(&detached, 60000, &e), 0);
    assert_int_equal(launch_receive(pair[0], &m, 60000, &e), 1);
    memcpy(facts, m.data, sizeof(facts));
    assert_int_not_equal(facts[0], getsid(0));
    assert_int_not_equal(facts[1], getpid());
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGCHLD), 0);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    close(pair[0]);
    close(pair[1]);
}

static void deny_close_range(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
              &(struct sock_fprog){.len = ARRAY_LEN(code), .filter = code}) < 0)
        _exit(90);
}

/* In a process of its own: 3 to 5 and 100 are open, 4 is kept, the limit on descriptors is below 100. Returns
 * how many are not as they should be. */
static int close_others_but_4(bool denied)
{
    int keep = 4, wrong = 0;

    for (int fd = 3; fd < 6; fd++)
        dup2(STDERR_FILENO, fd);
    dup2(STDERR_FILENO, 100);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 50, .rlim_max = 50});
    if (denied)
        deny_close_range();
    launch_close_others(&keep, 1);
    for (int fd = 0; fd < 128; fd++)
        wrong += (fcntl(fd, F_GETFD) >= 0) != (fd < 3 || fd == keep);
    return wrong;
}

TEST(close_others__leaves_what_is_kept_and_the_first_three)
{
    for (int denied = 0; denied < 2; denied++) {
        int status;
        pid_t child = fork();

        if (child == 0)
            _exit(close_others_but_4(denied));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* What a command would find: which signals are blocked, and what becomes of SIGCHLD. */
struct signal_state {
    sigset_t mask;
    struct sigaction chld;
};

static void look(struct signal_state *s)
{
    memset(s, 0, sizeof(*s));
    sigprocmask(SIG_BLOCK, NULL, &s->mask);
    sigaction(SIGCHLD, NULL, &s->chld);
}

static void assert_same(const struct signal_state *a, const struct signal_state *b)
{
    for (int number = 1; number <= SIGRTMAX; number++)
        assert_int_equal(sigismember(&a->mask, number), sigismember(&b->mask, number));
    assert_ptr_equal(a->chld.sa_handler, b->chld.sa_handler);
}

TEST(parent__gives_back_the_signals_it_took)
{
    struct signal_state before, during, after;
    struct launch_parent p;
    struct err e;

    signal(SIGCHLD, SIG_IGN);
    look(&before);
    assert_int_equal(launch_parent_prepare(&p, &e), 0);
    look(&during);
    assert_int_equal(sigismember(&during.mask, SIGTERM), 1);
    assert_int_equal(sigismember(&during.mask, SIGRTMIN), 1);
    assert_ptr_equal(during.chld.sa_handler, SIG_DFL);
    launch_parent_restore(&p);
    look(&after);
    assert_same(&after, &before);
    signal(SIGCHLD, SIG_DFL);
}

TEST(parent__takes_no_signal_when_it_cannot_wait_for_them)
{
    struct signal_state before, after;
    struct rlimit limit, none;
    struct launch_parent p;
    struct err e;

    look(&before);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(launch_parent_prepare(&p, &e), -1);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(e.code, EMFILE);
    look(&after);
    assert_same(&after, &before);
}
