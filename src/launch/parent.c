/*
 * parent.c - the parent shape: what a shell or init would do for the command
 */
#include "ringside/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"

/* Everything that may be meant for the command, with the real-time signals. Not the faults (ours if they
 * happen) nor what cannot be caught. */
static const int forwarded[] = {SIGHUP,   SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,   SIGUSR2, SIGALRM,
                                SIGWINCH, SIGCONT, SIGIO,   SIGURG,  SIGVTALRM, SIGPROF, SIGPWR};

static void mask_of(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(forwarded); i++)
        sigaddset(set, forwarded[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(set, number);
}

int launch_parent_prepare(struct launch_parent *p, struct err *e)
{
    struct sigaction tell = {.sa_handler = SIG_DFL};
    sigset_t set;

    mask_of(&set);
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (p->signal_fd < 0)
        return err_set(e, errno, "signalfd");
    sigaction(SIGCHLD, &tell, &p->saved_chld);
    sigprocmask(SIG_BLOCK, &set, &p->saved_mask);
    return 0;
}

void launch_parent_restore(struct launch_parent *p)
{
    close(p->signal_fd);
    p->signal_fd = -1;
    sigaction(SIGCHLD, &p->saved_chld, NULL);
    sigprocmask(SIG_SETMASK, &p->saved_mask, NULL);
}

/* Collects everything that ended; true when child was among it. */
static bool reap(pid_t child, int *status, uint64_t *cpu_ns)
{
    struct rusage usage;
    bool ended = false;
    int one;
    pid_t pid;

    while ((pid = wait4(-1, &one, WNOHANG, &usage)) > 0 || (pid < 0 && errno == EINTR))
        if (pid == child) {
            *status = one;
            *cpu_ns = rusage_cpu_ns(&usage);
            ended = true;
        }
    return ended;
}

int launch_wait(pid_t child, uint64_t *cpu_ns)
{
    struct rusage usage = {0};
    int status = 0;
    pid_t got;

    do {
        got = wait4(child, &status, 0, &usage);
    } while (got < 0 && errno == EINTR);
    *cpu_ns = rusage_cpu_ns(&usage);
    return status;
}

static bool has_terminal(void)
{
    int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (terminal < 0)
        return errno != ENXIO;
    close(terminal);
    return true;
}

/*
 * What is sent to the process group reaches the command by itself, and nothing in a signal tells that it was
 * sent to more than one (si_code and si_pid are the same): passed on, it would come twice. So the parent
 * leaves the group to the command. Not where there is a terminal: shells stop and continue whole groups, and
 * what terminals send can be told.
 */
void launch_parent_leave_group(void)
{
    pid_t other;

    if (getsid(0) == getpid() || has_terminal()) /* who leads a session cannot */
        return;
    if (getpgrp() != getpid()) {
        setpgid(0, 0);
        return;
    }
    /* Its leader cannot make another group, but go to one. A child that has ended is enough until it is
     * reaped. */
    other = fork();
    if (other == 0)
        _exit(0);
    if (other > 0 && setpgid(other, other) == 0)
        setpgid(0, other);
}

/*
 * The terminal sends (SI_KERNEL) to its whole foreground group, so the command has it already; but that it
 * has gone, only to the session's leader (drivers/tty/tty_jobctrl.c, tty_signal_session_leader).
 */
static bool reached_command(const struct signalfd_siginfo *info)
{
    bool hang_up = info->ssi_signo == SIGHUP || info->ssi_signo == SIGCONT;

    return info->ssi_code == SI_KERNEL && !(hang_up && getsid(0) == getpid());
}

int launch_parent_wait(struct launch_parent *p, pid_t child, uint64_t *cpu_ns)
{
    int status = 0;

    while (!reap(child, &status, cpu_ns)) {
        struct signalfd_siginfo info;
        ssize_t n = read(p->signal_fd, &info, sizeof(info));

        if (n != sizeof(info)) {
            if (n < 0 && errno == EINTR)
                continue;
            return launch_wait(child, cpu_ns); /* signals are lost then, the status is not */
        }
        if (info.ssi_signo != SIGCHLD && !reached_command(&info))
            kill(child, (int)info.ssi_signo);
    }
    return status;
}
