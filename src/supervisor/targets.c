/*
 * targets.c - see targets.h
 *
 * Credentials are for one server. Where there are several, each that is given must say which it is for: a
 * token for one must never reach another.
 */
#include "targets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/options.h"
#include "ringside/supervisor.h"
#include "ringside/target.h"

#define TOKEN_MAX 8192

/* One target in the making. */
struct making {
    const struct options *o;
    const char *kind;
    struct target_config config;
    const char *header[OPTION_HEADERS_MAX];
    char token[TOKEN_MAX];
    char *paths[4];
};

/* ---- what is meant for this one ---- */

/* prefix: what target_kind_prefix() says of text. Without a kind in front it is for all. */
static bool is_of_kind(const struct making *m, const char *text, size_t prefix)
{
    return !prefix || (strlen(m->kind) == prefix - 1 && strncmp(text, m->kind, prefix - 1) == 0);
}

/* Without the kind in front of it; NULL when it is meant for another. */
static int meant_for(struct making *m, const char *option, const char *text, const char **out, struct err *e)
{
    size_t prefix = text ? target_kind_prefix(text) : 0;
    char from[300];

    *out = NULL;
    if (!text)
        return 0;
    if (!prefix && m->o->targets.count > 1)
        return err_set(e, 0, "which of the %u servers is --%s for? Put the kind in front of it: %s+... (%s)",
                       m->o->targets.count, option, m->kind,
                       options_origin(m->o, option, 0, from, sizeof(from)));
    if (is_of_kind(m, text, prefix))
        *out = text + prefix;
    return 0;
}

static char *join_path(const char *folder, const char *rest)
{
    struct buf path;
    char *out;

    buf_init(&path, PATH_MAX);
    out =
        buf_add_text(&path, folder) && buf_add_text(&path, rest) && buf_add(&path, "", 1) ? path.data : NULL;
    if (!out)
        buf_release(&path);
    return out;
}

/*
 * The profiler leaves the folder it was started in. Links stay links: certificates and tokens are changed in
 * Kubernetes by turning one to another folder. NULL with errno.
 */
static char *absolute(const char *path)
{
    char here[PATH_MAX], *folder, *out;

    if (path[0] == '/')
        return base_strdup(path);
    if (!getcwd(here, sizeof(here)))
        return NULL;
    folder = join_path(here, "/");
    out = folder ? join_path(folder, path) : NULL;
    free(folder);
    if (!out)
        errno = ENAMETOOLONG;
    return out;
}

static int read_token(struct making *m, const char *path, struct err *e)
{
    long n = read_small_file(AT_FDCWD, path, m->token, sizeof(m->token), e);
    char from[300];

    options_origin(m->o, "bearer-token-file", 0, from, sizeof(from));
    /* What is no path may be the token itself. */
    if (n < 0)
        return strchr(path, '/') ? err_wrap(e, "%s", from)
                                 : err_set(e, e->code, "%s: the file that is named there", from);
    while (n > 0 && strchr(" \t\r\n", m->token[n - 1]))
        m->token[--n] = '\0';
    if (n == 0)
        return err_set(e, 0, "%s: there is nothing in %s", from, path);
    m->config.bearer_token = m->token;
    m->config.bearer_file = m->paths[3] = absolute(path);
    return 0;
}

static int take_credentials(struct making *m, struct err *e)
{
    const struct options *o = m->o;
    const char *path, *header;

    if (meant_for(m, "user", o->user, &m->config.user, e) < 0 ||
        meant_for(m, "password", o->password, &m->config.password, e) < 0 ||
        meant_for(m, "tenant", o->tenant, &m->config.tenant, e) < 0 ||
        meant_for(m, "bearer-token", o->bearer_token, &m->config.bearer_token, e) < 0 ||
        meant_for(m, "bearer-token-file", o->bearer_token_file, &path, e) < 0)
        return -1;
    if (path && read_token(m, path, e) < 0)
        return -1;
    for (uint32_t i = 0; i < o->headers.count; i++) {
        if (meant_for(m, "header", o->headers.at[i], &header, e) < 0)
            return -1;
        if (!header)
            continue;
        if (m->config.header_count == ARRAY_LEN(m->header))
            return err_set(e, 0, "more than %zu headers for one server", ARRAY_LEN(m->header));
        m->header[m->config.header_count++] = header;
    }
    m->config.headers = m->header;
    return 0;
}

/* Of all servers, where no kind stands in front. */
static int take_file(struct making *m, const char *option, const char *given, char **own, struct err *e)
{
    size_t prefix = given ? target_kind_prefix(given) : 0;
    char from[300];

    if (!given || !is_of_kind(m, given, prefix))
        return 0;
    *own = absolute(given + prefix);
    if (*own && access(*own, R_OK) == 0)
        return 0;
    return err_set(e, errno, "%s: %s", options_origin(m->o, option, 0, from, sizeof(from)), given + prefix);
}

static int take_files(struct making *m, struct err *e)
{
    const struct options *o = m->o;

    if (take_file(m, "ca-file", o->ca_file, &m->paths[0], e) < 0 ||
        take_file(m, "client-cert", o->client_cert, &m->paths[1], e) < 0 ||
        take_file(m, "client-key", o->client_key, &m->paths[2], e) < 0)
        return -1;
    m->config.ca_file = m->paths[0];
    m->config.cert_file = m->paths[1];
    m->config.key_file = m->paths[2];
    return 0;
}

