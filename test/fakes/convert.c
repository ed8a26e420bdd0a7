/*
 * convert.c - a profile of a given shape as the requests a target makes of it, for test_convert.py
 *
 *     convert URL SHAPE [NAME=VALUE...]
 *
 * Names: number time_ns run service env version tag (again for each) kernel; of the target: key agentless
 * user password bearer tenant header. Prints
 *
 *     total TYPE UNIT SUM              each type of the profile
 *     samples N
 *     endpoint URL                     what the paths are appended to
 *     header LINE                      each header of the endpoint
 *     user USER / password PASSWORD / query QUERY
 *     request METHOD P H B             and P + H + B bytes: path, headers, body
 *     end N
 *
 * or "refused WORDS" where the target or the conversion is not to be had.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ringside/base.h"
#include "ringside/http.h"
#include "ringside/profile.h"
#include "ringside/target.h"

#define TAGS_MAX       64
#define LARGE          40000
#define DEEP           1200
#define SAMPLE_NS      10101010
#define ID_HEX         "0123456789abcdef0123456789abcdef01234567"
#define LONG_TEXT      70000
#define TEXT_START     0x401000
#define KERNEL_TEXT    0xffffffff81000000
#define NAMES_IN_LARGE 300
#define FAT            5000
#define FAT_NAME       4096 /* bytes, a multiple of 8 */

struct options {
    const char *url, *shape;
    uint64_t number, time_ns;
    struct target_config config;
    struct target_identity who;
    const char *tags[TAGS_MAX], *headers[TAGS_MAX];
};

/* ---- pieces of profiles ---- */

struct builder {
    struct profile *p;
    uint32_t app, library, kernel; /* mappings */
    uint64_t next;                 /* address of the next location in the app */
};

static uint32_t add_mapping(struct profile *p, uint64_t start, uint64_t limit, const char *file,
                            const char *id)
{
    return profile_add_mapping(p, &(struct profile_mapping){.start = start,
                                                            .limit = limit,
                                                            .file_offset = start & 0xfffff,
                                                            .filename = profile_string(p, file),
                                                            .build_id = profile_string(p, id),
                                                            .has_functions = true});
}

static void begin(struct builder *b, struct profile *p, const struct options *o)
{
    profile_init(p);
    p->time_wall_ns = o->time_ns;
    p->duration_ns = 59 * NSEC_PER_SEC;
    *b = (struct builder){.p = p, .next = TEXT_START};
    b->app = add_mapping(p, TEXT_START, TEXT_START + 0x10000000, "/usr/bin/app", ID_HEX);
    profile_add_comment(p, "ringside of a test");
}

/* A frame of a function of its own location in the app. */
static uint32_t call(struct builder *b, uint32_t caller, const char *name)
{
    uint32_t function = profile_add_function(b->p, name, name);

    b->next += 16;
    return profile_add_frame(
        b->p, caller,
        profile_add_location(
            b->p, &(struct profile_location){.address = b->next, .mapping = b->app, .function = function}));
}

/* A frame that is a statement: no address, no mapping. */
static uint32_t say(struct builder *b, uint32_t caller, const char *words)
{
    uint32_t function = profile_add_function(b->p, words, words);

    return profile_add_frame(b->p, caller,
                             profile_add_location(b->p, &(struct profile_location){.function = function}));
}

static struct profile_label label(struct profile *p, const char *key, const char *text)
{
    return (struct profile_label){profile_string(p, key), profile_string(p, text)};
}

static uint32_t labels(struct builder *b, unsigned thread, const char *name)
{
    char id[16];

    snprintf(id, sizeof(id), "%u", 4242 + thread);
    return profile_add_labels(
        b->p,
        (struct profile_label[]){label(b->p, "thread_id", id), label(b->p, "thread_name", name),
                                 label(b->p, "pid", "4242"), label(b->p, "process_name", "app"),
                                 label(b->p, "container_id", "c0ffee")},
        5);
}

static void count(struct builder *b, uint32_t frame, uint32_t label_set, int64_t samples)
{
    profile_add_sample(b->p, frame, label_set, (int64_t[]){samples, samples * SAMPLE_NS});
}

