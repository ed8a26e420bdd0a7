/*
 * watched.c - between worker and supervisor: the timer that both set, signs of life, orders
 */
#include "watch.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/launch.h"

/* A machine may stand still for a moment just then. */
#define END_TOLD_MS 3000
#define TIMER_TRIES 8

void watch_set_dead_man(const struct watch *w, uint64_t ns)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC)}};

    timerfd_settime(w->dead_man_fd, 0, &when, NULL);
}

static bool is_asleep(const struct watch *w)
{
    return __atomic_load_n(&w->page->asleep, __ATOMIC_SEQ_CST);
}

/* The worker may stop the timer or set it while we do: the last word must fit what it does. */
void watch_set_unless_asleep(const struct watch *w, uint64_t ns)
{
    bool asleep;

    for (int i = 0; i < TIMER_TRIES; i++) {
        asleep = is_asleep(w);
        watch_set_dead_man(w, asleep ? 0 : ns);
        if (asleep == is_asleep(w))
            return;
    }
}

void watch_alive(void *watch, bool asleep)
{
    struct watch *w = watch;

    w->page->beats++;
    __atomic_store_n(&w->page->asleep, asleep, __ATOMIC_SEQ_CST);
    watch_set_dead_man(w, asleep ? 0 : w->silence_ns);
}

void watch_say_ready(struct watch *w)
{
    if (w->started_ns) /* when the last one was lost */
        w->page->history.gap_ns += clock_mono_ns() - w->started_ns;
    if (w->socket < 0)
        return;
    if (!w->page->ready && launch_say(w->socket, LAUNCH_READY) < 0)
        log_debug(supervisor, "the command did not wait for us");
    w->page->ready = true;
    close(w->socket);
    w->socket = -1;
}

void watch_await_orders(void *watch)
{
    const struct watch *w = watch;
    struct pollfd order = {.fd = w->order_fd, .events = POLLIN};

    if (!__atomic_load_n(&w->page->orders, __ATOMIC_ACQUIRE) &&
        !__atomic_load_n(&w->page->alone, __ATOMIC_ACQUIRE))
        poll(&order, 1, END_TOLD_MS);
}

uint32_t watch_take_orders(const struct watch *w)
{
    uint64_t times;

    (void)!read(w->order_fd, &times, sizeof(times));
    return __atomic_load_n(&w->page->orders, __ATOMIC_ACQUIRE);
}
