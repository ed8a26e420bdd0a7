/*
 * datadog.c - Datadog: through an agent, over TCP or a unix socket, or straight to the intake
 *
 * One multipart request a profile: what it is about (datadog_event.c), and a pprof file (datadog_profile.c).
 */
#include "datadog.h"

#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#include "backend.h"
#include "url.h"

#define AGENT_PATH       "/profiling/v1/input"
#define INTAKE_PATH      "/api/v2/profile"
#define INTAKE_PATH_OLD  "/v1/input"
#define ID_MAX           128 /* of a container's id */
#define KEY_BYTES        32
#define EVENT_BYTES_MAX  (128U << 10)
#define HEADER_BYTES_MAX 8192
#define BODY_BYTES_MAX   (DATADOG_PPROF_MAX + EVENT_BYTES_MAX + 4096)

/* ---- the target ---- */

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), end_n = strlen(end);

    return n >= end_n && strcmp(text + n - end_n, end) == 0;
}

/* dd-otel-host-profiler's rule (IsAPIKeyValid). */
static int check_key(const char *key, struct err *e)
{
    if (!key || !key[0])
        return err_set(e, 0, "an API key is needed to send to Datadog without an agent");
    if (strlen(key) != KEY_BYTES || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789") != KEY_BYTES)
        return err_set(e, 0,
                       "the API key is none of Datadog's: they have %d characters, small letters and digits "
                       "(an application key does not do)",
                       KEY_BYTES);
    return 0;
}

static void append_path(struct target *t, const char *path)
{
    char *whole;

    if (ends_in(t->path, path))
        return;
    whole = base_alloc(strlen(t->path) + strlen(path) + 1);
    strcpy(stpcpy(whole, t->path), path);
    free_cleanup(&t->path);
    t->path = whole;
}

static int datadog_prepare(struct target *t, const struct target_config *config, struct err *e)
{
    if (!config->agentless && strstr(t->base, "://intake.profile."))
        return err_set(e, 0, "%s is Datadog's intake, which takes profiles with --agentless and an API key",
                       t->base);
    if (!config->agentless) {
        if (config->api_key && config->api_key[0])
            log_debug(target, "the API key is not used: the agent has its own");
        append_path(t, AGENT_PATH);
        t->folder = false;
        return 0;
    }
    if (t->unix_socket)
        return err_set(e, 0, "agentless is for Datadog's intake, not for a unix socket");
    if (check_key(config->api_key, e) < 0)
        return -1;
    if (strncmp(t->base, "https:", 6) != 0 && !t->loopback)
        return err_set(e, 0, "%s: the API key is not sent unencrypted; use https://", t->base);
    t->agentless = true;
    if (!ends_in(t->path, INTAKE_PATH_OLD))
        append_path(t, INTAKE_PATH);
    t->folder = false;
    return target_add_header(t, e, "DD-API-KEY: %s", config->api_key);
}

/* ---- the request ---- */

/* What would break the headers, or is no such thing, is left out: none of these is needed. */
static void add_header(struct buf *b, const char *name, const char *value)
{
    size_t n = value ? strlen(value) : 0;

    if (n == 0 || n > 1024)
        return;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < ' ' || (unsigned char)value[i] >= 0x7f)
            return;
    buf_printf(b, "%s: %s\n", name, value);
}

static bool is_id(const char *text)
{
    size_t n = text ? strlen(text) : 0;

    for (size_t i = 0; i < n; i++)
        if (!url_is_unreserved(text[i]))
            return false;
    return n > 0 && n <= ID_MAX;
}

/* The target's container and not ours: it is the target that is shown. */
static void add_container(struct buf *b, const struct target_identity *who)
{
    char entity[ID_MAX + 4];

    if (is_id(who->container_id))
        add_header(b, "Datadog-Container-ID", who->container_id);
    if (is_id(who->entity_id)) {
        add_header(b, "Datadog-Entity-ID", who->entity_id);
    } else if (is_id(who->container_id)) {
        snprintf(entity, sizeof(entity), "ci-%s", who->container_id);
        add_header(b, "Datadog-Entity-ID", entity);
    }
}

static void add_headers(struct buf *b, const struct target_identity *who, const char *boundary)
{
    buf_printf(b, "Content-Type: multipart/form-data; boundary=%s\n", boundary);
    add_header(b, "DD-EVP-ORIGIN", "ringside");
    add_header(b, "DD-EVP-ORIGIN-VERSION", who->profiler_version);
    add_container(b, who);
    add_header(b, "Datadog-External-Env", who->external_env);
    buf_add(b, "", 1);
}

