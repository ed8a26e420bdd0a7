/*
 * words.c - why a request brought no reply
 *
 * libcurl's own message is the better text where it describes the network or a certificate. Not everywhere:
 * what it says of an unusable proxy quotes the variable, password and all (parse_proxy in its url.c: the
 * codes are COULDNT_CONNECT and COULDNT_RESOLVE_PROXY). So it is used for listed codes only.
 */
#include <stdio.h>
#include <string.h>

#include "private.h"

static bool message_is_safe(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
        return true;
    default:
        return false;
    }
}

static const char *own_words(const struct http_call *call, CURLcode code)
{
    switch (code) {
    case CURLE_WRITE_ERROR: /* what a refusal of ours is called */
        return call->reply.headers_refused ? "the headers of the reply are too long" : NULL;
    case CURLE_OPERATION_TIMEDOUT:
        return "timed out";
    case CURLE_GOT_NOTHING:
        return "the connection was closed without a reply";
    case CURLE_OK: /* closed within the headers */
    case CURLE_PARTIAL_FILE:
        return "the connection was closed within the reply";
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9; other schemes were refused at the start */
    case CURLE_WEIRD_SERVER_REPLY:
        return "the reply is not HTTP";
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "the proxy's name is not found or unusable";
    default:
        return message_is_safe(code) && call->message[0] ? call->message : NULL;
    }
}

/*
 * " to the proxy HOST:PORT" when it was not the URL's host that could not be connected to, else "". libcurl
 * tells which it was in its message only: "Failed to connect to HOST port N after ..." (lib/connect.c).
 */
static void name_proxy(const struct http_call *call, char out[WORDS_MAX])
{
    char host[128], port_text[16];
    char *url = NULL;
    unsigned port;

    out[0] = '\0';
    if (sscanf(call->message, "Failed to connect to %127s port %5u", host, &port) != 2)
        return;
    call->http->curl.easy_getinfo(call->easy, CURLINFO_EFFECTIVE_URL, &url);
    snprintf(port_text, sizeof(port_text), ":%u", port);
    if (url && strstr(url, host) && (strstr(url, port_text) || port == 80 || port == 443))
        return;
    snprintf(out, WORDS_MAX, " to the proxy %s%s", host, port_text);
}

void words_failure(const struct http_call *call, CURLcode code, char words[WORDS_MAX])
{
    const struct library *curl = &call->http->curl;
    const char *own = own_words(call, code);
    char proxy[WORDS_MAX] = "";
    long os_errno = 0;

    if (code == CURLE_COULDNT_CONNECT)
        curl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno) {
        name_proxy(call, proxy);
        snprintf(words, WORDS_MAX, "connect%.160s: %s", proxy, strerror((int)os_errno));
    } else {
        snprintf(words, WORDS_MAX, "%s", own ? own : curl->easy_strerror(code));
    }
    words[strcspn(words, "\r\n")] = '\0';
    utf8_clean(words);
}
