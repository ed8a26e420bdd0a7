/*
 * target.c - the word that names an event: of the table, a tracepoint, a probe, or raw
 */
#include <ctype.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_private.h"

/* Which words begin a probe, and what kind of place it takes. */
static const struct {
    const char *prefix;
    enum event_kind kind;
    bool in_file, at_return;
} probes[] = {
    {"kprobe", EVENT_KPROBE, false, false},
    {"kretprobe", EVENT_KRETPROBE, false, true},
    {"uprobe", EVENT_UPROBE, true, false},
    {"uretprobe", EVENT_URETPROBE, true, true},
};
#define PROBES ARRAY_LEN(probes)

static size_t probe_of_kind(enum event_kind kind)
{
    size_t i = 0;

    while (i < PROBES && probes[i].kind != kind)
        i++;
    return i;
}

/* ---- names, for messages and profiles ---- */

/* "malloc+0x10", or what stands for a symbol where there is none. */
static int print_place(const struct event_spec *s, char *out, size_t bytes)
{
    if (!s->target[0])
        return snprintf(out, bytes, "0x%llx", (unsigned long long)s->offset);
    if (s->offset)
        return snprintf(out, bytes, "%s+0x%llx", s->target, (unsigned long long)s->offset);
    return snprintf(out, bytes, "%s", s->target);
}

static void name_probe(struct event_spec *s, const char *prefix)
{
    char place[EVENT_TARGET_MAX + 24];
    const char *file = strrchr(s->group, '/');
    char name[2 * EVENT_TARGET_MAX + 64];

    print_place(s, place, sizeof(place));
    if (file && !s->target[0])
        snprintf(name, sizeof(name), "%s:%s:%s", prefix, file + 1, place);
    else
        snprintf(name, sizeof(name), "%s:%s", prefix, place);
    name[sizeof(s->name) - 1] = '\0';
    utf8_clean(name);
    memcpy(s->name, name, strlen(name));
}

/* ---- probes ---- */

static int parse_symbol(struct event_spec *s, const char *symbol, size_t n, struct err *e)
{
    if (n == 0)
        return err_set(e, 0, "the probe names no symbol");
    if (n >= sizeof(s->target))
        return err_set(e, 0, "a symbol of more than %zu characters", sizeof(s->target) - 1);
    if (memchr(symbol, '+', n) || memchr(symbol, ' ', n))
        return err_set(e, 0, "a symbol does not contain '+' or blanks");
    memcpy(s->target, symbol, n);
    return 0;
}

/* SYMBOL, SYMBOL+OFFSET, or a number. */
static int parse_place(struct event_spec *s, const char *place, bool at_return, struct err *e)
{
    const char *plus = strrchr(place, '+');

    if (isdigit((unsigned char)place[0])) {
        if (event_parse_number(place, &s->offset) < 0)
            return err_set(e, 0, "\"%.40s\" is not a number, and no symbol begins with a digit", place);
        return 0;
    }
    if (plus && event_parse_number(plus + 1, &s->offset) < 0)
        return err_set(e, 0, "\"%.40s\" is not an offset", plus + 1);
    if (plus && at_return && s->offset)
        return err_set(e, 0, "a probe at return is of the whole function, without an offset");
    return parse_symbol(s, place, plus ? (size_t)(plus - place) : strlen(place), e);
}

static int parse_probe(struct event_spec *s, size_t probe, const char *rest, struct err *e)
{
    const char *place = rest;

    s->kind = probes[probe].kind;
    s->perf_type = UINT32_MAX;
    s->period = 1;
    if (probes[probe].in_file) {
        const char *colon = strrchr(rest, ':');
        size_t n = colon ? (size_t)(colon - rest) : 0;

        if (!n || rest[0] != '/')
            return err_set(e, 0, "write %s:/PATH/TO/FILE:SYMBOL", probes[probe].prefix);
        if (n >= sizeof(s->group))
            return err_set(e, 0, "a path of more than %zu characters", sizeof(s->group) - 1);
        memcpy(s->group, rest, n);
        place = colon + 1;
    }
    if (parse_place(s, place, probes[probe].at_return, e) < 0)
        return -1;
    name_probe(s, probes[probe].prefix);
    return 0;
}

/* ---- tracepoints ---- */

/* They become parts of a path under tracefs. */
static bool is_tracepoint_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return n > 0 && n < EVENT_LABEL_MAX && !name[n];
}

