/*
 * profile.h - one finished profile: all a reader needs, nothing of how it came about
 *
 * Built once by the worker, read by pprof (and later by converters for other backends). Strings are interned
 * in it; ids are index + 1, in the order of adding. docs/profile.md tells what each part means.
 * Single-threaded.
 */
#ifndef RINGSIDE_PROFILE_H
#define RINGSIDE_PROFILE_H

#include "ringside/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile_type {
    uint32_t type, unit; /* string ids: "cpu", "nanoseconds" */
};

struct profile_mapping {
    uint64_t start, limit, file_offset;
    uint32_t filename, build_id; /* string ids */
    bool has_functions;
};

struct profile_function {
    uint32_t name, system_name; /* string ids */
};

struct profile_location {
    uint64_t address;
    uint32_t mapping;  /* mapping id, 0 for none */
    uint32_t function; /* function id, 0 for none: unsymbolized */
};

struct profile_label {
    uint32_t key, text; /* string ids */
};

#define PROFILE_TYPES_MAX  20
#define PROFILE_LABELS_MAX 8

/* A location called from a frame: stacks are paths of a tree, so what they share is there once. */
struct profile_frame {
    uint32_t location; /* location id */
    uint32_t caller;   /* frame id, smaller than this frame's; 0: outermost */
};

struct profile_sample {
    uint32_t frame;       /* id of the innermost frame */
    uint32_t label_set;   /* index into label_set; PROFILE_NO_LABELS: none */
    uint32_t first_value; /* in profile.value: type_count values */
};

struct profile_label_set {
    struct profile_label label[PROFILE_LABELS_MAX];
    uint32_t labels;
};

struct profile {
    struct strtab strings;
    struct profile_type type[PROFILE_TYPES_MAX];
    uint32_t type_count;
    uint32_t default_type; /* string id */
    struct profile_type period_type;
    uint64_t period;
    uint64_t time_wall_ns, duration_ns;
    struct profile_mapping *mapping;
    uint32_t mapping_count, mapping_cap;
    struct profile_function *function;
    uint32_t function_count, function_cap;
    struct profile_location *location;
    uint32_t location_count, location_cap;
    struct profile_frame *frame;
    uint32_t frame_count, frame_cap;
    int64_t *value;
    uint32_t value_count, value_cap;
    struct profile_sample *sample;
    uint32_t sample_count, sample_cap;
    struct profile_label_set *label_set;
    uint32_t label_set_count, label_set_cap;
    uint32_t *comment; /* string ids */
    uint32_t comment_count, comment_cap;
    struct map64 function_index; /* (name, system_name) -> id */
    uint64_t dropped;            /* rows and samples that a cap kept out */
};

#define PROFILE_ROWS_MAX     (1U << 26) /* of any one array */
#define PROFILE_NO_FRAME     UINT32_MAX
#define PROFILE_NO_LABELS    UINT32_MAX
#define PROFILE_STRING_BYTES (64 << 20) /* text; more becomes "[too many strings]" */

/* Everything handed to the functions below is copied. */
void profile_init(struct profile *p);
void profile_release(struct profile *p);

/* Returns an id in p->strings, 0 for "". Cleans up invalid UTF-8. Every string asked for is written: ask only
 * for those a row will name. */
uint32_t profile_string(struct profile *p, const char *text);
void profile_add_type(struct profile *p, const char *type, const char *unit);
/* These three return the id, 0 (counted) at the cap. Functions are interned; mappings, locations and frames
 * are the caller's to keep unique. */
uint32_t profile_add_mapping(struct profile *p, const struct profile_mapping *m);
uint32_t profile_add_function(struct profile *p, const char *name, const char *system_name);
uint32_t profile_add_location(struct profile *p, const struct profile_location *l);
/* caller: a frame's id, 0 for none. A frame of an unknown location or caller is dropped, and counted: its id
 * is PROFILE_NO_FRAME, and so is that of frames called from it. */
uint32_t profile_add_frame(struct profile *p, uint32_t caller, uint32_t location);
/* Returns the index of the set, PROFILE_NO_LABELS (counted) at the cap. Labels with an empty text are left
 * out, as is a key's second label. */
uint32_t profile_add_labels(struct profile *p, const struct profile_label *labels, uint32_t n);
/* frame: the innermost. values: type_count of them. Dropped, and counted, without a frame or with an unknown
 * one. */
void profile_add_sample(struct profile *p, uint32_t frame, uint32_t label_set, const int64_t *values);
void profile_add_comment(struct profile *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- one profile out of another: what a backend wants different ---- */

struct profile_column {
    const char *type, *unit;
};

/* All zero: the same profile, without what no sample names. */
struct profile_reshape {
    const void *ctx; /* handed to the functions */
    /* *out holds the column's names and may be given others; false: left out. NULL: all as they are. */
    bool (*column)(const void *ctx, const char *type, const char *unit, struct profile_column *out);
    /* The label's key, the same or another one; NULL: left out. Called once for each label of a set. NULL:
     * all as they are. */
    const char *(*label)(const void *ctx, const char *key, const char *text);
    uint32_t first_sample, samples; /* of in's samples; samples 0: all from the first on */
    uint32_t frames_max;            /* 0: no limit. Of deeper stacks the outermost frames_max - 1 stay, above
                                     * them PROFILE_TOO_DEEP */
    uint32_t text_max;              /* bytes; longer texts are cut at the end. 0: no limit */
};
#define PROFILE_TOO_DEEP "[more frames than fit]"

/*
 * Fills *out (the caller's to release) with in's samples. Those that become equal (same frame, same labels)
 * are added up, saturating; those without a value other than 0 are left out, as are the locations, functions,
 * mappings and strings that nothing names any more, but mapping 1 stays the first. A period type whose column
 * is left out becomes the last column that is not (as does the default type), with a period of 1. Takes time
 * linear in the profile.
 */
void profile_reshape(struct profile *out, const struct profile *in, const struct profile_reshape *how);

#endif
