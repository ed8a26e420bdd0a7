/*
 * main.c - the ringside program: options, log, run
 */
#include <stdio.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/options.h"
#include "ringside/supervisor.h"

#define EXIT_USAGE 2

int main(int argc, char **argv)
{
    struct options options;
    struct err e;

    if (options_parse(&options, argc, argv, environ, &e) < 0) {
        fprintf(stderr, "ringside: %s\n", e.text);
        return EXIT_USAGE;
    }
    if (options.help || options.version) {
        if (options.version)
            printf("ringside %s\n", RINGSIDE_VERSION);
        else
            options_print_help(stdout);
        return fflush(stdout) == EOF;
    }
    if (!options.output) {
        fprintf(stderr, "ringside: where should the profile go? -O FILE.pb.gz for one profile of the run, "
                        "-O FOLDER/ for one per period\n");
        return EXIT_USAGE;
    }
    if (log_open(&(struct log_config){.level = options.log_level,
                                      .mode = options.log_mode,
                                      .path = options.log_path},
                 &e) < 0) {
        fprintf(stderr, "ringside: %s\n", e.text);
        return EXIT_USAGE;
    }
    return supervisor_run(&options, RINGSIDE_VERSION);
}
