/*
 * otlp_dictionary.c - from the profile's ids to the indices of a request
 *
 * Each id is looked at once a request, each stack once: the work is linear in what is sent.
 */
#include "otlp_dictionary.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/profile.h"

#define STRING_BYTES_MAX (64U << 20)
#define UNKNOWN          "[unknown]"
#define KERNEL_FILE      "[kernel.kallsyms]" /* docs/profile.md */

/* What a row takes at most beside its texts and, of a location, the address: tags, lengths, and numbers, of
 * which those of other rows have three bytes (more rows are more than a request). */
enum { MAPPING_BYTES = 64, LOCATION_BYTES = 20, FUNCTION_BYTES = 24, ATTRIBUTE_BYTES = 32, STRING_HEAD = 5 };

void otlp_dictionary_init(struct otlp_dictionary *d, const struct profile *p)
{
    *d = (struct otlp_dictionary){.p = p};
    strtab_init(&d->strings, STRING_BYTES_MAX);
    strtab_init(&d->values, STRING_BYTES_MAX);
    otlp_table_init(&d->mapping);
    otlp_table_init(&d->location);
    otlp_table_init(&d->function);
    otlp_table_init(&d->attribute);
    otlp_table_init(&d->stack);
    d->string_of = base_calloc(p->strings.count + 1, sizeof(*d->string_of));
    d->mapping_of = base_calloc(p->mapping_count + 1, sizeof(*d->mapping_of));
    d->location_of = base_calloc(p->location_count + 1, sizeof(*d->location_of));
    d->stack_of = base_calloc(p->frame_count + 1, sizeof(*d->stack_of));
}

void otlp_dictionary_release(struct otlp_dictionary *d)
{
    strtab_release(&d->strings);
    strtab_release(&d->values);
    otlp_table_release(&d->mapping);
    otlp_table_release(&d->location);
    otlp_table_release(&d->function);
    otlp_table_release(&d->attribute);
    otlp_table_release(&d->stack);
    free(d->string_of);
    free(d->mapping_of);
    free(d->location_of);
    free(d->stack_of);
    free(d->path);
    *d = (struct otlp_dictionary){0};
}

bool otlp_dictionary_full(const struct otlp_dictionary *d)
{
    return d->mapping.full || d->location.full || d->function.full || d->attribute.full || d->stack.full;
}

/* ---- texts ---- */

static uint32_t add_text(struct otlp_dictionary *d, struct strtab *t, const char *text)
{
    uint32_t before = t->count, index = strtab_add(t, text);

    if (t->count > before)
        d->bytes += strlen(text) + STRING_HEAD;
    return index;
}

uint32_t otlp_text(struct otlp_dictionary *d, const char *text)
{
    return add_text(d, &d->strings, text);
}

/* Of the profile's strings. */
static uint32_t string_index(struct otlp_dictionary *d, uint32_t id)
{
    if (id == 0 || id >= d->p->strings.count)
        return 0;
    if (!d->string_of[id])
        d->string_of[id] = otlp_text(d, strtab_get(&d->p->strings, id));
    return d->string_of[id];
}

/* ---- rows ---- */

static uint32_t add_row(struct otlp_dictionary *d, struct otlp_table *t, const void *row, size_t n,
                        uint32_t bytes)
{
    uint32_t before = t->count, index = otlp_table_add(t, row, n);

    if (t->count > before)
        d->bytes += bytes;
    return index;
}

static uint32_t add_attribute(struct otlp_dictionary *d, const char *key, enum otlp_value kind, uint32_t text)
{
    struct otlp_attribute a = {.key = otlp_text(d, key), .kind = kind, .text = text};

    return add_row(d, &d->attribute, &a, sizeof(a), ATTRIBUTE_BYTES + (uint32_t)strlen(key));
}

uint32_t otlp_text_attribute(struct otlp_dictionary *d, const char *key, const char *text)
{
    return text[0] ? add_attribute(d, key, OTLP_TEXT, add_text(d, &d->values, text)) : 0;
}

uint32_t otlp_comments_attribute(struct otlp_dictionary *d, const char *key)
{
    return add_attribute(d, key, OTLP_COMMENTS, 0);
}

/*
 * A file's mapping must carry one of its ids (OpenTelemetry's specification, profiles/mappings.md). Where the
 * profile has none, the frame goes without mapping: the other kind of id is a hash over the file, which is
 * not looked for here. What is no file ("[vdso]", the kernel) has none to carry.
 */
