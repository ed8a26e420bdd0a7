/*
 * parse.c - all layers to struct options
 */
#include "ringside/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "identity.h"
#include "store.h"
#include "targets.h"

#define RUNTIME_ID_BYTES 37 /* 8-4-4-4-12 digits */

static const struct option_row *row_of(const char *name)
{
    return option_find(name, strlen(name)).row;
}

static bool was_given(const struct options *o, const char *name)
{
    return option_given(o->store, row_of(name)) != NULL;
}

static void add_note(struct options *o, const char *text)
{
    option_texts_add(o->store, &o->notes, option_take_text(o->store, text, strlen(text)));
}

/* ---- values ---- */

/* Whether what was given comes to the default: then it does not matter that nothing is there to do it. */
static bool is_default(const struct options *o, const struct option_row *row)
{
    struct options by_default = {.store = o->store};
    struct buf mine, other;
    bool same;

    if (!row->fallback || option_set(&by_default, row, row->fallback, NULL) < 0)
        return false;
    buf_init(&mine, 1000);
    buf_init(&other, 1000);
    option_format(o, row, 0, &mine);
    option_format(&by_default, row, 0, &other);
    same = mine.len == other.len && memcmp(mine.data, other.data, mine.len) == 0;
    buf_release(&mine);
    buf_release(&other);
    return same;
}

/*
 * Variables that other tools read too are set for those: a warning has to do, or the service of somebody who
 * traces it would not start.
 */
static int refuse_later(struct options *o, const struct option_row *row, const struct option_given *given,
                        struct err *e)
{
    char name[300];

    option_origin_name(row, &given->origin, name, sizeof(name));
    err_set(e, 0, "%s: not in this build: %s", name, row->later);
    if (given->origin.source != SOURCE_SHARED)
        return -1;
    add_note(o, e->text);
    return option_set(o, row, row->fallback ? row->fallback : given->text, e);
}

static int set_one(struct options *o, const struct option_row *row, const struct option_given *given,
                   struct err *e)
{
    struct options scratch = {.store = o->store};
    char name[300];

    option_origin_name(row, &given->origin, name, sizeof(name));
    if (option_set(row->no_effect ? &scratch : o, row, given->text, e) < 0)
        return err_wrap(e, "%s", name);
    if (row->no_effect) {
        err_set(e, 0, "%s has no effect: %s", name, row->no_effect);
        add_note(o, e->text);
    }
    if (row->later && !is_default(o, row))
        return refuse_later(o, row, given, e);
    return 0;
}

static int set_all(struct options *o, struct err *e)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        const struct option_given *given = option_given(o->store, row);

        if (!given && row->fallback && !row->no_effect && option_set(o, row, row->fallback, e) < 0)
            return err_wrap(e, "option --%s", row->name);
        for (; given; given = given->next)
            if (set_one(o, row, given, e) < 0)
                return -1;
    }
    return 0;
}

/* ---- what belongs together ---- */

static const char *given_as(const struct options *o, const char *name, char *out, size_t bytes)
{
    const struct option_row *row = row_of(name);

    return option_origin_name(row, &option_given(o->store, row)->origin, out, bytes);
}

static bool is_on(const struct options *o, const char *name)
{
    const struct option_given *given = option_given(o->store, row_of(name));

    return given && option_switch_word(given->text) == 1;
}

static int check_contradictions(const struct options *o, struct err *e)
{
    char a[300], b[300];
    bool pid = was_given(o, "pid"), global = is_on(o, "global");

    if (pid && global)
        return err_set(e, 0, "%s and %s contradict each other: one process, or all",
                       given_as(o, "pid", a, sizeof(a)), given_as(o, "global", b, sizeof(b)));
    if ((pid || global) && was_given(o, "switch-user"))
        return err_set(
            e, 0, "%s and %s contradict each other: nothing is started that could be another user's",
            given_as(o, pid ? "pid" : "global", a, sizeof(a)), given_as(o, "switch-user", b, sizeof(b)));
    if ((pid || global) && o->command[0])
        return err_set(e, 0, "%s and the command \"%.60s\" contradict each other: nothing is started with it",
                       given_as(o, pid ? "pid" : "global", a, sizeof(a)), o->command[0]);
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    return name[strspn(name, " \t\r\n")] ? name : "unnamed";
}

/* "-e help", among others perhaps. */
static bool asks_for_events(const struct options *o)
{
    for (const struct option_given *g = option_given(o->store, row_of("event")); g; g = g->next)
        if (strcmp(g->text, "help") == 0)
            return true;
    return false;
}

/*
 * What events leave open. An event that is taken each time it happens is not made one that is sampled at a
 * rate, and 99 by default is not right for all of the others: the table of events knows better.
 */
static void fill_in(struct options *o)
{
    for (uint32_t i = 0; i < o->events.count; i++) {
        struct event_spec *spec = &o->events.spec[i];

        if (!spec->rate_given && spec->frequency_hz && was_given(o, "frequency"))
            event_set_frequency(spec, o->frequency_hz);
        if (!spec->stack_bytes)
            spec->stack_bytes = o->stack_bytes;
    }
}

