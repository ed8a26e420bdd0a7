/*
 * fuzz_otlp_reply.c - any bytes as the body of an OTLP receiver's answer: the first says with which status,
 * the second with which type
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/target/otlp_reply.h"
#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const int statuses[] = {200, 202, 400, 404, 429, 500, 503};
    static const char *const types[] = {"application/x-protobuf", "application/json", "text/plain",
                                        "text/html", ""};
    struct http_reply reply = {.error = ""};
    char words[TARGET_WORDS_MAX], clean[TARGET_WORDS_MAX];
    enum target_verdict verdict;

    if (n < 2 || n - 2 > HTTP_REPLY_MAX)
        return 0;
    reply.status = statuses[data[0] % ARRAY_LEN(statuses)];
    reply.content_type = types[data[1] % ARRAY_LEN(types)];
    reply.body = data + 2;
    reply.body_bytes = n - 2;
    memset(words, 'x', sizeof(words));
    verdict = otlp_judge(NULL, &reply, words);
    if (memchr(words, '\0', sizeof(words)) == NULL)
        abort();
    memcpy(clean, words, sizeof(clean));
    utf8_clean(clean);
    if (strcmp(clean, words) != 0)
        abort();
    if (reply.status < 300 ? verdict == TARGET_REFUSED : verdict != TARGET_REFUSED && verdict != TARGET_RETRY)
        abort();
    return 0;
}
