/*
 * otlp_request.c - the messages of a request (third_party/schemas/otlp_*.proto), packed by protobuf-c
 *
 * The messages point into the request's rows where they can and live in an arena that goes when they are
 * packed.
 */
#include "otlp_request.h"

#include <otlp_profiles_service.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/target.h"

#include "series.h"

typedef Opentelemetry__Proto__Collector__Profiles__V1development__ExportProfilesServiceRequest WireRequest;
typedef Opentelemetry__Proto__Profiles__V1development__ProfilesDictionary WireDictionary;
typedef Opentelemetry__Proto__Profiles__V1development__ResourceProfiles WireResourceProfiles;
typedef Opentelemetry__Proto__Profiles__V1development__ScopeProfiles WireScopeProfiles;
typedef Opentelemetry__Proto__Profiles__V1development__Profile WireProfile;
typedef Opentelemetry__Proto__Profiles__V1development__Sample WireSample;
typedef Opentelemetry__Proto__Profiles__V1development__ValueType WireType;
typedef Opentelemetry__Proto__Profiles__V1development__Mapping WireMapping;
typedef Opentelemetry__Proto__Profiles__V1development__Location WireLocation;
typedef Opentelemetry__Proto__Profiles__V1development__Line WireLine;
typedef Opentelemetry__Proto__Profiles__V1development__Function WireFunction;
typedef Opentelemetry__Proto__Profiles__V1development__Link WireLink;
typedef Opentelemetry__Proto__Profiles__V1development__Stack WireStack;
typedef Opentelemetry__Proto__Profiles__V1development__KeyValueAndUnit WireAttribute;
typedef Opentelemetry__Proto__Resource__V1__Resource WireResource;
typedef Opentelemetry__Proto__Common__V1__InstrumentationScope WireScope;
typedef Opentelemetry__Proto__Common__V1__AnyValue WireValue;
typedef Opentelemetry__Proto__Common__V1__ArrayValue WireArray;
typedef Opentelemetry__Proto__Common__V1__KeyValue WireKeyValue;

#define VALUE_KIND(kind) OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_##kind

/* ---- the arena ---- */

struct arena {
    void **block;
    uint32_t blocks, cap;
};

static void *arena_take(struct arena *a, void *block)
{
    if (a->blocks == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 32;
        a->block = base_realloc(a->block, a->cap * sizeof(*a->block));
    }
    a->block[a->blocks++] = block;
    return block;
}

static void arena_release(struct arena *a)
{
    for (uint32_t i = 0; i < a->blocks; i++)
        free(a->block[i]);
    free(a->block);
}

/* n messages of one kind, empty, and what points to them: what protobuf-c wants of a repeated field. */
static void *messages(struct arena *a, const ProtobufCMessageDescriptor *kind, size_t n)
{
    size_t size = kind->sizeof_message;
    char *rows = arena_take(a, base_calloc(n + 1, size));
    void **pointers = arena_take(a, base_calloc(n + 1, sizeof(*pointers)));

    for (size_t i = 0; i < n; i++) {
        pointers[i] = rows + i * size;
        protobuf_c_message_init(kind, pointers[i]);
    }
    return pointers;
}

#define MESSAGES(a, kind, n) messages(a, &opentelemetry__proto__##kind##__descriptor, n)

/* Clean UTF-8, without which receivers refuse the whole message. */
static char *clean_text(struct arena *a, const char *text, size_t n)
{
    char *copy = arena_take(a, base_calloc(n + 1, 1));

    memcpy(copy, text, n);
    utf8_clean(copy);
    return copy;
}

/* ---- the dictionary ---- */

static void set_text(WireValue *v, const char *text)
{
    v->value_case = VALUE_KIND(STRING_VALUE);
    v->string_value = (char *)text;
}

static void set_comments(struct arena *a, const struct otlp_request *r, WireValue *v)
{
    WireArray **array = MESSAGES(a, common__v1__array_value, 1);

    v->value_case = VALUE_KIND(ARRAY_VALUE);
    v->array_value = array[0];
    array[0]->n_values = r->comments;
    array[0]->values = MESSAGES(a, common__v1__any_value, r->comments);
    for (uint32_t i = 0; i < r->comments; i++)
        set_text(array[0]->values[i], r->comment[i]);
}