static bool contains(const struct buf *b, const char *text)
{
    return b->len && memmem(b->data, b->len, text, strlen(text));
}

/* RFC 2046 section 5.1.1: a boundary must not occur in a part. The same for the same parts. */
static void make_boundary(char *out, size_t max, const struct buf *event, const struct buf *file)
{
    uint64_t seed = hash_bytes(file->data, file->len) ^ hash_bytes(event->data, event->len);

    do {
        seed = hash_u64(seed + 1);
        snprintf(out, max, "ringside-%016llx", (unsigned long long)seed);
    } while (contains(event, out) || contains(file, out));
}

static void add_part(struct buf *body, const char *boundary, const char *head, const struct buf *content)
{
    buf_printf(body, "--%s\r\n%s\r\n\r\n", boundary, head);
    buf_add(body, content->data, content->len);
    buf_add_text(body, "\r\n");
}

static bool make_body(struct buf *body, const char *boundary, const struct buf *event, const struct buf *file)
{
    add_part(body, boundary,
             "Content-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n"
             "Content-Type: application/json",
             event);
    /* Without a type: the intake looks at the first bytes. */
    add_part(body, boundary,
             "Content-Disposition: form-data; name=\"" DATADOG_ATTACHMENT "\"; filename=\"" DATADOG_ATTACHMENT
             "\"",
             file);
    return buf_printf(body, "--%s--\r\n", boundary);
}

/* Makes the two parts. */
static int make_parts(const struct target *t, const struct target_job *job, struct buf *event,
                      struct buf *file, struct err *e)
{
    int folded = datadog_pprof(job->profile, file, e);

    if (folded < 0)
        return -1;
    if (folded)
        log_warn(target, "%s: profile %llu is larger than %u MiB; small stacks are cut to their outer frames",
                 t->name, (unsigned long long)job->number, DATADOG_PPROF_MAX >> 20);
    return datadog_event(job, event, e);
}

static int datadog_convert(const struct target *t, const struct target_job *job,
                           const struct target_emit *emit, struct err *e)
{
    struct buf event, file, body, headers;
    struct target_request r = {.method = "POST", .path = t->path};
    char boundary[40];
    int result;

    buf_init(&event, EVENT_BYTES_MAX);
    buf_init(&file, DATADOG_PPROF_MAX);
    buf_init(&body, BODY_BYTES_MAX);
    buf_init(&headers, HEADER_BYTES_MAX);
    result = make_parts(t, job, &event, &file, e);
    if (result == 0) {
        make_boundary(boundary, sizeof(boundary), &event, &file);
        add_headers(&headers, job->who, boundary);
        if (!make_body(&body, boundary, &event, &file))
            result = err_set(e, 0, "the request is larger than %u bytes", BODY_BYTES_MAX);
    }
    if (result == 0) {
        r.headers = headers.data;
        r.body = body.data;
        r.body_bytes = body.len;
        result = emit->request(emit->ctx, &r, e);
    }
    buf_release(&event);
    buf_release(&file);
    buf_release(&body);
    buf_release(&headers);
    return result < 0 ? -1 : 1;
}

/* ---- replies ---- */

static enum target_verdict datadog_judge(const struct target *t, const struct http_reply *reply,
                                         char words[TARGET_WORDS_MAX])
{
    const char *why = NULL;
    char said[TARGET_WORDS_MAX];

    if (target_judge_status(reply->status) == TARGET_DELIVERED)
        return TARGET_DELIVERED;
    target_words(reply, said);
    if (reply->status == 403)
        why = t->agentless ? "the API key is not of this site, or not valid" : NULL;
    else if (reply->status == 404 && !t->agentless)
        why = "the agent takes no profiles (it is older than 7.20, or this is no agent)";
    else if (reply->status == 413)
        why = "the profile is too large";
    if (why)
        snprintf(words, TARGET_WORDS_MAX, said[0] ? "%s: %.200s" : "%s", why, said);
    else
        snprintf(words, TARGET_WORDS_MAX, "%s", said);
    utf8_clean(words); /* what was cut in the middle of a character */
    return target_judge_status(reply->status);
}

const struct backend backend_datadog = {
    .kind = "datadog",
    .port = 8126,
    .unix_socket = true,
    .prepare = datadog_prepare,
    .convert = datadog_convert,
    .judge = datadog_judge,
};
