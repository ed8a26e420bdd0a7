/*
 * pprof.c - packs a profile message by message into the compressor
 *
 * A Profile on the wire is its fields one after the other in any order, so each repeated message is packed by
 * itself and follows its tag and length; the whole is never in memory. Building the whole message first took
 * 60 MB for 100k stacks, this takes 0.4.
 *
 * Samples, locations and functions, of which there are thousands, are written by hand: packing them was half
 * of the work beside compression, mostly protobuf-c asking each field of each message what it is, twice.
 */
#include "ringside/pprof.h"

#include "gzip.h"

#include <profile.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#define WIRE_NUMBER  0  /* varint, protobuf encoding */
#define WIRE_BYTES   2  /* length-delimited */
#define VARINT_BYTES 10 /* of the longest varint */
#define HEAD_BYTES   (1 + VARINT_BYTES)

#define ROW_BYTES 64 /* of a Location or Function: at most five heads and numbers */

/* Field numbers (third_party/schemas/profile.proto) of Profile and of what is packed by hand. */
enum { FIELD_SAMPLE = 2, FIELD_MAPPING = 3, FIELD_LOCATION = 4, FIELD_FUNCTION = 5, FIELD_STRING = 6 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3, LOCATION_LINE = 4, LINE_FUNCTION = 1 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3 };

typedef Perftools__Profiles__Profile WireProfile;
typedef Perftools__Profiles__ValueType WireType;
typedef Perftools__Profiles__Sample WireSample;
typedef Perftools__Profiles__Label WireLabel;
typedef Perftools__Profiles__Mapping WireMapping;

struct packer {
    struct gzip zip;
    uint8_t *bytes; /* grown to the largest message of the profile and reused by all of them */
    size_t bytes_cap;
    uint8_t *labels; /* of all label sets, packed: fields of a Sample */
    size_t labels_cap;
    size_t *labels_end; /* of each set, in labels */
};

/* ---- wire format ---- */

static uint8_t *write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

/* Zero is what a number is that is not there. */
static uint8_t *write_number(uint8_t *at, uint32_t field, uint64_t value)
{
    if (value == 0)
        return at;
    *at++ = (uint8_t)(field << 3 | WIRE_NUMBER);
    return write_varint(at, value);
}

static uint8_t *write_head(uint8_t *at, uint32_t field, uint64_t length)
{
    *at++ = (uint8_t)(field << 3 | WIRE_BYTES); /* one byte: our fields are below 16 */
    return write_varint(at, length);
}

/* Puts the head in front of a message that lies there already; returns where it starts. */
static uint8_t *write_head_before(uint8_t *message, uint32_t field, uint64_t length)
{
    size_t n = 2;

    for (uint64_t rest = length; rest >= 0x80; rest >>= 7)
        n++;
    write_head(message - n, field, length);
    return message - n;
}

static void reserve(uint8_t **bytes, size_t *cap, size_t need)
{
    if (need <= *cap)
        return;
    *cap = need + need / 2 + 256;
    *bytes = base_realloc(*bytes, *cap);
}

/* ---- one message ---- */

static size_t pack(struct packer *k, const ProtobufCMessage *message)
{
    reserve(&k->bytes, &k->bytes_cap, protobuf_c_message_get_packed_size(message));
    return protobuf_c_message_pack(message, k->bytes);
}

static void put_message(struct packer *k, uint32_t field, const ProtobufCMessage *message)
{
    size_t n = pack(k, message);
    uint8_t head[HEAD_BYTES];

    gzip_add(&k->zip, head, (size_t)(write_head(head, field, n) - head));
    gzip_add(&k->zip, k->bytes, n);
}

/* ---- the parts of a profile ---- */