static void begin_cpu(struct builder *b)
{
    profile_add_type(b->p, "samples", "count");
    profile_add_type(b->p, "cpu", "nanoseconds");
    b->p->default_type = b->p->type[1].type;
    b->p->period_type = b->p->type[1];
    b->p->period = SAMPLE_NS;
}

/* ---- shapes ---- */

static void shape_empty(struct builder *b)
{
    (void)b;
}

static void shape_small(struct builder *b)
{
    uint32_t set = labels(b, 0, "worker"), root = call(b, 0, "_start"), at = call(b, root, "main");
    struct profile *p = b->p;

    count(b, call(b, at, "work(int, std::vector<int> const&)"), set, 7);
    count(b, call(b, at, "rest"), set, 1);
    b->kernel = add_mapping(p, KERNEL_TEXT, KERNEL_TEXT + 0x1000000, "[kernel.kallsyms]", "");
    at = profile_add_frame(
        p, at,
        profile_add_location(p, &(struct profile_location){
                                    .address = KERNEL_TEXT + 64,
                                    .mapping = b->kernel,
                                    .function = profile_add_function(p, "do_syscall_64", "do_syscall_64")}));
    count(b, at, set, 2);
    at = say(b, 0, "app");
    profile_add_sample(p, say(b, at, "[not sampled: ended within a period]"), set, (int64_t[]){0, 12345});
    count(b, call(b, say(b, 0, "[truncated]"), "lost"), PROFILE_NO_LABELS, 3);
}

/* Code whose symbols are for others to find. */
static void shape_bare(struct builder *b)
{
    uint32_t mapping = profile_add_mapping(
        b->p, &(struct profile_mapping){.start = 0x1000,
                                        .limit = 0x9000,
                                        .filename = profile_string(b->p, "/usr/lib/libbare.so"),
                                        .build_id = profile_string(b->p, "ab12")});
    uint32_t root = call(b, 0, "main");

    for (uint64_t at = 0; at < 5; at++)
        count(b,
              profile_add_frame(
                  b->p, root,
                  profile_add_location(
                      b->p, &(struct profile_location){.address = 0x1000 + at * 8, .mapping = mapping})),
              PROFILE_NO_LABELS, 1);
}

static void shape_deep(struct builder *b)
{
    uint32_t set = labels(b, 0, "worker"), at = 0;
    char name[32];

    for (int i = 0; i < DEEP; i++) {
        snprintf(name, sizeof(name), "level_%d", i);
        at = call(b, at, name);
        if (i % 100 == 99)
            count(b, at, set, i);
    }
}

static void shape_large(struct builder *b)
{
    uint32_t root = call(b, 0, "main"), set[16], name = 0;
    char text[64];

    for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
        snprintf(text, sizeof(text), "worker %u", i);
        set[i] = labels(b, i, text);
    }
    for (unsigned i = 0; i < LARGE; i++) {
        name = (name * 31 + 7) % NAMES_IN_LARGE;
        snprintf(text, sizeof(text), "work_%u_of_a_function_with_a_name", name);
        count(b, call(b, call(b, root, text), "leaf"), set[i % ARRAY_LEN(set)], 1 + i % 3);
    }
}

/* Few samples, and names that are more than any backend takes, compressed or not. */
static void shape_fat(struct builder *b)
{
    uint32_t root = call(b, 0, "main"), set = labels(b, 0, "worker");
    uint64_t state = 1;
    char name[FAT_NAME + 1];

    for (unsigned i = 0; i < FAT; i++) {
        for (unsigned at = 0; at < FAT_NAME; at += 8) {
            state = hash_u64(state + 1);
            for (unsigned k = 0; k < 8; k++)
                name[at + k] = (char)('0' + (state >> (8 * k)) % 64);
        }
        name[FAT_NAME] = '\0';
        count(b, call(b, root, name), set, 1);
    }
}

/* More threads than a backend wants series, of as many names. */
static void shape_labels(struct builder *b)
{
    uint32_t at = call(b, call(b, 0, "main"), "work");
    char name[32];

    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "thread-%u", i);
        count(b, at, labels(b, i, name), 1);
    }
}