static int parse_tracepoint(struct event_spec *s, const char *group, const char *event, struct err *e)
{
    char name[2 * EVENT_TARGET_MAX];

    if (!is_tracepoint_name(group) || !is_tracepoint_name(event))
        return err_set(e, 0, "no tracepoint can be called \"%.40s:%.40s\"", group, event);
    s->kind = EVENT_TRACEPOINT;
    s->perf_type = PERF_TYPE_TRACEPOINT;
    s->period = 1;
    snprintf(s->group, sizeof(s->group), "%s", group);
    snprintf(s->target, sizeof(s->target), "%s", event);
    snprintf(name, sizeof(name), "%s:%s", s->group, s->target);
    name[sizeof(s->name) - 1] = '\0';
    memcpy(s->name, name, strlen(name));
    return 0;
}

void event_target_by_id(struct event_spec *s, uint64_t id)
{
    s->kind = EVENT_TRACEPOINT;
    s->perf_type = PERF_TYPE_TRACEPOINT;
    s->perf_config = id;
    s->period = 1;
    snprintf(s->name, sizeof(s->name), "tracepoint:%llu", (unsigned long long)id);
}

static int parse_group_and_event(struct event_spec *s, const char *word, struct err *e)
{
    char group[EVENT_WORD_MAX];
    char *colon;

    snprintf(group, sizeof(group), "%s", word);
    colon = strchr(group, ':');
    *colon = '\0';
    return parse_tracepoint(s, group, colon + 1, e);
}

/* ---- raw events ---- */

static bool is_raw(const char *word)
{
    size_t n = strlen(word);

    return word[0] == 'r' && n >= 2 && n <= 17 && strspn(word + 1, "0123456789abcdefABCDEF") == n - 1;
}

static int parse_raw(struct event_spec *s, const char *word)
{
    s->kind = EVENT_RAW;
    s->perf_type = PERF_TYPE_RAW;
    s->perf_config = strtoull(word + 1, NULL, 16);
    event_set_frequency(s, 999); /* as for the counters of the table */
    snprintf(s->name, sizeof(s->name), "r%llx", (unsigned long long)s->perf_config);
    return 0;
}

/* ---- all of them ---- */

static int unknown(const char *word, struct err *e)
{
    struct event_nearest nearest;

    event_nearest_init(&nearest, word);
    for (size_t i = 0; i < event_table_rows; i++)
        event_nearest_offer(&nearest, event_table[i].name);
    if (nearest.name)
        return err_set(e, 0, "unknown event \"%.40s\"; did you mean %s?", word, nearest.name);
    return err_set(e, 0, "unknown event \"%.40s\" (-e help lists them; a tracepoint is GROUP:NAME)", word);
}

static int parse_row(struct event_spec *s, const struct event_row *row, const char *group, struct err *e)
{
    if (group[0])
        return err_set(e, 0, "%s is no tracepoint and has no group", row->name);
    if (row->refused)
        return err_set(e, 0, "%s: %s", row->name, row->refused);
    event_from_row(s, row);
    return 0;
}

int event_target_parse(struct event_spec *s, const char *word, const char *group, struct err *e)
{
    const struct event_row *row = event_row_find(word, strlen(word));
    const char *colon = strchr(word, ':');

    if (row)
        return parse_row(s, row, group, e);
    for (size_t i = 0; colon && i < PROBES; i++)
        if (strlen(probes[i].prefix) == (size_t)(colon - word) &&
            memcmp(probes[i].prefix, word, (size_t)(colon - word)) == 0)
            return group[0] ? err_set(e, 0, "a probe has no group") : parse_probe(s, i, colon + 1, e);
    if (colon && group[0])
        return err_set(e, 0, "the group is given twice: %.40s, and in %.40s", group, word);
    if (colon)
        return parse_group_and_event(s, word, e);
    if (group[0])
        return parse_tracepoint(s, group, word, e);
    if (is_raw(word))
        return parse_raw(s, word);
    return unknown(word, e);
}

size_t event_target_print(const struct event_spec *s, char *out, size_t bytes)
{
    char word[EVENT_WORD_MAX], place[EVENT_TARGET_MAX + 24];
    size_t probe = probe_of_kind(s->kind);

    if (probe < PROBES) {
        print_place(s, place, sizeof(place));
        snprintf(word, sizeof(word), "%s:%s%s%s", probes[probe].prefix, s->group, s->group[0] ? ":" : "",
                 place);
    } else if (s->kind == EVENT_TRACEPOINT) {
        snprintf(word, sizeof(word), "%s:%s", s->group, s->target);
    } else {
        snprintf(word, sizeof(word), "%s", s->name);
    }
    return event_word_quote(word, out, bytes);
}
