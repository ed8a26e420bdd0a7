/*
 * target_catch.h - what tests of backends share: a profile with all that is sent, an identity, and the
 * requests that came out, with the pprof in them unpacked
 *
 * A file that includes it may leave any of this unused.
 */
#ifndef RINGSIDE_TEST_TARGET_CATCH_H
#define RINGSIDE_TEST_TARGET_CATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <profile.pb-c.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#define MAYBE_UNUSED __attribute__((unused))

/* ---- requests ---- */

struct caught {
    char *method, *path, *headers;
    uint8_t *body;
    size_t bytes;
};
struct catcher {
    struct caught request[512];
    uint32_t requests;
    uint32_t refuse_from; /* 0: none */
};

MAYBE_UNUSED static int catch_request(void *ctx, const struct target_request *r, struct err *e)
{
    struct catcher *c = ctx;
    struct caught *to = &c->request[c->requests];

    if (c->refuse_from && c->requests + 1 >= c->refuse_from)
        return err_set(e, 0, "no room");
    assert_true(c->requests < ARRAY_LEN(c->request));
    to->method = strdup(r->method);
    to->path = strdup(r->path);
    to->headers = strdup(r->headers);
    to->body = malloc(r->body_bytes + 1);
    memcpy(to->body, r->body, r->body_bytes);
    to->body[r->body_bytes] = '\0';
    to->bytes = r->body_bytes;
    c->requests++;
    return 0;
}

MAYBE_UNUSED static void catcher_release(struct catcher *c)
{
    for (uint32_t i = 0; i < c->requests; i++) {
        free(c->request[i].method);
        free(c->request[i].path);
        free(c->request[i].headers);
        free(c->request[i].body);
    }
    *c = (struct catcher){0};
}

MAYBE_UNUSED static struct target *new_target(const char *url)
{
    struct err e = {0};
    struct target *t = target_new(&(struct target_config){.url = url}, &e);

    if (!t)
        fail_msg("%s: %s", url, e.text);
    return t;
}

MAYBE_UNUSED static int convert(const char *url, const struct profile *p, const struct target_identity *who,
                                struct catcher *c)
{
    struct target *t = new_target(url);
    struct err e = {0};
    int sent =
        target_convert(t, &(struct target_job){p, who, 3}, &(struct target_emit){catch_request, c}, &e);

    assert_true(sent < 0 || (uint32_t)sent == c->requests);
    target_free(t);
    return sent;
}

/* ---- pprof ---- */

typedef Perftools__Profiles__Profile WireProfile;

/* The bytes in a gzip member; *n: how many. */
MAYBE_UNUSED static uint8_t *gunzip(const uint8_t *bytes, size_t length, size_t *n)
{
    size_t cap = 256 << 20;
    uint8_t *out = malloc(cap);
    z_stream z = {.next_in = (uint8_t *)bytes, .avail_in = (unsigned)length, .next_out = out};

    z.avail_out = (unsigned)cap;
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    *n = z.total_out;
    inflateEnd(&z);
    return out;
}

MAYBE_UNUSED static WireProfile *unpack_pprof(const uint8_t *bytes, size_t length, size_t *uncompressed)
{
    size_t n;
    uint8_t *raw = gunzip(bytes, length, &n);
    WireProfile *w = perftools__profiles__profile__unpack(NULL, n, raw);

    free(raw);
    assert_non_null(w);
    if (uncompressed)
        *uncompressed = n;
    return w;
}

MAYBE_UNUSED static void free_pprof(WireProfile *w)
{
    perftools__profiles__profile__free_unpacked(w, NULL);
}

MAYBE_UNUSED static const char *type_name(const WireProfile *w, size_t i)
{
    return w->string_table[w->sample_type[i]->type];
}

/* The sum of the column of that name; -1: there is none. */
MAYBE_UNUSED static int64_t total_of(const WireProfile *w, const char *type)
{
    int64_t total = 0;

    for (size_t i = 0; i < w->n_sample_type; i++) {
        if (strcmp(type_name(w, i), type) != 0)
            continue;
        for (size_t s = 0; s < w->n_sample; s++)
            total += w->sample[s]->value[i];
        return total;
    }
    return -1;
}

MAYBE_UNUSED static bool has_label(const WireProfile *w, const char *key)
{
    for (size_t s = 0; s < w->n_sample; s++)
        for (size_t l = 0; l < w->sample[s]->n_label; l++)
            if (strcmp(w->string_table[w->sample[s]->label[l]->key], key) == 0)
                return true;
    return false;
}

static bool index_ok(const WireProfile *w, int64_t index)
{
    return index >= 0 && (uint64_t)index < w->n_string_table;
}

