/*
 * backend.h - what one backend has to be able to do; private to the module
 */
#ifndef RINGSIDE_TARGET_BACKEND_H
#define RINGSIDE_TARGET_BACKEND_H

#include "ringside/target.h"

struct target {
    const struct backend *backend;
    char *name; /* target_name() */
    char key[17];
    char *base;    /* endpoint.url */
    char *path;    /* of the URL behind host and port, without slash at its end; "" */
    bool folder;   /* the URL had that slash, or no path at all */
    bool loopback; /* only this machine sees what is sent */
    char *user, *password, *query, *unix_socket, *tenant;
    char *ca_file, *cert_file, *key_file;
    char *bearer_file, *bearer_first; /* and the token that was in it */
    struct buf header_bytes;          /* the texts of header */
    const char **header;              /* NULL-terminated */
    uint32_t headers;
    bool agentless;
    bool typed; /* the user's headers have a Content-Type */
    struct http_endpoint endpoint;
};

struct backend {
    const char *kind; /* in front of "+" in a URL */
    uint16_t port;    /* the one its servers listen on; what an http:// URL without port means */
    bool unix_socket; /* can be one */
    bool query;       /* a URL may have one */
    bool words;       /* and, in its path, words in braces */
    bool any_header;  /* may be the user's: nothing but the file is sent */
    /*
     * Called when the URL is taken apart: t->base is "SCHEME://HOST:PORT", t->path all of the path; user,
     * password, bearer token and the user's headers are in place. Says what is missing, adds credentials of
     * its own as headers (target_add_header). Changes to t->path become part of name and key. NULL: nothing
     * to do.
     */
    int (*prepare)(struct target *t, const struct target_config *config, struct err *e);
    int (*convert)(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                   struct err *e);
    /* For a reply with a status. NULL: target_judge_status(). */
    enum target_verdict (*judge)(const struct target *t, const struct http_reply *reply,
                                 char words[TARGET_WORDS_MAX]);
};

extern const struct backend backend_datadog, backend_pyroscope, backend_parca, backend_otlp, backend_put,
    backend_post;

/* One more header of every request; line is "Name: value". */
int target_add_header(struct target *t, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* 2xx delivered; no reply, 408, 429, 5xx: again; all else refused. */
enum target_verdict target_judge_status(int status);
/* The beginning of a reply's body as one clean line; of JSON with a text "message", that. */
void target_words(const struct http_reply *reply, char words[TARGET_WORDS_MAX]);

/* Tells the user, once a run, that so many of the tags did not fit. */
void target_say_tags_left_out(const struct target *t, const struct target_job *job, uint32_t tags);

/* The profile as gzip pprof bytes into out. */
int target_pprof(const struct profile *p, struct buf *out, struct err *e);

#endif
