/*
 * series.c - which labels a series has, and a profile in parts that a server takes
 */
#include "series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/profile.h"

#include "blank.h"

#define TEXT_MAX       65535 /* bytes of a string in a profile; Pyroscope cuts longer ones */
/* A stack of a thousand frames, each with texts of its own, is below 4 MiB with these. */
#define SHORT_TEXT_MAX 512

/* ---- labels of a series ---- */

void series_init(struct series *s)
{
    *s = (struct series){0};
}

void series_release(struct series *s)
{
    for (uint32_t i = 0; i < s->labels; i++) {
        free(s->label[i].name);
        free(s->label[i].value);
    }
    *s = (struct series){0};
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

void series_name(const char *text, char *out, uint32_t max)
{
    uint32_t n = 0;

    while (text[0] && !is_plain(text[0]) && text[1] && !is_plain(text[1])) /* "__" is for what servers add */
        text++;
    if (is_digit(*text))
        out[n++] = '_';
    for (; *text && n + 1 < max; text++)
        out[n++] = is_plain(*text) ? *text : '_';
    out[n] = '\0';
}

static bool has_name(const struct series *s, const char *name)
{
    for (uint32_t i = 0; i < s->labels; i++)
        if (strcmp(s->label[i].name, name) == 0)
            return true;
    return false;
}

/* At most SERIES_VALUE_MAX bytes of valid UTF-8 without blanks around it; the caller's to free. */
static char *clean_value(const char *value)
{
    char *copy = base_strdup(blank_skip(value)); /* servers trim it, too */
    size_t n;

    utf8_clean(copy);
    n = strnlen(copy, SERIES_VALUE_MAX);
    while (n && ((unsigned char)copy[n] & 0xc0) == 0x80) /* not through the middle of a character */
        n--;
    copy[blank_trim(copy, n)] = '\0';
    return copy;
}

static bool add_named(struct series *s, const char *name, const char *value)
{
    char *clean;

    if (!value || !name[0] || has_name(s, name) || s->labels == SERIES_LABELS_MAX)
        return false;
    clean = clean_value(value);
    if (!clean[0]) {
        free(clean);
        return false;
    }
    s->label[s->labels++] = (struct series_label){base_strdup(name), clean};
    return true;
}

bool series_add(struct series *s, const char *name, const char *value)
{
    char clean[SERIES_NAME_MAX];

    if (strcmp(name, "__name__") == 0)
        return add_named(s, name, value);
    series_name(name, clean, sizeof(clean));
    return add_named(s, clean, value);
}

/* The server of a URL that begins at text, where a password may stand in front of it. NULL: it cannot be
 * told. */
static const char *behind_user(const char *text)
{
    size_t n = strcspn(text, "/?#");
    const char *at = memrchr(text, '@', n), *colon = memchr(text, ':', n);

    if (at)
        return at + 1;
    /* A port, or else a password with a '/' in it that should have been encoded. */
    if (colon && text[0] != '[' && strspn(colon + 1, "0123456789") != (size_t)(text + n - colon) - 1)
        return NULL;
    return text;
}

char *series_source_url(const char *url)
{
    const char *scheme = url ? strstr(url, "://") : NULL;
    const char *server = scheme ? behind_user(scheme + 3) : url;
    char *clean = NULL;

    if (server && asprintf(&clean, "%.*s%s", scheme ? (int)(scheme + 3 - url) : 0, url, server) < 0)
        clean = NULL;
    return clean;
}

void series_add_source(struct series *s, const struct target_identity *who)
{
    FREE_PTR char *url = series_source_url(who->git_repository);

    series_add(s, "service_repository", url);
    series_add(s, "service_git_ref", who->git_commit);
}

/* Labels of samples give way to those of the series, in Pyroscope; and Parca renames them. The last is what
 * Pyroscope's /ingest adds itself: that it occurs twice is refused. */
static bool is_taken(const char *name)
{
    static const char *const names[] = {"process_name", "thread_name", "container_id",
                                        "comm",         "thread_comm", "pyroscope_spy"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

uint32_t series_add_tags(struct series *s, const struct target_identity *who)
{
    char name[SERIES_NAME_MAX];
    uint32_t beyond = 0;

    for (uint32_t i = 0; i < who->tag_count; i++) {
        const char *tag = who->tags[i], *colon = strchr(tag, ':');
        FREE_PTR char *key = colon ? strndup(tag, (size_t)(colon - tag)) : base_strdup(tag);

        series_name(key ? key : "", name, sizeof(name));
        if (!is_taken(name) && !add_named(s, name, colon ? colon + 1 : "true"))
            beyond += s->labels == SERIES_LABELS_MAX;
    }
    return beyond;
}

/* ---- columns: one profile for each kind ---- */

struct group {
    char name[SERIES_NAME_MAX]; /* __name__ */
    const char *type[2];        /* of its columns, as in the profile */
    const char *unit[2];
    uint32_t types;
};

static bool is_samples(const struct profile *p, uint32_t i)
{
    return strcmp(strtab_get(&p->strings, p->type[i].type), "samples") == 0 &&
           strcmp(strtab_get(&p->strings, p->type[i].unit), "count") == 0;
}

static bool is_time(const struct profile *p, uint32_t i)
{
    return i < p->type_count && strcmp(strtab_get(&p->strings, p->type[i].unit), "nanoseconds") == 0;
}

static void add_column(const struct profile *p, uint32_t i, struct group *g)
{
    g->type[g->types] = strtab_get(&p->strings, p->type[i].type);
    g->unit[g->types++] = strtab_get(&p->strings, p->type[i].unit);
}

/* For what has to be there. */
static void name_or(const char *text, const char *instead, char out[SERIES_NAME_MAX])
{
    series_name(text[0] ? text : instead, out, SERIES_NAME_MAX);
}

/*
 * The group that begins with column `first`. CPU time comes with its counts in front, and is process_cpu,
 * which is what the servers' pages look for; every other event is named after itself.
 */
static void make_group(const struct profile *p, uint32_t first, struct group *g)
{
    *g = (struct group){0};
    add_column(p, first, g);
    if (is_samples(p, first) && is_time(p, first + 1))
        add_column(p, first + 1, g);
    if (g->types == 2 || strcmp(g->type[0], "cpu") == 0)
        snprintf(g->name, sizeof(g->name), "process_cpu");
    else
        name_or(g->type[0], "unnamed", g->name);
}

/* ---- labels of samples ---- */

/* From all to few; each is without what the one before has. */
enum labels_kept { KEEP_THREADS, KEEP_PROCESSES, KEEP_CONTAINERS };

#define LABEL_SETS_MAX 64 /* each set is a series */

struct shape {
    const struct series_limits *limits;
    const struct group *group;
    enum labels_kept kept;
    char type[2][SERIES_NAME_MAX], unit[2][SERIES_NAME_MAX];
};

/* pid and thread_id are never kept, nor is what nobody knows here. */
static const char *label_name(const struct shape *s, const char *key)
{
    if (strcmp(key, "container_id") == 0)
        return key;
    if (strcmp(key, "process_name") == 0 && s->kept < KEEP_CONTAINERS)
        return s->limits->process_name;
    if (strcmp(key, "thread_name") == 0 && s->kept < KEEP_PROCESSES)
        return s->limits->thread_name;
    return NULL;
}

static const char *shape_label(const void *ctx, const char *key, const char *text)
{
    return strnlen(text, SERIES_VALUE_MAX + 1) > SERIES_VALUE_MAX ? NULL : label_name(ctx, key);
}

static uint64_t hash_of_kept(const struct profile *p, const struct profile_label_set *set,
                             const struct shape *s)
{
    uint64_t h = 0;

    for (uint32_t i = 0; i < set->labels; i++)
        if (label_name(s, strtab_get(&p->strings, set->label[i].key)))
            h = hash_u64(h + ((uint64_t)set->label[i].key << 32 | set->label[i].text));
    return h;
}

static uint32_t count_sets(const struct profile *p, const struct shape *s)
{
    struct map64 seen;
    uint32_t n;

    map64_init(&seen);
    for (uint32_t i = 0; i < p->label_set_count; i++)
        map64_put(&seen, hash_of_kept(p, &p->label_set[i], s), 1);
    n = seen.used;
    map64_release(&seen);
    return n;
}

static void choose_labels(const struct profile *p, struct shape *s)
{
    for (s->kept = KEEP_THREADS; s->kept < KEEP_CONTAINERS; s->kept++)
        if (count_sets(p, s) <= LABEL_SETS_MAX)
            return;
}

/* ---- one group of columns ---- */

static bool shape_column(const void *ctx, const char *type, const char *unit, struct profile_column *out)
{
    const struct shape *s = ctx;

    for (uint32_t i = 0; i < s->group->types; i++)
        if (strcmp(s->group->type[i], type) == 0 && strcmp(s->group->unit[i], unit) == 0) {
            *out = (struct profile_column){s->type[i], s->unit[i]};
            return true;
        }
    return false;
}

static void note_labels(struct profile *p, enum labels_kept kept)
{
    const char *gone = kept == KEEP_PROCESSES ? "thread names" : "thread and process names";

    if (kept == KEEP_THREADS)
        return;
    profile_add_comment(p, "left out: %s, of which there are more than %d sets", gone, LABEL_SETS_MAX);
    log_debug(target, "left out: %s, of which there are more than %d sets", gone, LABEL_SETS_MAX);
}

static void shape_group(const struct profile *p, struct shape *s, const struct group *g, struct profile *out)
{
    s->group = g;
    for (uint32_t i = 0; i < g->types; i++) {
        name_or(g->type[i], "unnamed", s->type[i]);
        name_or(g->unit[i], "count", s->unit[i]);
    }
    profile_reshape(out, p,
                    &(struct profile_reshape){.ctx = s,
                                              .column = shape_column,
                                              .label = shape_label,
                                              .frames_max = s->limits->frames_max,
                                              .text_max = TEXT_MAX});
    note_labels(out, s->kept);
}

/* ---- parts ---- */

struct sender {
    const struct series_limits *limits;
    const struct series_send *send;
    const struct group *group;
    uint32_t parts; /* sent */
    uint32_t fits;  /* samples that the next part is tried with */
};

static int send_part(struct sender *s, struct profile *p, struct err *e)
{
    struct series_part part = {.name = s->group->name, .profile = p};

    p->time_wall_ns += s->parts * NSEC_PER_MSEC;
    if (s->send->part(s->send->ctx, &part, e) < 0)
        return -1;
    s->parts++;
    return 0;
}

/* part of n, by the rule of three; at least 1. */
static uint32_t in_proportion(uint32_t n, uint64_t part, uint64_t whole)
{
    return (uint32_t)MAX_OF(MIN_OF(n * part / whole, (uint64_t)UINT32_MAX), 1ULL);
}

/*
 * As many of p's samples from `first` on as fit, or nearly. Returns how many. Bytes grow more slowly than
 * samples, which share what they name: to have fewer bytes takes more than the rule of three says, to fill
 * the room does not. What is learnt of one part is where the next begins.
 */
static uint32_t cut_part(struct sender *s, const struct profile *p, uint32_t first, struct profile *out)
{
    uint32_t n = MIN_OF(MIN_OF(p->sample_count - first, s->limits->samples_max), s->fits);
    struct profile_reshape how = {.first_sample = first};
    uint64_t bytes, max = s->limits->bytes_max;

    for (;; profile_release(out)) {
        how.samples = n;
        profile_reshape(out, p, &how);
        bytes = pprof_size(out);
        if (bytes <= max || how.text_max)
            break;
        if (n == 1)
            how.text_max = SHORT_TEXT_MAX;
        n = in_proportion(n, max - max / 8, bytes);
    }
    s->fits = in_proportion(n, max - max / 32, bytes);
    return n;
}

static int send_group(struct sender *s, struct profile *p, struct err *e)
{
    struct profile part;
    uint32_t n, before = s->parts;
    int result = 0;

    s->fits = UINT32_MAX;
    if (p->sample_count == 0)
        return 0;
    if (p->sample_count <= s->limits->samples_max && pprof_size(p) <= s->limits->bytes_max)
        return send_part(s, p, e);
    for (uint32_t first = 0; first < p->sample_count && result == 0; first += n) {
        n = cut_part(s, p, first, &part);
        result = send_part(s, &part, e);
        profile_release(&part);
    }
    log_debug(target, "%s: %u samples sent in %u parts", s->group->name, p->sample_count, s->parts - before);
    return result;
}

int series_convert(const struct profile *p, const struct series_limits *l, const struct series_send *send,
                   struct err *e)
{
    struct sender sender = {.limits = l, .send = send};
    struct shape shape = {.limits = l};
    struct profile shaped;
    struct group group;
    int result = 0;

    choose_labels(p, &shape);
    for (uint32_t i = 0; i < p->type_count && result == 0; i += group.types) {
        make_group(p, i, &group);
        shape_group(p, &shape, &group, &shaped);
        sender.group = &group;
        result = send_group(&sender, &shaped, e);
        profile_release(&shaped);
    }
    return result < 0 ? -1 : (int)sender.parts;
}

/* ---- replies ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind "code" and its colon; NULL: not a key. */
static const char *code_value(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    if (at == end || *at++ != ':')
        return NULL;
    while (at < end && (is_blank(*at) || *at == '"'))
        at++;
    return at;
}

void series_reply_code(const struct http_reply *reply, char *out, size_t max)
{
    static const char key[] = "\"code\"";
    const char *at = reply->body ? reply->body : "", *value = NULL;
    const char *end = at + (reply->body ? reply->body_bytes : 0);
    size_t n = 0;

    while (at && !value && (at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1)))
        value = code_value(at += sizeof(key) - 1, end);
    for (; value && value < end && n + 1 < max && (is_plain(*value) || *value == '_'); value++)
        out[n++] = *value;
    out[n] = '\0';
}

enum target_verdict series_judge_success(const struct http_reply *reply, char words[TARGET_WORDS_MAX])
{
    if (!reply->content_type || strncasecmp(reply->content_type, "text/html", 9) != 0)
        return TARGET_DELIVERED;
    snprintf(words, TARGET_WORDS_MAX, "a page in HTML came back: this is not the server itself");
    return TARGET_RETRY;
}
