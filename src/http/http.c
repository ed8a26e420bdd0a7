/*
 * http.c - calls from their start to the one time they are told to be over
 */
#include "ringside/http.h"

#include <stdlib.h>
#include <string.h>

#include "private.h"

#define IDLE_MAX        4  /* handles kept for the next calls */
#define CONNECTIONS_MAX 16 /* kept open between calls */
#define WAITS_MAX       10 /* see is_moving() */

/* ---- handles ---- */

static struct http_call *call_make(struct http *h)
{
    struct http_call *call = h->idle;

    if (call) {
        h->idle = call->next;
        h->idle_count--;
        call->next = NULL;
    } else {
        call = base_calloc(1, sizeof(*call));
        call->http = h;
        call->easy = h->curl.easy_init();
    }
    reply_init(&call->reply, h->curl.getdate);
    return call;
}

static void call_free(struct http_call *call)
{
    const struct library *curl = &call->http->curl;

    curl->easy_cleanup(call->easy); /* of NULL too */
    free(call);
}

/* Forgets what it was; credentials too. */
static void call_recycle(struct http_call *call)
{
    struct http *h = call->http;

    reply_release(&call->reply);
    if (call->easy)
        h->curl.easy_reset(call->easy);
    h->curl.slist_free_all(call->headers);
    if (h->idle_count == IDLE_MAX || !call->easy) {
        call_free(call);
        return;
    }
    *call = (struct http_call){.http = h, .easy = call->easy, .next = h->idle};
    h->idle = call;
    h->idle_count++;
}

static void call_link(struct http_call *call)
{
    struct http *h = call->http;

    call->prev = NULL;
    call->next = h->active;
    if (h->active)
        h->active->prev = call;
    h->active = call;
}

static void call_unlink(struct http_call *call)
{
    struct http *h = call->http;

    if (call->prev)
        call->prev->next = call->next;
    else
        h->active = call->next;
    if (call->next)
        call->next->prev = call->prev;
    h->curl.multi_remove_handle(h->multi, call->easy);
}

/* ---- the end of a call ---- */

static void call_finish(struct http_call *call, CURLcode code)
{
    const struct reply *r = &call->reply;
    struct http_reply out = {.error = "", .retry_after_ms = -1, .content_type = ""};
    char words[WORDS_MAX] = "";

    /* What was said stands, whatever becomes of the rest: a profile that was taken must not be sent again
     * because the reply's body is long or torn. */
    if (r->complete) {
        out.status = r->status;
        out.retry_after_ms = r->retry_after_ms;
        out.content_type = r->content_type;
        out.body = r->body.data;
        out.body_bytes = r->body.len;
    } else {
        words_failure(call, code, words);
        out.error = words;
    }
    call->http->fruitless = 0;
    call_unlink(call);
    call->done(call->ctx, &out);
    call_recycle(call);
}

static void finish_ready(struct http *h)
{
    CURLMsg *message;
    int left;

    while ((message = h->curl.multi_info_read(h->multi, &left))) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        char *call = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        h->curl.easy_getinfo(easy, CURLINFO_PRIVATE, &call);
        call_finish((struct http_call *)call, code);
    }
}

/*
 * A large body on a slow line may take longer than the time limit as long as it moves: what was only sent in
 * part, and more than when it was last looked at, is given the time once more; and that once more for the
 * reply. Not for ever.
 */
static bool is_moving(struct http_call *call, uint64_t now_ns)
{
    curl_off_t uploaded = 0;
    size_t sent, before = call->sent;

    call->http->curl.easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    sent = uploaded > 0 ? (size_t)uploaded : 0;
    call->sent = sent;
    if (sent <= before || (before == 0 && sent >= call->body_bytes) || now_ns >= call->last_ns)
        return false;
    call->due_ns = MIN_OF(now_ns + call->wait_ns, call->last_ns);
    return true;
}

static void finish_late(struct http *h)
{
    uint64_t now_ns = clock_mono_ns();
    struct http_call *call = h->active;

    while (call) {
        struct http_call *next = call->next;

        if (call->due_ns <= now_ns && !is_moving(call, now_ns)) {
            call_finish(call, CURLE_OPERATION_TIMEDOUT);
            next = h->active; /* calls may have come and gone; new ones are not late */
        }
        call = next;
    }
}

/* ---- the client ---- */

static int open_client(struct http *h, struct err *e)
{
    if (library_load(&h->curl, LIBRARY_NAME, e) < 0)
        return -1;
    h->multi = h->curl.multi_init();
    if (!h->multi)
        return err_set(e, 0, "libcurl: no multi handle");
    h->curl.multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    return loop_init(h, e);
}

struct http *http_new(const char *agent, struct err *e)
{
    struct http *h = base_calloc(1, sizeof(*h));

    h->epoll_fd = h->sockets_fd = h->timer_fd = -1;
    h->agent = base_strdup(agent);
    if (open_client(h, e) == 0)
        return h;
    http_free(h);
    return NULL;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    while (h->active)
        http_cancel(h, h->active);
    while (h->idle) {
        struct http_call *call = h->idle;

        h->idle = call->next;
        call_free(call);
    }
    if (h->multi)
        h->curl.multi_cleanup(h->multi);
    library_release(&h->curl);
    loop_release(h);
    free(h->agent);
    free(h);
}

int http_fd(const struct http *h)
{
    return h->epoll_fd;
}

void http_step(struct http *h)
{
    loop_run(h);
    finish_ready(h);
    finish_late(h);
    loop_arm(h);
}

static int call_begin(struct http_call *call, struct err *e)
{
    struct http *h = call->http;
    CURLMcode code = h->curl.multi_add_handle(h->multi, call->easy);

    if (code != CURLM_OK)
        return err_set(e, 0, "libcurl: %s", h->curl.multi_strerror(code));
    call->due_ns = clock_mono_ns() + call->wait_ns;
    call->last_ns = call->due_ns + (WAITS_MAX - 1) * call->wait_ns;
    call_link(call);
    loop_arm(h);
    return 0;
}

struct http_call *http_start(struct http *h, const struct http_endpoint *endpoint,
                             const struct http_request *request, struct err *e)
{
    struct http_call *call = call_make(h);

    if (!call->easy)
        err_set(e, 0, "libcurl: no handle");
    else if (request_prepare(call, endpoint, request, e) == 0 && call_begin(call, e) == 0)
        return call;
    call_recycle(call);
    return NULL;
}

void http_cancel(struct http *h, struct http_call *call)
{
    call_unlink(call);
    call_recycle(call);
    loop_arm(h);
}
