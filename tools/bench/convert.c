/*
 * convert.c - bench-convert: what it takes to make a profile into the requests of a backend
 *
 *     bench-convert [-n TIMES] [-s SAMPLES] [-d DEPTH] [-l LOCATIONS] URL|pprof...
 *
 * "pprof" is the local file: what the others are held against, as the worker makes that of each profile, too,
 * between two looks at the rings. Prints CPU time, requests and bytes of one conversion. For instructions:
 *
 *     valgrind --tool=callgrind --toggle-collect=target_convert bench-convert pyroscope+http://h
 *     valgrind --tool=callgrind --toggle-collect=pprof_write bench-convert pprof
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/profile.h"
#include "ringside/target.h"

struct settings {
    uint32_t times, samples, depth, locations;
};

/* ---- a profile ---- */

static void add_locations(struct profile *p, uint32_t n)
{
    char name[128], file[64], build_id[41];

    for (uint32_t i = 0; i < n; i++) {
        if (i % (n / 20 + 1) == 0) { /* twenty files */
            snprintf(file, sizeof(file), "/usr/lib/x86_64-linux-gnu/libservice-part-%u.so.1", i);
            snprintf(build_id, sizeof(build_id), "%016llx%024u", (unsigned long long)hash_u64(i + 1), i);
            profile_add_mapping(p, &(struct profile_mapping){.start = 0x1000,
                                                             .limit = 0x10000000,
                                                             .filename = profile_string(p, file),
                                                             .build_id = profile_string(p, build_id),
                                                             .has_functions = true});
        }
        /* Four addresses of a function. */
        snprintf(name, sizeof(name), "service::part_%u::Handler<%llx>::method_%u(int, char const*)", i % 37,
                 (unsigned long long)hash_u64(i / 4) & 0xffffff, i / 4);
        profile_add_location(p, &(struct profile_location){.address = 0x1000 + hash_u64(i) % 0xffff000,
                                                           .mapping = p->mapping_count,
                                                           .function = profile_add_function(p, name, name)});
    }
}

static uint32_t add_labels(struct profile *p, uint32_t thread)
{
    char tid[16], name[16];
    struct profile_label label[4];

    snprintf(tid, sizeof(tid), "%u", 1000 + thread);
    snprintf(name, sizeof(name), "worker-%u", thread);
    label[0] = (struct profile_label){profile_string(p, "thread_id"), profile_string(p, tid)};
    label[1] = (struct profile_label){profile_string(p, "thread_name"), profile_string(p, name)};
    label[2] = (struct profile_label){profile_string(p, "pid"), profile_string(p, "1000")};
    label[3] = (struct profile_label){profile_string(p, "process_name"), profile_string(p, "service")};
    return profile_add_labels(p, label, ARRAY_LEN(label));
}

/* Stacks in order, as the worker has them: each shares its outer frames with the one before. */
static void add_samples(struct profile *p, const struct settings *s)
{
    uint32_t *frame = base_calloc(s->depth + 1, sizeof(*frame)), have = 0, sets = p->label_set_count;

    for (uint32_t i = 0; i < s->samples; i++) {
        uint64_t random = hash_u64(i + 1);
        int64_t count = 1 + (int64_t)(random >> 60), values[] = {count, count * 10101010};

        have = MIN_OF(have, (uint32_t)(random % s->depth));
        for (; have < s->depth; have++) {
            uint64_t at = hash_u64((uint64_t)i << 32 | have);

            frame[have + 1] = profile_add_frame(p, frame[have], 1 + (uint32_t)(at % s->locations));
        }
        profile_add_sample(p, frame[have], (uint32_t)(random >> 32) % sets, values);
    }
    free(frame);
}

static void make_profile(struct profile *p, const struct settings *s)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->default_type = p->type[1].type;
    p->period_type = p->type[1];
    p->period = 10101010;
    p->time_wall_ns = clock_wall_ns();
    p->duration_ns = 59 * NSEC_PER_SEC;
    add_locations(p, s->locations);
    for (uint32_t thread = 0; thread < 8; thread++)
        add_labels(p, thread);
    add_samples(p, s);
    profile_add_comment(p, "bench-convert");
}

/* ---- what it takes ---- */

struct taken {
    uint32_t requests;
    uint64_t bytes;
};

static int count_bytes(void *ctx, const void *bytes, size_t n, struct err *e)
{
    struct taken *taken = ctx;

    (void)bytes, (void)e;
    taken->bytes += n;
    return 0;
}

static int count_request(void *ctx, const struct target_request *r, struct err *e)
{
    struct taken *taken = ctx;

    taken->requests++;
    return count_bytes(ctx, r->body, r->body_bytes, e);
}

static int convert_once(const struct target *t, const struct profile *p, struct taken *taken, struct err *e)
{
    static const struct target_identity who = {.service = "bench",
                                               .runtime_id = "5b2c1f7e-0000-4000-8000-000000000001",
                                               .host = "host",
                                               .profiler_version = "0"};
    struct target_job job = {p, &who, 0};

    if (!t)
        return pprof_write(p, &(struct byte_out){count_bytes, taken}, e);
    return target_convert(t, &job, &(struct target_emit){count_request, taken}, e) < 0 ? -1 : 0;
}

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int bench(const char *url, const struct profile *p, uint32_t times, struct err *e)
{
    struct target *t = NULL;
    struct taken taken = {0};
    double before;
    int result = 0;

    if (strcmp(url, "pprof") != 0 && !(t = target_new(&(struct target_config){.url = url}, e)))
        return -1;
    before = cpu_ms();
    for (uint32_t i = 0; i < times && result == 0; i++)
        result = convert_once(t, p, &taken, e);
    if (result == 0)
        printf("%-40s %9.3f ms %4u requests %9llu bytes\n", url, (cpu_ms() - before) / times,
               taken.requests / times, (unsigned long long)(taken.bytes / times));
    target_free(t);
    return result;
}

static uint32_t number(const char *text, uint32_t least)
{
    return (uint32_t)MAX_OF(strtoul(text, NULL, 10), (unsigned long)least);
}

int main(int argc, char **argv)
{
    struct settings s = {.times = 1, .samples = 3000, .depth = 40, .locations = 5000};
    struct profile p;
    struct err e;
    int letter, result = 0;

    while ((letter = getopt(argc, argv, "n:s:d:l:")) != -1) {
        uint32_t *to = letter == 'n'   ? &s.times
                       : letter == 's' ? &s.samples
                       : letter == 'd' ? &s.depth
                       : letter == 'l' ? &s.locations
                                       : NULL;

        if (!to)
            return 2;
        *to = number(optarg, 1);
    }
    make_profile(&p, &s);
    for (int i = optind; i < argc && result == 0; i++)
        result = bench(argv[i], &p, s.times, &e);
    if (result < 0)
        fprintf(stderr, "bench-convert: %s\n", e.text);
    profile_release(&p);
    return result < 0;
}
