/*
 * target_world.h - a profile, an identity, and the requests that a target makes of them
 */
#ifndef RINGSIDE_TEST_TARGET_WORLD_H
#define RINGSIDE_TEST_TARGET_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#include "unit.h"

#define WORLD_START 1795866000123456789ULL /* 2026-11-28T11:40:00.123456789Z */

static inline struct target_identity world_identity(void)
{
    return (struct target_identity){
        .service = "web",
        .runtime_id = "5b2c1f7e-0000-4000-8000-000000000001",
        .host = "h1",
        .profiler_version = "0.1.0",
        .pid = 4242,
    };
}

/* What one request was, kept. */
struct world_request {
    char *method, *path, *headers;
    struct buf body;
};
struct world {
    struct world_request request[8];
    uint32_t requests;
};

static inline int world_keep(void *ctx, const struct target_request *r, struct err *e)
{
    struct world *w = ctx;
    struct world_request *kept = &w->request[w->requests];

    if (w->requests == ARRAY_LEN(w->request))
        return err_set(e, 0, "too many requests");
    kept->method = strdup(r->method);
    kept->path = strdup(r->path);
    kept->headers = strdup(r->headers);
    buf_init(&kept->body, 64 << 20);
    assert_true(buf_add(&kept->body, r->body, r->body_bytes));
    w->requests++;
    return 0;
}

static inline void world_release(struct world *w)
{
    for (uint32_t i = 0; i < w->requests; i++) {
        free(w->request[i].method);
        free(w->request[i].path);
        free(w->request[i].headers);
        buf_release(&w->request[i].body);
    }
    w->requests = 0;
}

static inline struct target *world_target(const struct target_config *config)
{
    struct err e = {0};
    struct target *t = target_new(config, &e);

    if (!t)
        print_error("%s: %s\n", config->url, e.text);
    assert_non_null(t);
    return t;
}

/* Converts p for url; expects one request. */
static inline void world_convert(struct world *w, const struct target_config *config, const struct profile *p,
                                 const struct target_identity *who, uint64_t number)
{
    struct target *t = world_target(config);
    struct target_emit emit = {world_keep, w};
    struct err e = {0};
    int sent = target_convert(t, &(struct target_job){p, who, number}, &emit, &e);

    if (sent != 1)
        print_error("%s\n", e.text);
    assert_int_equal(sent, 1);
    target_free(t);
}

static inline void world_profile_init(struct profile *p)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->default_type = profile_string(p, "cpu");
    p->period_type = p->type[1];
    p->period = 10101010;
    p->time_wall_ns = WORLD_START;
    p->duration_ns = 59 * NSEC_PER_SEC;
}

static inline uint32_t world_frame(struct profile *p, uint32_t caller, const char *name)
{
    uint32_t function = profile_add_function(p, name, name);

    return profile_add_frame(p, caller,
                             profile_add_location(p, &(struct profile_location){.function = function}));
}

static inline uint32_t world_labels(struct profile *p, const char *thread, const char *process)
{
    struct profile_label label[] = {{profile_string(p, "thread_id"), profile_string(p, "42")},
                                    {profile_string(p, "thread_name"), profile_string(p, thread)},
                                    {profile_string(p, "pid"), profile_string(p, "4242")},
                                    {profile_string(p, "process_name"), profile_string(p, process)},
                                    {profile_string(p, "container_id"), profile_string(p, "c0ffee")}};

    return profile_add_labels(p, label, ARRAY_LEN(label));
}

/* main -> work, 3 samples; main -> rest, 1. */
static inline void world_profile(struct profile *p)
{
    uint32_t labels, root;

    world_profile_init(p);
    labels = world_labels(p, "worker", "web");
    root = world_frame(p, 0, "main");
    profile_add_sample(p, world_frame(p, root, "work"), labels, (int64_t[]){3, 30303030});
    profile_add_sample(p, world_frame(p, root, "rest"), labels, (int64_t[]){1, 10101010});
    profile_add_comment(p, "of a test");
}

#endif