static void shape_events(struct builder *b)
{
    uint32_t set = labels(b, 0, "worker"), root = call(b, 0, "main"), leaf = call(b, root, "work");

    profile_add_type(b->p, "page_faults", "count");
    profile_add_type(b->p, "sched_switch", "count");
    profile_add_type(b->p, "allocated", "bytes");
    profile_add_sample(b->p, leaf, set, (int64_t[]){5, 5 * SAMPLE_NS, 0, 0, 0});
    profile_add_sample(b->p, call(b, root, "touch"), set, (int64_t[]){0, 0, 17, 3, 4096});
    profile_add_sample(b->p, root, set, (int64_t[]){1, SAMPLE_NS, 1, 0, (int64_t)1 << 40});
}

/* No CPU time at all. */
static void shape_faults(struct builder *b)
{
    profile_add_type(b->p, "page_faults", "count");
    b->p->default_type = b->p->type[0].type;
    b->p->period_type = b->p->type[0];
    b->p->period = 1;
    profile_add_sample(b->p, call(b, 0, "main"), labels(b, 0, "worker"), (int64_t[]){17});
}

static void shape_hostile(struct builder *b)
{
    static const char *const texts[] = {"a\nb\r\nc",
                                        "quote\" back\\ slash",
                                        "\x01\x02\x7f",
                                        "bad \xff\xfe utf8 \xc3",
                                        "caf\xc3\xa9 \xe2\x82\xac",
                                        "a,b;c=d{e}f:g|h",
                                        "--ringside\r\nContent-Disposition: form-data",
                                        " ",
                                        "-",
                                        "\xef\xbb\xbf bom",
                                        "%s%n%00",
                                        "</script><b>"};
    char *lengthy = base_alloc(LONG_TEXT + 1);
    uint32_t root = call(b, 0, "main");

    memset(lengthy, 'x', LONG_TEXT);
    lengthy[LONG_TEXT] = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        count(b, call(b, root, texts[i]), labels(b, i, texts[i]), 1);
    count(b, call(b, root, lengthy), labels(b, 99, lengthy), 1);
    profile_add_comment(b->p, "%s", texts[0]);
    profile_add_comment(b->p, "%s", texts[3]);
    free(lengthy);
}

/* The samples of threads that differ in their number alone, which some backends are not told. */
static void shape_merging(struct builder *b)
{
    uint32_t at = call(b, 0, "main");

    for (unsigned i = 0; i < 100; i++)
        count(b, at, labels(b, i, i % 2 ? "even" : "odd"), 1 + i);
}

/* Values whose sum is near the largest there is. */
static void shape_huge_values(struct builder *b)
{
    uint32_t root = call(b, 0, "main");

    profile_add_sample(b->p, root, labels(b, 0, "a"), (int64_t[]){INT64_MAX / 4, INT64_MAX / 4});
    profile_add_sample(b->p, root, labels(b, 1, "b"), (int64_t[]){INT64_MAX / 4, INT64_MAX / 4});
}

static const struct {
    const char *name;
    void (*make)(struct builder *b);
} shapes[] = {
    {"empty", shape_empty},     {"small", shape_small},     {"bare", shape_bare},
    {"deep", shape_deep},       {"large", shape_large},     {"fat", shape_fat},
    {"labels", shape_labels},   {"events", shape_events},   {"faults", shape_faults},
    {"hostile", shape_hostile}, {"merging", shape_merging}, {"huge", shape_huge_values},
};

static int make_profile(struct profile *p, const struct options *o)
{
    struct builder b;

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (strcmp(shapes[i].name, o->shape) != 0)
            continue;
        begin(&b, p, o);
        if (shapes[i].make != shape_faults)
            begin_cpu(&b);
        shapes[i].make(&b);
        return 0;
    }
    fprintf(stderr, "no shape %s\n", o->shape);
    return -1;
}

/* ---- what is printed ---- */

static void print_totals(const struct profile *p)
{
    for (uint32_t type = 0; type < p->type_count; type++) {
        int64_t sum = 0;

        for (uint32_t i = 0; i < p->sample_count; i++)
            sum += p->value[p->sample[i].first_value + type];
        printf("total %s %s %" PRId64 "\n", strtab_get(&p->strings, p->type[type].type),
               strtab_get(&p->strings, p->type[type].unit), sum);
    }
    printf("samples %u\n", p->sample_count);
}

