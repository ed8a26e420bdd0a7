/*
 * target.c - the table of backends, and what all of them have in common: URL, credentials, name and key
 */
#include "ringside/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#include "backend.h"
#include "blank.h"
#include "url.h"

/* One row a backend, and one file. */
static const struct backend *const table[] = {
    &backend_datadog, &backend_pyroscope, &backend_parca, &backend_otlp, &backend_put, &backend_post,
};

#define KIND_MAX     32
#define HEADERS_MAX  64
#define HEADER_BYTES (64 << 10) /* of all of them */

/* ---- which backend ---- */

static const struct backend *backend_of_kind(const char *kind, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strlen(table[i]->kind) == n && memcmp(table[i]->kind, kind, n) == 0)
            return table[i];
    return NULL;
}

/* Ports that all servers have (http's own) say nothing. */
static const struct backend *backend_of_port(uint16_t port)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i]->port == port && port != 80)
            return table[i];
    return &backend_datadog;
}

/* Length of what could be a kind in front of a '+'. */
static size_t kind_length(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return text[n] == '+' ? n : 0;
}

size_t target_kind_prefix(const char *text)
{
    size_t n = kind_length(text);

    return n && backend_of_kind(text, n) ? n + 1 : 0;
}

static int refuse_kind(const char *text, size_t n, struct err *e)
{
    const char *nearest = NULL;
    char kind[KIND_MAX];
    unsigned best = 4;

    snprintf(kind, sizeof(kind), "%.*s", (int)MIN_OF(n, sizeof(kind) - 1), text);
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        unsigned distance = word_distance(kind, table[i]->kind);

        if (distance < best && distance < strlen(table[i]->kind)) {
            best = distance;
            nearest = table[i]->kind;
        }
    }
    if (nearest)
        return err_set(e, 0, "'%s+' is no kind of target; did you mean '%s+'?", kind, nearest);
    return err_set(
        e, 0, "'%s+' is no kind of target: datadog+, pyroscope+, parca+, otlp+, put+ and post+ are", kind);
}

static bool has_scheme(const char *text)
{
    return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0 ||
           strncasecmp(text, "unix://", 7) == 0;
}

/* The backend that is named in front of the URL, and the URL behind it; NULL when none is. */
static int take_kind(const char **text, const struct backend **out, struct err *e)
{
    size_t n = kind_length(*text);

    *out = n ? backend_of_kind(*text, n) : NULL;
    if (*out)
        *text += n + 1;
    else if (n &&
             (has_scheme(*text + n + 1) || !strchr(*text, '@'))) /* not in front of a '+' in a password */
        return refuse_kind(*text, n, e);
    return 0;
}

/* ---- headers and credentials ---- */

/* RFC 9110 section 5.6.2: what names consist of. */
static bool is_token(char c)
{
    return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

/* Length of the name, 0 when that is none. */
static size_t header_name(const char *line)
{
    size_t n = 0;

    while (is_token(line[n]))
        n++;
    return line[n] == ':' ? n : 0;
}

static bool is_header(const char *line, const char *name)
{
    size_t n = strlen(name);

    return header_name(line) == n && strncasecmp(line, name, n) == 0;
}

static int check_header(const char *line, struct err *e)
{
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Expect", "Connection"};
    size_t n = header_name(line);

    if (n == 0)
        return err_set(e, 0, "a header has to be 'Name: value'");
    for (size_t i = 0; i < ARRAY_LEN(framing); i++)
        if (is_header(line, framing[i])) /* http.h refuses them, which would be too late */
            return err_set(e, 0, "header %s cannot be set", framing[i]);
    for (const char *at = line + n + 1; *at; at++)
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
            return err_set(e, 0, "header %.*s: there is a control character in its value", (int)MIN_OF(n, 64),
                           line);
    return 0;
}

int target_add_header(struct target *t, struct err *e, const char *fmt, ...)
{
    struct buf *b = &t->header_bytes;
    size_t start = b->len;
    char line[8192];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line))
        return err_set(e, 0, "a header is longer than %zu bytes", sizeof(line) - 1);
    if (check_header(line, e) < 0)
        return -1;
    if (t->headers == HEADERS_MAX || !buf_add(b, line, (size_t)n + 1)) {
        b->len = start;
        return err_set(e, 0, "more than %d headers, or %d bytes of them", HEADERS_MAX, HEADER_BYTES);
    }
    t->headers++;
    return 0;
}

static bool has_header(const struct target_config *c, const char *name)
{
    for (uint32_t i = 0; i < c->header_count; i++)
        if (is_header(c->headers[i], name))
            return true;
    return false;
}

/* What a backend sends itself goes once: where it is what the body is read by, the user's is left out. */
static bool is_of_requests(const struct target *t, const char *line)
{
    static const char *const names[] = {
        "Content-Type",         "Content-Encoding",  "Connect-Protocol-Version",
        "DD-API-KEY",           "DD-EVP-ORIGIN",     "DD-EVP-ORIGIN-VERSION",
        "Datadog-Container-ID", "Datadog-Entity-ID", "Datadog-External-Env"};

    for (size_t i = 0; i < ARRAY_LEN(names) && !t->backend->any_header; i++)
        if (is_header(line, names[i])) {
            log_warn(target, "%s: header %s is left out: %s has its own", t->name, names[i],
                     t->backend->kind);
            return true;
        }
    return false;
}

