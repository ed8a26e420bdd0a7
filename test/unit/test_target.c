/*
 * test_target.c - what URLs and credentials mean to a target, and what replies do
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/target.h"

static struct target *made(const char *url)
{
    struct err e = {0};
    struct target *t = target_new(&(struct target_config){.url = url}, &e);

    if (!t)
        print_error("%s: %s\n", url, e.text);
    assert_non_null(t);
    return t;
}

static void is_named(const char *url, const char *name)
{
    struct target *t = made(url);

    assert_string_equal(target_name(t), name);
    target_free(t);
}

TEST(target__kind_and_port_follow_from_the_url)
{
    is_named("http://host", "datadog http://host:8126");
    is_named("host", "datadog http://host:8126");
    is_named("HOST:9000/x/", "datadog http://host:9000/x/");
    is_named("datadog+http://host:4040", "datadog http://host:4040");
    is_named("unix:///var/run/datadog/apm.socket", "datadog unix:///var/run/datadog/apm.socket");
    is_named("/run/apm.socket", "datadog unix:///run/apm.socket");
    is_named("http://host:4040", "pyroscope http://host:4040");
    is_named("https://host:7070/in", "parca https://host:7070/in");
    is_named("host:4318", "otlp http://host:4318");
    is_named("pyroscope+http://host", "pyroscope http://host:4040");
    is_named("pyroscope+https://host", "pyroscope https://host:443");
    is_named("put+https://host/a/{service}/?X=1", "put https://host:443/a/{service}/");
    is_named("post+http://[::1]/x", "post http://[::1]:80/x");
}
