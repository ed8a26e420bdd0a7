/*
 * parca.c - Parca: WriteRaw through its JSON gateway
 *
 * The gateway and not gRPC: it needs no HTTP/2 and no trailers, and proxies understand it; base64 costs a
 * third of the bytes. The server answers a profile type it cannot read with 500, as if it were worth sending
 * again, so names are made such here that it can (series.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/profile.h"

#include "backend.h"
#include "base64.h"
#include "series.h"

#define WRITE_PATH "/api/profiles/writeraw"
#define BODY_MAX   (60 << 20) /* a server takes messages of 64 MiB (pkg/debuginfo, MaxMsgSize) */

static const struct series_limits limits = {
    .process_name = "comm",
    .thread_name = "thread_comm",
    .samples_max = UINT32_MAX,
    .bytes_max = 40 << 20, /* fits a body even if nothing can be compressed */
};

struct writing {
    const struct target *t;
    const struct target_emit *emit;
    struct series series; /* without __name__ */
};

/* ---- the request ---- */

static void add_label(struct buf *b, const char *name, const char *value)
{
    buf_add_text(b, "{\"name\":");
    json_add_text(b, name);
    buf_add_text(b, ",\"value\":");
    json_add_text(b, value);
    buf_add_text(b, "}");
}

/* The words of Prometheus (job) and of Parca's agent (node). No id of the run: see series.h. */
static void add_labels(struct series *s, const struct target *t, const struct target_job *job)
{
    const struct target_identity *who = job->who;

    series_add(s, "job", who->service);
    series_add(s, "service_name", who->service);
    series_add(s, "env", who->environment);
    series_add(s, "version", who->service_version);
    series_add(s, "node", who->host);
    series_add_source(s, who);
    target_say_tags_left_out(t, job, series_add_tags(s, who));
}

/* All but the profile is some kilobytes: if there was no room, there is none for the end either. */
static int make_body(const struct writing *w, const struct series_part *part, struct buf *b, struct err *e)
{
    struct base64 encoder;
    struct byte_out out = {base64_write, &encoder};

    buf_add_text(b, "{\"series\":[{\"labels\":{\"labels\":[");
    add_label(b, "__name__", part->name);
    for (uint32_t i = 0; i < w->series.labels; i++) {
        buf_add_text(b, ",");
        add_label(b, w->series.label[i].name, w->series.label[i].value);
    }
    buf_add_text(b, "]},\"samples\":[{\"rawProfile\":\"");
    base64_begin(&encoder, b);
    if (pprof_write(part->profile, &out, e) < 0)
        return -1;
    if (!base64_end(&encoder) || !buf_add_text(b, "\"}]}],\"normalized\":true}"))
        return err_set(e, 0, "the profile is larger than %d bytes", BODY_MAX);
    return 0;
}

static int write_part(void *ctx, const struct series_part *part, struct err *e)
{
    const struct writing *w = ctx;
    struct target_request r = {.method = "POST", .headers = "Content-Type: application/json\n"};
    FREE_PTR char *path = NULL;
    struct buf body;
    int result;

    if (asprintf(&path, "%s%s", w->t->path, WRITE_PATH) < 0)
        return err_set(e, ENOMEM, "make a path");
    buf_init(&body, BODY_MAX);
    result = make_body(w, part, &body, e);
    if (result == 0) {
        r.path = path;
        r.body = body.data;
        r.body_bytes = body.len;
        result = w->emit->request(w->emit->ctx, &r, e);
    }
    buf_release(&body);
    return result;
}

static int parca_convert(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                         struct err *e)
{
    struct writing w = {.t = t, .emit = emit};
    struct series_send send = {write_part, &w};
    int sent;

    series_init(&w.series);
    add_labels(&w.series, t, job);
    sent = series_convert(job->profile, &limits, &send, e);
    series_release(&w.series);
    return sent;
}

/* ---- replies ---- */

/* gRPC's numbers, which the gateway puts into the body. */
enum { CODE_UNKNOWN = 2, CODE_ABORTED = 10 };

/*
 * 500 with "unknown" is what profiles get that the server could not read or store: mostly bad data, which
 * stays bad. Without a code it is a proxy that speaks.
 */
static enum target_verdict parca_judge(const struct target *t, const struct http_reply *reply,
                                       char words[TARGET_WORDS_MAX])
{
    char text[32];
    int code;

    (void)t;
    if (reply->status >= 200 && reply->status <= 299)
        return series_judge_success(reply, words);
    target_words(reply, words);
    series_reply_code(reply, text, sizeof(text));
    code = atoi(text);
    if (reply->status == 409)
        return code == CODE_ABORTED ? TARGET_RETRY : TARGET_REFUSED;
    if (reply->status == 499) /* canceled: the server is shutting down */
        return TARGET_RETRY;
    if (reply->status == 501 || (reply->status == 500 && code == CODE_UNKNOWN))
        return TARGET_REFUSED;
    return target_judge_status(reply->status);
}

const struct backend backend_parca = {
    .kind = "parca",
    .port = 7070,
    .convert = parca_convert,
    .judge = parca_judge,
};
