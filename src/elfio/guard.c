/*
 * guard.c - a mapped file that shrinks must not end the profiler
 *
 * Touching a page of a mapping that lies behind the end of its file raises SIGBUS (mmap(2)). The handler puts
 * a page of zeros there, and the reader goes on with data its checks refuse.
 */
#include "ringside/elfio.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static void on_bus_error(int signal_number, siginfo_t *info, __attribute__((unused)) void *context)
{
    int saved_errno = errno;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t at = (uintptr_t)info->si_addr & ~(page - 1);

    if (info->si_code == BUS_ADRERR &&
        mmap((void *)at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)at) {
        errno = saved_errno;
        return;
    }
    /* Something else: let it end the process as it would have. A hardware error comes again by itself,
     * raise() serves the rest. */
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void elf_guard_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
