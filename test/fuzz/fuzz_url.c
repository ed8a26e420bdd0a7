/*
 * fuzz_url.c - any text as a target's URL: what is refused is told why; what is taken has a name and a key,
 * and makes requests that are well-formed and without what is secret
 */
#include "ringside/target.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct profile profile;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint32_t function, location;

    (void)argc;
    (void)argv;
    log_open(&(struct log_config){.mode = LOG_MODE_DISABLED}, NULL);
    profile_init(&profile);
    profile_add_type(&profile, "cpu", "nanoseconds");
    profile.default_type = profile.type[0].type;
    profile.period_type = profile.type[0];
    profile.time_wall_ns = 1795866000000000000ULL;
    function = profile_add_function(&profile, "main", "main");
    location = profile_add_location(&profile, &(struct profile_location){.function = function});
    profile_add_sample(&profile, profile_add_frame(&profile, 0, location), PROFILE_NO_LABELS, (int64_t[]){1});
    return 0;
}

static int check_request(void *ctx, const struct target_request *r, struct err *e)
{
    (void)ctx;
    (void)e;
    if (r->path[0] != '/' && r->path[0] != '\0')
        abort();
    for (const char *at = r->path; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f || *at == '#' || *at == '{' || *at == '}')
            abort();
    if (strlen(r->path) >= 4096 || strlen(r->headers) >= 4096)
        abort();
    return 0;
}

static void check_target(const struct target *t)
{
    static const struct target_identity who = {.service = "../a b",
                                               .runtime_id = "5b2c1f7e-0000-4000-8000-000000000001",
                                               .host = "h",
                                               .profiler_version = "0"};
    const struct http_endpoint *endpoint = target_endpoint(t);
    struct target_emit emit = {check_request, NULL};
    struct err e = {0};

    if (strlen(target_key(t)) != 16 || (!endpoint->unix_socket && strchr(target_name(t), '@')) ||
        strchr(endpoint->url, '@') != NULL)
        abort();
    if ((endpoint->user == NULL) != (endpoint->password == NULL))
        abort();
    if (target_convert(t, &(struct target_job){&profile, &who, 0}, &emit, &e) < 0 && !e.text[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    struct err e = {0};
    struct target *t;

    if (n)
        memcpy(text, data, n);
    text[n] = '\0';
    target_kind_prefix(text);
    t = target_new(&(struct target_config){.url = text}, &e);
    if (t)
        check_target(t);
    else if (!e.text[0] || !memchr(e.text, '\0', sizeof(e.text)))
        abort();
    target_free(t);
    free(text);
    return 0;
}
