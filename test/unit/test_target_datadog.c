/*
 * test_target_datadog.c - what Datadog is sent, read back
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#include "../../src/target/datadog.h"

#include "pprof_read.h"
#include "target_world.h"

#define KEY "0123456789abcdef0123456789abcdef"

/* The two parts of a body, by the boundary that its headers name. */
struct parts {
    char *event;
    const char *file;
    size_t file_bytes;
};

static void take(const char **at, const char *text)
{
    size_t n = strlen(text);

    assert_memory_equal(*at, text, n);
    *at += n;
}

static void parts_read(struct parts *p, const struct world_request *r)
{
    static const char type[] = "Content-Type: multipart/form-data; boundary=";
    const char *start = strstr(r->headers, type), *at = r->body.data, *end = at + r->body.len, *next;
    char boundary[100], tail[110];

    assert_non_null(start);
    assert_int_equal(sscanf(start + sizeof(type) - 1, "%70[A-Za-z0-9-]\n", boundary), 1);
    snprintf(tail, sizeof(tail), "\r\n--%s", boundary);
    take(&at, tail + 2);
    take(&at, "\r\nContent-Disposition: form-data; name=\"event\"; filename=\"event.json\"\r\n"
              "Content-Type: application/json\r\n\r\n");
    next = memmem(at, (size_t)(end - at), tail, strlen(tail));
    assert_non_null(next);
    p->event = strndup(at, (size_t)(next - at));
    at = next;
    take(&at, tail);
    take(&at,
         "\r\nContent-Disposition: form-data; name=\"profile.pprof\"; filename=\"profile.pprof\"\r\n\r\n");
    p->file = at;
    next = memmem(at, (size_t)(end - at), tail, strlen(tail));
    assert_non_null(next);
    p->file_bytes = (size_t)(next - at);
    at = next;
    take(&at, tail);
    take(&at, "--\r\n");
    assert_ptr_equal(at, end);
}

static void send_one(struct world *w, const struct profile *p, const struct target_identity *who,
                     struct parts *parts)
{
    world_convert(w, &(struct target_config){.url = "http://agent:8126"}, p, who, 7);
    parts_read(parts, &w->request[0]);
}

TEST(target_datadog__a_profile_is_one_multipart_request)
{
    struct target_identity who = world_identity();
    struct world w = {0};
    struct parts parts;
    struct pprof_read read;
    struct profile p;

    world_profile(&p);
    send_one(&w, &p, &who, &parts);
    assert_string_equal(w.request[0].method, "POST");
    assert_string_equal(w.request[0].path, "/profiling/v1/input");
    assert_non_null(
        strstr(w.request[0].headers, "\nDD-EVP-ORIGIN: ringside\nDD-EVP-ORIGIN-VERSION: 0.1.0\n"));
    assert_null(strstr(w.request[0].headers, "Datadog-"));
    assert_string_equal(
        parts.event,
        "{\"version\":\"4\",\"family\":\"native\",\"start\":\"2026-11-28T11:40:00.123456789Z\","
        "\"end\":\"2026-11-28T11:40:59.123456789Z\",\"attachments\":[\"profile.pprof\"],"
        "\"tags_profiler\":\"language:native,service:web,"
        "runtime-id:5b2c1f7e-0000-4000-8000-000000000001,process_id:4242,profile_seq:7,profiler_version:0.1."
        "0,"
        "host:h1,cpu_arch:amd64,include_kernel:false,ddprof.custom_ctx:container_id\","
        "\"info\":{\"application\":{\"service\":\"web\"},\"platform\":{\"hostname\":\"h1\",\"kernel_name\":"
        "\"Linux\"},"
        "\"profiler\":{\"activation\":\"manual\",\"ssi\":{\"mechanism\":\"none\"},\"version\":\"0.1.0\"}},"
        "\"internal\":{}}");
    pprof_read(&read, parts.file, parts.file_bytes);
    assert_int_equal(read.types, 2);
    assert_int_equal(read_column(&read, "cpu-samples", "count"), 0);
    assert_int_equal(read_column(&read, "cpu-time", "nanoseconds"), 1);
    assert_string_equal(read_string(&read, read.default_type), "cpu-time");
    assert_string_equal(read_string(&read, read.period_type[0]), "cpu-time");
    assert_int_equal(read.samples, 2);
    assert_int_equal(read_total(&read, 1), 40404040);
    assert_string_equal(read_label(&read, 0, "thread id"), "42");
    assert_string_equal(read_label(&read, 0, "thread name"), "worker");
    assert_string_equal(read_label(&read, 0, "process_id"), "4242");
    assert_string_equal(read_label(&read, 0, "process name"), "web");
    assert_string_equal(read_label(&read, 0, "container_id"), "c0ffee");
    assert_string_equal(read_frame(&read, 0, 0), "work");
    assert_string_equal(read_frame(&read, 0, 1), "main");
    pprof_read_release(&read);
    profile_release(&p);
    free(parts.event);
    world_release(&w);
}
