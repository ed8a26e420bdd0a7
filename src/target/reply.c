/*
 * reply.c - what a server's answer means, and what of its words can be shown
 */
#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/pprof.h"

#include "backend.h"
#include "base64.h"

/* ---- words ---- */

/* The text behind "message" of a JSON object, without looking at the rest of it; its length in *n. The key
 * counts wherever it stands: servers wrap their errors in different ways. */
static const char *json_message(const char *body, size_t bytes, size_t *n)
{
    static const char key[] = "\"message\"";
    const char *end = body + bytes, *at = memmem(body, bytes, key, sizeof(key) - 1);
    const char *start;

    if (bytes == 0 || (body[0] != '{' && body[0] != '[') || !at)
        return NULL;
    at += sizeof(key) - 1;
    while (at < end && (*at == ' ' || *at == ':' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    if (at == end || *at != '"')
        return NULL;
    for (start = ++at; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    *n = (size_t)(MIN_OF(at, end) - start);
    return *n ? start : NULL;
}

/* What stands in an element of XML or HTML: object stores answer in the one, web servers in the other. */
static const char *markup_message(const char *body, size_t bytes, size_t *n)
{
    static const char *const elements[] = {"<Message>", "<title>"};

    for (size_t i = 0; bytes && body[0] == '<' && i < ARRAY_LEN(elements); i++) {
        const char *start = memmem(body, bytes, elements[i], strlen(elements[i])), *end;

        if (!start)
            continue;
        start += strlen(elements[i]);
        end = memchr(start, '<', (size_t)(body + bytes - start));
        *n = end ? (size_t)(end - start) : 0;
        if (*n)
            return start;
    }
    return NULL;
}

/* Takes the backslashes of JSON off, but for those of letters that are not worth decoding here. */
static char unescaped(const char **at, const char *end)
{
    char c = *(*at)++;

    if (c != '\\' || *at == end)
        return c;
    c = *(*at)++;
    return (char)(strchr("nrtbf", c) && c ? ' ' : c);
}

/* Copies up to room bytes as one line; runs of blanks become one. Returns the length. */
static size_t one_line(const char *text, size_t bytes, bool json, char *out, size_t room)
{
    const char *end = text + bytes;
    size_t n = 0;

    while (text < end && n < room) {
        char c = json ? unescaped(&text, end) : *text++;

        if (c == '\0' || c == '\n' || c == '\r' || c == '\t')
            c = ' ';
        if (c != ' ' || (n && out[n - 1] != ' '))
            out[n++] = c;
    }
    while (n && out[n - 1] == ' ')
        n--;
    return n;
}

/* To terminals some characters beyond ASCII are commands as well (U+0080 to U+009F, ECMA-48). */
static void blind_controls(char *text)
{
    for (; *text; text++) {
        bool two = (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;

        if (two || *text == 0x7f)
            *text = '?';
        if (two)
            *++text = '?';
    }
}

void target_words(const struct http_reply *reply, char words[TARGET_WORDS_MAX])
{
    size_t bytes = reply->body ? reply->body_bytes : 0, n = bytes;
    const char *body = bytes ? reply->body : "";
    const char *json = json_message(body, bytes, &n), *text = json;

    if (!text)
        text = markup_message(body, bytes, &n);
    n = one_line(text ? text : body, text ? n : bytes, json != NULL, words, TARGET_WORDS_MAX - 1);
    words[n] = '\0';
    utf8_clean(words);
    blind_controls(words);
}

/* ---- what must not be shown ---- */

#define SECRET_MIN 6 /* bytes: what is shorter is part of many texts */

static bool repeats(const struct http_reply *reply, const char *secret)
{
    size_t n = secret ? strlen(secret) : 0;

    return n >= SECRET_MIN && memmem(reply->body, reply->body_bytes, secret, n);
}

static bool repeats_basic(const struct target *t, const struct http_reply *reply)
{
    struct base64 encoder;
    struct buf b;
    bool found;

    if (!t->user)
        return false;
    buf_init(&b, SIZE_MAX);
    base64_begin(&encoder, &b);
    base64_write(&encoder, t->user, strlen(t->user), NULL);
    base64_write(&encoder, ":", 1, NULL);
    base64_write(&encoder, t->password, strlen(t->password), NULL);
    base64_end(&encoder);
    buf_add(&b, "", 1);
    found = repeats(reply, b.data);
    explicit_bzero(b.data, b.len);
    buf_release(&b);
    return found;
}

/* Some servers answer with the request they got. */
static bool repeats_credential(const struct target *t, const struct http_reply *reply)
{
    if (!reply->body)
        return false;
    for (uint32_t i = 0; i < t->headers; i++) {
        const char *value = strchr(t->header[i], ':') + 1, *blank = strrchr(value, ' ');

        if (repeats(reply, blank ? blank + 1 : value)) /* behind "Bearer" */
            return true;
    }
    return repeats(reply, t->password) || repeats(reply, t->query) || repeats(reply, t->bearer_first) ||
           repeats_basic(t, reply);
}

/* ---- verdicts ---- */

enum target_verdict target_judge_status(int status)
{
    if (status >= 200 && status <= 299)
        return TARGET_DELIVERED;
    if (status < 100 || status == 408 || status == 429 || (status >= 500 && status <= 599))
        return TARGET_RETRY;
    return TARGET_REFUSED;
}

static enum target_verdict judge(const struct target *t, const struct http_reply *reply,
                                 char words[TARGET_WORDS_MAX])
{
    enum target_verdict verdict = target_judge_status(reply->status);

    words[0] = '\0';
    if (reply->status == 0) {
        snprintf(words, TARGET_WORDS_MAX, "%s", reply->error ? reply->error : "");
        utf8_clean(words);
        return TARGET_RETRY;
    }
    /* Said by a proxy, of itself (RFC 9110 section 15.5.8): the server has not seen the profile. */
    if (reply->status == 407) {
        snprintf(words, TARGET_WORDS_MAX, "the proxy wants a user and password");
        return TARGET_RETRY;
    }
    if (t->backend->judge)
        return t->backend->judge(t, reply, words);
    if (verdict != TARGET_DELIVERED) /* what a server says to that is of no interest */
        target_words(reply, words);
    return verdict;
}

enum target_verdict target_judge(const struct target *t, const struct http_reply *reply,
                                 char words[TARGET_WORDS_MAX])
{
    enum target_verdict verdict = judge(t, reply, words);

    if (words[0] && repeats_credential(t, reply))
        snprintf(words, TARGET_WORDS_MAX, "what it said repeats a credential, and is not shown");
    return verdict;
}

/* ---- the profile as a file ---- */

static int append(void *out, const void *bytes, size_t n, struct err *e)
{
    return buf_add(out, bytes, n)
               ? 0
               : err_set(e, 0, "the profile is larger than %zu bytes", ((struct buf *)out)->max);
}

int target_pprof(const struct profile *p, struct buf *out, struct err *e)
{
    return pprof_write(p, &(struct byte_out){append, out}, e);
}
