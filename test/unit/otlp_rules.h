/*
 * otlp_rules.h - requests of OTLP decoded, and the format's rules that concern who sends them
 */
#ifndef RINGSIDE_TEST_OTLP_RULES_H
#define RINGSIDE_TEST_OTLP_RULES_H

#include "unit.h"

#include <otlp_profiles_service.pb-c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "ringside/base.h"
#include "ringside/target.h"

#define REQUEST_TYPE "opentelemetry.proto.collector.profiles.v1development.ExportProfilesServiceRequest"
#define UNPACK_REQUEST                                                                                       \
    opentelemetry__proto__collector__profiles__v1development__export_profiles_service_request__unpack
#define FREE_REQUEST                                                                                         \
    opentelemetry__proto__collector__profiles__v1development__export_profiles_service_request__free_unpacked

typedef Opentelemetry__Proto__Collector__Profiles__V1development__ExportProfilesServiceRequest Request;
typedef Opentelemetry__Proto__Profiles__V1development__ProfilesDictionary Dictionary;
typedef Opentelemetry__Proto__Profiles__V1development__Profile Profile;
typedef Opentelemetry__Proto__Profiles__V1development__Sample Sample;
typedef Opentelemetry__Proto__Profiles__V1development__Location Location;
typedef Opentelemetry__Proto__Profiles__V1development__KeyValueAndUnit Attribute;
typedef Opentelemetry__Proto__Common__V1__KeyValue KeyValue;

#define STRING_VALUE OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE
#define ARRAY_VALUE  OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE
#define INT_VALUE    OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE

static inline const char *text_of(const Request *r, int32_t index)
{
    return r->dictionary->string_table[index];
}

static inline const Profile *find_profile(const Request *r, const char *type)
{
    for (size_t i = 0; i < r->resource_profiles[0]->scope_profiles[0]->n_profiles; i++) {
        const Profile *p = r->resource_profiles[0]->scope_profiles[0]->profiles[i];

        if (strcmp(text_of(r, p->sample_type->type_strindex), type) == 0)
            return p;
    }
    return NULL;
}
/* ---- the format's rules ---- */

/* Of the message and all within it. */
static inline void check_known(const ProtobufCMessage *m)
{
    assert_int_equal(m->n_unknown_fields, 0);
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *member = (const char *)m + f->offset, *count = (const char *)m + f->quantifier_offset;

        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            for (size_t k = 0; k < *(const size_t *)count; k++)
                check_known((*(ProtobufCMessage ***)member)[k]);
        } else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *(const uint32_t *)count == f->id) {
            if (*(ProtobufCMessage **)member)
                check_known(*(ProtobufCMessage **)member);
        }
    }
}

/* Entry 0 takes no byte, no two entries are equal. */
static inline void check_table(const void *table, size_t n)
{
    ProtobufCMessage *const *row = table;
    struct map64 seen;

    assert_true(n >= 1);
    assert_int_equal(protobuf_c_message_get_packed_size(row[0]), 0);
    map64_init(&seen);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = protobuf_c_message_get_packed_size(row[i]);
        FREE_PTR uint8_t *packed = base_alloc(bytes + 1);
        uint64_t hash = hash_bytes(packed, protobuf_c_message_pack(row[i], packed));

        assert_null(map64_find(&seen, hash));
        map64_put(&seen, hash, 1);
    }
    map64_release(&seen);
}

/* Which entries of each table are named. */
struct otlp_used {
    const Dictionary *d;
    bool *mapping, *location, *function, *string, *attribute, *stack;
};

static inline void use(bool *used, int64_t index, size_t n)
{
    assert_in_range(index, 0, n - 1);
    used[index] = true;
}

static inline void use_attributes(struct otlp_used *u, const int32_t *index, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        use(u->attribute, index[i], u->d->n_attribute_table);
        assert_int_not_equal(index[i], 0);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(u->d->attribute_table[index[i]]->key_strindex,
                                 u->d->attribute_table[index[k]]->key_strindex);
    }
}

static inline void use_string(struct otlp_used *u, int32_t index)
{
    use(u->string, index, u->d->n_string_table);
}

