/*
 * loop.c - libcurl's sockets and timer behind one epoll descriptor
 *
 * An epoll descriptor is readable while one in it is ready (epoll(7)), so the caller waits for it among its
 * own and needs no deadline: the timer is in it.
 *
 * The sockets have one of their own in it, so that they can be left alone for a while: libcurl 7.88 waits for
 * an HTTP/2 socket to become writable, which it is, while the server allows no more of the body (RFC 9113
 * section 5.2). The caller would turn in circles for as long as that lasts.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "private.h"

#define EVENTS_MAX    16 /* at once; what is more keeps the descriptor readable */
#define FRUITLESS_MAX 16 /* more than connecting takes */
#define REST_NS       (10 * NSEC_PER_MSEC)

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
        epoll_ctl(h->sockets_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(h->sockets_fd, EPOLL_CTL_MOD, fd, &event) < 0 && errno == ENOENT)
        epoll_ctl(h->sockets_fd, EPOLL_CTL_ADD, fd, &event);
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

/* Bytes of all calls in both directions; what is of interest is whether it changes. */
static uint64_t bytes_moved(const struct http *h)
{
    uint64_t sum = 0;

    for (const struct http_call *call = h->active; call; call = call->next) {
        curl_off_t sent = 0;

        h->curl.easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
        sum += (uint64_t)sent + call->reply.header_bytes + call->reply.body.len;
    }
    return sum;
}

static void listen_to_sockets(struct http *h, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0};

    epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, h->sockets_fd, &event);
    h->resume_ns = on ? 0 : clock_mono_ns() + REST_NS;
}

static void run_sockets(struct http *h)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(h->sockets_fd, events, EVENTS_MAX, 0);
    uint64_t before = bytes_moved(h);

    if (n <= 0)
        return;
    for (int i = 0; i < n; i++)
        run_socket(h, &events[i]);
    h->fruitless = bytes_moved(h) == before ? h->fruitless + 1 : 0;
    if (h->fruitless > FRUITLESS_MAX)
        listen_to_sockets(h, false);
}

void loop_run(struct http *h)
{
    if (h->resume_ns && h->resume_ns <= clock_mono_ns())
        listen_to_sockets(h, true);
    if (!h->resume_ns)
        run_sockets(h);
    run_timer(h);
}

void loop_arm(struct http *h)
{
    struct itimerspec at = {{0}, {0}};
    uint64_t due = h->resume_ns ? MIN_OF(h->resume_ns, h->curl_due_ns) : h->curl_due_ns;

    for (const struct http_call *call = h->active; call; call = call->next)
        due = MIN_OF(due, call->due_ns);
    if (due == h->armed_ns) /* when it has passed, the timer is still readable */
        return;
    h->armed_ns = due;
    if (due != NEVER) {
        at.it_value.tv_sec = (time_t)(due / NSEC_PER_SEC);
        at.it_value.tv_nsec = (long)(due % NSEC_PER_SEC);
    }
    timerfd_settime(h->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* ---- set up ---- */

static int add_to_epoll(const struct http *h, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int loop_init(struct http *h, struct err *e)
{
    h->curl_due_ns = NEVER;
    h->armed_ns = NEVER;
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    h->sockets_fd = epoll_create1(EPOLL_CLOEXEC);
    h->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (h->epoll_fd < 0 || h->sockets_fd < 0 || h->timer_fd < 0)
        return err_set(e, errno, "epoll and timer");
    if (add_to_epoll(h, h->sockets_fd) < 0 || add_to_epoll(h, h->timer_fd) < 0)
        return err_set(e, errno, "epoll_ctl");
    h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    h->curl.multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    h->curl.multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    h->curl.multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    return 0;
}

void loop_release(struct http *h)
{
    const int fds[] = {h->epoll_fd, h->sockets_fd, h->timer_fd};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
