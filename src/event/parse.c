/*
 * parse.c - texts of events to specs
 */
#include <stdio.h>
#include <string.h>

#include "event_private.h"

static bool is_alias(const char *aliases, const char *name, size_t n)
{
    for (const char *a = aliases; *a;) {
        size_t length = strcspn(a, " ");

        if (length == n && memcmp(a, name, n) == 0)
            return true;
        a += length + (a[length] == ' ');
    }
    return false;
}

static enum event_key_id key_find(const char *name, size_t n)
{
    size_t i = 0;

    while (i < EVENT_KEYS && !(strlen(event_keys[i].name) == n && memcmp(event_keys[i].name, name, n) == 0) &&
           !is_alias(event_keys[i].aliases, name, n))
        i++;
    return (enum event_key_id)i;
}

static int unknown_key(const struct event_draft *d, const struct event_word *w, struct err *e)
{
    char name[WORD_MAX];
    struct event_nearest nearest;

    snprintf(name, sizeof(name), "%.*s", (int)MIN_OF(w->equals, sizeof(name) - 1), w->plain);
    event_nearest_init(&nearest, name);
    for (size_t i = 0; i < event_key_rows; i++)
        event_nearest_offer(&nearest, event_keys[i].name);
    if (nearest.name)
        err_set(e, 0, "unknown key \"%.40s\"; did you mean %s?", name, nearest.name);
    else
        err_set(e, 0, "unknown key \"%.40s\"", name);
    return err_point(e, d->text, w->at, w->value_at - 1 - w->at);
}

static int key_twice(const struct event_draft *d, enum event_key_id key, const struct event_word *w,
                     struct err *e)
{
    if (key == KEY_EVENT)
        err_set(e, 0, "\"%.40s\" is a second event; events are separated by ';'", w->plain);
    else
        err_set(e, 0, "%s is given twice", event_keys[key].name);
    return err_point(e, d->text, w->at, w->n);
}

bool event_is_key(const char *word, size_t n)
{
    enum event_key_id key = key_find(word, n);

    return key < EVENT_KEYS && strlen(event_keys[key].name) == n;
}

/* "frequency:199", which would be a tracepoint. */
static bool is_key_with_colon(const char *word)
{
    size_t n = strcspn(word, ":");

    return word[n] && event_is_key(word, n);
}

static int take_word(struct event_draft *d, const struct event_word *w, struct err *e)
{
    bool bare = w->equals == EVENT_WORD_MAX;
    enum event_key_id key = bare ? KEY_EVENT : key_find(w->plain, w->equals);
    size_t value_at = bare ? w->at : w->value_at;

    if (key == EVENT_KEYS)
        return unknown_key(d, w, e);
    if (bare && is_key_with_colon(w->plain)) {
        err_set(e, 0, "\"%.40s\": a value follows '=', not ':'", w->plain);
        return err_point(e, d->text, w->at, w->n);
    }
    if (d->place[key].n)
        return key_twice(d, key, w, e);
    if (event_value_store(d, key, bare ? w->plain : w->plain + w->equals + 1, e) < 0)
        return err_point(e, d->text, value_at, MAX_OF(w->at + w->n - value_at, (size_t)1));
    d->place[key].at = w->at;
    d->place[key].n = w->n;
    return 0;
}

static void draft_init(struct event_draft *d, const char *text)
{
    memset(d, 0, sizeof(*d));
    d->text = text;
    d->spec.scale = 1;
    d->spec.mode = EVENT_MODE_SUM;
}

/* One event from *at on, up to its ';' or the end. 1; 0 when there are no words. */
static int read_event(struct event_draft *d, const char *text, size_t *at, struct err *e)
{
    struct event_word word;
    bool any = false;
    int got;

    draft_init(d, text);
    while ((got = event_word_next(text, at, &word, e)) > 0) {
        any = true;
        if (take_word(d, &word, e) < 0)
            return -1;
    }
    if (got < 0)
        return -1;
    if (any && event_draft_finish(d, e) < 0)
        return -1;
    return any;
}

static int point_at_event(const struct event_draft *d, struct err *e)
{
    enum event_key_id key = d->place[KEY_EVENT].n ? KEY_EVENT : d->place[KEY_GROUP].n ? KEY_GROUP : KEY_ID;

    return err_point(e, d->text, d->place[key].at, d->place[key].n);
}

static int append(struct event_list *l, const struct event_spec *s, struct err *e)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (event_same(&l->spec[i], s))
            return err_set(e, 0, "%s is given twice", s->name);
        if (strcmp(event_sample_type(&l->spec[i]), event_sample_type(s)) == 0)
            return err_set(e, 0, "two events would be called %s in the profile; give one a label=",
                           event_sample_type(s));
    }
    if (l->count == EVENTS_MAX)
        return err_set(e, 0, "more than %d events", EVENTS_MAX);
    memcpy(&l->spec[l->count++], s, sizeof(*s));
    return 0;
}

int event_list_add(struct event_list *l, const char *text, struct err *e)
{
    uint32_t had = l->count;
    struct event_draft d;
    size_t at = 0;

    for (;;) {
        int got = read_event(&d, text, &at, e);

        if (got > 0 && append(l, &d.spec, e) < 0)
            got = point_at_event(&d, e);
        if (got < 0) {
            l->count = had;
            return -1;
        }
        if (!text[at])
            break;
        at++; /* the ';' */
    }
    if (l->count == had)
        return err_set(e, 0, "no event is named");
    return 0;
}

/* ---- presets ---- */

static const struct event_preset *preset_find(const char *name, struct err *e)
{
    struct event_nearest nearest;

    event_nearest_init(&nearest, name);
    for (size_t i = 0; i < event_preset_rows; i++) {
        if (strcmp(event_presets[i].name, name) == 0)
            return &event_presets[i];
        event_nearest_offer(&nearest, event_presets[i].name);
    }
    if (nearest.name)
        err_set(e, 0, "unknown preset \"%.40s\"; did you mean %s?", name, nearest.name);
    else
        err_set(e, 0, "unknown preset \"%.40s\"; there are default, cpu_only, faults, sched and io", name);
    return NULL;
}

static bool has_same(const struct event_list *l, const struct event_spec *s)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (event_same(&l->spec[i], s))
            return true;
    return false;
}

int event_preset_add(struct event_list *l, const char *name, struct err *e)
{
    const struct event_preset *preset = preset_find(name, e);
    struct event_list all = {.count = 0}, merged = *l;

    if (!preset)
        return -1;
    if (preset->refused)
        return err_set(e, 0, "preset %s: %s", name, preset->refused);
    if (event_list_add(&all, preset->events, e) < 0)
        return err_wrap(e, "preset %s", name);
    for (uint32_t i = 0; i < all.count; i++)
        if (!has_same(l, &all.spec[i]) && append(&merged, &all.spec[i], e) < 0)
            return err_wrap(e, "preset %s", name);
    *l = merged;
    return 0;
}
