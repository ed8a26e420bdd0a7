/*
 * main.c - the ringside program: options, log, run
 */
#include <stdio.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/options.h"
#include "ringside/supervisor.h"

/*
 * jemalloc reads this symbol (jemalloc(3), TUNING). The profiler is one thread with a small, steady working
 * set: one arena, small thread caches, and memory of a finished export given back soon.
 */
extern const char *malloc_conf;
const char *malloc_conf = "narenas:1,tcache_max:4096,dirty_decay_ms:500,muzzy_decay_ms:0";

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
