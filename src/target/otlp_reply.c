/*
 * otlp_reply.c - the answers of OTLP/HTTP (docs/specification.md of opentelemetry-proto): a status, and a
 * small message in it
 */
#include "otlp_reply.h"

#include <otlp_profiles_service.pb-c.h>
#include <otlp_status.pb-c.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ringside/base.h"

#include "backend.h"
#include "series.h"

typedef Opentelemetry__Proto__Collector__Profiles__V1development__ExportProfilesServiceResponse WireResponse;
typedef Opentelemetry__Proto__Collector__Profiles__V1development__ExportProfilesPartialSuccess WirePartial;
typedef Google__Rpc__Status WireStatus;

/* Others wrap their words in JSON, or send plain text as Pyroscope does, some of which would decode. */
static bool is_protobuf(const struct http_reply *reply)
{
    const char *type = reply->content_type ? reply->content_type : "";

    return reply->body_bytes &&
           (strncasecmp(type, "application/x-protobuf", strlen("application/x-protobuf")) == 0 ||
            strncasecmp(type, "application/protobuf", strlen("application/protobuf")) == 0);
}

/* One clean line. */
static void copy_words(const char *text, char words[TARGET_WORDS_MAX])
{
    target_words(&(struct http_reply){.body = text, .body_bytes = strlen(text)}, words);
}

static enum target_verdict judge_partial(const WirePartial *partial, char words[TARGET_WORDS_MAX])
{
    char message[TARGET_WORDS_MAX];
    size_t n;

    copy_words(partial->error_message, message);
    if (partial->rejected_profiles <= 0) { /* a warning, if anything */
        memcpy(words, message, sizeof(message));
        return TARGET_DELIVERED;
    }
    n = (size_t)snprintf(words, TARGET_WORDS_MAX, "%lld profiles rejected",
                         (long long)partial->rejected_profiles);
    if (message[0])
        snprintf(words + n, TARGET_WORDS_MAX - n, ": %.*s", (int)(TARGET_WORDS_MAX - n - 3), message);
    utf8_clean(words); /* cut within a character */
    return TARGET_IN_PART;
}

/* A body that cannot be understood takes nothing back: the status says that all was stored. */
static enum target_verdict judge_success(const struct http_reply *reply, char words[TARGET_WORDS_MAX])
{
    enum target_verdict verdict = series_judge_success(reply, words);
    WireResponse *response = NULL;

    if (verdict == TARGET_DELIVERED && is_protobuf(reply))
        response =
            opentelemetry__proto__collector__profiles__v1development__export_profiles_service_response__unpack(
                NULL, reply->body_bytes, reply->body);
    if (response && response->partial_success)
        verdict = judge_partial(response->partial_success, words);
    if (response)
        opentelemetry__proto__collector__profiles__v1development__export_profiles_service_response__free_unpacked(
            response, NULL);
    return verdict;
}

static void failure_words(const struct http_reply *reply, char words[TARGET_WORDS_MAX])
{
    WireStatus *status = NULL;

    if (is_protobuf(reply))
        status = google__rpc__status__unpack(NULL, reply->body_bytes, reply->body);
    if (status && status->message[0])
        copy_words(status->message, words);
    else if (!status)
        target_words(reply, words);
    if (status)
        google__rpc__status__free_unpacked(status, NULL);
}

enum target_verdict otlp_judge(const struct target *t, const struct http_reply *reply,
                               char words[TARGET_WORDS_MAX])
{
    (void)t;
    words[0] = '\0';
    if (reply->status >= 200 && reply->status <= 299)
        return judge_success(reply, words);
    failure_words(reply, words);
    switch (reply->status) {
    case 0: /* no reply */
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
        return TARGET_RETRY;
    default: /* 500 too: the collector answers permanent errors with it */
        return TARGET_REFUSED;
    }
}
