/*
 * request.c - an endpoint and a request as options of a libcurl handle
 *
 * Nothing that could change where a request goes, how it is framed or what is verified may come from the
 * texts: lines with line breaks, other schemes and the headers of framing are refused here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "private.h"

#define TIMEOUT_MS  10000
#define HEADERS_MAX 256

/* Options set one after the other; the first failure is kept. */
struct options {
    const struct library *curl;
    CURL *easy;
    CURLcode code;
    int option; /* that failed */
};

static void note(struct options *o, CURLoption option, CURLcode code)
{
    if (code == CURLE_OK || o->code != CURLE_OK)
        return;
    o->code = code;
    o->option = (int)option;
}

static void set_number(struct options *o, CURLoption option, long value)
{
    note(o, option, o->curl->easy_setopt(o->easy, option, value));
}

static void set_pointer(struct options *o, CURLoption option, const void *value)
{
    note(o, option, o->curl->easy_setopt(o->easy, option, value));
}

static void set_text(struct options *o, CURLoption option, const char *text)
{
    if (text)
        set_pointer(o, option, text);
}

static void set_size(struct options *o, CURLoption option, size_t bytes)
{
    note(o, option, o->curl->easy_setopt(o->easy, option, (curl_off_t)bytes));
}

/* ---- headers ---- */

/* Characters of a header's name: RFC 9110 section 5.6.2. */
static size_t name_length(const char *line, size_t n)
{
    size_t len = 0;

    while (len < n && line[len] > ' ' && line[len] < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", line[len]))
        len++;
    return len;
}

static bool name_is(const char *line, size_t n, const char *name)
{
    return strlen(name) == n && strncasecmp(line, name, n) == 0;
}

/* The value may be secret: messages quote the name alone. */
static int header_check(const char *line, size_t n, struct err *e)
{
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Expect", "Connection"};
    size_t named = name_length(line, n);

    if (!named || named >= n || line[named] != ':')
        return err_set(e, 0, "a header is not of the form \"Name: value\"");
    for (size_t i = 0; i < ARRAY_LEN(framing); i++)
        if (name_is(line, named, framing[i]))
            return err_set(e, 0, "header %s cannot be set", framing[i]);
    for (size_t i = named + 1; i < n; i++)
        if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
            return err_set(e, 0, "header %.*s: its value has a line break or another control character",
                           (int)MIN_OF(named, (size_t)100), line);
    return 0;
}

struct header_list {
    struct http_call *call;
    uint32_t count;
    bool content_type;
};

static int header_add(struct header_list *list, const char *line, struct err *e)
{
    const struct library *curl = &list->call->http->curl;
    struct curl_slist *longer;

    if (++list->count > HEADERS_MAX)
        return err_set(e, 0, "more than %d headers", HEADERS_MAX);
    longer = curl->slist_append(list->call->headers, line);
    if (!longer)
        return err_set(e, ENOMEM, "headers");
    list->call->headers = longer;
    return 0;
}

static int header_take(struct header_list *list, const char *line, size_t n, struct err *e)
{
    FREE_PTR char *copy = NULL;

    if (header_check(line, n, e) < 0)
        return -1;
    if (name_is(line, name_length(line, n), "Content-Type"))
        list->content_type = true;
    copy = base_alloc(n + 1);
    memcpy(copy, line, n);
    copy[n] = '\0';
    return header_add(list, copy, e);
}

#define TOKEN_MAX 8192

/* In Kubernetes a token is good for an hour, and another one is in the file before that. */
static int bearer_take(struct header_list *list, const char *path, struct err *e)
{
    char line[TOKEN_MAX] = "Authorization: Bearer ";
    const size_t name = strlen(line);
    long n = read_small_file(AT_FDCWD, path, line + name, sizeof(line) - name, e);
    int result;

    if (n < 0)
        return err_wrap(e, "bearer token");
    while (n > 0 && strchr(" \t\r\n", line[name + (size_t)n - 1]))
        n--;
    if (n == 0)
        return err_set(e, 0, "bearer token: there is nothing in %s", path);
    result = header_take(list, line, name + (size_t)n, e);
    explicit_bzero(line, sizeof(line));
    return result;
}

static int headers_build(struct header_list *list, const struct http_endpoint *endpoint, const char *lines,
                         struct err *e)
{
    if (endpoint->bearer_file && bearer_take(list, endpoint->bearer_file, e) < 0)
        return -1;
    for (const char *const *line = endpoint->headers; line && *line; line++)
        if (header_take(list, *line, strlen(*line), e) < 0)
            return -1;
    while (lines && *lines) {
        size_t n = strcspn(lines, "\n");

        if (header_take(list, lines, n, e) < 0)
            return -1;
        lines += n + (lines[n] == '\n');
    }
    /* Without a value: what libcurl would add by itself is left out (CURLOPT_HTTPHEADER). */
    if (!list->content_type && header_add(list, "Content-Type:", e) < 0)
        return -1;
    return header_add(list, "Expect:", e);
}

/* ---- what must be right before libcurl sees it ---- */

static int check_file(const char *what, const char *path, struct err *e)
{
    if (path && access(path, R_OK) < 0)
        return err_set(e, errno, "%s %s", what, path);
    return 0;
}

/* A blank or line break would end the request's first line, and # cut off what is behind it. */
static bool is_part_of_url(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || *text == '#')
            return false;
    return true;
}