static inline void use_dictionary(struct otlp_used *u)
{
    const Dictionary *d = u->d;

    for (size_t i = 1; i < d->n_stack_table; i++)
        for (size_t k = 0; k < d->stack_table[i]->n_location_indices; k++) {
            assert_int_not_equal(d->stack_table[i]->location_indices[k], 0);
            use(u->location, d->stack_table[i]->location_indices[k], d->n_location_table);
        }
    for (size_t i = 1; i < d->n_location_table; i++) {
        const Location *l = d->location_table[i];

        assert_true(l->mapping_index || l->n_lines);
        use(u->mapping, l->mapping_index, d->n_mapping_table);
        for (size_t k = 0; k < l->n_lines; k++) {
            assert_int_not_equal(l->lines[k]->function_index, 0);
            use(u->function, l->lines[k]->function_index, d->n_function_table);
        }
        use_attributes(u, l->attribute_indices, l->n_attribute_indices);
    }
    for (size_t i = 1; i < d->n_function_table; i++) {
        assert_int_not_equal(d->function_table[i]->name_strindex, 0);
        use_string(u, d->function_table[i]->name_strindex);
        use_string(u, d->function_table[i]->system_name_strindex);
    }
    for (size_t i = 1; i < d->n_mapping_table; i++) {
        assert_int_not_equal(d->mapping_table[i]->filename_strindex, 0);
        use_string(u, d->mapping_table[i]->filename_strindex);
        use_attributes(u, d->mapping_table[i]->attribute_indices, d->mapping_table[i]->n_attribute_indices);
    }
    for (size_t i = 1; i < d->n_attribute_table; i++) {
        assert_int_not_equal(d->attribute_table[i]->key_strindex, 0);
        assert_non_null(d->attribute_table[i]->value);
        assert_int_not_equal(d->attribute_table[i]->value->value_case, 0);
        use_string(u, d->attribute_table[i]->key_strindex);
    }
}

static inline void check_all_used(const bool *used, size_t n)
{
    for (size_t i = 1; i < n; i++)
        assert_true(used[i]);
}

static inline void check_profile(struct otlp_used *u, const Profile *p)
{
    struct map64 seen;

    assert_non_null(p->sample_type);
    assert_non_null(p->period_type);
    assert_int_not_equal(p->sample_type->type_strindex, 0);
    assert_int_not_equal(p->sample_type->unit_strindex, 0);
    use_string(u, p->sample_type->type_strindex);
    use_string(u, p->sample_type->unit_strindex);
    use_string(u, p->period_type->type_strindex);
    use_string(u, p->period_type->unit_strindex);
    assert_true(p->time_unix_nano > 0 && p->duration_nano > 0 && p->period >= 0);
    assert_int_equal(p->profile_id.len, 16);
    assert_memory_not_equal(p->profile_id.data, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(p->original_payload.len, 0);
    use_attributes(u, p->attribute_indices, p->n_attribute_indices);
    assert_true(p->n_samples >= 1 && p->n_samples <= 16000);
    map64_init(&seen);
    for (size_t i = 0; i < p->n_samples; i++) {
        const Sample *s = p->samples[i];
        int32_t attribute = s->n_attribute_indices ? s->attribute_indices[0] : 0;
        uint64_t identity = (uint64_t)s->stack_index << 32 | (uint32_t)attribute;

        assert_int_equal(s->n_values, 1);
        assert_int_equal(s->n_timestamps_unix_nano, 0);
        assert_int_equal(s->link_index, 0);
        assert_true(s->n_attribute_indices <= 1);
        assert_int_not_equal(s->stack_index, 0);
        use(u->stack, s->stack_index, u->d->n_stack_table);
        use_attributes(u, s->attribute_indices, s->n_attribute_indices);
        assert_null(map64_find(&seen, identity));
        map64_put(&seen, identity, 1);
    }
    map64_release(&seen);
}

static inline const char *resource_text(const Request *r, const char *key)
{
    const KeyValue *found = NULL;

    for (size_t i = 0; i < r->resource_profiles[0]->resource->n_attributes; i++) {
        const KeyValue *a = r->resource_profiles[0]->resource->attributes[i];

        assert_string_not_equal(a->key, "");
        if (strcmp(a->key, key) != 0)
            continue;
        assert_null(found);
        found = a;
    }
    if (!found)
        return NULL;
    assert_int_equal(found->value->value_case, STRING_VALUE);
    return found->value->string_value;
}

static inline void check_request(const Request *r)
{
    const Dictionary *d = r->dictionary;
    struct otlp_used u = {.d = d};

    check_known(&r->base);
    assert_non_null(d);
    assert_int_equal(r->n_resource_profiles, 1);
    assert_non_null(resource_text(r, "service.name"));
    assert_int_equal(r->resource_profiles[0]->n_scope_profiles, 1);
    assert_string_equal(r->resource_profiles[0]->scope_profiles[0]->scope->name, "ringside");
    assert_string_equal(r->resource_profiles[0]->scope_profiles[0]->scope->version, "0.1.0");
    check_table(d->mapping_table, d->n_mapping_table);
    check_table(d->location_table, d->n_location_table);
    check_table(d->function_table, d->n_function_table);
    check_table(d->attribute_table, d->n_attribute_table);
    check_table(d->stack_table, d->n_stack_table);
    check_table(d->link_table, d->n_link_table);
    assert_int_equal(d->n_link_table, 1);
    u.mapping = base_calloc(d->n_mapping_table, 1);
    u.location = base_calloc(d->n_location_table, 1);
    u.function = base_calloc(d->n_function_table, 1);
    u.string = base_calloc(d->n_string_table, 1);
    u.attribute = base_calloc(d->n_attribute_table, 1);
    u.stack = base_calloc(d->n_stack_table, 1);
    assert_true(r->resource_profiles[0]->scope_profiles[0]->n_profiles >= 1);
    for (size_t i = 0; i < r->resource_profiles[0]->scope_profiles[0]->n_profiles; i++)
        check_profile(&u, r->resource_profiles[0]->scope_profiles[0]->profiles[i]);
    use_dictionary(&u);
    check_all_used(u.mapping, d->n_mapping_table);
    check_all_used(u.location, d->n_location_table);
    check_all_used(u.function, d->n_function_table);
    check_all_used(u.string, d->n_string_table);
    check_all_used(u.attribute, d->n_attribute_table);
    check_all_used(u.stack, d->n_stack_table);
    free(u.mapping);
    free(u.location);
    free(u.function);
    free(u.string);
    free(u.attribute);
    free(u.stack);
}

static inline void check_strings(const Dictionary *d)
{
    struct strtab seen;

    assert_true(d->n_string_table >= 1);
    assert_string_equal(d->string_table[0], "");
    strtab_init(&seen, 64 << 20);
    for (size_t i = 1; i < d->n_string_table; i++)
        assert_int_equal(strtab_add(&seen, d->string_table[i]), i);
    strtab_release(&seen);
}

#define MAX_REQUESTS 64
/* ---- requests caught ---- */

struct caught {
    struct buf body[MAX_REQUESTS]; /* decompressed */
    Request *request[MAX_REQUESTS];
    int requests;
    char path[128];
    int refuse; /* the request with this number, from 1 */
};

static inline void inflate_into(struct buf *out, const void *bytes, size_t n)
{
    static unsigned char made[1 << 16];
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (unsigned)n};
    int status;

    buf_init(out, 64 << 20);
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK); /* 16: gzip only */
    do {
        z.next_out = made;
        z.avail_out = sizeof(made);
        status = inflate(&z, Z_NO_FLUSH);
        assert_true(buf_add(out, made, sizeof(made) - z.avail_out));
    } while (status == Z_OK);
    assert_int_equal(status, Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
}

