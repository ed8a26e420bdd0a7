/*
 * filter.c - loads the filter that was made while building (maker/make_filter.c)
 */
#include "filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filters.h"
#include "ringside/base.h"

/* Leak checking stops all threads by a tracer of its own, and sanitizers map what they please: such builds
 * are for finding mistakes, and go without. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTER_LEFT_OUT true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define FILTER_LEFT_OUT true
#endif
#endif
#ifndef FILTER_LEFT_OUT
#define FILTER_LEFT_OUT false
#endif

/*
 * SPEC_ALLOW: nothing here runs foreign code, so the processor need not be slowed down against it. TSYNC says
 * the id of a thread that could not follow.
 */
static int load(const struct sock_filter *filter, size_t count, struct err *e)
{
    struct sock_filter *own = base_alloc(count * sizeof(*own));
    struct sock_fprog program = {.len = (unsigned short)count, .filter = own};
    long result;

    memcpy(own, filter, count * sizeof(*own));
    for (size_t i = 0; i < count; i++)
        if (own[i].k == FILTER_OWN_PID)
            own[i].k = (uint32_t)getpid();
    result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                     SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
    if (result != 0)
        err_set(e, result < 0 ? errno : 0, "no system call filter (seccomp)");
    free(own);
    return result == 0 ? 0 : -1;
}

int filter_install(enum filter_servers servers, struct err *e)
{
    if (FILTER_LEFT_OUT)
        return 0;
    switch (servers) {
    case FILTER_NO_SERVERS:
        return load(filter_no_servers, ARRAY_LEN(filter_no_servers), e);
    case FILTER_REMOTE_SERVERS:
        return load(filter_remote_servers, ARRAY_LEN(filter_remote_servers), e);
    default:
        return load(filter_local_servers, ARRAY_LEN(filter_local_servers), e);
    }
}
