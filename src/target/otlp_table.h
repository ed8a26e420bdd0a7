/*
 * otlp_table.h - rows that are there once: equal bytes have equal indices, and index 0 is the row that says
 * "not set"
 */
#ifndef RINGSIDE_TARGET_OTLP_TABLE_H
#define RINGSIDE_TARGET_OTLP_TABLE_H

#include "ringside/base.h"

struct otlp_table {
    struct buf bytes;    /* the rows one after the other */
    uint32_t *end;       /* of each row, in bytes */
    uint32_t count, cap; /* of rows; 1 when nothing was added */
    struct map64 index;  /* hash -> index */
    bool full;           /* a row did not fit and has index 0 */
};

void otlp_table_init(struct otlp_table *t);
void otlp_table_release(struct otlp_table *t);
/* n > 0. Rows are compared as bytes: no padding in them. */
uint32_t otlp_table_add(struct otlp_table *t, const void *row, size_t n);
/* Borrowed until the next add; aligned as the sizes of the rows allow. */
const void *otlp_table_row(const struct otlp_table *t, uint32_t index, size_t *n);

#endif