static inline int catch (void *ctx, const struct target_request *r, struct err *e)
{
    struct caught *c = ctx;

    if (c->refuse == c->requests + 1)
        return err_set(e, 0, "no room");
    assert_true(c->requests < MAX_REQUESTS);
    assert_string_equal(r->method, "POST");
    assert_string_equal(r->headers, "Content-Type: application/x-protobuf\nContent-Encoding: gzip\n");
    snprintf(c->path, sizeof(c->path), "%s", r->path);
    inflate_into(&c->body[c->requests], r->body, r->body_bytes);
    c->request[c->requests] =
        UNPACK_REQUEST(NULL, c->body[c->requests].len, (uint8_t *)c->body[c->requests].data);
    assert_non_null(c->request[c->requests]);
    c->requests++;
    return 0;
}

static inline void release(struct caught *c)
{
    for (int i = 0; i < c->requests; i++) {
        buf_release(&c->body[i]);
        FREE_REQUEST(c->request[i], NULL);
    }
    c->requests = 0;
}

static inline void check_all(const struct caught *c)
{
    for (int i = 0; i < c->requests; i++) {
        assert_true(c->body[i].len < 4 << 20);
        check_request(c->request[i]);
        check_strings(c->request[i]->dictionary);
    }
}
/* ---- other decoders ---- */

/* Runs protoc's decoder over the bytes; its output has a number where a field is unknown. */
static inline void check_protoc(const void *bytes, size_t n)
{
    char path[] = "/tmp/ringside-test-otlp-XXXXXX", line[512];
    int fd = mkstemp(path);
    FILE *out;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
    snprintf(line, sizeof(line), "protoc --decode=" REQUEST_TYPE " -I%s otlp_profiles_service.proto <%s",
             TEST_SCHEMAS, path);
    out = popen(line, "r");
    assert_non_null(out);
    while (fgets(line, sizeof(line), out)) {
        size_t indent = strspn(line, " ");

        if (line[indent] >= '0' && line[indent] <= '9')
            fail_msg("unknown field: %s", line);
    }
    assert_int_equal(pclose(out), 0);
    unlink(path);
}

static inline bool have_protoc(void)
{
    const char *require = getenv("REQUIRE");

    if (system("protoc --version >/dev/null 2>&1") == 0)
        return true;
    assert_false(require && strstr(require, "protoc"));
    print_message("skipped: protoc is not installed\n");
    return false;
}
#endif