static uint32_t mapping_index(struct otlp_dictionary *d, uint32_t id)
{
    const struct profile_mapping *m;
    struct otlp_mapping row;
    uint32_t n = 0;

    if (id == 0 || id > d->p->mapping_count)
        return 0;
    if (d->mapping_of[id])
        return d->mapping_of[id];
    m = &d->p->mapping[id - 1];
    if (m->build_id == 0 && strtab_get(&d->p->strings, m->filename)[0] != '[')
        return 0;
    row = (struct otlp_mapping){.start = m->start, .limit = m->limit, .file_offset = m->file_offset};
    row.filename = string_index(d, m->filename);
    if (!row.filename)
        row.filename = otlp_text(d, UNKNOWN);
    row.attribute[n] =
        otlp_text_attribute(d, "process.executable.build_id.gnu", strtab_get(&d->p->strings, m->build_id));
    n += row.attribute[n] != 0;
    if (m->has_functions) /* readers need not look for symbols: pprof's word for it */
        row.attribute[n] = add_attribute(d, "pprof.mapping.has_functions", OTLP_TRUE, 0);
    d->mapping_of[id] = add_row(d, &d->mapping, &row, sizeof(row), MAPPING_BYTES);
    return d->mapping_of[id];
}

/* A function has a name; where only the linker's is known it is that. */
static uint32_t function_index(struct otlp_dictionary *d, uint32_t id)
{
    const struct profile_function *f;
    struct otlp_function row;

    if (id == 0 || id > d->p->function_count)
        return 0;
    f = &d->p->function[id - 1];
    row.name = string_index(d, f->name ? f->name : f->system_name);
    row.system_name = string_index(d, f->system_name);
    return row.name ? add_row(d, &d->function, &row, sizeof(row), FUNCTION_BYTES) : 0;
}

/* Frames without a mapping are statements ("[truncated]") or generated code: nothing says of which kind. */
static uint32_t frame_type(struct otlp_dictionary *d, const struct profile_location *l)
{
    const struct profile_mapping *m;
    bool kernel;

    if (l->mapping == 0 || l->mapping > d->p->mapping_count)
        return 0;
    m = &d->p->mapping[l->mapping - 1];
    kernel = strcmp(strtab_get(&d->p->strings, m->filename), KERNEL_FILE) == 0;
    return otlp_text_attribute(d, "profile.frame.type", kernel ? "kernel" : "native");
}

/* As protobuf writes it: seven bits a byte. */
static uint32_t number_bytes(uint64_t n)
{
    uint32_t bytes = 1;

    for (; n >= 0x80; n >>= 7)
        bytes++;
    return bytes;
}

static uint32_t location_index(struct otlp_dictionary *d, uint32_t id)
{
    const struct profile_location *l = &d->p->location[id - 1];
    struct otlp_location row;

    if (d->location_of[id])
        return d->location_of[id];
    row = (struct otlp_location){.address = l->address,
                                 .mapping = mapping_index(d, l->mapping),
                                 .function = function_index(d, l->function),
                                 .attribute = frame_type(d, l)};
    if (!row.mapping && !row.function) {
        struct otlp_function unknown = {.name = otlp_text(d, UNKNOWN)};

        row.function = add_row(d, &d->function, &unknown, sizeof(unknown), FUNCTION_BYTES);
    }
    d->location_of[id] =
        add_row(d, &d->location, &row, sizeof(row), LOCATION_BYTES + number_bytes(row.address));
    return d->location_of[id];
}

/* ---- stacks ---- */

uint32_t otlp_stack(struct otlp_dictionary *d, uint32_t frame, uint32_t *frames)
{
    const struct profile *p = d->p;
    size_t bytes;
    uint32_t n = 0;

    if (d->stack_of[frame]) {
        otlp_table_row(&d->stack, d->stack_of[frame], &bytes);
        *frames = (uint32_t)(bytes / sizeof(*d->path));
        return d->stack_of[frame];
    }
    for (uint32_t f = frame; f; f = p->frame[f - 1].caller) {
        if (n == d->path_cap) {
            d->path_cap = d->path_cap ? d->path_cap * 2 : 256;
            d->path = base_realloc(d->path, d->path_cap * sizeof(*d->path));
        }
        d->path[n++] = location_index(d, p->frame[f - 1].location);
    }
    *frames = n;
    d->stack_of[frame] = otlp_table_add(&d->stack, d->path, n * sizeof(*d->path));
    return d->stack_of[frame];
}
