/*
 * loop.c - libcurl's sockets and timer behind one epoll descriptor
 *
 * An epoll descriptor is readable while one in it is ready (epoll(7)), so the caller waits for it among its
 * own and needs no deadline: the timer is in it.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "private.h"

#define EVENTS_MAX 16 /* at once; what is more keeps the descriptor readable */

/* ---- what libcurl tells ---- */

static uint32_t wanted_events(int what)
{
    switch (what) {
    case CURL_POLL_IN:
        return EPOLLIN;
    case CURL_POLL_OUT:
        return EPOLLOUT;
    default:
        return EPOLLIN | EPOLLOUT;
    }
}

/*
 * Whether fd is in the set is not remembered: a socket that was closed left it, and its number came back.
 * Failure (fs.epoll.max_user_watches) is not reported: libcurl would give up all transfers, and for good
 * (CURLMOPT_SOCKETFUNCTION(3)); so it ends in the time limit of this one.
 */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *per_socket)
{
    struct epoll_event event = {.events = wanted_events(what), .data.fd = fd};
    const struct http *h = ctx;

    (void)easy;
    (void)per_socket;
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
        epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct http *h = ctx;

    (void)multi;
    h->curl_due_ns = ms < 0 ? NEVER : clock_mono_ns() + (uint64_t)ms * NSEC_PER_MSEC;
    return 0;
}

/* ---- what it is told ---- */

static void run_socket(struct http *h, const struct epoll_event *event)
{
    int ready = 0, running;

    if (event->events & EPOLLIN)
        ready |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT)
        ready |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP))
        ready |= CURL_CSELECT_ERR;
    h->curl.multi_socket_action(h->multi, event->data.fd, ready, &running);
}

static void run_timer(struct http *h)
{
    int running;

    if (h->curl_due_ns > clock_mono_ns())
        return;
    h->curl_due_ns = NEVER; /* until it says so again, as it does when this was early */
    h->curl.multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

void loop_run(struct http *h)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(h->epoll_fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == h->timer_fd)
            h->armed_ns = 0; /* to be set again, which makes it unreadable */
        else
            run_socket(h, &events[i]);
    }
    run_timer(h);
}

void loop_arm(struct http *h)
{
    struct itimerspec at = {{0}, {0}};
    uint64_t due = h->curl_due_ns;

    for (const struct http_call *call = h->active; call; call = call->next)
        due = MIN_OF(due, call->due_ns);
    if (due == h->armed_ns)
        return;
    h->armed_ns = due;
    if (due != NEVER) {
        at.it_value.tv_sec = (time_t)(due / NSEC_PER_SEC);
        at.it_value.tv_nsec = (long)(due % NSEC_PER_SEC);
    }
    timerfd_settime(h->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* ---- set up ---- */

int loop_init(struct http *h, struct err *e)
{
    struct epoll_event event = {.events = EPOLLIN};

    h->curl_due_ns = NEVER;
    h->armed_ns = NEVER;
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    h->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (h->epoll_fd < 0 || h->timer_fd < 0)
        return err_set(e, errno, "epoll and timer");
    event.data.fd = h->timer_fd;
    if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, h->timer_fd, &event) < 0)
        return err_set(e, errno, "epoll_ctl");
    h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    h->curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    h->curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return 0;
}

void loop_release(struct http *h)
{
    if (h->epoll_fd >= 0)
        close(h->epoll_fd);
    if (h->timer_fd >= 0)
        close(h->timer_fd);
}
