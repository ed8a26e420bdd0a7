/*
 * watch_setup.c - the beginning and the end of watch.h: signals, descriptors and the shared page
 */
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ringside/base.h"

#define SILENCE_NS  (10 * NSEC_PER_SEC)
#define DOUBT_NS    (1 * NSEC_PER_SEC)
#define PATIENCE_NS (50 * NSEC_PER_SEC)
#define STOPPED_NS  (100 * NSEC_PER_MSEC)

static void signals_of_ours(const struct watch *w, sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGCHLD);
    if (w->hears_hangup)
        sigaddset(set, SIGHUP);
}

void watch_take_signals(struct watch *w)
{
    bool ignored = signal(SIGHUP, SIG_IGN) == SIG_IGN; /* nohup */
    sigset_t set;

    w->hears_hangup = w->foreground && !ignored;
    if (w->hears_hangup)
        signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signals_of_ours(w, &set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

int watch_prepare(struct watch *w, int socket, struct err *e)
{
    sigset_t signals;

    signals_of_ours(w, &signals);
    w->silence_ns = SILENCE_NS;
    w->doubt_ns = DOUBT_NS;
    w->patience_ns = PATIENCE_NS;
    w->stopped_ns = STOPPED_NS;
    w->socket = socket;
    w->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    w->order_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->dead_man_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    w->page = mmap(NULL, sizeof(*w->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (w->signal_fd >= 0 && w->order_fd >= 0 && w->dead_man_fd >= 0 && w->page != MAP_FAILED)
        return 0;
    err_set(e, errno, "watch the profiler");
    if (w->page == MAP_FAILED)
        w->page = NULL;
    return -1;
}

void watch_release(struct watch *w)
{
    close(w->signal_fd);
    close(w->order_fd);
    close(w->dead_man_fd);
    broker_release(&w->broker);
    if (w->page)
        munmap(w->page, sizeof(*w->page));
}
