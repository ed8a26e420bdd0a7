/*
 * targets.c - from what was given about servers to where this run's profiles go
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store.h"
#include "targets.h"

/* Where Datadog's agent listens on a machine of its own, and in most pods ("Unix Domain Socket", its manual).
 */
#define AGENT_SOCKET "/var/run/datadog/apm.socket"

static const struct option_given *given(const struct options *o, const char *name)
{
    return option_given(o->store, option_find(name, strlen(name)).row);
}

/* Given to Ringside itself, not in a variable that other tools read. */
static bool is_ours(const struct option_given *g)
{
    return g && g->origin.source != SOURCE_SHARED;
}

/* A Datadog agent's address for all that speaks to one: not where to go without. */
static bool is_agents(const struct option_given *url)
{
    return url->origin.source == SOURCE_SHARED && strcmp(url->origin.name, "DD_TRACE_AGENT_URL") == 0;
}

static void add(struct options *o, const char *url)
{
    option_texts_add(o->store, &o->targets, url);
}

static void add_agent(struct options *o)
{
    const char *bracket = strchr(o->host, ':') && o->host[0] != '[' ? "[" : "";
    size_t bytes = strlen(o->host) + 40;
    char *url = option_take(o->store, bytes);

    snprintf(url, bytes, "datadog+http://%s%s%s:%u", bracket, o->host, *bracket ? "]" : "", o->port);
    add(o, url);
}

static void add_intake(struct options *o)
{
    size_t bytes = strlen(o->site) + 60;
    char *url = option_take(o->store, bytes);

    snprintf(url, bytes, "datadog+https://intake.profile.%s", o->site);
    add(o, url);
}

static void add_usual_agent(struct options *o)
{
    struct stat there;

    if (stat(AGENT_SOCKET, &there) == 0 && S_ISSOCK(there.st_mode))
        add(o, "unix://" AGENT_SOCKET);
    else
        add_agent(o);
}

/* What was given about servers: by Ringside's own options, or by variables that other tools read, too. */
static bool add_given(struct options *o, bool ours)
{
    const struct option_given *url = given(o, "url"), *host = given(o, "host"), *port = given(o, "port");
    const struct option_given *agentless = given(o, "agentless");

    if (o->agentless && is_ours(agentless) == ours && (!url || is_agents(url)))
        add_intake(o);
    else if (url && is_ours(url) == ours)
        o->targets = o->urls;
    else if ((host && is_ours(host) == ours) || (port && is_ours(port) == ours))
        add_agent(o);
    return o->targets.count > 0;
}

void option_choose_targets(struct options *o)
{
    if (!o->upload || add_given(o, true) || is_ours(given(o, "output")))
        return;
    o->targets_shared = add_given(o, false);
    if (!o->targets.count && !o->output)
        add_usual_agent(o);
}

/* ---- without credentials ---- */

void option_hide_credentials(const char *url, struct buf *out)
{
    const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url, *at;
    size_t n = strcspn(host, "/?#");

    at = memrchr(host, '@', n);
    buf_add(out, url, (size_t)(host - url));
    if (at) {
        buf_add_text(out, "***");
        n -= (size_t)(at - host);
        host = at;
    }
    n += strcspn(host + n, "?#");
    buf_add(out, host, n);
    if (host[n])
        buf_add_text(out, "?***");
}