static void set_value(struct arena *a, const struct otlp_request *r, const struct otlp_attribute *row,
                      WireValue *v)
{
    switch (row->kind) {
    case OTLP_TEXT:
        set_text(v, strtab_get(&r->dictionary.values, row->text));
        break;
    case OTLP_TRUE:
        v->value_case = VALUE_KIND(BOOL_VALUE);
        v->bool_value = true;
        break;
    case OTLP_COMMENTS:
        set_comments(a, r, v);
        break;
    }
}

static void put_attributes(struct arena *a, const struct otlp_request *r, WireDictionary *w)
{
    const struct otlp_dictionary *d = &r->dictionary;
    WireValue **value = MESSAGES(a, common__v1__any_value, d->attribute.count);

    w->n_attribute_table = d->attribute.count;
    w->attribute_table = MESSAGES(a, profiles__v1development__key_value_and_unit, d->attribute.count);
    for (uint32_t i = 1; i < d->attribute.count; i++) {
        size_t n;
        const struct otlp_attribute *row = otlp_table_row(&d->attribute, i, &n);

        w->attribute_table[i]->key_strindex = (int32_t)row->key;
        w->attribute_table[i]->value = value[i];
        set_value(a, r, row, value[i]);
    }
}

/* The indices that are set: they come first. */
static size_t set_count(const uint32_t *indices, size_t max)
{
    size_t n = 0;

    while (n < max && indices[n])
        n++;
    return n;
}

static int32_t *copy_indices(struct arena *a, const uint32_t *indices, size_t n)
{
    return n ? memcpy(arena_take(a, base_alloc(n * sizeof(*indices))), indices, n * sizeof(*indices)) : NULL;
}

static void put_mappings(struct arena *a, const struct otlp_dictionary *d, WireDictionary *w)
{
    w->n_mapping_table = d->mapping.count;
    w->mapping_table = MESSAGES(a, profiles__v1development__mapping, d->mapping.count);
    for (uint32_t i = 1; i < d->mapping.count; i++) {
        struct otlp_mapping row;
        size_t n;

        memcpy(&row, otlp_table_row(&d->mapping, i, &n), sizeof(row));
        w->mapping_table[i]->memory_start = row.start;
        w->mapping_table[i]->memory_limit = row.limit;
        w->mapping_table[i]->file_offset = row.file_offset;
        w->mapping_table[i]->filename_strindex = (int32_t)row.filename;
        n = set_count(row.attribute, ARRAY_LEN(row.attribute));
        w->mapping_table[i]->n_attribute_indices = n;
        w->mapping_table[i]->attribute_indices = copy_indices(a, row.attribute, n);
    }
}

/* One block each for the lines and the attributes of all locations. */
static void put_locations(struct arena *a, const struct otlp_dictionary *d, WireDictionary *w)
{
    WireLine **line = MESSAGES(a, profiles__v1development__line, d->location.count);
    int32_t *attribute = arena_take(a, base_calloc(d->location.count, sizeof(*attribute)));

    w->n_location_table = d->location.count;
    w->location_table = MESSAGES(a, profiles__v1development__location, d->location.count);
    for (uint32_t i = 1; i < d->location.count; i++) {
        struct otlp_location row;
        size_t n;

        memcpy(&row, otlp_table_row(&d->location, i, &n), sizeof(row));
        line[i]->function_index = (int32_t)row.function;
        attribute[i] = (int32_t)row.attribute;
        w->location_table[i]->address = row.address;
        w->location_table[i]->mapping_index = (int32_t)row.mapping;
        w->location_table[i]->n_lines = row.function != 0;
        w->location_table[i]->lines = &line[i];
        w->location_table[i]->n_attribute_indices = row.attribute != 0;
        w->location_table[i]->attribute_indices = &attribute[i];
    }
}