/* The fields that are there once, and the two short lists: a Profile that lacks only its tables. */
static void put_frame(struct packer *k, const struct profile *p)
{
    WireProfile frame = PERFTOOLS__PROFILES__PROFILE__INIT;
    WireType type[PROFILE_TYPES_MAX], *types[PROFILE_TYPES_MAX];
    WireType period_type = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
    FREE_PTR int64_t *comments = base_alloc(p->comment_count * sizeof(*comments));
    size_t n;

    for (uint32_t i = 0; i < p->type_count; i++) {
        perftools__profiles__value_type__init(&type[i]);
        type[i].type = p->type[i].type;
        type[i].unit = p->type[i].unit;
        types[i] = &type[i];
    }
    for (uint32_t i = 0; i < p->comment_count; i++)
        comments[i] = p->comment[i];
    period_type.type = p->period_type.type;
    period_type.unit = p->period_type.unit;
    frame.n_sample_type = p->type_count;
    frame.sample_type = types;
    frame.n_comment = p->comment_count;
    frame.comment = comments;
    frame.period_type = &period_type;
    frame.period = (int64_t)p->period;
    frame.time_nanos = (int64_t)p->time_wall_ns;
    frame.duration_nanos = (int64_t)p->duration_ns;
    frame.default_sample_type = p->default_type;
    n = pack(k, &frame.base);
    gzip_add(&k->zip, k->bytes, n);
}

static void put_mappings(struct packer *k, const struct profile *p)
{
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *m = &p->mapping[i];
        WireMapping wire = PERFTOOLS__PROFILES__MAPPING__INIT;

        wire.id = i + 1;
        wire.memory_start = m->start;
        wire.memory_limit = m->limit;
        wire.file_offset = m->file_offset;
        wire.filename = m->filename;
        wire.build_id = m->build_id;
        wire.has_functions = m->has_functions;
        put_message(k, FIELD_MAPPING, &wire.base);
    }
}

/* row ends at end and has HEAD_BYTES free in front. */
static void put_row(struct packer *k, uint32_t field, uint8_t *row, const uint8_t *end)
{
    const uint8_t *start = write_head_before(row, field, (uint64_t)(end - row));

    gzip_add(&k->zip, start, (size_t)(end - start));
}

static void put_functions(struct packer *k, const struct profile *p)
{
    uint8_t bytes[HEAD_BYTES + ROW_BYTES], *row = bytes + HEAD_BYTES, *at;

    for (uint32_t i = 0; i < p->function_count; i++) {
        at = write_number(row, FUNCTION_ID, i + 1);
        at = write_number(at, FUNCTION_NAME, p->function[i].name);
        at = write_number(at, FUNCTION_SYSTEM_NAME, p->function[i].system_name);
        put_row(k, FIELD_FUNCTION, row, at);
    }
}

static void put_locations(struct packer *k, const struct profile *p)
{
    uint8_t bytes[HEAD_BYTES + ROW_BYTES], *row = bytes + HEAD_BYTES, *at;
    uint8_t line[1 + VARINT_BYTES];

    for (uint32_t i = 0; i < p->location_count; i++) {
        const struct profile_location *l = &p->location[i];
        size_t line_bytes = (size_t)(write_number(line, LINE_FUNCTION, l->function) - line);

        at = write_number(row, LOCATION_ID, i + 1);
        at = write_number(at, LOCATION_MAPPING, l->mapping);
        at = write_number(at, LOCATION_ADDRESS, l->address);
        if (l->function) {
            at = write_head(at, LOCATION_LINE, line_bytes);
            at = (uint8_t *)memcpy(at, line, line_bytes) + line_bytes;
        }
        put_row(k, FIELD_LOCATION, row, at);
    }
}

/* Packs each label set once: a few dozen of them serve thousands of samples. */
static void pack_labels(struct packer *k, const struct profile *p)
{
    size_t end = 0;

    k->labels_end = base_alloc(p->label_set_count * sizeof(*k->labels_end));
    reserve(&k->labels, &k->labels_cap, 1); /* sets without labels pack to nothing, which has a place, too */
    for (uint32_t i = 0; i < p->label_set_count; i++) {
        const struct profile_label_set *set = &p->label_set[i];
        WireSample wire = PERFTOOLS__PROFILES__SAMPLE__INIT;
        WireLabel label[PROFILE_LABELS_MAX], *labels[PROFILE_LABELS_MAX];

        for (uint32_t l = 0; l < set->labels; l++) {
            perftools__profiles__label__init(&label[l]);
            label[l].key = set->label[l].key;
            label[l].str = set->label[l].text;
            labels[l] = &label[l];
        }
        wire.n_label = set->labels;
        wire.label = labels;
        reserve(&k->labels, &k->labels_cap, end + protobuf_c_message_get_packed_size(&wire.base));
        end += protobuf_c_message_pack(&wire.base, k->labels + end);
        k->labels_end[i] = end;
    }
}

