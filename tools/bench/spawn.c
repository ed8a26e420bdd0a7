/*
 * spawn.c - bench-spawn: starts a program so many times, one after the other
 *
 *     bench-spawn COUNT PROGRAM [ARGUMENT...]
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[1]) : 0;

    if (count < 1) {
        fputs("usage: bench-spawn COUNT PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    while (count-- > 0) {
        pid_t child;

        if (posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ) != 0) {
            fprintf(stderr, "bench-spawn: cannot run %s\n", argv[2]);
            return 127;
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
