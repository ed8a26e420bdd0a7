/*
 * parent.c - the parent shape: what a shell or init would do for the command
 */
#include "ringside/launch.h"

#include <errno.h>
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
        /* What the terminal sends (SI_KERNEL) goes to the whole foreground group, so the command has it
         * already. */
        if (info.ssi_signo != SIGCHLD && info.ssi_code != SI_KERNEL)
            kill(child, (int)info.ssi_signo);
    }
    return status;
}