static void put_functions(struct arena *a, const struct otlp_dictionary *d, WireDictionary *w)
{
    w->n_function_table = d->function.count;
    w->function_table = MESSAGES(a, profiles__v1development__function, d->function.count);
    for (uint32_t i = 1; i < d->function.count; i++) {
        struct otlp_function row;
        size_t n;

        memcpy(&row, otlp_table_row(&d->function, i, &n), sizeof(row));
        w->function_table[i]->name_strindex = (int32_t)row.name;
        w->function_table[i]->system_name_strindex = (int32_t)row.system_name;
    }
}

static void put_stacks(struct arena *a, const struct otlp_dictionary *d, WireDictionary *w)
{
    w->n_stack_table = d->stack.count;
    w->stack_table = MESSAGES(a, profiles__v1development__stack, d->stack.count);
    for (uint32_t i = 1; i < d->stack.count; i++) {
        size_t bytes;

        w->stack_table[i]->location_indices = (int32_t *)otlp_table_row(&d->stack, i, &bytes);
        w->stack_table[i]->n_location_indices = bytes / sizeof(int32_t);
    }
}

static void put_strings(struct arena *a, const struct otlp_dictionary *d, WireDictionary *w)
{
    w->n_string_table = d->strings.count;
    w->string_table = arena_take(a, base_alloc(d->strings.count * sizeof(*w->string_table)));
    for (uint32_t i = 0; i < d->strings.count; i++)
        w->string_table[i] = (char *)strtab_get(&d->strings, i);
}

/* The one link is the empty one: Parca refuses a zero-filled one, and a table without it. */
static void put_dictionary(struct arena *a, const struct otlp_request *r, WireDictionary *w)
{
    put_mappings(a, &r->dictionary, w);
    put_locations(a, &r->dictionary, w);
    put_functions(a, &r->dictionary, w);
    put_stacks(a, &r->dictionary, w);
    put_attributes(a, r, w);
    put_strings(a, &r->dictionary, w);
    w->n_link_table = 1;
    w->link_table = MESSAGES(a, profiles__v1development__link, 1);
}

/* ---- what the profiles are of ---- */

/* Each that is a text becomes a label in Pyroscope, which takes 30, with five that it makes itself or of
 * samples (pkg/ingester/otlp/ingest_handler.go); with more all is refused. */
#define ATTRIBUTES_MAX  25
#define OWN_BEHIND_TAGS 8

struct attributes {
    struct arena *arena;
    WireResource *resource;
    WireKeyValue **row;
    WireValue **value;
    struct strtab keys; /* those that are there: keys are unique */
    uint32_t beyond;    /* tags that are too many */
};

static WireValue *next_attribute(struct attributes *t, const char *key)
{
    uint32_t known = t->keys.count;
    size_t n = t->resource->n_attributes;

    strtab_add(&t->keys, key);
    if (key[0] == '\0' || t->keys.count == known)
        return NULL;
    t->row[n]->key = (char *)key;
    t->row[n]->value = t->value[n];
    t->resource->n_attributes++;
    return t->value[n];
}

static void add_text(struct attributes *t, const char *key, const char *text)
{
    WireValue *v = text && text[0] ? next_attribute(t, key) : NULL;

    if (v)
        set_text(v, clean_text(t->arena, text, strlen(text)));
}

/* Pyroscope has these labels of its own, and refuses all of a profile in which one occurs twice. */
static bool is_reserved(const char *key)
{
    return strncmp(key, "__", 2) == 0 || strcmp(key, "service_name") == 0;
}

static void add_tag(struct attributes *t, const char *tag)
{
    size_t n = strcspn(tag, ":");
    const char *key = clean_text(t->arena, tag, n);
    bool room = t->resource->n_attributes < ATTRIBUTES_MAX - OWN_BEHIND_TAGS;
    WireValue *v = room && !is_reserved(key) ? next_attribute(t, key) : NULL;

    t->beyond += !room;
    if (v)
        set_text(v, clean_text(t->arena, tag + n + (tag[n] == ':'), strlen(tag + n + (tag[n] == ':'))));
    else
        t->resource->dropped_attributes_count++;
}

