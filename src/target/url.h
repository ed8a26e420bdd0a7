/*
 * url.h - a URL of a target taken apart, strictly; private to the module
 *
 * Libcurl has a parser too, but it is loaded only when something is sent, while a wrong URL has to be refused
 * before the command starts. What passes here means the same to libcurl (a test compares).
 */
#ifndef RINGSIDE_TARGET_URL_H
#define RINGSIDE_TARGET_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define URL_TEXT_MAX   2048 /* of path and query */
#define URL_SECRET_MAX 1024 /* of user name and password */

enum url_scheme {
    URL_NONE, /* "HOST:PORT" */
    URL_HTTP,
    URL_HTTPS,
    URL_UNIX,
};

struct url {
    enum url_scheme scheme;
    char host[264]; /* small letters; IPv6 in brackets, in its canonical form */
    uint16_t port;  /* 0: not given */
    bool has_user;
    char user[URL_SECRET_MAX], password[URL_SECRET_MAX]; /* percent-decoded */
    char path[URL_TEXT_MAX];  /* "" or from the '/' on, as written; of URL_UNIX the socket's */
    char query[URL_TEXT_MAX]; /* behind the '?', as written */
};

/*
 * Takes text apart: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/PATH][?QUERY], unix:///PATH or /PATH. Braces
 * are let pass in the path. Returns -1 with *e: what is wrong, with the scheme, host or port quoted, and
 * nothing that is or might be part of a credential.
 */
int url_parse(const char *text, struct url *out, struct err *e);

/* The host is this machine: what goes there is seen by nobody else. */
bool url_is_loopback(const struct url *u);

/* A "." or ".." between slashes, however it is written: a path whose meaning depends on who reads it. */
bool url_has_dot_segment(const char *path);

/* Letters, digits, '-', '.', '_', '~': those that stand for themselves everywhere (RFC 3986 section 2.3). */
bool url_is_unreserved(char c);

#endif
