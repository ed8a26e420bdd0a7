/*
 * fuzz_reply.c - any bytes as a server's answer: the verdict is one, and the words are one clean line
 *
 * The first byte chooses the kind of target, the next two are the status, the rest is the body.
 */
#include "ringside/target.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct target *target_of(uint8_t which)
{
    static const char *const urls[] = {"datadog+http://localhost",         "pyroscope+http://localhost",
                                       "parca+http://localhost",           "otlp+http://localhost",
                                       "put+http://localhost/x",           "post+http://localhost/x",
                                       "pyroscope+http://localhost/ingest"};
    static struct target *targets[ARRAY_LEN(urls)];
    uint8_t i = which % ARRAY_LEN(urls);

    if (!targets[i])
        targets[i] = target_new(&(struct target_config){.url = urls[i]}, NULL);
    return targets[i];
}

static void check_words(const char words[TARGET_WORDS_MAX])
{
    char clean[TARGET_WORDS_MAX];

    if (!memchr(words, '\0', TARGET_WORDS_MAX))
        abort();
    strcpy(clean, words);
    utf8_clean(clean);
    if (strcmp(clean, words) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct http_reply reply = {.error = "", .content_type = "", .retry_after_ms = -1};
    char words[TARGET_WORDS_MAX];
    enum target_verdict verdict;
    void *body;

    if (n < 3)
        return 0;
    reply.status = (data[1] << 8 | data[2]) % 600;
    reply.content_type = data[1] & 0x80 ? "application/json" : data[1] & 0x40 ? "application/x-protobuf" : "";
    body = malloc(n - 3); /* of its own, so that reading beyond it is seen */
    memcpy(body, data + 3, n - 3);
    reply.body = body;
    reply.body_bytes = MIN_OF(n - 3, (size_t)HTTP_REPLY_MAX);
    memset(words, 'x', sizeof(words));
    verdict = target_judge(target_of(data[0]), &reply, words);
    if (verdict > TARGET_RETRY)
        abort();
    if (reply.status >= 500 && verdict != TARGET_RETRY && verdict != TARGET_REFUSED)
        abort();
    check_words(words);
    free(body);
    return 0;
}
