/*
 * started.c - bench-started: prints CLOCK_MONOTONIC in nanoseconds, the first thing it does; linked
 * statically
 */
#include <stdio.h>
#include <time.h>

int main(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    printf("%lld\n", (long long)t.tv_sec * 1000000000LL + t.tv_nsec);
    return 0;
}