/* What both servers refuse (their pages of formats, "what the pprof must look like"). */
MAYBE_UNUSED static void assert_strict_pprof(const WireProfile *w)
{
    assert_true(w->n_string_table > 0 && w->string_table[0][0] == '\0');
    assert_true(w->n_sample_type > 0);
    assert_true(w->time_nanos > 0 && w->duration_nanos > 0);
    for (size_t i = 0; i < w->n_sample_type; i++) {
        assert_true(index_ok(w, w->sample_type[i]->type) && index_ok(w, w->sample_type[i]->unit));
        assert_int_equal(
            strspn(type_name(w, i), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
            strlen(type_name(w, i)));
    }
    for (size_t i = 0; i < w->n_mapping; i++) {
        assert_int_equal(w->mapping[i]->id, i + 1);
        assert_true(index_ok(w, w->mapping[i]->filename) && index_ok(w, w->mapping[i]->build_id));
    }
    for (size_t i = 0; i < w->n_function; i++) {
        assert_int_equal(w->function[i]->id, i + 1);
        assert_true(index_ok(w, w->function[i]->name) && index_ok(w, w->function[i]->system_name));
    }
    for (size_t i = 0; i < w->n_location; i++) {
        assert_int_equal(w->location[i]->id, i + 1);
        assert_true(w->location[i]->mapping_id <= w->n_mapping);
        for (size_t l = 0; l < w->location[i]->n_line; l++)
            assert_in_range(w->location[i]->line[l]->function_id, 1, w->n_function);
    }
    for (size_t i = 0; i < w->n_sample; i++) {
        assert_int_equal(w->sample[i]->n_value, w->n_sample_type);
        for (size_t l = 0; l < w->sample[i]->n_location_id; l++)
            assert_in_range(w->sample[i]->location_id[l], 1, w->n_location);
        for (size_t l = 0; l < w->sample[i]->n_label; l++)
            assert_true(w->sample[i]->label[l]->key > 0 && index_ok(w, w->sample[i]->label[l]->key) &&
                        index_ok(w, w->sample[i]->label[l]->str));
    }
}

/* ---- a world ---- */

#define WORLD_TIME 1795198494000000000ULL

MAYBE_UNUSED static const struct target_identity world_identity = {
    .service = "shop",
    .runtime_id = "734fd599-6865-419e-9475-932762d8f469",
    .host = "host-1",
    .profiler_version = "1.2.3",
    .executable = "/usr/bin/shop",
    .pid = 42,
    .cpus = 2,
};

/* An empty profile of CPU time with its counts, and of page faults where wanted. */
MAYBE_UNUSED static void world_begin(struct profile *p, bool faults)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    if (faults)
        profile_add_type(p, "page_faults", "count");
    p->period_type = p->type[1];
    p->default_type = p->type[1].type;
    p->period = 10101010;
    p->time_wall_ns = WORLD_TIME;
    p->duration_ns = 10 * NSEC_PER_SEC;
    profile_add_mapping(p, &(struct profile_mapping){0x1000, 0x100000000, 0x1000,
                                                     profile_string(p, "/usr/bin/shop"),
                                                     profile_string(p, "00ff42"), true});
    profile_add_comment(p, "ringside test");
}

MAYBE_UNUSED static uint32_t world_frame(struct profile *p, uint32_t caller, const char *name)
{
    uint32_t function = profile_add_function(p, name, name);

    return profile_add_frame(
        p, caller,
        profile_add_location(p, &(struct profile_location){0x1000 + p->location_count, 1, function}));
}

MAYBE_UNUSED static uint32_t world_labels(struct profile *p, uint32_t pid, const char *process, uint32_t tid,
                                          const char *thread)
{
    char text[2][16];
    struct profile_label l[4];

    snprintf(text[0], sizeof(text[0]), "%u", tid);
    snprintf(text[1], sizeof(text[1]), "%u", pid);
    l[0] = (struct profile_label){profile_string(p, "thread_id"), profile_string(p, text[0])};
    l[1] = (struct profile_label){profile_string(p, "thread_name"), profile_string(p, thread)};
    l[2] = (struct profile_label){profile_string(p, "pid"), profile_string(p, text[1])};
    l[3] = (struct profile_label){profile_string(p, "process_name"), profile_string(p, process)};
    return profile_add_labels(p, l, 4);
}

/* n functions with names of 8000 bytes, the i-th with a sample of i ns. */
MAYBE_UNUSED static void world_add_long_names(struct profile *p, uint32_t n)
{
    char *name = malloc(8001);

    memset(name, 'x', 8000);
    name[8000] = '\0';
    for (uint32_t i = 0; i < n; i++) {
        name[snprintf(name, 32, "%u", i)] = '_';
        profile_add_sample(p, world_frame(p, 0, name), PROFILE_NO_LABELS, (int64_t[]){1, i});
    }
    free(name);
}

/* main calls `stacks` functions, each in two threads of one name. */
MAYBE_UNUSED static void world_fill(struct profile *p, uint32_t stacks)
{
    uint32_t root = world_frame(p, 0, "main"), sets[2];
    char name[64];

    sets[0] = world_labels(p, 42, "shop", 42, "shop");
    sets[1] = world_labels(p, 42, "shop", 43, "shop");
    for (uint32_t i = 0; i < stacks; i++) {
        int64_t values[PROFILE_TYPES_MAX] = {1, 10101010, i % 5 ? 0 : 101};
        uint32_t frame;

        snprintf(name, sizeof(name), "shop::function_%u(int)", i);
        frame = world_frame(p, root, name);
        profile_add_sample(p, frame, sets[0], values);
        values[2] = 0;
        profile_add_sample(p, frame, sets[1], values);
    }
}

#endif