/* ---- all of them ---- */

/*
 * Datadog's key goes to its intake only. Where it is a variable of other tools that says so, a server of ours
 * without a kind in front may be any: it is not the intake.
 */
static bool is_intake(const struct options *o, const char *url)
{
    if (!o->agentless || !o->agentless_shared || o->targets_shared)
        return o->agentless;
    return o->targets.at == o->urls.at && strncmp(url, "datadog+", strlen("datadog+")) == 0;
}

/* Where it is the credentials that are wrong, and not the URL, names what they came from. */
static void blame_credentials(const struct making *m, struct err *e)
{
    static const char *const names[] = {"user",         "password",          "tenant",
                                        "bearer-token", "bearer-token-file", "header"};
    const struct target_config *c = &m->config;
    const void *const given[] = {c->user,
                                 c->password,
                                 c->tenant,
                                 m->token[0] ? NULL : c->bearer_token,
                                 m->token[0] ? m->token : NULL,
                                 c->header_count ? c->headers : NULL};
    struct target_config plain = *c;
    char from[300], all[600] = "";
    struct target *t;

    plain.user = plain.password = plain.tenant = plain.bearer_token = plain.bearer_file = NULL;
    plain.header_count = 0;
    t = target_new(&plain, NULL);
    if (!t)
        return;
    target_free(t);
    for (size_t i = 0, n = 0; i < ARRAY_LEN(names) && n < sizeof(all); i++)
        if (given[i])
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s", n ? ", " : "",
                                  options_origin(m->o, names[i], 0, from, sizeof(from)));
    err_wrap(e, "%s", all);
}

static struct target *make(const struct options *o, const char *url, struct err *e)
{
    struct making *m = base_calloc(1, sizeof(*m));
    struct target *t = NULL;

    m->o = o;
    m->config = (struct target_config){
        .url = url,
        .api_key = o->api_key,
        .agentless = is_intake(o, url),
        .no_proxy = !o->proxy,
        .timeout_ms = o->upload_timeout_ms,
    };
    m->kind = target_kind_of(url, e);
    if (m->kind && take_credentials(m, e) == 0 && take_files(m, e) == 0) {
        t = target_new(&m->config, e);
        if (!t)
            blame_credentials(m, e);
    }
    for (size_t i = 0; i < ARRAY_LEN(m->paths); i++)
        free(m->paths[i]);
    explicit_bzero(m->token, sizeof(m->token));
    free(m);
    return t;
}

static const char *origin(const struct options *o, uint32_t i, char *out, size_t bytes)
{
    if (o->targets.at == o->urls.at)
        return options_origin(o, "url", i, out, bytes);
    return options_origin(o, is_intake(o, o->targets.at[i]) ? "agentless" : "host", 0, out, bytes);
}

/* Where the same profile would go twice. */
static const struct target *same_place(const struct target_list *list, const struct target *t)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(target_key(list->at[i]), target_key(t)) == 0)
            return list->at[i];
    return NULL;
}

static int add_target(const struct options *o, uint32_t i, struct target_list *out, struct err *e)
{
    struct target *t = make(o, o->targets.at[i], e);
    char from[300];

    if (!t)
        return err_wrap(e, "%s", origin(o, i, from, sizeof(from)));
    if (strcmp(target_kind(t), "otlp") == 0 && strstr(o->targets.at[i], ":4317"))
        log_warn(supervisor, "%s: 4317 is the usual port of gRPC; OTLP over HTTP listens on 4318",
                 target_name(t));
    if (same_place(out, t)) {
        log_warn(supervisor, "%s is there twice", target_name(t));
        target_free(t);
        return 0;
    }
    out->at[out->count++] = t;
    return 0;
}

int targets_make(const struct options *o, struct target_list *out, struct err *e)
{
    *out = (struct target_list){0};
    if (o->targets.count > TARGETS_MAX)
        return err_set(e, 0, "more than %d servers", TARGETS_MAX);
    for (uint32_t i = 0; i < o->targets.count; i++) {
        if (add_target(o, i, out, e) == 0)
            continue;
        /* A variable that is set for somebody else; the profiles have a place to go. */
        if (o->targets_shared && o->output) {
            log_warn(supervisor, "%s; left out", e->text);
            continue;
        }
        targets_release(out);
        return -1;
    }
    return 0;
}

void targets_release(struct target_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        target_free(list->at[i]);
    list->count = 0;
}

/* ---- the spool ---- */

/* XDG Base Directory Specification: state that outlives a run, and relative paths count for nothing. */
static char *usual_spool(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (geteuid() == 0)
        return base_strdup("/var/lib/ringside/spool");
    if (state && state[0] == '/')
        return join_path(state, "/ringside/spool");
    return home && home[0] == '/' ? join_path(home, "/.local/state/ringside/spool") : NULL;
}

char *targets_spool_folder(const struct options *o)
{
    char *path;

    if (!o->spool)
        return usual_spool();
    if (strcmp(o->spool, "memory") == 0)
        return NULL;
    path = absolute(o->spool);
    if (!path)
        log_warn(supervisor, "spool %s: %s; profiles wait in memory", o->spool, strerror(errno));
    return path;
}

char *supervisor_spool_folder(const struct options *o)
{
    return targets_spool_folder(o);
}
