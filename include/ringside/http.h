/*
 * http.h - HTTP requests that never block: libcurl's multi interface behind one descriptor
 *
 * libcurl is loaded when the client is made (it and what it needs are some thirty shared libraries, which a
 * run that sends nothing should not pay for at every start). Single-threaded; the profiler only, which
 * ignores SIGPIPE and blocks the signals it waits for: libcurl has threads of its own that ask for names.
 */
#ifndef RINGSIDE_HTTP_H
#define RINGSIDE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct http;
struct http_call;

/*
 * Where requests go and how they prove who sends them. The credentials in it are never logged and never
 * leave it but in the request. All texts are borrowed until http_free(); NULL where there is none.
 */
struct http_endpoint {
    const char *url;             /* "https://host:port/prefix", without user, password and trailing slash */
    const char *query;           /* appended to the path of each request, "token=x"; may be secret */
    const char *unix_socket;     /* path of the socket to connect to instead of the host */
    const char *user, *password; /* basic authentication; both or neither */
    const char *const *headers;  /* "Name: value", of every request; may be secret; NULL-terminated */
    const char
        *bearer_file;    /* holds a token for "Authorization: Bearer"; read for each request: it changes */
    const char *ca_file; /* PEM; instead of the system's */
    const char *cert_file, *key_file; /* PEM, of the client */
    bool no_proxy;                    /* do not look at http_proxy, https_proxy, all_proxy, no_proxy */
    /* timeout_ms: of a whole request; a body that is still moving then gets it again, up to nine times, so
     * that a slow line does not make a large profile undeliverable. 0: 10 s. */
    uint32_t connect_timeout_ms, timeout_ms;
};

#define HTTP_REPLY_MAX 65536 /* of a body; what is beyond is not read */

struct http_reply {
    int status;               /* 0: there was none; then error says why. One that came stands, also when the
                               * body is cut or torn */
    const char *error;        /* for a person, without credentials: "connect: Connection refused"; "" */
    int64_t retry_after_ms;   /* from Retry-After (RFC 9110 section 10.2.3: seconds or a date); -1: none; at
                               * most HTTP_RETRY_AFTER_MAX_MS */
    const char *content_type; /* "" */
    const void *body;         /* at most HTTP_REPLY_MAX bytes */
    size_t body_bytes;
};
#define HTTP_RETRY_AFTER_MAX_MS (3600 * 1000)

/* Called from http_step(), once for each call that was not cancelled; the call is gone then. The reply is
 * borrowed for the time of it. New calls may be started from it. */
typedef void http_done(void *ctx, const struct http_reply *reply);

/* Borrowed until the call is done or cancelled. */
struct http_request {
    const char *method;  /* "POST" or "PUT" */
    const char *path;    /* appended to the endpoint's url: "/api?x=y", or "" */
    const char *headers; /* lines "Name: value\n", or "" */
    const void *body;
    size_t body_bytes;
    http_done *done;
    void *ctx;
};

/* Loads libcurl. NULL with *e: it is not installed, or too old. agent: of the User-Agent header. */
struct http *http_new(const char *agent, struct err *e);
/* Cancels what is under way. NULL is fine. Not from within done. */
void http_free(struct http *h);

/* Becomes readable when http_step() has something to do: data, or a timeout. Constant; never to be read. */
int http_fd(const struct http *h);
/* Does what can be done without waiting. */
void http_step(struct http *h);

/*
 * Starts a request; the connection of an earlier one to the same place is used where possible. NULL with *e
 * when it is unusable (a certificate file that is not there, a header with a line break, another scheme than
 * http and https); *done is not called then. Redirects are not followed, `Expect` is not sent, certificates
 * are always verified. Headers of framing (Content-Length, Transfer-Encoding, Connection, Expect) are
 * refused; one without a value is left out.
 */
struct http_call *http_start(struct http *h, const struct http_endpoint *endpoint,
                             const struct http_request *request, struct err *e);
void http_cancel(struct http *h, struct http_call *call);

#endif
