/*
 * pyroscope.c - Grafana Pyroscope: Push by Connect in its binary form, or /ingest where the URL ends so
 *
 * Push takes any label and answers by the rules of Connect; one series a request, as an error would leave
 * open which of several was stored. /ingest is for servers and proxies that have nothing else: the body is
 * the pprof alone with format=pprof, not the multipart form that other clients send, as nothing is in its
 * other parts that the profile does not say itself.
 *
 * A server refuses profiles that begin more than an hour ago (its validation.reject-older-than). Nothing can
 * be done about that here: one that comes out of the spool later is refused, and the server's words say so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pyroscope_push.pb-c.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#include "backend.h"
#include "series.h"
#include "url.h"

#define PUSH_PATH   "/push.v1.PusherService/Push"
#define INGEST_PATH "/ingest"

#define INGEST_PATH_MAX 4000 /* less than a spool's entry takes */
#define INGEST_TAIL_MAX 120  /* what is always behind the labels */
#define APP_NAME_MAX    512

#define TENANT_MAX 150
#define BODY_MAX   (16 << 20) /* more than 4 MiB of profile can become */

/* The defaults of a tenant's limits (pkg/validation/limits.go). */
static const struct series_limits limits = {
    .process_name = "process_name",
    .thread_name = "thread_name",
    .samples_max = 16000,
    .frames_max = 1000,
    .bytes_max = 4 << 20,
};

struct pushing {
    const struct target *t;
    const struct target_identity *who;
    uint64_t number;
    const struct target_emit *emit;
    struct series series; /* without __name__ */
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* ---- labels ---- */

/*
 * Hosts are told apart, runs are not: neither runtime id nor pid is a label, each run would be a new series.
 * What people look for is the names that Pyroscope's own clients and its pages use.
 */
static void add_labels(struct series *s, const struct target *t, const struct target_job *job)
{
    const struct target_identity *who = job->who;

    series_add(s, "service_name", who->service);
    series_add(s, "env", who->environment);
    series_add(s, "version", who->service_version);
    series_add(s, "hostname", who->host);
    series_add_source(s, who);
    target_say_tags_left_out(t, job, series_add_tags(s, who));
}

/* ---- Push ---- */

/* A name-based UUID (version 8, RFC 9562 section 5.8): the same for the same part of a profile, as often as
 * it is made. No two parts begin at the same time. */
static void make_uuid(const struct pushing *push, const struct series_part *part, char out[37])
{
    uint8_t bytes[16];
    char text[160];
    uint64_t half;

    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%d %.64s %llu %llu", i, push->who->runtime_id,
                 (unsigned long long)push->number, (unsigned long long)part->profile->time_wall_ns);
        half = hash_bytes(text, strlen(text));
        memcpy(bytes + 8 * i, &half, 8);
    }
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x80);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0; i < 16; i++) {
        snprintf(out, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
        out += strlen(out);
    }
}

static int emit_push(const struct pushing *push, const Push__V1__PushRequest *message, struct err *e)
{
    size_t n = push__v1__push_request__get_packed_size(message);
    FREE_PTR uint8_t *body = base_alloc(n);
    FREE_PTR char *path = NULL;
    struct target_request r = {
        .method = "POST",
        .headers = "Content-Type: application/proto\nConnect-Protocol-Version: 1\n",
        .body = body,
        .body_bytes = push__v1__push_request__pack(message, body),
    };

    if (asprintf(&path, "%s%s", push->t->path, ends_with(push->t->path, PUSH_PATH) ? "" : PUSH_PATH) < 0)
        return err_set(e, ENOMEM, "make a path");
    r.path = path;
    return push->emit->request(push->emit->ctx, &r, e);
}

static int push_bytes(const struct pushing *push, const struct series_part *part, const struct buf *pprof,
                      struct err *e)
{
    Push__V1__PushRequest request = PUSH__V1__PUSH_REQUEST__INIT;
    Push__V1__RawProfileSeries series = PUSH__V1__RAW_PROFILE_SERIES__INIT, *all_series[] = {&series};
    Push__V1__RawSample sample = PUSH__V1__RAW_SAMPLE__INIT, *samples[] = {&sample};
    Push__V1__LabelPair pair[SERIES_LABELS_MAX + 1], *pairs[SERIES_LABELS_MAX + 1];
    char uuid[37];