static void print_endpoint(const struct http_endpoint *endpoint)
{
    printf("endpoint %s\n", endpoint->url);
    for (size_t i = 0; endpoint->headers && endpoint->headers[i]; i++)
        printf("header %s\n", endpoint->headers[i]);
    if (endpoint->user)
        printf("user %s\npassword %s\n", endpoint->user, endpoint->password);
    if (endpoint->query)
        printf("query %s\n", endpoint->query);
}

static int print_request(void *ctx, const struct target_request *r, struct err *e)
{
    size_t path = strlen(r->path), headers = strlen(r->headers);

    (void)ctx;
    (void)e;
    printf("request %s %zu %zu %zu\n", r->method, path, headers, r->body_bytes);
    fwrite(r->path, 1, path, stdout);
    fwrite(r->headers, 1, headers, stdout);
    fwrite(r->body, 1, r->body_bytes, stdout);
    return 0;
}

/* ---- options ---- */

static int add_text(const char **list, uint32_t *n, const char *text)
{
    if (*n == TAGS_MAX)
        return -1;
    list[(*n)++] = text;
    return 0;
}

static int set_option(struct options *o, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"run", &o->who.runtime_id},
                 {"service", &o->who.service},
                 {"env", &o->who.environment},
                 {"version", &o->who.service_version},
                 {"host", &o->who.host},
                 {"container", &o->who.container_id},
                 {"executable", &o->who.executable},
                 {"git_repository", &o->who.git_repository},
                 {"git_commit", &o->who.git_commit},
                 {"key", &o->config.api_key},
                 {"user", &o->config.user},
                 {"password", &o->config.password},
                 {"bearer", &o->config.bearer_token},
                 {"tenant", &o->config.tenant}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strcmp(texts[i].name, name) == 0)
            return *texts[i].text = value, 0;
    if (strcmp(name, "number") == 0)
        return o->number = strtoull(value, NULL, 10), 0;
    if (strcmp(name, "time_ns") == 0)
        return o->time_ns = strtoull(value, NULL, 10), 0;
    if (strcmp(name, "agentless") == 0)
        return o->config.agentless = true, 0;
    if (strcmp(name, "kernel") == 0)
        return o->who.kernel = true, 0;
    if (strcmp(name, "tag") == 0)
        return add_text(o->tags, &o->who.tag_count, value);
    if (strcmp(name, "header") == 0)
        return add_text(o->headers, &o->config.header_count, value);
    return -1;
}

static int read_options(struct options *o, int argc, char **argv)
{
    struct timespec now;

    if (argc < 3)
        return -1;
    clock_gettime(CLOCK_REALTIME, &now);
    *o = (struct options){.url = argv[1],
                          .shape = argv[2],
                          .time_ns = ((uint64_t)now.tv_sec - 60) * NSEC_PER_SEC + (uint64_t)now.tv_nsec};
    o->config = (struct target_config){.url = o->url, .headers = o->headers};
    o->who = (struct target_identity){.service = "web",
                                      .runtime_id = "5b2c1f7e-0000-4000-8000-000000000001",
                                      .host = "h1",
                                      .profiler_version = "0.1.0",
                                      .executable = "/usr/bin/app",
                                      .pid = 4242,
                                      .cpus = 2,
                                      .tags = o->tags};
    for (int i = 3; i < argc; i++) {
        char *equals = strchr(argv[i], '=');

        if (!equals)
            return -1;
        *equals = '\0';
        if (set_option(o, argv[i], equals + 1) < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    struct options o;
    struct profile p;
    struct target *t;
    int requests = -1;

    if (read_options(&o, argc, argv) < 0 || make_profile(&p, &o) < 0) {
        fprintf(stderr, "usage: convert URL SHAPE [NAME=VALUE...]\n");
        return 2;
    }
    t = target_new(&o.config, &e);
    if (t) {
        print_totals(&p);
        print_endpoint(target_endpoint(t));
        requests = target_convert(t, &(struct target_job){&p, &o.who, o.number},
                                  &(struct target_emit){.request = print_request}, &e);
    }
    if (requests < 0)
        printf("refused %s\n", e.text);
    else
        printf("end %d\n", requests);
    target_free(t);
    profile_release(&p);
    return 0;
}
