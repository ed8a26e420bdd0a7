/*
 * target.h - the backends: what a URL means, and a finished profile as the requests each of them takes
 *
 * Pure: nothing is opened or sent here. A backend is one file (src/target/NAME.c) and one row of the table
 * in target.c. docs/targets.md tells what is sent to each.
 */
#ifndef RINGSIDE_TARGET_H
#define RINGSIDE_TARGET_H

#include "ringside/base.h"
#include "ringside/http.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct profile;
struct target;

/* What is said of the service to every backend, in each one's spelling. Texts nobody gave are NULL. */
struct target_identity {
    const char *service; /* never NULL, nor "" */
    const char *environment, *service_version;
    const char *const *tags; /* "key:value" each */
    uint32_t tag_count;
    const char *runtime_id;   /* UUID of this run; never NULL */
    const char *host;         /* never NULL */
    const char *container_id; /* of the target */
    const char *entity_id;    /* Datadog's: "ci-" and the container's id, or "in-" and the cgroup's inode */
    const char *external_env; /* DD_EXTERNAL_ENV */
    const char *git_repository, *git_commit;
    const char *profiler_version; /* of Ringside; never NULL */
    const char *executable;       /* path of the main binary; NULL: that of the profile's first mapping */
    uint32_t pid;                 /* of the target's first process */
    bool kernel;                  /* kernel mode is sampled */
    uint32_t cpus;
};

/* Everything about one target that the options say. Texts are copied; NULL where not given. */
struct target_config {
    const char *url;
    const char *api_key; /* Datadog's */
    bool agentless;
    const char *user, *password, *bearer_token, *tenant;
    const char *const *headers; /* "Name: value" */
    uint32_t header_count;
    const char *bearer_file; /* that bearer_token was read from, and is from now on; an absolute path */
    const char *ca_file, *cert_file, *key_file;
    bool no_proxy;
    uint32_t timeout_ms;
};

/*
 * What url means:
 *   [datadog+]http://HOST[:8126][/PREFIX], HOST[:PORT], unix:///PATH, /PATH   Datadog agent
 *   [datadog+]https://intake.profile.SITE with agentless                      Datadog intake
 *   pyroscope+http[s]://HOST[:4040][/PREFIX]     Push; where the path ends in /ingest, that
 *   parca+http[s]://HOST[:7070][/PREFIX]
 *   otlp+http[s]://HOST[:4318][/PATH]            without PATH /v1development/profiles; else PATH as it is
 *   put+http[s]://..., post+http[s]://...        the file itself; {service} and so on are replaced, a path
 *                                                that ends in / gets a name; ?QUERY is sent with it, and
 *                                                taken for a secret
 * Without a kind in front, ports 4040, 7070 and 4318 mean theirs; all other URLs are Datadog's. Where a port
 * is not given it is that of the table with http, and 443 with https: what is reached encrypted is a hosted
 * service, or stands behind a proxy.
 * USER:PASSWORD@ in a URL is taken out of it and sent as basic authentication.
 *
 * Returns NULL with *e (text quotes the part that is wrong, never a credential).
 */
struct target *target_new(const struct target_config *config, struct err *e);
void target_free(struct target *t);

/* For messages: "pyroscope http://host:4040". No credentials in it. */
const char *target_name(const struct target *t);
/* 16 hex digits, the same in every run for the same place and account; no secret goes into it. */
const char *target_key(const struct target *t);
/* The row's name: "pyroscope". */
const char *target_kind(const struct target *t);
/* The same of a URL that is no target yet; NULL with *e as target_new(). */
const char *target_kind_of(const char *url, struct err *e);
/* Borrowed from t. */
const struct http_endpoint *target_endpoint(const struct target *t);
/* A kind's name in front of "+" at the beginning of text; returns its length with the "+", or 0. For options
 * that are meant for one kind of target ("pyroscope+TOKEN"). */
size_t target_kind_prefix(const char *text);

/* Nothing in it is secret: it may be written to disk. Texts and body are borrowed. */
struct target_request {
    const char *method;
    const char *path;    /* after the endpoint's url, with the query */
    const char *headers; /* lines "Name: value\n" */
    const void *body;
    size_t body_bytes;
};
/* A profile on its way. */
struct target_job {
    const struct profile *profile;
    const struct target_identity *who;
    uint64_t number; /* 0, 1, 2... of the run's profiles */
};
struct target_emit {
    int (*request)(void *ctx, const struct target_request *r, struct err *e);
    void *ctx;
};

/*
 * The requests that bring a profile to t: mostly one; more where the backend takes no profile of that size,
 * none for a profile without samples where the backend takes no empty one. What does not fit even so is
 * folded or left out, and said in the profile's comments and a log line. Returns the number of requests, or
 * -1 with *e (what emit returned, or a profile that cannot be expressed).
 */
int target_convert(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                   struct err *e);

enum target_verdict {
    TARGET_DELIVERED,
    TARGET_IN_PART, /* stored but for what words say; not to be sent again */
    TARGET_REFUSED, /* will never be taken */
    TARGET_RETRY,
};
#define TARGET_WORDS_MAX 300
/* What a reply means by the backend's rules. words gets what the server said, cleaned and cut, "" if nothing.
 */
enum target_verdict target_judge(const struct target *t, const struct http_reply *reply,
                                 char words[TARGET_WORDS_MAX]);

#endif
