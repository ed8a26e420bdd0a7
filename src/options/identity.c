/*
 * identity.c - tags that say what an option says, too
 *
 * Tracers take service, env, version and where the source is from DD_TAGS where no variable of its own says
 * it, and send none of these twice (dd-trace-go, internal/gitmetadata and internal/env.go). Each backend has
 * its own words for them, so they must not arrive there as tags like any other: that of a repository may have
 * a password in its URL, which only the option's value is known to have.
 */
#include "identity.h"

#include <string.h>

#include "store.h"

struct known {
    const char *key;
    const char **text; /* of the option */
};

/* The value of a tag with that key; NULL: it has another. */
static const char *value_of(const char *tag, const char *key)
{
    size_t n = strlen(key);

    return strncmp(tag, key, n) == 0 && tag[n] == ':' ? tag + n + 1 : NULL;
}

/* What is given by an option stands; of several tags the first counts. */
static bool take_tag(const struct known *known, size_t n, const char *tag)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = value_of(tag, known[i].key);

        if (!value)
            continue;
        if (!*known[i].text)
            *known[i].text = value;
        return true;
    }
    return false;
}

void option_take_identity(struct options *o)
{
    const struct known known[] = {
        {"service", &o->service},
        {"env", &o->environment},
        {"version", &o->service_version},
        {"git.repository_url", &o->git_repository_url},
        {"git.commit.sha", &o->git_commit_sha},
    };
    struct option_texts left = {0};

    for (uint32_t i = 0; i < o->tags.count; i++)
        if (!take_tag(known, ARRAY_LEN(known), o->tags.at[i]))
            option_texts_add(o->store, &left, o->tags.at[i]);
    if (!o->show_config && !o->capture_config) /* these show what was given */
        o->tags = left;
}
