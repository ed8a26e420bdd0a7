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
    bool intake = o->agentless && is_ours(given(o, "agentless")) == ours;

    if (url && is_ours(url) == ours && !(intake && is_agents(url)))
        o->targets = o->urls;
    else if (intake)
        add_intake(o);
    else if ((host && is_ours(host) == ours) || (port && is_ours(port) == ours))
        add_agent(o);
    return o->targets.count > 0;
}

void option_choose_targets(struct options *o)
{
    o->agentless_shared = o->agentless && !is_ours(given(o, "agentless"));
    if (!o->upload || add_given(o, true) || is_ours(given(o, "output")))
        return;
    o->targets_shared = add_given(o, false);
    if (!o->targets.count && !o->output && !o->config_left_out) /* it may have said where */
        add_usual_agent(o);
}

/* ---- without credentials ---- */

/* Length of "put+http://"; 0: there is no scheme. */
static size_t scheme_length(const char *url)
{
    size_t n = strcspn(url, ":/?#@");

    return strncmp(url + n, "://", 3) == 0 ? n + 3 : 0;
}

static bool is_socket(const char *url, size_t scheme)
{
    return url[0] == '/' || (scheme >= 7 && strncmp(url + scheme - 7, "unix://", 7) == 0);
}

void option_hide_credentials(const char *url, struct buf *out)
{
    size_t scheme = scheme_length(url), n;
    const char *host = url + scheme, *at;

    if (is_socket(url, scheme)) {
        buf_add_text(out, url);
        return;
    }
    n = strcspn(host, "/?#");
    at = memchr(host, '@', n);
    buf_add(out, url, scheme);
    if (strchr(at ? at + 1 : host, '@')) { /* a password that is not escaped: it may end anywhere */
        buf_add_text(out, "***");
        return;
    }
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

void options_show_server(const struct options *o, uint32_t i, struct buf *out)
{
    option_hide_credentials(o->targets.at[i], out);
}
