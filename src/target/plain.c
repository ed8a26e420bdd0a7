/*
 * plain.c - the file itself, put under a name of its own, or posted: object stores, WebDAV, whatever takes
 * one
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#include "backend.h"
#include "url.h"

#define FILE_BYTES_MAX (60U << 20)
#define PATH_MAX_BYTES 4000 /* less than a spool's entry takes */
#define VALUE_MAX      100  /* bytes of one, before escaping: file names have 255 */

/* A number is unique in its run only, and so is a pid in its container. */
#define FILE_NAME "{service}-{time}-pid{pid}-{run}-{number}.pb.gz"

/* ---- names ---- */

static void write_time(char *out, size_t max, uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NSEC_PER_SEC);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    strftime(out, max, "%Y%m%dT%H%M%SZ", &tm);
}

enum word {
    WORD_SERVICE,
    WORD_ENV,
    WORD_VERSION,
    WORD_HOST,
    WORD_PID,
    WORD_TIME,
    WORD_NUMBER,
    WORD_RUNTIME_ID,
    WORD_RUN,
    WORDS
};

static const char *const word_names[WORDS] = {"service", "env",    "version",    "host", "pid",
                                              "time",    "number", "runtime_id", "run"};

/* number holds those that are made here. */
static const char *value_of(const struct target_job *job, enum word word, char number[VALUE_MAX])
{
    switch (word) {
    case WORD_SERVICE:
        return job->who->service;
    case WORD_ENV:
        return job->who->environment;
    case WORD_VERSION:
        return job->who->service_version;
    case WORD_HOST:
        return job->who->host;
    case WORD_PID:
        snprintf(number, VALUE_MAX, "%u", job->who->pid);
        return number;
    case WORD_TIME:
        write_time(number, VALUE_MAX, job->profile->time_wall_ns);
        return number;
    case WORD_NUMBER: /* as in the names of local files */
        snprintf(number, VALUE_MAX, "%04llu", (unsigned long long)job->number + 1);
        return number;
    case WORD_RUN:
        snprintf(number, VALUE_MAX, "%.8s", job->who->runtime_id);
        return number;
    default:
        return job->who->runtime_id;
    }
}

/*
 * A value is one part of a name: no slash, however servers decode it (nginx takes %2F for one), and no dot at
 * its beginning, so that nothing becomes "..". The rest is escaped.
 */
static void add_value(struct buf *b, const char *value)
{
    char clean[VALUE_MAX + 1];
    size_t n;

    if (!value || !value[0])
        value = "none";
    n = MIN_OF(strlen(value), (size_t)VALUE_MAX);
    while (n && value[n] && ((unsigned char)value[n] & 0xc0) == 0x80)
        n--; /* no piece of a character at the end (RFC 3629) */
    memcpy(clean, value, n);
    clean[n] = '\0';
    utf8_clean(clean);
    for (size_t i = 0; i < n; i++) {
        char c = clean[i];

        if (c == '/' || c == '\\' || c == '?' || (c == '.' && i == 0))
            c = '_';
        if (url_is_unreserved(c))
            buf_add(b, &c, 1);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

/* The word that text, behind a '{', begins with; its length without the '}' in *n. WORDS: none. */
static enum word word_at(const char *text, size_t *n)
{
    int word = 0;

    *n = strcspn(text, "}");
    if (text[*n] == '\0')
        return WORDS;
    while (word < WORDS && (strlen(word_names[word]) != *n || memcmp(word_names[word], text, *n) != 0))
        word++;
    return (enum word)word;
}

static void add_template(struct buf *b, const char *template, const struct target_job *job)
{
    char number[VALUE_MAX];
    size_t n;

    for (; *template; template += n) {
        n = strcspn(template, "{");
        buf_add(b, template, n);
        if (template[n] != '{')
            continue;
        template += n + 1;
        add_value(b, value_of(job, word_at(template, &n), number));
        n++;
    }
}

/* Every brace is part of a word. */
static int check_template(const char *template, struct err *e)
{
    size_t n;

    for (const char *at = template; (at = strpbrk(at, "{}")); at += n) {
        if (*at == '}' || word_at(at + 1, &n) == WORDS)
            return err_set(e, 0,
                           "'%.*s' in the path is not one of {service} {env} {version} {host} {pid} {time} "
                           "{number} {runtime_id} {run}",
                           (int)MIN_OF(strcspn(at, "}/") + 1, 40U), at);
        n += 2;
    }
    return 0;
}

/* ---- the target ---- */

static int plain_prepare(struct target *t, const struct target_config *config, struct err *e)
{
    (void)config;
    return check_template(t->path, e);
}

static int plain_convert(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                         struct err *e)
{
    /* What Go's own /debug/pprof/ says; "gzip" anywhere makes some servers and clients unpack it on the way.
     */
    const char *type = t->typed ? "" : "Content-Type: application/octet-stream\n";
    struct buf body, path;
    int result = -1;

    buf_init(&path, PATH_MAX_BYTES);
    buf_init(&body, FILE_BYTES_MAX);
    add_template(&path, t->path, job);
    if (t->folder) {
        buf_add_text(&path, "/");
        add_template(&path, FILE_NAME, job);
    }
    if (!buf_add(&path, "", 1))
        err_set(e, 0, "the path is longer than %d bytes", PATH_MAX_BYTES - 1);
    else if (target_pprof(job->profile, &body, e) == 0)
        result = emit->request(emit->ctx,
                               &(struct target_request){.method = t->backend == &backend_put ? "PUT" : "POST",
                                                        .path = path.data,
                                                        .headers = type,
                                                        .body = body.data,
                                                        .body_bytes = body.len},
                               e);
    buf_release(&path);
    buf_release(&body);
    return result < 0 ? -1 : 1;
}

/* ---- replies ---- */

static enum target_verdict plain_judge(const struct target *t, const struct http_reply *reply,
                                       char words[TARGET_WORDS_MAX])
{
    (void)t;
    if (target_judge_status(reply->status) == TARGET_DELIVERED)
        return TARGET_DELIVERED;
    target_words(reply, words);
    /* RFC 4918 section 9.7.1; nginx and Apache answer so. */
    if (reply->status == 409)
        snprintf(words, TARGET_WORDS_MAX,
                 "the folder is not there (nginx makes it with create_full_put_path)");
    return target_judge_status(reply->status);
}

const struct backend backend_put = {.kind = "put",
                                    .port = 80,
                                    .query = true,
                                    .words = true,
                                    .any_header = true,
                                    .prepare = plain_prepare,
                                    .convert = plain_convert,
                                    .judge = plain_judge};
const struct backend backend_post = {.kind = "post",
                                     .port = 80,
                                     .query = true,
                                     .words = true,
                                     .any_header = true,
                                     .prepare = plain_prepare,
                                     .convert = plain_convert,
                                     .judge = plain_judge};
