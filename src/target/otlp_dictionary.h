/*
 * otlp_dictionary.h - the tables all profiles of an OTLP request share, with what its samples name and
 * nothing else
 *
 * Rules of the format: entry 0 of each table is empty and means "not set", no two entries are equal, none is
 * without use. So a row is added when something that is sent names it.
 */
#ifndef RINGSIDE_TARGET_OTLP_DICTIONARY_H
#define RINGSIDE_TARGET_OTLP_DICTIONARY_H

#include "ringside/base.h"

#include "otlp_table.h"

struct profile;

struct otlp_mapping {
    uint64_t start, limit, file_offset;
    uint32_t filename;     /* strings, here and below */
    uint32_t attribute[3]; /* 0: none */
};

struct otlp_location {
    uint64_t address;
    uint32_t mapping, function, attribute;
    uint32_t zero; /* no padding */
};

struct otlp_function {
    uint32_t name, system_name;
};

enum otlp_value { OTLP_TEXT, OTLP_TRUE, OTLP_COMMENTS };

struct otlp_attribute {
    uint32_t key;
    enum otlp_value kind;
    uint32_t text; /* of OTLP_TEXT: in values */
};

struct otlp_dictionary {
    const struct profile *p; /* borrowed */
    struct strtab strings;
    struct strtab values; /* texts of attributes: they are not in the string table */
    struct otlp_table mapping, location, function, attribute, stack;
    /* Index of what has this id in the profile; 0: not added so far. */
    uint32_t *string_of, *mapping_of, *location_of, *stack_of;
    uint32_t *path; /* of the stack at hand */
    uint32_t path_cap;
    uint64_t bytes; /* at most as many take these rows as pprof, or here */
};

void otlp_dictionary_init(struct otlp_dictionary *d, const struct profile *p);
void otlp_dictionary_release(struct otlp_dictionary *d);

uint32_t otlp_text(struct otlp_dictionary *d, const char *text);
/* 0 for an empty text. */
uint32_t otlp_text_attribute(struct otlp_dictionary *d, const char *key, const char *text);
/* Its value is the list of comments the request has. */
uint32_t otlp_comments_attribute(struct otlp_dictionary *d, const char *key);
/* The stack whose innermost frame has this id; its depth in *frames. */
uint32_t otlp_stack(struct otlp_dictionary *d, uint32_t frame, uint32_t *frames);
/* Something did not fit. */
bool otlp_dictionary_full(const struct otlp_dictionary *d);

#endif