static void add_process(struct attributes *t, const struct target_identity *who)
{
    const char *slash = who->executable ? strrchr(who->executable, '/') : NULL;
    WireValue *v = who->pid ? next_attribute(t, "process.pid") : NULL;

    if (v) {
        v->value_case = VALUE_KIND(INT_VALUE);
        v->int_value = who->pid;
    }
    add_text(t, "process.executable.path", who->executable);
    add_text(t, "process.executable.name", slash ? slash + 1 : who->executable);
}

/*
 * What was said of the service comes first, then the user's tags, then what was found out: of two with one
 * name the first stays, so a tag "host.name:x" is heard. No telemetry.sdk.*: those are of an SDK the service
 * may have.
 */
static WireResource *make_resource(struct arena *a, struct otlp_request *r)
{
    const struct target_identity *who = r->who;
    WireResource **resource = MESSAGES(a, resource__v1__resource, 1);
    struct attributes t = {.arena = a, .resource = resource[0]};
    FREE_PTR char *url = series_source_url(who->git_repository);

    t.row = MESSAGES(a, common__v1__key_value, ATTRIBUTES_MAX);
    t.value = MESSAGES(a, common__v1__any_value, ATTRIBUTES_MAX);
    t.resource->attributes = t.row;
    strtab_init(&t.keys, 1 << 20);
    add_text(&t, "service.name", who->service);
    add_text(&t, "service.version", who->service_version);
    add_text(&t, "deployment.environment.name", who->environment);
    for (uint32_t i = 0; i < who->tag_count; i++)
        add_tag(&t, who->tags[i]);
    add_text(&t, "service.instance.id", who->runtime_id);
    add_text(&t, "host.name", who->host);
    add_text(&t, "container.id", who->container_id);
    add_process(&t, who);
    add_text(&t, "vcs.repository.url.full", url);
    add_text(&t, "vcs.ref.head.revision", who->git_commit);
    strtab_release(&t.keys);
    r->tags_left_out = t.beyond;
    return t.resource;
}

static WireScope *make_scope(struct arena *a, const struct target_identity *who)
{
    WireScope **scope = MESSAGES(a, common__v1__instrumentation_scope, 1);

    scope[0]->name = "ringside";
    scope[0]->version = clean_text(a, who->profiler_version, strlen(who->profiler_version));
    return scope[0];
}

/* ---- the profiles ---- */

static WireType *make_type(struct arena *a, struct otlp_dictionary *d, const char *type, const char *unit)
{
    WireType **wire = MESSAGES(a, profiles__v1development__value_type, 1);

    wire[0]->type_strindex = (int32_t)otlp_text(d, type);
    wire[0]->unit_strindex = (int32_t)otlp_text(d, unit);
    return wire[0];
}

/* The samples with a value in the column; their number in *n. One value each, no times. */
static WireSample **make_samples(struct arena *a, const struct otlp_request *r, uint32_t column, size_t *n)
{
    WireSample **sample = MESSAGES(a, profiles__v1development__sample, r->samples);

    *n = 0;
    for (uint32_t i = 0; i < r->samples; i++) {
        int64_t *value = &r->value[(size_t)i * r->columns + column];
        WireSample *wire = sample[*n];

        if (*value == 0)
            continue;
        wire->stack_index = (int32_t)r->sample[i].stack;
        wire->n_attribute_indices = r->sample[i].attribute != 0;
        wire->attribute_indices = (int32_t *)&r->sample[i].attribute;
        wire->n_values = 1;
        wire->values = value;
        ++*n;
    }
    return sample;
}

static void fill_profile(struct arena *a, struct otlp_request *r, uint32_t column, WireProfile *w)
{
    const struct otlp_column *c = &r->column[column];
    struct otlp_dictionary *d = &r->dictionary;

    w->sample_type = make_type(a, d, c->type, c->unit);
    w->period_type = make_type(a, d, c->period_type, c->period_unit);
    w->period = (int64_t)c->period;
    w->time_unix_nano = r->time_ns;
    w->duration_nano = r->duration_ns;
    w->profile_id.len = OTLP_PROFILE_ID_BYTES;
    w->profile_id.data = r->profile_id[column];
    if (r->comments) {
        uint32_t comments = otlp_comments_attribute(d, "pprof.profile.comment");

        w->attribute_indices = copy_indices(a, &comments, 1);
        w->n_attribute_indices = 1;
    }
}

