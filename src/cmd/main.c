/*
 * main.c - the ringside program: options, log, run
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/doctor.h"
#include "ringside/options.h"
#include "ringside/supervisor.h"

/*
 * jemalloc reads this symbol (jemalloc(3), TUNING). The profiler is one thread with a small, steady working
 * set: one arena, small thread caches, and memory of a finished export given back soon.
 * Two are for processes that start without memory, in which jemalloc 5.3 writes through pointers it did not
 * get (madvise_MADV_DONTNEED_zeroes_pages, tsd_tcache_enabled_data_init): it does not try out whether
 * madvise(2) does what it says, and threads have no cache until they ask (base_use_thread_cache).
 */
extern const char *malloc_conf;
const char *malloc_conf =
    "narenas:1,tcache_max:4096,dirty_decay_ms:500,muzzy_decay_ms:0,trust_madvise:true,tcache:false";

static int print_information(const struct options *o)
{
    if (o->version)
        printf("ringside %s\n", RINGSIDE_VERSION);
    else if (o->help || o->help_all)
        options_print_help(stdout, o->help_all);
    return fflush(stdout) == EOF;
}

/* -1 when this is a reason not to start anything. */
static int complain(const struct options *o, const struct err *e)
{
    if (!o->command[0] || !err_is_shortage(e))
        return -1;
    log_warn(options, "%s", e->text);
    return 0;
}

static bool is_run(const struct options *o)
{
    return o->command[0] || o->pids.count || o->global;
}

/* With a command standard output is the command's. */
static int print_configuration(const struct options *o, struct err *e)
{
    FILE *to = is_run(o) ? stderr : stdout;

    if (o->capture_config && options_capture_config(o, e) < 0 && complain(o, e) < 0)
        return -1;
    if (o->show_config)
        options_print_config(to, o);
    return fflush(to) == EOF && err_set(e, errno, "show the configuration") < 0 ? complain(o, e) : 0;
}

#define SERVERS_MAX 16
#define PIDS_MAX    256

/* Servers without their credentials: none of them is asked. */
static uint32_t name_servers(const struct options *o, struct buf *text, const char *names[SERVERS_MAX])
{
    size_t at[SERVERS_MAX];
    uint32_t n = MIN_OF(o->targets.count, (uint32_t)SERVERS_MAX);

    for (uint32_t i = 0; i < n; i++) {
        at[i] = text->len;
        options_show_server(o, i, text);
        buf_add(text, "", 1);
    }
    for (uint32_t i = 0; i < n; i++)
        names[i] = text->data + at[i];
    return n;
}

static uint32_t take_pids(const struct options *o, int pids[PIDS_MAX])
{
    uint32_t n = MIN_OF(o->pids.count, (uint32_t)PIDS_MAX);

    for (uint32_t i = 0; i < n; i++)
        pids[i] = atoi(o->pids.at[i]);
    return n;
}

static int examine(const struct options *o, struct err *e)
{
    struct doctor_machine machine;
    const char *names[SERVERS_MAX];
    char *spool = supervisor_spool_folder(o);
    int pids[PIDS_MAX];
    const struct log_config silent = {.mode = LOG_MODE_DISABLED};
    struct err refused;
    struct buf text;
    int status;

    log_open(&silent, NULL); /* what is logged in a run is in the report */
    buf_init(&text, 64 << 10);
    doctor_this_machine(&machine);
    status =
        (int)doctor_examine(&machine,
                            &(struct doctor_run){
                                .version = RINGSIDE_VERSION,
                                .events = &o->events,
                                .output = o->output,
                                .spool = spool,
                                .servers = names,
                                .server_count = o->upload ? name_servers(o, &text, names) : 0,
                                .pids = pids,
                                .pid_count = take_pids(o, pids),
                                .whole_host = o->global,
                                .refused = supervisor_check_rights(o, &refused) < 0 ? refused.text : NULL,
                            },
                            o->doctor_json, stdout);
    buf_release(&text);
    free(spool);
    return fflush(stdout) == EOF ? err_set(e, errno, "tell what was found") : status;
}

static int start_log(const struct options *o, struct err *e)
{
    struct log_config config = {.level = o->log_level, .mode = o->log_mode, .path = o->log_path};

    if (log_open(&config, e) < 0 && complain(o, e) < 0)
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
    if (o->doctor)
        return examine(o, e);
    if (print_configuration(o, e) < 0)
        return -1;
    if (!is_run(o))
        return 0;
    if (o->enable && !o->output && !o->targets.count)
        return err_set(e, 0,
                       "where should profiles go? -O FILE.pb.gz for one of the run, -O FOLDER/ for one "
                       "per period, --url to send them");
    if (start_log(o, e) < 0)
        return -1;
    return supervisor_run(o, RINGSIDE_VERSION);
}

struct start {
    int argc;
    char **argv;
    const struct options *options; /* NULL: not read yet */
};

/* The command, without us. */
static void start_without_memory(void *ctx)
{
    const struct start *s = ctx;
    char **command = options_bare_command(s->argc, s->argv, environ);

    if (!command || (s->options && (s->options->drop_caps || s->options->switch_user)))
        return;
    _exit(supervisor_exec(command));
}

int main(int argc, char **argv)
{
    struct options options;
    struct start start = {.argc = argc, .argv = argv};
    struct err e;
    int status = -1;

    base_set_last_resort(start_without_memory, &start);
    if (options_parse(&options, argc, argv, environ, &e) == 0) {
        bool asks = options.help || options.help_all || options.version;

        start.options = &options;
        status = asks ? print_information(&options) : run(&options, &e);
    }
    if (status < 0)
        fprintf(stderr, "ringside: %s\n", e.text);
    options_release(&options);
    return status < 0 ? EXIT_USAGE : status;
}
