/*
 * series.h - profiles as labelled series, as Pyroscope and Parca keep them; private to the module
 *
 * A series is a set of labels, and all of its profiles are of one kind, which its label __name__ tells. So a
 * profile with several events becomes several: CPU time is process_cpu, each other event its own. What
 * changes with each run (ids of processes, threads and the run) is no label: each value would be a new
 * series, which these servers limit and index for ever.
 */
#ifndef RINGSIDE_TARGET_SERIES_H
#define RINGSIDE_TARGET_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/base.h"
#include "ringside/target.h"

struct err;
struct profile;
struct target_identity;

#define SERIES_LABELS_MAX 24            /* of a series; Pyroscope takes 30 with those of samples */
#define SERIES_NAME_MAX   200           /* bytes of a label's name; Pyroscope takes 1024 */
#define SERIES_VALUE_MAX  JSON_TEXT_MAX /* bytes of its value; Pyroscope takes 2048 */

struct series_label {
    char *name, *value;
};
struct series {
    struct series_label label[SERIES_LABELS_MAX];
    uint32_t labels;
};

void series_init(struct series *s);
void series_release(struct series *s);

/* name becomes [a-zA-Z_][a-zA-Z0-9_]*. False, and nothing added, when there is no value, the name is taken
 * already, or there are too many. */
bool series_add(struct series *s, const char *name, const char *value);
/* A repository's URL without user and password, the caller's to free. NULL: none, or these cannot be told
 * from the rest. */
char *series_source_url(const char *url);
/* service_repository and service_git_ref, by which Pyroscope links to the source; the URL without user and
 * password. */
void series_add_source(struct series *s, const struct target_identity *who);
/* The user's tags, but for those that would hide a label of ours. Returns how many there are too many. */
uint32_t series_add_tags(struct series *s, const struct target_identity *who);

/* Writes text so that [a-zA-Z_][a-zA-Z0-9_]* matches it; at most max - 1 bytes. No "__" at its beginning. */
void series_name(const char *text, char *out, uint32_t max);

/* What a server takes, and how it wants labels of samples to be called. */
struct series_limits {
    const char *process_name, *thread_name; /* its words for these */
    uint32_t samples_max;                   /* of one profile */
    uint32_t frames_max;                    /* of one stack; 0: any */
    uint64_t bytes_max;                     /* of one profile, uncompressed; at least 4 MiB */
};

struct series_part {
    const char *name;              /* __name__ */
    const struct profile *profile; /* never empty */
};
struct series_send {
    int (*part)(void *ctx, const struct series_part *part, struct err *e);
    void *ctx;
};

/*
 * Sends p in as few parts as l allows; what they add up to is p. Returns their number, or -1 with *e, what
 * part() returned. Each part begins a millisecond after the one before it: profiles of one series with the
 * same millisecond are copies of one and the same to Pyroscope, of which it shows one
 * (pkg/querier/select_merge.go, skipDuplicates).
 */
int series_convert(const struct profile *p, const struct series_limits *l, const struct series_send *send,
                   struct err *e);

/* ---- replies ---- */

/* The value of "code" in a JSON object, text or number, "" if there is none. */
void series_reply_code(const struct http_reply *reply, char *out, size_t max);
/* A reply with a status of success: delivered, unless a page for people says that something else answered. */
enum target_verdict series_judge_success(const struct http_reply *reply, char words[TARGET_WORDS_MAX]);

#endif
