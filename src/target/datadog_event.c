/*
 * datadog_event.c - event.json, version 4, and the tags in it
 */
#include "datadog.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#include "series.h"

#define TAGS_BYTES_MAX (32U << 10)

/* ---- tags ---- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alpha(char c)
{
    return is_alnum(c) && c > '9';
}

/* What tags consist of as documented for users; ddprof drops tags with anything else. */
static bool is_tag_char(char c)
{
    return is_alnum(c) || strchr("_:./\\-", c) != NULL;
}

/* There is no escape: a comma would be the end of the tag. */
static bool is_raw_char(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 0x7f && c != ',';
}

/*
 * Builds "key:value" in tag with every character that `allowed` refuses as '_' (letters beyond ASCII too: a
 * piece of one would not be UTF-8), cut to what a tag may have. False: nothing is left of it.
 */
static bool make_tag(char tag[DATADOG_TAG_MAX + 1], const char *key, const char *value, bool (*allowed)(char))
{
    size_t n = (size_t)snprintf(tag, DATADOG_TAG_MAX + 1, "%s:", key);

    if (!value || !is_alpha(key[0]) || n >= DATADOG_TAG_MAX)
        return false;
    for (; *value && n < DATADOG_TAG_MAX; value++)
        tag[n++] = allowed(*value) ? *value : '_';
    while (n && tag[n - 1] == ':')
        tag[--n] = '\0';
    tag[n] = '\0';
    return n > strlen(key);
}

/* Whether tags hold one that begins with text and, when whole, is it. */
static bool has_tag(const struct buf *tags, const char *text, bool whole)
{
    size_t n = strlen(text);
    const char *at = tags->data, *end = at ? at + tags->len : at;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma ? comma : end) - at);

        if (length >= n && memcmp(at, text, n) == 0 && (!whole || length == n))
            return true;
        at += length + 1;
    }
    return false;
}

static void add_tag(struct buf *tags, const char *tag)
{
    if (!has_tag(tags, tag, true) && tags->len + 1 + strlen(tag) <= tags->max) {
        buf_add_text(tags, tags->len ? "," : "");
        buf_add_text(tags, tag);
    }
}

static void add_own(struct buf *tags, const char *key, const char *value, bool (*allowed)(char))
{
    char tag[DATADOG_TAG_MAX + 1];

    if (value && value[0] && make_tag(tag, key, value, allowed))
        add_tag(tags, tag);
}

static void add_number(struct buf *tags, const char *key, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    add_own(tags, key, text, is_raw_char);
}

/*
 * One of the user's. Those that there can be only one of stay with what the options say of them (a version
 * from DD_VERSION beats one from DD_TAGS); other keys may repeat.
 */
static void add_users(struct buf *tags, const char *text)
{
    static const char *const single[] = {"language",      "service",
                                         "env",           "version",
                                         "runtime-id",    "process_id",
                                         "profile_seq",   "profiler_version",
                                         "host",          "git.repository_url",
                                         "git.commit.sha"};
    char key[DATADOG_TAG_MAX + 1], tag[DATADOG_TAG_MAX + 1];
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;

    if (n == 0 || n >= sizeof(key) - 2)
        return;
    for (size_t i = 0; i < n; i++)
        key[i] = is_tag_char(text[i]) ? text[i] : '_';
    memcpy(key + n, ":", 2);
    for (size_t i = 0; i < ARRAY_LEN(single); i++)
        if (strncmp(key, single[i], n) == 0 && single[i][n] == '\0' && has_tag(tags, key, false))
            return;
    key[n] = '\0';
    if (make_tag(tag, key, colon + 1, strncmp(key, "git.", 4) == 0 ? is_raw_char : is_tag_char))
        add_tag(tags, tag);
}

/* A piece of a URL leads nowhere, so one that is too long is left out. */
static void add_repository(struct buf *tags, const char *url)
{
    FREE_PTR char *clean = series_source_url(url);

    if (clean && strlen(clean) + strlen("git.repository_url:") <= DATADOG_TAG_MAX)
        add_own(tags, "git.repository_url", clean, is_raw_char);
}

static bool has_label(const struct profile *p, const char *key)
{
    for (uint32_t i = 0; i < p->label_set_count; i++)
        for (uint32_t l = 0; l < p->label_set[i].labels; l++)
            if (strcmp(strtab_get(&p->strings, p->label_set[i].label[l].key), key) == 0)
                return true;
    return false;
}

/* Labels that one can filter by. */
static void add_label_keys(struct buf *tags, const struct profile *p)
{
    if (has_label(p, "container_id"))
        add_own(tags, "ddprof.custom_ctx", "container_id", is_raw_char);
    if (datadog_has_events(p))
        add_own(tags, "ddprof.custom_ctx", "tracepoint_type", is_raw_char);
}

