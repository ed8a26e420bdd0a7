/*
 * test_target_otlp_wire.c - OTLP's schemas against a request of another implementation, and what answers mean
 */
#include "otlp_rules.h"

#include "ringside/http.h"
#include "ringside/target.h"

/* A request made with another implementation and checked against the schemas of OpenTelemetry. */
static const char example[] =
    "0a7b0a2b0a160a0c736572766963652e6e616d6512060a0464656d6f0a110a09686f73742e6e616d6512040a026831124c0a0c0a"
    "056e70726f661203302e31123c0a0408011002120808011201012201071900002a36fe9c97172080c8afa0252a04080310043080"
    "ade2043a10000102030405060708090a0b0c0d0e0f1294020a000a1208808080021080a0800218802020052a0102120012100801"
    "10a38280021a040802100a2201031210080110808480021a04080110142201031a001a04080610061a040807100722002a002a07"
    "73616d706c65732a05636f756e742a036370752a0b6e616e6f7365636f6e64732a0c2f7573722f62696e2f6170702a046d61696e"
    "2a04776f726b2a0b7468726561642e6e616d652a06776f726b65722a1f70726f636573732e65786563757461626c652e6275696c"
    "645f69642e676e752a04616231322a1270726f66696c652e6672616d652e747970652a066e61746976653200320c080812080a06"
    "776f726b6572320a080a12060a0461623132320c080c12080a066e61746976653a003a040a020102";

TEST(otlp__schemas_decode_a_foreign_request)
{
    uint8_t bytes[sizeof(example) / 2], back[sizeof(bytes)];
    Request *r;
    const Sample *s;

    for (size_t i = 0; i < sizeof(bytes); i++) {
        char digits[3] = {example[2 * i], example[2 * i + 1]};

        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    r = UNPACK_REQUEST(NULL, sizeof(bytes), bytes);
    assert_non_null(r);
    check_known(&r->base);
    assert_string_equal(resource_text(r, "service.name"), "demo");
    s = find_profile(r, "samples")->samples[0];
    assert_int_equal(s->values[0], 7);
    assert_int_equal(find_profile(r, "samples")->period, 10000000);
    assert_string_equal(r->dictionary->attribute_table[s->attribute_indices[0]]->value->string_value,
                        "worker");
    /* All of it, and as it was. */
    assert_int_equal(protobuf_c_message_get_packed_size(&r->base), sizeof(bytes));
    protobuf_c_message_pack(&r->base, back);
    assert_memory_equal(back, bytes, sizeof(bytes));
    FREE_REQUEST(r, NULL);
    if (have_protoc())
        check_protoc(bytes, sizeof(bytes));
}
static struct target *open_target(const char *url)
{
    struct err e = {0};
    struct target *t = target_new(&(struct target_config){.url = url}, &e);

    if (!t)
        fail_msg("%s", e.text);
    return t;
}

/* ---- answers ---- */

#define PROTOBUF "application/x-protobuf"

struct answer {
    int status;
    const char *type;
    const char *body;
    size_t bytes;
    enum target_verdict verdict;
    const char *words;
};
#define BODY(text) text, sizeof(text) - 1

TEST(otlp__judges_answers_by_the_protocol)
{
    static const struct answer answers[] = {
        {200, PROTOBUF, BODY(""), TARGET_DELIVERED, ""},
        {202, "", BODY(""), TARGET_DELIVERED, ""},
        {200, PROTOBUF, BODY("\x0a\x00"), TARGET_DELIVERED, ""},
        {200, PROTOBUF, BODY("\x0a\x0a\x08\x02\x12\x06too\nbi"), TARGET_IN_PART,
         "2 profiles rejected: too bi"},
        {200, PROTOBUF, BODY("\x0a\x02\x08\x01"), TARGET_IN_PART, "1 profiles rejected"},
        {200, PROTOBUF "; x=y", BODY("\x0a\x06\x12\x04soon"), TARGET_DELIVERED, "soon"},
        {200, PROTOBUF, BODY("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), TARGET_DELIVERED, ""},
        {200, PROTOBUF, BODY("\xff\xff\xff garbage"), TARGET_DELIVERED, ""},
        {200, "text/plain", BODY("\x0a\x02\x08\x01"), TARGET_DELIVERED, ""},
        {200, "text/html", BODY("<p>Log in"), TARGET_RETRY,
         "a page in HTML came back: this is not the server itself"},
        {200, "application/json", BODY("{}"), TARGET_DELIVERED, ""},
        {400, PROTOBUF, BODY("\x08\x03\x12\x09no \xff good"), TARGET_REFUSED, "no ? good"},
        {400, PROTOBUF, BODY("\x08\x03"), TARGET_REFUSED, ""},
        {400, "text/plain", BODY("invalid index\n"), TARGET_REFUSED, "invalid index"},
        {400, PROTOBUF, BODY("plain after all"), TARGET_REFUSED, "plain after all"},
        {401, "", BODY(""), TARGET_REFUSED, ""},
        {404, "text/plain", BODY("404 page not found"), TARGET_REFUSED, "404 page not found"},
        {413, "", BODY(""), TARGET_REFUSED, ""},
        {302, "", BODY(""), TARGET_REFUSED, ""},
        {500, PROTOBUF,
         BODY("\x12\x04"
              "disk"),
         TARGET_REFUSED, "disk"},
        {501, "", BODY(""), TARGET_REFUSED, ""},
        {408, "", BODY(""), TARGET_RETRY, ""},
        {429, PROTOBUF, BODY("\x12\x04slow"), TARGET_RETRY, "slow"},
        {502, "", BODY(""), TARGET_RETRY, ""},
        {503, "application/json", BODY("{\"message\":\"later\"}"), TARGET_RETRY, "later"},
        {504, "", BODY(""), TARGET_RETRY, ""},
    };
    struct target *t = open_target("otlp+http://h:4318");

    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        const struct answer *a = &answers[i];
        struct http_reply reply = {.status = a->status,
                                   .error = "",
                                   .content_type = a->type,
                                   .body = a->body,
                                   .body_bytes = a->bytes};
        char words[TARGET_WORDS_MAX];

        if (target_judge(t, &reply, words) != a->verdict)
            fail_msg("answer %zu: wrong verdict", i);
        assert_string_equal(words, a->words);
    }
    target_free(t);
}

/* Longer than the room for words, and not ending between two characters. */
TEST(otlp__cuts_long_words)
{
    struct target *t = open_target("otlp+http://h:4318");
    uint8_t body[7 + 600] = {0x0a, 0xdd, 0x04, 0x08, 0x05, 0x12, 0xd8, 0x04};
    struct http_reply reply = {
        .status = 200, .error = "", .content_type = PROTOBUF, .body = body, .body_bytes = 608};
    FREE_PTR uint8_t *bytes = base_calloc(608, 1);
    char words[TARGET_WORDS_MAX];

    memcpy(bytes, body, 8);
    for (size_t i = 0; i < 300; i++)
        memcpy(bytes + 8 + 2 * i, "\xc3\xa9", 2);
    reply.body = bytes;
    assert_int_equal(target_judge(t, &reply, words), TARGET_IN_PART);
    assert_int_equal(strlen(words), TARGET_WORDS_MAX - 1);
    assert_non_null(strstr(words, "5 profiles rejected: \xc3\xa9"));
    target_free(t);
}
