/*
 * rows.h - which rule holds at which addresses: a sorted set of ranges that grows by one at a time
 */
#ifndef RINGSIDE_CFI_ROWS_H
#define RINGSIDE_CFI_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROWS_PER_BLOCK 127 /* 1020 bytes: one more row would cost 256, as allocators round up */

/* 8 bytes a row. A full block is split, so that adding one never moves more than a block. */
struct rows_block {
    uint32_t start[ROWS_PER_BLOCK];
    uint16_t bytes[ROWS_PER_BLOCK];
    uint16_t rule[ROWS_PER_BLOCK];
    uint32_t count; /* never 0 */
};

struct rows {
    uint32_t *first; /* start of each block */
    struct rows_block **block;
    uint32_t blocks, cap;
    uint32_t count, max; /* rows */
};

/* A range and what it says. */
struct rows_range {
    uint64_t from, to;
    uint16_t rule;
};

void rows_init(struct rows *r, uint32_t max);
void rows_release(struct rows *r);

/* The rule at an address, or -1. */
int rows_find(const struct rows *r, uint32_t addr);

/*
 * Adds the part around addr of a range that holds it, as far as it does not run into other rows; addr must
 * not be in a row yet. False when there is no room for more.
 */
bool rows_add(struct rows *r, uint32_t addr, const struct rows_range *range);

#endif
