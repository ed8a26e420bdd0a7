/*
 * entry.h - one entry: what its file is called and what is in it; private to the module
 */
#ifndef RINGSIDE_SPOOL_ENTRY_H
#define RINGSIDE_SPOOL_ENTRY_H

#include "ringside/spool.h"

struct byte_out;

/*
 * "NUMBER-WALL-KEY.request", numbers padded: sorts as put, and tells age and key without being opened.
 */
struct spool_entry_name {
    uint64_t number, wall_ns;
    uint64_t key; /* the 16 hex digits as a number */
};
#define SPOOL_ENTRY_NAME_BYTES 72
#define SPOOL_ENTRY_SUFFIX     ".request"

void spool_entry_print_name(const struct spool_entry_name *name, char out[SPOOL_ENTRY_NAME_BYTES]);
/* False for anything spool_entry_print_name() would not have printed. */
bool spool_entry_parse_name(const char *text, struct spool_entry_name *out);
/* Has our suffix, or is the temporary name of something that has. */
bool spool_entry_is_ours(const char *name);
bool spool_entry_is_temporary(const char *name);
/* False unless it is 16 lower-case hex digits. */
bool spool_entry_parse_key(const char *text, uint64_t *key);

#define SPOOL_ENTRY_TEXTS 4 /* label, method, path, headers */
/*
 * Head line, then each text with the NUL that ends it (so that they can be used where they lie), then the
 * body:
 *
 *     ringside-spool 1 KEY WALL LABEL-BYTES METHOD-BYTES PATH-BYTES HEADERS-BYTES BODY-BYTES\n
 */
struct spool_entry_head {
    uint64_t key, wall_ns;
    size_t text_bytes[SPOOL_ENTRY_TEXTS]; /* without the NUL */
    size_t body_bytes;
    size_t at; /* where the texts begin */
};
#define SPOOL_ENTRY_HEAD_BYTES 192
#define SPOOL_ENTRY_BYTES_MAX                                                                                \
    (SPOOL_ENTRY_HEAD_BYTES + SPOOL_ENTRY_TEXTS * (SPOOL_TEXT_MAX + 1) + (size_t)SPOOL_ITEM_BYTES_MAX)

/* Of the n first bytes of a file; the rest need not be there. -1 with *e. */
int spool_entry_parse_head(const char *bytes, size_t n, struct spool_entry_head *out, struct err *e);
/* Bytes spool_entry_encode() will write; 0 with *e: the item is beyond a maximum. */
size_t spool_entry_size(const struct spool_item *item, uint64_t key, struct err *e);
int spool_entry_encode(const struct spool_item *item, uint64_t key, const struct byte_out *out,
                       struct err *e);

#endif
