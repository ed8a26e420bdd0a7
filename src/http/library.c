/*
 * library.c - libcurl by dlopen(): who delivers nothing does not wait for thirty libraries to be linked
 */
#include "library.h"

#include <dlfcn.h>
#include <string.h>

#include "ringside/base.h"

#define VERSION_MIN 0x075800 /* 7.88.0: CURLOPT_QUICK_EXIT keeps promises since, and Debian 12 has it */

static const struct function {
    const char *name;
    size_t at; /* of the pointer in struct library */
} functions[] = {
#define LIBRARY_ROW(name) {"curl_" #name, offsetof(struct library, name)},
    LIBRARY_FUNCTIONS(LIBRARY_ROW)
#undef LIBRARY_ROW
};

static int find_functions(struct library *l, const char *name, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        void *found = dlsym(l->handle, functions[i].name);

        if (!found)
            return err_set(e, 0, "%s: it has no %s", name, functions[i].name);
        memcpy((char *)l + functions[i].at, &found, sizeof(found));
    }
    return 0;
}

static int start(struct library *l, const char *name, struct err *e)
{
    const curl_version_info_data *version = l->version_info(CURLVERSION_NOW);
    CURLcode code;

    if (version->version_num < VERSION_MIN)
        return err_set(e, 0, "%s: version %s is too old (7.88 or later is needed)", name, version->version);
    if (!(version->features & CURL_VERSION_SSL))
        return err_set(e, 0, "%s: made without TLS", name);
    code = l->global_init(CURL_GLOBAL_DEFAULT);
    return code == CURLE_OK ? 0 : err_set(e, 0, "%s: %s", name, l->easy_strerror(code));
}

int library_load(struct library *l, const char *name, struct err *e)
{
    memset(l, 0, sizeof(*l));
    /* Never unmapped: a thread that resolves a name may outlive all requests (CURLOPT_QUICK_EXIT). */
    l->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!l->handle)
        return err_set(e, 0, "load libcurl (package libcurl4): %s", dlerror());
    if (find_functions(l, name, e) == 0 && start(l, name, e) == 0)
        return 0;
    dlclose(l->handle);
    l->handle = NULL;
    return -1;
}

void library_release(struct library *l)
{
    if (!l->handle)
        return;
    l->global_cleanup();
    dlclose(l->handle);
    l->handle = NULL;
}