/* Returns the end of the field. */
static uint8_t *write_values(uint8_t *at, const int64_t *values, uint32_t n)
{
    uint8_t packed[PROFILE_TYPES_MAX * VARINT_BYTES], *end = packed;

    for (uint32_t i = 0; i < n; i++)
        end = write_varint(end, (uint64_t)values[i]);
    at = write_head(at, SAMPLE_VALUE, (uint64_t)(end - packed));
    return (uint8_t *)memcpy(at, packed, (size_t)(end - packed)) + (end - packed);
}

static void put_sample(struct packer *k, const struct profile *p, const struct profile_sample *s)
{
    bool labelled = s->label_set < p->label_set_count;
    size_t from = labelled && s->label_set ? k->labels_end[s->label_set - 1] : 0;
    size_t labels = labelled ? k->labels_end[s->label_set] - from : 0;
    size_t room = 2 * HEAD_BYTES, end = room; /* both heads need the length of what they lie in front of */
    uint8_t *start, *at;

    for (uint32_t f = s->frame; f; f = p->frame[f - 1].caller) {
        reserve(&k->bytes, &k->bytes_cap, end + VARINT_BYTES);
        end = (size_t)(write_varint(k->bytes + end, p->frame[f - 1].location) - k->bytes);
    }
    reserve(&k->bytes, &k->bytes_cap, end + HEAD_BYTES + PROFILE_TYPES_MAX * VARINT_BYTES + labels);
    start = write_head_before(k->bytes + room, SAMPLE_LOCATION, end - room);
    at = write_values(k->bytes + end, p->value + s->first_value, p->type_count);
    if (labels)
        at = (uint8_t *)memcpy(at, k->labels + from, labels) + labels;
    put_row(k, FIELD_SAMPLE, start, at);
}

static void put_strings(struct packer *k, const struct profile *p)
{
    uint8_t head[HEAD_BYTES];

    for (uint32_t i = 0; i < p->strings.count; i++) {
        const char *text = strtab_get(&p->strings, i);
        size_t n = strlen(text);

        gzip_add(&k->zip, head, (size_t)(write_head(head, FIELD_STRING, n) - head));
        gzip_add(&k->zip, text, n);
    }
}

static void put_profile(struct packer *k, const struct profile *p)
{
    put_frame(k, p);
    put_strings(k, p);
    put_mappings(k, p);
    put_functions(k, p);
    put_locations(k, p);
    pack_labels(k, p);
    for (uint32_t i = 0; i < p->sample_count; i++)
        put_sample(k, p, &p->sample[i]);
    free(k->bytes);
    free(k->labels);
    free(k->labels_end);
}

int pprof_write(const struct profile *p, const struct byte_out *out, struct err *e)
{
    FREE_PTR struct packer *k = base_calloc(1, sizeof(*k));

    gzip_begin(&k->zip, out, e);
    put_profile(k, p);
    return gzip_end(&k->zip) < 0 ? err_wrap(e, "write profile") : 0;
}

uint64_t pprof_size(const struct profile *p)
{
    FREE_PTR struct packer *k = base_calloc(1, sizeof(*k));

    gzip_begin(&k->zip, NULL, NULL);
    put_profile(k, p);
    return k->zip.taken;
}

int pprof_gzip(const void *bytes, size_t n, const struct byte_out *out, struct err *e)
{
    FREE_PTR struct gzip *z = base_alloc(sizeof(*z));

    gzip_begin(z, out, e);
    gzip_add(z, bytes, n);
    return gzip_end(z);
}
