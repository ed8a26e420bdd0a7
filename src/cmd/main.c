/*
 * main.c - the ringside program: options, log, run
 */
#include <errno.h>
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

static int print_information(const struct options *o)
{
    if (o->version)
        printf("ringside %s\n", RINGSIDE_VERSION);
    else if (o->help || o->help_all)
        options_print_help(stdout, o->help_all);
    return fflush(stdout) == EOF;
}

/* With a command standard output is the command's. */
static int print_configuration(const struct options *o, struct err *e)
{
    FILE *to = o->command[0] ? stderr : stdout;

    if (o->capture_config && options_capture_config(o, e) < 0)
        return -1;
    if (o->show_config)
        options_print_config(to, o);
    return fflush(to) == EOF ? err_set(e, errno, "show the configuration") : 0;
}

static int start_log(const struct options *o, struct err *e)
{
    struct log_config config = {.level = o->log_level, .mode = o->log_mode, .path = o->log_path};

    if (log_open(&config, e) < 0)
        return -1;
    for (uint32_t i = 0; i < o->notes.count; i++)
        log_warn(options, "%s", o->notes.at[i]);
    return 0;
}

static int run(const struct options *o, struct err *e)
{
    if (o->list_events) {
        supervisor_list_events(stdout);
        return fflush(stdout) == EOF ? err_set(e, errno, "list the events") : 0;
    }
    if (print_configuration(o, e) < 0)
        return -1;
    if (!o->command[0])
        return 0;
    if (o->enable && !o->output && !o->targets.count)
        return err_set(e, 0,
                       "where should profiles go? -O FILE.pb.gz for one of the run, -O FOLDER/ for one "
                       "per period, --url to send them");
    if (start_log(o, e) < 0)
        return -1;
    return supervisor_run(o, RINGSIDE_VERSION);
}

int main(int argc, char **argv)
{
    struct options options;
    struct err e;
    int status = -1;

    if (options_parse(&options, argc, argv, environ, &e) == 0) {
        bool asks = options.help || options.help_all || options.version;

        status = asks ? print_information(&options) : run(&options, &e);
    }
    if (status < 0)
        fprintf(stderr, "ringside: %s\n", e.text);
    options_release(&options);
    return status < 0 ? EXIT_USAGE : status;
}
