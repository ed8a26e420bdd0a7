/*
 * options.h - one table row per option; everything said about options is made from the table
 *
 * Precedence: command line, then RINGSIDE_* variables, then variables shared with other tools (DD_*, OTEL_*),
 * then the config file, then default. But of servers: what the others' variables say of them is for runs that
 * were told nothing by the first two or the file.
 */
#ifndef RINGSIDE_OPTIONS_H
#define RINGSIDE_OPTIONS_H

#include "ringside/base.h"
#include "ringside/event.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What repeated options collect, in the order given. */
struct option_texts {
    const char **at;
    uint32_t count;
};

struct options {
    /* What the profile says. Texts that nobody gave are NULL. */
    const char *service; /* -S; default: the command's base name */
    const char *environment;
    const char *service_version;
    const char *runtime_id;   /* --runtime-id; default: a new UUID */
    struct option_texts tags; /* "key:value" each; at most OPTION_TAG_MAX bytes, no comma; none of what has a
                               * field of its own here (service, env, version, git.*) */
    const char *git_repository_url, *git_commit_sha;
    bool git_metadata; /* false: these two are not sent */

    /* Where it goes. */
    const char *output;          /* -O; NULL: profiles are not written */
    uint32_t upload_period_s;    /* -u */
    bool upload;                 /* false: nothing is sent */
    struct option_texts urls;    /* -U, as given */
    struct option_texts targets; /* where profiles are sent in this run; none: they are written only */
    bool targets_shared;         /* and that is what variables of other tools say */
    const char *host, *site, *api_key;
    uint32_t port;
    bool agentless;
    bool agentless_shared; /* and that is what variables of other tools say */
    uint32_t upload_timeout_ms, flush_timeout_ms;

    /* Who may send it. Those that begin with a kind of target and "+" are meant for those targets only. */
    const char *user, *password, *bearer_token, *bearer_token_file, *tenant;
    struct option_texts headers; /* "Name: value" */
    const char *ca_file, *client_cert, *client_key;
    bool proxy; /* the usual variables are looked at */

    /* Where it waits. */
    const char *spool; /* --spool; NULL: the usual place; "memory" */
    uint32_t spool_mb, spool_hours;

    /* What is sampled. */
    struct option_texts event_texts; /* -e, as given */
    struct event_list events;        /* what they and the preset mean, or sCPU */
    const char *preset;
    uint32_t frequency_hz; /* --frequency */
    uint32_t stack_bytes;  /* --stack-sample-size, rounded down to a multiple of 8 */
    bool inlined_functions;
    bool timeline;
    int maximum_pids; /* -1: as many as Ringside can hold */
    bool remote_symbolization, disable_symbolization;

    /* Whom, instead of a command. */
    struct option_texts pids; /* numbers, as given; none: nobody in particular */
    bool global;              /* all processes */
    uint32_t duration_s;      /* --duration; 0: as long as there is something to profile */

    /* How it runs. */
    bool enable;               /* false: the command runs, nothing is profiled */
    bool wait;                 /* --wait */
    bool wait_set;             /* --wait or --no-wait was asked for: the shape of -O implies nothing */
    uint32_t start_timeout_ms; /* how long the command is held back for the profiler */
    int nice;                  /* of the profiler */
    cpu_set_t cpu_affinity;    /* of the profiler; meaningful when cpu_affinity_set */
    bool cpu_affinity_set;
    uint32_t memory_limit_mb; /* of the worker; 0: none */
    uint32_t worker_period;   /* profiles until a new worker takes over; 0: never */
    const char *switch_user;
    bool drop_caps;

    /* Configuration and messages. */
    const char *config;   /* the file that was asked for */
    bool config_left_out; /* one that nobody asked for cannot be read */
    const char *capture_config;
    bool show_config;
    enum level log_level;
    enum log_mode log_mode;
    const char *log_path;
    bool show_samples;
    const char *internal_stats;

    /* Asked for instead of a run. */
    bool help, help_all, version;
    bool doctor, doctor_json;
    bool list_events; /* -e help */

    char **command; /* NULL-terminated rest of the command line, borrowed from argv; may be empty where none
                     * is needed (options_need_command) */
    struct option_texts notes; /* what was given and has no effect, for a person; to be logged as warnings */
    struct option_store *store;
};

#define OPTION_HEADERS_MAX 64  /* of one server */
#define OPTION_TAG_MAX     200 /* what intakes take of one tag */

/*
 * Fills *o from argv, environ and the config file. Texts are borrowed from the first two or owned by
 * o->store. Returns -1 with *e (for a person, naming the option, variable or line and quoting the text) on
 * the first thing wrong, nothing is to be released then; the caller exits 2.
 */
int options_parse(struct options *o, int argc, char **argv, char **envp, struct err *e);
/*
 * For when there is no memory to read options: the command on the command line, or NULL when there is none,
 * or when the command line or a variable may say that it must not run with the rights of this process (a
 * config file that is named may say so). Takes no memory.
 */
char **options_bare_command(int argc, char **argv, char **envp);

/*
 * What value i of an option was given by, for a message about it: "option --url", "variable
 * DD_TRACE_AGENT_URL". Returns out; "option --NAME" where nobody gave it.
 */
const char *options_origin(const struct options *o, const char *name, uint32_t i, char *out, size_t bytes);
/* Server i of o->targets as it may be shown: without credentials. */
void options_show_server(const struct options *o, uint32_t i, struct buf *out);
/* Safe on an empty one and twice. */
void options_release(struct options *o);

/* --help; all: --help-all. */
void options_print_help(FILE *to, bool all);
/*
 * --show-config: every value and where it came from, one line per option in the order of the table, itself a
 * config file. Secrets are not in it.
 */
void options_print_config(FILE *to, const struct options *o);
/* --capture-config: a config file at o->capture_config that makes the same run. Written atomically. */
int options_capture_config(const struct options *o, struct err *e);

/* Generated files: docs/commands.md, docs/ringside.1 and so on. */
void options_print_commands_page(FILE *to);
void options_print_man_page(FILE *to);
void options_print_example_config(FILE *to);
void options_print_bash_completion(FILE *to);
void options_print_zsh_completion(FILE *to);

/* Checks the table itself: names unique, defaults inside bounds, help present. For the unit tests. */
int options_check_table(struct err *e);

/* What a test of all options needs to know of a row; false beyond the last. */
struct option_facts {
    const char *name;
    char letter;
    const char *fallback;  /* NULL: none */
    const char *sample;    /* a value other than the default; NULL: asked for instead of a run */
    char variable[64];     /* RINGSIDE_... */
    const char *also[3];   /* other long names that take the same text; NULL-terminated */
    const char *shared[5]; /* variables of other tools that take the same text; NULL-terminated */
    bool is_switch, is_secret, is_later;
    bool without_effect;    /* taken and noted */
    bool command_line_only; /* not in a file */
};
bool options_describe(size_t i, struct option_facts *out);

#endif