    for (uint32_t i = 0; i <= push->series.labels; i++) {
        push__v1__label_pair__init(&pair[i]);
        pair[i].name = i ? push->series.label[i - 1].name : (char *)"__name__";
        pair[i].value = i ? push->series.label[i - 1].value : (char *)part->name;
        pairs[i] = &pair[i];
    }
    make_uuid(push, part, uuid);
    sample.id = uuid;
    sample.raw_profile = (ProtobufCBinaryData){.len = pprof->len, .data = (uint8_t *)pprof->data};
    series.n_labels = push->series.labels + 1;
    series.labels = pairs;
    series.n_samples = 1;
    series.samples = samples;
    request.n_series = 1;
    request.series = all_series;
    return emit_push(push, &request, e);
}

static int push_part(void *ctx, const struct series_part *part, struct err *e)
{
    struct buf pprof;
    int result;

    buf_init(&pprof, BODY_MAX);
    result = target_pprof(part->profile, &pprof, e);
    if (result == 0)
        result = push_bytes(ctx, part, &pprof, e);
    buf_release(&pprof);
    return result;
}

/* ---- /ingest ---- */

/* Percent-encodes all but what RFC 3986 section 2.3 calls unreserved. */
static bool add_encoded(struct buf *b, const char *text)
{
    bool fits = true;

    for (; *text && fits; text++)
        fits = url_is_unreserved(*text) ? buf_add(b, text, 1) : buf_printf(b, "%%%02X", (unsigned char)*text);
    return fits;
}

static bool is_app_letter(char c)
{
    return url_is_unreserved(c) ? c != '~' : c == '/';
}

/* [A-Za-z0-9_./-]+; nothing is quoted there, so the rest becomes '_'. */
static char *app_name(const char *service)
{
    size_t n = strnlen(service, APP_NAME_MAX);
    char *name = base_calloc(n + 1, 1);

    memcpy(name, service, n);

    for (char *at = name; *at; at++)
        if (!is_app_letter(*at))
            *at = '_';
    return name;
}

/* False, and nothing added, when there is no room. */
static bool add_ingest_label(struct buf *b, const struct series_label *l, bool first)
{
    FREE_PTR char *value = base_strdup(l->value);
    struct buf one;
    bool fits;

    for (char *at = value; *at; at++)
        if (*at == ',' || *at == '}') /* would end it */
            *at = '_';
    buf_init(&one, INGEST_PATH_MAX);
    if (!first)
        add_encoded(&one, ",");
    add_encoded(&one, l->name);
    add_encoded(&one, "=");
    fits = add_encoded(&one, value) && buf_add(b, one.data, one.len);
    buf_release(&one);
    return fits;
}

/* name=app{key=value,...}; service_name overrides what the server makes of app. Labels for which there is no
 * room are left out, of the user's tags the last. */
static void add_ingest_name(struct buf *b, const struct pushing *push)
{
    FREE_PTR char *app = app_name(push->who->service);
    bool first = true;

    add_encoded(b, app);
    add_encoded(b, "{");
    for (uint32_t i = 0; i < push->series.labels; i++) {
        const struct series_label *l = &push->series.label[i];

        if (strcmp(l->name, "service_name") == 0 && strcmp(l->value, app) == 0)
            continue;
        if (add_ingest_label(b, l, first))
            first = false;
    }
}

