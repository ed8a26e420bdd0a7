/*
 * library.h - the functions of libcurl that are used, found at run time
 */
#ifndef RINGSIDE_HTTP_LIBRARY_H
#define RINGSIDE_HTTP_LIBRARY_H

/* Its type checks are macros around the functions' names; here they are called by pointers. */
#ifndef CURL_DISABLE_TYPECHECK
#define CURL_DISABLE_TYPECHECK
#endif
#include <curl/curl.h>

struct err;

#define LIBRARY_NAME "libcurl.so.4"

#define LIBRARY_FUNCTIONS(X)                                                                                 \
    X(global_init)                                                                                           \
    X(global_cleanup)                                                                                        \
    X(version_info)                                                                                          \
    X(getdate)                                                                                               \
    X(slist_append)                                                                                          \
    X(slist_free_all)                                                                                        \
    X(easy_init)                                                                                             \
    X(easy_cleanup)                                                                                          \
    X(easy_reset)                                                                                            \
    X(easy_setopt)                                                                                           \
    X(easy_getinfo)                                                                                          \
    X(easy_strerror)                                                                                         \
    X(multi_init)                                                                                            \
    X(multi_cleanup)                                                                                         \
    X(multi_setopt)                                                                                          \
    X(multi_add_handle)                                                                                      \
    X(multi_remove_handle)                                                                                   \
    X(multi_socket_action)                                                                                   \
    X(multi_info_read)                                                                                       \
    X(multi_strerror)

struct library {
    void *handle;
#define LIBRARY_MEMBER(name) __typeof__(curl_##name) *name;
    LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
#undef LIBRARY_MEMBER
};

/* name: LIBRARY_NAME; others in tests. After -1 there is nothing to release. */
int library_load(struct library *l, const char *name, struct err *e);
void library_release(struct library *l);

#endif
