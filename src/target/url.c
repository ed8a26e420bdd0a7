/*
 * url.c - RFC 3986, of which only what is needed, and nothing that two readers understand differently
 */
#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "ringside/base.h"

#define HOST_MAX  253 /* RFC 1035 section 2.3.4, as text */
#define LABEL_MAX 63

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool url_is_unreserved(char c)
{
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that text begins with, decoded; its length in *n, 0 when it is a '%' that stands for nothing. */
static char decoded_at(const char *text, size_t *n)
{
    int high, low;

    *n = 1;
    if (text[0] != '%')
        return text[0];
    high = hex_value(text[1]);
    low = high < 0 ? -1 : hex_value(text[2]);
    *n = low < 0 ? 0 : 3;
    return (char)(high * 16 + low);
}

/* ---- what no part may have ---- */

/* RFC 3986 has none of these; '{' and '}' are ours. */
static bool is_foreign(char c)
{
    return (unsigned char)c <= ' ' || (unsigned char)c >= 0x7f || strchr("\"<>\\^`|", c) != NULL;
}

static int check_characters(const char *text, struct err *e)
{
    size_t n;

    for (const char *at = text; *at; at += n) {
        if (is_foreign(*at))
            return err_set(e, 0, "character %zu is 0x%02x, which has to be written as %%%02X in a URL%s",
                           at - text + 1, (unsigned char)*at, (unsigned char)*at,
                           (unsigned char)*at >= 0x80 ? " (but a host's name as xn--..., RFC 3492)" : "");
        if (*at == '#')
            return err_set(e, 0, "a URL of a server has no '#' part (in a password, '#' is %%23)");
        decoded_at(at, &n);
        if (n == 0)
            return err_set(e, 0, "character %zu: '%%' without two hexadecimal digits ('%%' itself is %%25)",
                           at - text + 1);
    }
    return 0;
}

bool url_has_dot_segment(const char *path)
{
    while (*path) {
        size_t dots = 0, n;

        while (*path == '/')
            path++;
        for (; *path && *path != '/' && decoded_at(path, &n) == '.' && n; path += n)
            dots++;
        if ((*path == '/' || *path == '\0') && (dots == 1 || dots == 2))
            return true;
        path += strcspn(path, "/");
    }
    return false;
}

/* ---- parts ---- */

/* Decodes n bytes of user name or password. What is wrong is told, but not shown. */
static int decode_secret(const char *text, size_t n, char *out, const char *what, struct err *e)
{
    size_t length = 0, step;

    for (const char *end = text + n; text < end; text += step) {
        char c = decoded_at(text, &step);

        if ((unsigned char)c < ' ' || c == 0x7f)
            return err_set(e, 0, "the %s has a control character", what);
        if (length + 1 >= URL_SECRET_MAX)
            return err_set(e, 0, "the %s is longer than %d bytes", what, URL_SECRET_MAX - 1);
        out[length++] = c;
    }
    out[length] = '\0';
    return 0;
}

static int parse_user(const char *text, size_t n, struct url *out, struct err *e)
{
    const char *colon = memchr(text, ':', n);
    size_t user_n = colon ? (size_t)(colon - text) : n;

    if (decode_secret(text, user_n, out->user, "user name", e) < 0 ||
        (colon && decode_secret(colon + 1, n - user_n - 1, out->password, "password", e) < 0))
        return -1;
    if (out->user[0] == '\0')
        return err_set(e, 0, "no user name in front of the '@'");
    if (strchr(out->user, ':')) /* RFC 7617 section 2: it ends the name */
        return err_set(e, 0, "the user name has a ':'");
    out->has_user = true;
    return 0;
}

static int parse_port(const char *text, size_t n, struct url *out, struct err *e)
{
    uint32_t port = 0;

    for (size_t i = 0; i < n; i++) {
        if (!is_digit(text[i]))
            return err_set(e, 0, "port '%.*s' is not a number", (int)MIN_OF(n, 32), text);
        port = MIN_OF(port * 10 + (uint32_t)(text[i] - '0'), 65536U);
    }
    if (n == 0)
        return err_set(e, 0, "no port behind the ':'");
    if (port == 0 || port > 65535)
        return err_set(e, 0, "port %.*s is not from 1 to 65535", (int)MIN_OF(n, 32), text);
    out->port = (uint16_t)port;
    return 0;
}

static int parse_ipv6(const char *text, size_t n, struct url *out, struct err *e)
{
    struct in6_addr address;
    char inside[INET6_ADDRSTRLEN];

    if (n - 2 >= sizeof(inside))
        return err_set(e, 0, "host '%.64s...' is no IPv6 address", text);
    memcpy(inside, text + 1, n - 2);
    inside[n - 2] = '\0';
    if (strchr(inside, '%')) /* RFC 6874: of link-local addresses, which say which interface is meant */
        return err_set(e, 0, "host '[%s]' is no IPv6 address that all readers of URLs take: it has a zone",
                       inside);
    if (inet_pton(AF_INET6, inside, &address) != 1)
        return err_set(e, 0, "host '[%s]' is no IPv6 address", inside);
    inet_ntop(AF_INET6, &address, inside, sizeof(inside));
    snprintf(out->host, sizeof(out->host), "[%s]", inside);
    return 0;
}

/* Names of numbers only are addresses to resolvers ("127.1", "0x7f000001"): those that have one form pass. */
static bool is_numeric(const char *host)
{
    size_t n = strlen(host), start;

    if (n && host[n - 1] == '.')
        n--;
    for (start = n; start && host[start - 1] != '.';)
        start--;
    host += start;
    n -= start;
    return strspn(host, "0123456789") >= n ||
           (n >= 2 && host[0] == '0' && host[1] == 'x' && strspn(host + 2, "0123456789abcdef") >= n - 2);
}

/* A dot at the end is fine: it keeps resolvers from trying search domains, and is usual in Kubernetes. */
static bool is_name(const char *host)
{
    size_t label = 0;

    for (const char *at = host; *at; at++) {
        if (*at == '.' ? label == 0 : !is_letter(*at) && !is_digit(*at) && *at != '-' && *at != '_')
            return false;
        label = *at == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return host[0] != '\0';
}

static int parse_name(const char *text, size_t n, struct url *out, struct err *e)
{
    struct in_addr address;

    if (n == 0)
        return err_set(e, 0, "no host");
    if (n > HOST_MAX)
        return err_set(e, 0, "host '%.64s...' is longer than %d characters", text, HOST_MAX);
    for (size_t i = 0; i < n; i++)
        out->host[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    out->host[n] = '\0';
    if (!is_name(out->host))
        return err_set(e, 0, "'%s' is no host name (IPv6 addresses stand in brackets)", out->host);
    if (is_numeric(out->host) && inet_pton(AF_INET, out->host, &address) != 1)
        return err_set(e, 0, "'%s' is neither a host name nor an IPv4 address", out->host);
    return 0;
}

static int parse_host_and_port(const char *text, size_t n, struct url *out, struct err *e)
{
    size_t host_n;

    if (n && text[0] == '[') {
        const char *end = memchr(text, ']', n);

        if (!end)
            return err_set(e, 0, "no ']' behind the IPv6 address");
        host_n = (size_t)(end - text) + 1;
        if (host_n < n && text[host_n] != ':')
            return err_set(e, 0, "between ']' and the path there can only be ':' and a port");
    } else {
        const char *colon = memchr(text, ':', n);

        host_n = colon ? (size_t)(colon - text) : n;
    }
    if ((text[0] == '[' ? parse_ipv6(text, host_n, out, e) : parse_name(text, host_n, out, e)) < 0)
        return -1;
    return host_n < n ? parse_port(text + host_n + 1, n - host_n - 1, out, e) : 0;
}

/* Keeps n bytes of text. */
static int keep(char *out, const char *text, size_t n, const char *what, struct err *e)
{
    if (n >= URL_TEXT_MAX)
        return err_set(e, 0, "%s is longer than %d bytes", what, URL_TEXT_MAX - 1);
    memcpy(out, text, n);
    out[n] = '\0';
    return 0;
}

static int parse_path_and_query(const char *text, struct url *out, struct err *e)
{
    size_t path_n = strcspn(text, "?");

    if (keep(out->path, text, path_n, "the path", e) < 0 ||
        (text[path_n] == '?' &&
         keep(out->query, text + path_n + 1, strlen(text + path_n + 1), "the query", e) < 0))
        return -1;
    if (url_has_dot_segment(out->path))
        return err_set(e, 0, "the path has a '.' or '..' in it");
    return 0;
}

/* Where user and password are, there must be no doubt: nothing is quoted before that is clear. */
static int parse_authority(const char *text, struct url *out, struct err *e)
{
    size_t n = strcspn(text, "/?");
    const char *at = memchr(text, '@', n);

    if (strchr(text + n, '@') || (at && memchr(at + 1, '@', n - (size_t)(at + 1 - text))))
        return err_set(e, 0,
                       "an '@' too many: in user name, password and path it is written %%40 (and in the "
                       "former two '/' is %%2F, '?' is %%3F)");
    if (at && out->scheme == URL_NONE)
        return err_set(e, 0, "in front of a user name there has to be http:// or https://");
    if (at && parse_user(text, (size_t)(at - text), out, e) < 0)
        return -1;
    if (at) {
        n -= (size_t)(at + 1 - text);
        text = at + 1;
    }
    if (parse_host_and_port(text, n, out, e) < 0)
        return -1;
    return parse_path_and_query(text + n, out, e);
}

/* ---- sockets ---- */

static int parse_socket(const char *path, bool decode, struct url *out, struct err *e)
{
    size_t length = 0, n = 1, max = sizeof(((struct sockaddr_un *)0)->sun_path);

    for (; *path; path += n) {
        char c = decode ? decoded_at(path, &n) : *path;

        if ((unsigned char)c < ' ' || c == 0x7f)
            return err_set(e, 0, "the socket's path has a control character");
        if (decode && *path == '?')
            return err_set(e, 0, "a socket has no '?' part ('?' in its path is %%3F)");
        if (length + 1 >= max)
            return err_set(e, 0, "the socket's path is longer than %zu bytes", max - 1); /* unix(7) */
        out->path[length++] = c;
    }
    out->path[length] = '\0';
    if (out->path[0] != '/')
        return err_set(e, 0, "a socket is given by its whole path: unix:///var/run/...");
    if (out->path[length - 1] == '/')
        return err_set(e, 0, "'%s' is no path of a socket", out->path);
    return 0;
}

/* ---- the whole ---- */

/* Takes "SCHEME://" off. */
static int parse_scheme(const char **text, struct url *out, struct err *e)
{
    static const char *const names[] = {[URL_HTTP] = "http", [URL_HTTPS] = "https", [URL_UNIX] = "unix"};
    const char *end = strstr(*text, "://");
    size_t n = end ? (size_t)(end - *text) : 0;

    if (!end || end > *text + strcspn(*text, "/?@"))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (!url_is_unreserved((*text)[i]) && (*text)[i] != '+')
            n = 0;
    if (n == 0)
        return 0;
    for (size_t i = URL_HTTP; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == n && strncasecmp(*text, names[i], n) == 0)
            out->scheme = (enum url_scheme)i;
    if (out->scheme == URL_NONE)
        return err_set(e, 0, "'%.*s://' is neither http:// nor https:// nor unix://", (int)MIN_OF(n, 32),
                       *text);
    *text = end + 3;
    return 0;
}

int url_parse(const char *text, struct url *out, struct err *e)
{
    memset(out, 0, sizeof(*out));
    if (text[0] == '\0')
        return err_set(e, 0, "it is empty");
    if (text[0] == '/') {
        out->scheme = URL_UNIX;
        return parse_socket(text, false, out, e);
    }
    if (check_characters(text, e) < 0 || parse_scheme(&text, out, e) < 0)
        return -1;
    if (out->scheme == URL_UNIX)
        return parse_socket(text, true, out, e);
    return parse_authority(text, out, e);
}

bool url_is_loopback(const struct url *u)
{
    size_t n = strlen(u->host);

    return strcmp(u->host, "localhost") == 0 || (n > 10 && strcmp(u->host + n - 10, ".localhost") == 0) ||
           strcmp(u->host, "[::1]") == 0 || (strncmp(u->host, "127.", 4) == 0 && is_numeric(u->host));
}