static int make_events(struct options *o, struct err *e)
{
    const struct option_given *given = option_given(o->store, row_of("event"));
    char name[300];

    for (uint32_t i = 0; i < o->event_texts.count && given; i++, given = given->next)
        if (event_list_add(&o->events, o->event_texts.at[i], e) < 0)
            return err_wrap(e, "%s", option_origin_name(row_of("event"), &given->origin, name, sizeof(name)));
    if (o->preset && event_preset_add(&o->events, o->preset, e) < 0)
        return err_wrap(e, "%s", given_as(o, "preset", name, sizeof(name)));
    if (!o->events.count && event_preset_add(&o->events, "default", e) < 0)
        return -1;
    fill_in(o);
    return 0;
}

/* Where a filter or an old kernel has no getrandom(2), unlike others will do. */
static void make_random(uint8_t *out, size_t n)
{
    uint64_t seed = clock_wall_ns() ^ hash_u64((uint64_t)getpid() ^ (uintptr_t)out);

    if (getrandom(out, n, GRND_NONBLOCK) == (ssize_t)n)
        return;
    for (size_t i = 0; i < n; i++) {
        seed = hash_u64(seed + i + 1);
        out[i] = (uint8_t)seed;
    }
}

/* A random UUID (RFC 9562, version 4), so that the profiles of a run are found to be one. */
static void make_runtime_id(struct options *o)
{
    uint8_t random[16];
    char *out, hex[2 * sizeof(random) + 1];

    make_random(random, sizeof(random));
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
    hex_encode(random, sizeof(random), hex);
    out = option_take(o->store, RUNTIME_ID_BYTES);
    snprintf(out, RUNTIME_ID_BYTES, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
    o->runtime_id = out;
}

/* What the file would have said, where profiles go for one, is no mistake of whoever started this. */
static void do_without_config(struct options *o)
{
    if (!o->config_left_out || !o->enable || !o->command[0] || o->output || o->targets.count)
        return;
    o->enable = false;
    add_note(o, "the command runs without a profile: where profiles go was not to be read");
}

static bool needs_command(const struct options *o)
{
    return !(o->list_events || o->doctor || o->show_config || o->capture_config || o->pids.count ||
             o->global);
}

/* ---- layers ---- */

static int read_layers(struct options *o, struct option_words *words, char **envp, struct err *e)
{
    const struct option_given *config;
    int result;

    if (option_read_command_line(o->store, words, e) < 0)
        return -1;
    o->command = words->argv + words->at;
    o->help = was_given(o, "help");
    o->help_all = was_given(o, "help-all");
    o->version = was_given(o, "version");
    if (o->help || o->help_all || o->version) /* whatever else is wrong, help is given */
        return 0;
    option_read_environment(o, envp);
    config = option_given(o->store, row_of("config"));
    if (config && !*config->text)
        return err_set(e, 0, "option --config: the argument FILE is empty");
    result = option_read_config(o->store, config ? config->text : NULL, e);
    if (result > 0) {
        err_wrap(e, "left out");
        add_note(o, e->text);
        o->config_left_out = true;
    }
    return MIN_OF(result, 0);
}

static int make_options(struct options *o, struct option_words *words, char **envp, struct err *e)
{
    if (read_layers(o, words, envp, e) < 0)
        return -1;
    if (o->help || o->help_all || o->version)
        return 0;
    if (check_contradictions(o, e) < 0)
        return -1;
    o->list_events = asks_for_events(o);
    if (o->list_events)
        return 0;
    if (set_all(o, e) < 0 || make_events(o, e) < 0)
        return -1;
    o->wait_set = was_given(o, "wait");
    o->doctor_json = o->doctor && strcmp(option_given(o->store, row_of("doctor"))->text, "json") == 0;
    option_choose_targets(o);
    option_take_identity(o);
    if (!o->command[0] && needs_command(o))
        return err_set(e, 0,
                       "no command to run: ringside [options] command [arguments]; "
                       "-p and -g profile what runs already, --help shows the options");
    if (!o->service && o->command[0])
        o->service = base_name(o->command[0]);
    if (!o->runtime_id)
        make_runtime_id(o);
    do_without_config(o);
    return 0;
}

const char *options_origin(const struct options *o, const char *name, uint32_t i, char *out, size_t bytes)
{
    const struct option_row *row = row_of(name);
    const struct option_given *given = option_given_of_value(o, row, i);

    return option_origin_name(row, given ? &given->origin : &(struct option_origin){.source = SOURCE_FLAG},
                              out, bytes);
}

int options_parse(struct options *o, int argc, char **argv, char **envp, struct err *e)
{
    struct option_words words = {.argv = argv, .argc = argc, .at = MIN_OF(argc, 1)};

    *o = (struct options){0};
    o->store = base_calloc(1, sizeof(*o->store));
    if (make_options(o, &words, envp, e) == 0)
        return 0;
    options_release(o);
    return -1;
}

void options_release(struct options *o)
{
    if (o->store)
        option_store_release(o->store);
    free(o->store);
    *o = (struct options){0};
}