static int ingest_part(void *ctx, const struct series_part *part, struct err *e)
{
    const struct pushing *push = ctx;
    const struct profile *p = part->profile;
    struct target_request r = {.method = "POST", .headers = "Content-Type: application/octet-stream\n"};
    unsigned long long from = p->time_wall_ns, until = from + p->duration_ns;
    struct buf pprof, path;
    int result;

    buf_init(&pprof, BODY_MAX);
    buf_init(&path, INGEST_PATH_MAX - INGEST_TAIL_MAX);
    buf_printf(&path, "%s?name=", push->t->path);
    add_ingest_name(&path, push);
    path.max += INGEST_TAIL_MAX;
    buf_printf(&path, "%%7D&from=%019llu&until=%019llu&format=pprof&spyName=ringside", from, until);
    buf_add(&path, "", 1);
    result = target_pprof(p, &pprof, e);
    if (result == 0) {
        r.path = path.data;
        r.body = pprof.data;
        r.body_bytes = pprof.len;
        result = push->emit->request(push->emit->ctx, &r, e);
    }
    buf_release(&pprof);
    buf_release(&path);
    return result;
}

/* ---- the backend ---- */

static bool tenant_is_valid(const char *tenant)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!_.*'()-";
    size_t n = strlen(tenant);

    return n <= TENANT_MAX && strspn(tenant, letters) == n && strcmp(tenant, ".") != 0 &&
           strcmp(tenant, "..") != 0;
}

static int pyroscope_prepare(struct target *t, const struct target_config *config, struct err *e)
{
    static const char header[] = "X-Scope-OrgID:";

    if (!config->tenant || !config->tenant[0])
        return 0;
    if (!tenant_is_valid(config->tenant))
        return err_set(e, 0, "tenant '%.160s': at most %d letters, digits and !_.*'()-, and neither . nor ..",
                       config->tenant, TENANT_MAX);
    for (uint32_t i = 0; i < config->header_count; i++)
        if (strncasecmp(config->headers[i], header, sizeof(header) - 1) == 0)
            return err_set(e, 0, "there is a tenant and an X-Scope-OrgID header; they are the same thing");
    return target_add_header(t, e, "%s %s", header, config->tenant);
}

static int pyroscope_convert(const struct target *t, const struct target_job *job,
                             const struct target_emit *emit, struct err *e)
{
    struct pushing push = {.t = t, .who = job->who, .number = job->number, .emit = emit};
    struct series_send send = {ends_with(t->path, INGEST_PATH) ? ingest_part : push_part, &push};
    int sent;

    series_init(&push.series);
    add_labels(&push.series, t, job);
    sent = series_convert(job->profile, &limits, &send, e);
    series_release(&push.series);
    return sent;
}

/*
 * What is worth sending again, by Connect's codes, where the status leaves it open. "canceled" is what a
 * server says that is shutting down.
 */
static enum target_verdict judge_code(int status, const char *code)
{
    static const char *const again[] = {"canceled", "unknown",  "deadline_exceeded", "resource_exhausted",
                                        "aborted",  "internal", "unavailable",       "data_loss"};
    static const char *const never[] = {"invalid_argument",  "not_found",           "already_exists",
                                        "permission_denied", "failed_precondition", "out_of_range",
                                        "unimplemented",     "unauthenticated"};

    for (size_t i = 0; i < ARRAY_LEN(again); i++)
        if (strcmp(code, again[i]) == 0)
            return TARGET_RETRY;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (strcmp(code, never[i]) == 0)
            return TARGET_REFUSED;
    return target_judge_status(status);
}

static enum target_verdict pyroscope_judge(const struct target *t, const struct http_reply *reply,
                                           char words[TARGET_WORDS_MAX])
{
    char code[32];

    (void)t;
    if (reply->status >= 200 && reply->status <= 299)
        return series_judge_success(reply, words);
    target_words(reply, words);
    if (reply->status == 501)
        return TARGET_REFUSED;
    if (reply->status != 409 && reply->status != 499 && target_judge_status(reply->status) != TARGET_RETRY)
        return TARGET_REFUSED; /* by its status, whatever it says */
    series_reply_code(reply, code, sizeof(code));
    return judge_code(reply->status, code);
}

const struct backend backend_pyroscope = {
    .kind = "pyroscope",
    .port = 4040,
    .prepare = pyroscope_prepare,
    .convert = pyroscope_convert,
    .judge = pyroscope_judge,
};