static int check_url(const struct http_endpoint *endpoint, const struct http_request *request, struct err *e)
{
    const char *path = request->path;

    if (strncasecmp(endpoint->url, "http://", 7) != 0 && strncasecmp(endpoint->url, "https://", 8) != 0)
        return err_set(e, 0, "a URL is neither http:// nor https://");
    /* Anything else would continue the host's name or port. */
    if (*path && *path != '/' && *path != '?')
        return err_set(e, 0, "a request's path does not begin with /");
    if (!is_part_of_url(path))
        return err_set(e, 0, "a request's path has a blank, control character or #");
    if (endpoint->query && !is_part_of_url(endpoint->query))
        return err_set(e, 0, "the query of a URL has a blank, control character or #");
    return 0;
}

static int check(const struct http_endpoint *endpoint, const struct http_request *request, struct err *e)
{
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "PUT") != 0)
        return err_set(e, 0, "method %s", request->method);
    if (!endpoint->user != !endpoint->password)
        return err_set(e, 0, "user without password or password without user");
    if (check_url(endpoint, request, e) < 0 || check_file("CA certificates", endpoint->ca_file, e) < 0 ||
        check_file("client certificate", endpoint->cert_file, e) < 0 ||
        check_file("key of the client certificate", endpoint->key_file, e) < 0)
        return -1;
    return 0;
}

/* ---- options ---- */

static void set_url(struct options *o, const struct http_endpoint *endpoint, const char *path)
{
    const char *query = endpoint->query ? endpoint->query : "";
    const char *joint = !*query ? "" : strchr(path, '?') ? "&" : "?";
    size_t size = strlen(endpoint->url) + strlen(path) + strlen(query) + 2;
    FREE_PTR char *url = base_alloc(size);

    snprintf(url, size, "%s%s%s%s", endpoint->url, path, joint, query);
    set_text(o, CURLOPT_URL, url);
}

