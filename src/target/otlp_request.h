/*
 * otlp_request.h - one request of OTLP: some of a profile's samples, and what they name
 */
#ifndef RINGSIDE_TARGET_OTLP_REQUEST_H
#define RINGSIDE_TARGET_OTLP_REQUEST_H

#include "ringside/profile.h"

#include "otlp_dictionary.h"

struct err;
struct target_identity;

#define OTLP_PROFILE_ID_BYTES 16
#define OTLP_NAME_MAX         64

/* One Profile of the request: a column of values. */
struct otlp_column {
    uint32_t from; /* which of the profile's types */
    const char *type, *unit, *period_type, *period_unit;
    uint64_t period;
    uint64_t divide;                                         /* values are in units of this; 0: as they are */
    int64_t rest;                                            /* what division has left over so far */
    char type_name[OTLP_NAME_MAX], unit_name[OTLP_NAME_MAX]; /* where they had to be changed */
};

struct otlp_sample {
    uint32_t stack, attribute;
};

struct otlp_request {
    const struct target_identity *who;
    struct otlp_dictionary dictionary;
    const struct otlp_column *column;
    uint32_t columns;
    struct otlp_sample *sample;
    int64_t *value; /* `columns` for each sample */
    uint32_t samples, samples_cap;
    struct map64 index; /* (stack, attribute) -> sample */
    uint64_t time_ns, duration_ns;
    const char *const *comment;
    uint32_t comments;
    uint8_t (*profile_id)[OTLP_PROFILE_ID_BYTES]; /* of each column */
    uint32_t tags_left_out; /* by otlp_request_pack(): the last, too many to be labels */
};

/* Adds values to those of the sample with the same stack and attribute; saturates. */
void otlp_request_add(struct otlp_request *r, uint32_t stack, uint32_t attribute, const int64_t *values);
/* The request as gzip into *out. -1 with *e when it does not fit. */
int otlp_request_pack(struct otlp_request *r, struct buf *out, struct err *e);

#endif