static const char *processor(void)
{
#if defined(__x86_64__)
    return "amd64";
#elif defined(__aarch64__)
    return "arm64";
#else
    return NULL;
#endif
}

int datadog_tags(const struct target_job *job, struct buf *out, struct err *e)
{
    const struct target_identity *who = job->who;

    add_own(out, "language", "native", is_raw_char);
    add_own(out, "service", who->service, is_tag_char);
    add_own(out, "env", who->environment, is_tag_char);
    add_own(out, "version", who->service_version, is_tag_char);
    add_own(out, "runtime-id", who->runtime_id, is_raw_char);
    add_number(out, "process_id", who->pid);
    add_number(out, "profile_seq", job->number);
    add_own(out, "profiler_version", who->profiler_version, is_raw_char);
    add_own(out, "host", who->host, is_raw_char);
    add_own(out, "cpu_arch", processor(), is_raw_char);
    add_own(out, "include_kernel", who->kernel ? "true" : "false", is_raw_char);
    if (who->cpus)
        add_number(out, "number_of_cpu_cores", who->cpus);
    add_repository(out, who->git_repository);
    add_own(out, "git.commit.sha", who->git_commit, is_raw_char);
    add_label_keys(out, job->profile);
    if (!has_tag(out, "runtime-id:", false))
        return err_set(e, 0, "no runtime id");
    if (!has_tag(out, "service:", false)) /* a name of nothing but colons */
        add_tag(out, "service:unnamed");
    for (uint32_t i = 0; i < who->tag_count; i++)
        add_users(out, who->tags[i]);
    return 0;
}

/* ---- the event ---- */

static void add_time(struct buf *b, const char *name, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NSEC_PER_SEC);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    buf_printf(b, "\"%s\":\"%04d-%02d-%02dT%02d:%02d:%02d.%09lluZ\",", name, tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned long long)(wall_ns % NSEC_PER_SEC));
}

/* "name":"text", or nothing without text. */
static void add_member(struct buf *b, const char *name, const char *text)
{
    if (!text || !text[0])
        return;
    if (b->len && b->data[b->len - 1] != '{' && b->data[b->len - 1] != ',')
        buf_add_text(b, ",");
    buf_printf(b, "\"%s\":", name);
    json_add_text(b, text);
}

static void add_info(struct buf *b, const struct target_identity *who)
{
    buf_add_text(b, "\"info\":{\"application\":{");
    add_member(b, "service", who->service);
    add_member(b, "env", who->environment);
    add_member(b, "version", who->service_version);
    buf_add_text(b, "},\"platform\":{");
    add_member(b, "hostname", who->host);
    add_member(b, "kernel_name", "Linux");
    buf_add_text(b, "},\"profiler\":{\"activation\":\"manual\",\"ssi\":{\"mechanism\":\"none\"}");
    add_member(b, "version", who->profiler_version);
    buf_add_text(b, "}},");
}

/* What kind of process it is, in the words of Datadog's tracers. */
static void add_process_tags(struct buf *b, const char *executable)
{
    const char *slash = executable ? strrchr(executable, '/') : NULL;
    char tag[DATADOG_TAG_MAX + 1];
    struct buf tags;

    if (!executable || !make_tag(tag, "entrypoint.name", slash ? slash + 1 : executable, is_tag_char))
        return;
    buf_init(&tags, TAGS_BYTES_MAX);
    add_tag(&tags, tag);
    add_tag(&tags, "entrypoint.type:executable");
    buf_add(&tags, "", 1);
    add_member(b, "process_tags", tags.data);
    buf_add_text(b, ",");
    buf_release(&tags);
}

int datadog_event(const struct target_job *job, struct buf *out, struct err *e)
{
    const struct profile *p = job->profile;
    uint64_t end = p->time_wall_ns + p->duration_ns;
    struct buf tags;

    buf_init(&tags, TAGS_BYTES_MAX);
    if (datadog_tags(job, &tags, e) < 0) {
        buf_release(&tags);
        return -1;
    }
    buf_add_text(out, "{\"version\":\"4\",\"family\":\"native\",");
    add_time(out, "start", p->time_wall_ns);
    add_time(out, "end", MAX_OF(end, p->time_wall_ns));
    buf_add_text(out, "\"attachments\":[\"" DATADOG_ATTACHMENT "\"],\"tags_profiler\":\"");
    /* Not json_add_text(), which cuts: of what JSON escapes there can only be '"' and '\'. */
    for (size_t i = 0; i < tags.len; i++) {
        if (tags.data[i] == '"' || tags.data[i] == '\\')
            buf_add_text(out, "\\");
        buf_add(out, tags.data + i, 1);
    }
    buf_release(&tags);
    buf_add_text(out, "\",");
    add_info(out, job->who);
    add_process_tags(out, job->who->executable);
    return buf_add_text(out, "\"internal\":{}}") ? 0 : err_set(e, 0, "event.json is too large");
}