static WireProfile **make_profiles(struct arena *a, struct otlp_request *r, size_t *n)
{
    WireProfile **profile = MESSAGES(a, profiles__v1development__profile, r->columns);

    *n = 0;
    for (uint32_t i = 0; i < r->columns; i++) {
        size_t samples;
        WireSample **sample = make_samples(a, r, i, &samples);

        if (samples == 0)
            continue;
        profile[*n]->samples = sample;
        profile[*n]->n_samples = samples;
        fill_profile(a, r, i, profile[*n]);
        ++*n;
    }
    return profile;
}

static void fill_request(struct arena *a, struct otlp_request *r, WireRequest *w)
{
    WireResourceProfiles **resource = MESSAGES(a, profiles__v1development__resource_profiles, 1);
    WireScopeProfiles **scope = MESSAGES(a, profiles__v1development__scope_profiles, 1);
    WireDictionary **dictionary = MESSAGES(a, profiles__v1development__profiles_dictionary, 1);

    w->n_resource_profiles = 1;
    w->resource_profiles = resource;
    resource[0]->resource = make_resource(a, r);
    resource[0]->n_scope_profiles = 1;
    resource[0]->scope_profiles = scope;
    scope[0]->scope = make_scope(a, r->who);
    scope[0]->profiles = make_profiles(a, r, &scope[0]->n_profiles);
    w->dictionary = dictionary[0];
    put_dictionary(a, r, dictionary[0]); /* the last: what is above still adds to it */
}

static int append(void *out, const void *bytes, size_t n, struct err *e)
{
    return buf_add(out, bytes, n)
               ? 0
               : err_set(e, 0, "the request is larger than %zu bytes", ((struct buf *)out)->max);
}

int otlp_request_pack(struct otlp_request *r, struct buf *out, struct err *e)
{
    WireRequest wire =
        OPENTELEMETRY__PROTO__COLLECTOR__PROFILES__V1DEVELOPMENT__EXPORT_PROFILES_SERVICE_REQUEST__INIT;
    struct arena a = {0};
    FREE_PTR uint8_t *bytes = NULL;
    size_t n;

    if (otlp_dictionary_full(&r->dictionary))
        return err_set(e, 0, "a stack is too deep to be sent");
    fill_request(&a, r, &wire);
    bytes = base_alloc(protobuf_c_message_get_packed_size(&wire.base));
    n = protobuf_c_message_pack(&wire.base, bytes);
    arena_release(&a);
    return pprof_gzip(bytes, n, &(struct byte_out){append, out}, e);
}

/* ---- samples ---- */

static int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

static uint32_t find_or_add(struct otlp_request *r, uint32_t stack, uint32_t attribute)
{
    uint64_t key = (uint64_t)stack << 32 | attribute;
    const uint64_t *known = map64_find(&r->index, key);

    if (known)
        return (uint32_t)*known;
    if (r->samples == r->samples_cap) {
        r->samples_cap = r->samples_cap ? r->samples_cap * 2 : 256;
        r->sample = base_realloc(r->sample, r->samples_cap * sizeof(*r->sample));
        r->value = base_realloc(r->value, (size_t)r->samples_cap * r->columns * sizeof(*r->value));
    }
    map64_put(&r->index, key, r->samples);
    r->sample[r->samples] = (struct otlp_sample){.stack = stack, .attribute = attribute};
    memset(&r->value[(size_t)r->samples * r->columns], 0, r->columns * sizeof(*r->value));
    return r->samples++;
}

void otlp_request_add(struct otlp_request *r, uint32_t stack, uint32_t attribute, const int64_t *values)
{
    uint32_t sample = find_or_add(r, stack, attribute);
    int64_t *sum = &r->value[(size_t)sample * r->columns];

    for (uint32_t i = 0; i < r->columns; i++)
        sum[i] = add_saturating(sum[i], values[i]);
}