static int add_headers(struct target *t, const struct target_config *c, struct err *e)
{
    for (uint32_t i = 0; i < c->header_count; i++)
        if (!is_of_requests(t, c->headers[i]) && target_add_header(t, e, "%s", c->headers[i]) < 0)
            return -1;
    t->typed = has_header(c, "Content-Type");
    return 0;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static char *copy(const char *text)
{
    return text && text[0] ? base_strdup(text) : NULL;
}

static bool given(const char *text)
{
    return text && text[0];
}

/* A user in the URL is meant for this target; one of the options, or a token, for all that have none. */
static int set_user(struct target *t, const struct target_config *c, const struct url *u, struct err *e)
{
    if (u->has_user) {
        t->user = base_strdup(u->user);
        t->password = base_strdup(u->password);
        return 0;
    }
    if (!given(c->user))
        return given(c->password) ? err_set(e, 0, "there is a password, but no user name") : 0;
    if (strchr(c->user, ':') || has_control(c->user)) /* RFC 7617 section 2 */
        return err_set(e, 0, "the user name has a ':' or a control character");
    if (c->password && has_control(c->password))
        return err_set(e, 0, "the password has a control character");
    t->user = base_strdup(c->user);
    t->password = base_strdup(c->password ? c->password : "");
    return 0;
}

static int set_credentials(struct target *t, const struct target_config *c, const struct url *u,
                           struct err *e)
{
    bool bearer = given(c->bearer_token) && !u->has_user;

    if (set_user(t, c, u, e) < 0)
        return -1;
    if (bearer && t->user)
        return err_set(e, 0, "there is a user name and a bearer token; a server takes one of them");
    if ((bearer || t->user) && has_header(c, "Authorization"))
        return err_set(e, 0, "there is an Authorization header and a %s; a server takes one of them",
                       bearer ? "bearer token" : "user name");
    /* RFC 6750 section 2.1: a b64token has no spaces. */
    if (bearer && (has_control(c->bearer_token) || strchr(c->bearer_token, ' ')))
        return err_set(e, 0, "the bearer token has a space or a control character");
    if (bearer && given(c->bearer_file)) {
        t->bearer_file = base_strdup(c->bearer_file);
        t->bearer_first = base_strdup(c->bearer_token);
    } else if (bearer && target_add_header(t, e, "Authorization: Bearer %s", c->bearer_token) < 0) {
        return err_wrap(e, "bearer token");
    }
    if (add_headers(t, c, e) < 0)
        return -1;
    if (given(c->tenant) && has_control(c->tenant))
        return err_set(e, 0, "the tenant has a control character");
    t->tenant = copy(c->tenant);
    return 0;
}

static void warn_unencrypted(const struct target *t, const struct target_config *c)
{
    if (t->loopback || strncmp(t->base, "http:", 5) != 0)
        return;
    if (t->user || given(c->bearer_token) || t->query || has_header(c, "Authorization"))
        log_warn(target, "%s: credentials go there unencrypted; use https://", t->name);
}

/* ---- the object ---- */

static int check_scheme(const struct backend *b, const struct url *u, struct err *e)
{
    if (u->scheme == URL_UNIX && !b->unix_socket)
        return err_set(e, 0, "%s is not reached by a unix socket", b->kind);
    if (u->query[0] && !b->query)
        return err_set(e, 0, "a URL of %s has no '?' part", b->kind);
    if (u->scheme != URL_UNIX && !b->words && strpbrk(u->path, "{}"))
        return err_set(e, 0, "'{' and '}' are for put+ and post+ only");
    return 0;
}

static void set_place(struct target *t, const struct url *u)
{
    uint16_t port = u->port;
    char base[sizeof(u->host) + 32];
    size_t n;

    if (port == 0)
        port = u->scheme == URL_HTTPS ? 443 : t->backend->port;
    if (u->scheme == URL_UNIX) { /* the host is not looked at by whoever listens there */
        t->unix_socket = base_strdup(u->path);
        t->base = base_strdup("http://localhost");
        t->path = base_strdup("");
        t->folder = t->loopback = true;
        return;
    }
    snprintf(base, sizeof(base), "%s://%s:%u", u->scheme == URL_HTTPS ? "https" : "http", u->host, port);
    t->base = base_strdup(base);
    t->path = base_strdup(u->path);
    n = strlen(t->path);
    t->folder = n == 0 || t->path[n - 1] == '/';
    while (n && t->path[n - 1] == '/')
        t->path[--n] = '\0';
    t->query = copy(u->query);
    t->loopback = url_is_loopback(u);
}

/* As the user wrote it, but for credentials. */
static void set_name(struct target *t)
{
    struct buf b;

    buf_init(&b, SIZE_MAX);
    if (t->unix_socket)
        buf_printf(&b, "%s unix://%s", t->backend->kind, t->unix_socket);
    else
        buf_printf(&b, "%s %s%s%s", t->backend->kind, t->base, t->path, t->folder && t->path[0] ? "/" : "");
    buf_add(&b, "", 1);
    t->name = base_strdup(b.data);
    buf_release(&b);
}

static void set_key(struct target *t)
{
    const char *const parts[] = {t->backend->kind, t->base,   t->path, t->folder ? "/" : "",
                                 t->unix_socket,   t->tenant, t->user, t->agentless ? "agentless" : ""};
    struct buf b;

    buf_init(&b, SIZE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_add_text(&b, parts[i] ? parts[i] : "");
        buf_add(&b, "", 1);
    }
    snprintf(t->key, sizeof(t->key), "%016llx", (unsigned long long)hash_bytes(b.data, b.len));
    buf_release(&b);
}

static void set_endpoint(struct target *t, const struct target_config *c)
{
    const char *at = t->header_bytes.data;

    t->ca_file = copy(c->ca_file);
    t->cert_file = copy(c->cert_file);
    t->key_file = copy(c->key_file);
    t->header = base_calloc(t->headers + 1, sizeof(*t->header));
    for (uint32_t i = 0; i < t->headers; i++, at += strlen(at) + 1)
        t->header[i] = at;
    t->endpoint = (struct http_endpoint){
        .url = t->base,
        .query = t->query,
        .unix_socket = t->unix_socket,
        .user = t->user,
        .password = t->password,
        .headers = t->header,
        .bearer_file = t->bearer_file,
        .ca_file = t->ca_file,
        .cert_file = t->cert_file,
        .key_file = t->key_file,
        .no_proxy = c->no_proxy,
        .timeout_ms = c->timeout_ms,
    };
}

static int read_url(const char *text, const struct backend **backend, struct url *u, struct err *e)
{
    if (take_kind(&text, backend, e) < 0 || url_parse(text, u, e) < 0)
        return -1;
    if (!*backend)
        *backend = backend_of_port(u->port);
    return 0;
}

const char *target_kind_of(const char *url, struct err *e)
{
    FREE_PTR struct url *u = base_calloc(1, sizeof(*u));
    const struct backend *backend;
    int result = read_url(url, &backend, u, e);

    explicit_bzero(u, sizeof(*u));
    return result < 0 ? NULL : backend->kind;
}

static int target_init(struct target *t, const struct target_config *c, struct url *u, struct err *e)
{
    if (read_url(c->url ? c->url : "", &t->backend, u, e) < 0)
        return -1;
    if (check_scheme(t->backend, u, e) < 0)
        return -1;
    set_place(t, u);
    set_name(t);
    if (set_credentials(t, c, u, e) < 0 || (t->backend->prepare && t->backend->prepare(t, c, e) < 0))
        return -1;
    set_endpoint(t, c);
    set_key(t);
    warn_unencrypted(t, c);
    return 0;
}

struct target *target_new(const struct target_config *config, struct err *e)
{
    struct target *t = base_calloc(1, sizeof(*t));
    FREE_PTR struct url *u = base_calloc(1, sizeof(*u));
    int result;

    buf_init(&t->header_bytes, HEADER_BYTES);
    result = target_init(t, config, u, e);
    explicit_bzero(u, sizeof(*u));
    if (result < 0) {
        target_free(t);
        return NULL;
    }
    return t;
}

void target_free(struct target *t)
{
    if (!t)
        return;
    free(t->name);
    free(t->base);
    free(t->path);
    free(t->user);
    free(t->password);
    free(t->query);
    free(t->unix_socket);
    free(t->tenant);
    free(t->bearer_file);
    free(t->bearer_first);
    free(t->ca_file);
    free(t->cert_file);
    free(t->key_file);
    free(t->header);
    buf_release(&t->header_bytes);
    free(t);
}

const char *target_name(const struct target *t)
{
    return t->name;
}

const char *target_key(const struct target *t)
{
    return t->key;
}

const char *target_kind(const struct target *t)
{
    return t->backend->kind;
}

const struct http_endpoint *target_endpoint(const struct target *t)
{
    return &t->endpoint;
}

/* ---- profiles ---- */

/* The profile's first mapping is the main binary's. */
static const char *main_binary(const struct profile *p)
{
    const char *path = p->mapping_count ? strtab_get(&p->strings, p->mapping[0].filename) : "";

    return path[0] == '/' ? path : NULL;
}

int target_convert(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                   struct err *e)
{
    struct target_identity who = *job->who;
    struct target_job whole = {job->profile, &who, job->number};

    if (!who.executable)
        who.executable = main_binary(job->profile);
    if (!*blank_skip(who.service)) /* to servers that is none, and many profiles would have no owner */
        who.service = "unnamed";
    return t->backend->convert(t, &whole, emit, e);
}

void target_say_tags_left_out(const struct target *t, const struct target_job *job, uint32_t tags)
{
    if (tags && job->number == 0) /* once a run */
        log_warn(target, "%s: the last %u tags are left out: it does not take as many", t->name, tags);
}