static void set_place(struct options *o, const struct http_endpoint *endpoint)
{
    set_number(o, CURLOPT_PATH_AS_IS, 1);
    set_text(o, CURLOPT_PROTOCOLS_STR, "http,https");
    set_number(o, CURLOPT_DISALLOW_USERNAME_IN_URL, 1);
    set_number(o, CURLOPT_FOLLOWLOCATION, 0);
    set_text(o, CURLOPT_UNIX_SOCKET_PATH, endpoint->unix_socket);
    if (endpoint->no_proxy) /* for a unix socket there is none: CURLOPT_UNIX_SOCKET_PATH(3) */
        set_text(o, CURLOPT_PROXY, "");
    set_number(o, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
}

static bool has_system_file(const struct library *curl)
{
    const curl_version_info_data *version = curl->version_info(CURLVERSION_NOW);

    return version->cainfo && access(version->cainfo, R_OK) == 0;
}

static void set_trust(struct options *o, const struct http_endpoint *endpoint)
{
    set_number(o, CURLOPT_SSL_VERIFYPEER, 1);
    set_number(o, CURLOPT_SSL_VERIFYHOST, 2);
    set_number(o, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2); /* or later */
    set_text(o, CURLOPT_CAINFO, endpoint->ca_file);
    /* The system's folder holds what its file holds; without it libcurl keeps the certificates it has read
     * (cache_criteria_met in its vtls/openssl.c), which takes 30 ms. */
    if (endpoint->ca_file || has_system_file(o->curl))
        set_pointer(o, CURLOPT_CAPATH, NULL);
    set_text(o, CURLOPT_SSLCERT, endpoint->cert_file);
    set_text(o, CURLOPT_SSLKEY, endpoint->key_file);
    set_number(o, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set_text(o, CURLOPT_USERNAME, endpoint->user);
    set_text(o, CURLOPT_PASSWORD, endpoint->password);
}

static void set_request(struct options *o, const struct http_call *call, const struct http_request *request)
{
    set_number(o, CURLOPT_POST, 1);
    set_text(o, CURLOPT_CUSTOMREQUEST, request->method);
    set_size(o, CURLOPT_POSTFIELDSIZE_LARGE, request->body_bytes);
    set_pointer(o, CURLOPT_POSTFIELDS, request->body_bytes ? request->body : ""); /* not copied */
    set_pointer(o, CURLOPT_HTTPHEADER, call->headers);
    set_text(o, CURLOPT_USERAGENT, call->http->agent);
}

static void set_transport(struct options *o, const struct http_endpoint *endpoint)
{
    uint32_t connect_ms = endpoint->connect_timeout_ms ? endpoint->connect_timeout_ms : TIMEOUT_MS;

    set_number(o, CURLOPT_NOSIGNAL, 1);
    /* Else giving up on a name would wait for the thread that asks a name server which does not answer. */
    set_number(o, CURLOPT_QUICK_EXIT, 1);
    set_number(o, CURLOPT_TCP_KEEPALIVE, 1);
    set_number(o, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    /* A libcurl made without HTTP/2 refuses this and speaks 1.1. */
    o->curl->easy_setopt(o->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
}

static size_t on_header(char *line, size_t one, size_t n, void *ctx)
{
    struct http_call *call = ctx;

    (void)one;
    return reply_header(&call->reply, line, n) ? n : 0;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ctx)
{
    struct http_call *call = ctx;

    (void)one;
    return reply_body(&call->reply, bytes, n) ? n : 0;
}

static void set_callbacks(struct options *o, struct http_call *call)
{
    note(o, CURLOPT_HEADERFUNCTION, o->curl->easy_setopt(o->easy, CURLOPT_HEADERFUNCTION, on_header));
    note(o, CURLOPT_WRITEFUNCTION, o->curl->easy_setopt(o->easy, CURLOPT_WRITEFUNCTION, on_body));
    set_pointer(o, CURLOPT_HEADERDATA, call);
    set_pointer(o, CURLOPT_WRITEDATA, call);
    set_pointer(o, CURLOPT_PRIVATE, call);
    set_pointer(o, CURLOPT_ERRORBUFFER, call->message);
}

int request_prepare(struct http_call *call, const struct http_endpoint *endpoint,
                    const struct http_request *request, struct err *e)
{
    struct options o = {.curl = &call->http->curl, .easy = call->easy, .code = CURLE_OK};
    struct header_list list = {.call = call};
    uint32_t timeout_ms = endpoint->timeout_ms ? endpoint->timeout_ms : TIMEOUT_MS;

    if (check(endpoint, request, e) < 0 || headers_build(&list, endpoint, request->headers, e) < 0)
        return -1;
    set_url(&o, endpoint, request->path);
    set_place(&o, endpoint);
    set_trust(&o, endpoint);
    set_request(&o, call, request);
    set_transport(&o, endpoint);
    set_callbacks(&o, call);
    if (o.code != CURLE_OK)
        return err_set(e, 0, "libcurl refuses option %d: %s", o.option, o.curl->easy_strerror(o.code));
    call->done = request->done;
    call->ctx = request->ctx;
    call->body_bytes = request->body_bytes;
    call->wait_ns = timeout_ms * NSEC_PER_MSEC;
    return 0;
}
