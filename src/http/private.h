/*
 * private.h - the client and one of its calls
 */
#ifndef RINGSIDE_HTTP_PRIVATE_H
#define RINGSIDE_HTTP_PRIVATE_H

#include "library.h"
#include "reply.h"
#include "ringside/http.h"

#define NEVER UINT64_MAX

struct http_call {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct reply reply;
    http_done *done;
    void *ctx;
    uint64_t due_ns, last_ns;      /* of the monotonic clock: looked at again; over at any rate */
    uint64_t wait_ns;              /* the endpoint's timeout */
    size_t body_bytes, sent;       /* sent: when it was last looked at */
    char message[CURL_ERROR_SIZE]; /* libcurl's: may quote what it was given, credentials too */
    struct http_call *next, *prev;
};

struct http {
    struct library curl;
    CURLM *multi;
    char *agent;
    int epoll_fd;   /* holds the next two */
    int sockets_fd; /* an epoll descriptor of libcurl's sockets */
    int timer_fd;
    uint64_t curl_due_ns;            /* when libcurl wants to be called */
    uint64_t resume_ns;              /* when sockets are listened to again; 0: they are */
    uint64_t armed_ns;               /* what timer_fd is set to */
    uint32_t fruitless;              /* times in a row that sockets were ready and nothing moved */
    struct http_call *active, *idle; /* idle: handles to use again, linked by next */
    uint32_t idle_count;
};

/* loop.c */
int loop_init(struct http *h, struct err *e);
void loop_release(struct http *h);
/* Lets libcurl do what sockets and time ask for. */
void loop_run(struct http *h);
/* Sets the timer to whatever is due first. */
void loop_arm(struct http *h);

/* request.c: all that makes easy this request; -1 with *e when it is unusable. */
int request_prepare(struct http_call *call, const struct http_endpoint *endpoint,
                    const struct http_request *request, struct err *e);

/* words.c: why there was no reply, for a person and without credentials. */
#define WORDS_MAX 300
void words_failure(const struct http_call *call, CURLcode code, char words[WORDS_MAX]);

#endif
