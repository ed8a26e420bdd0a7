/*
 * names.h - what is already known of one image's addresses: intervals and the names they have, kept between
 * exports
 */
#ifndef RINGSIDE_SYMBOL_NAMES_H
#define RINGSIDE_SYMBOL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol_ref;

/* Shared by the names of all images. */
struct names_budget {
    size_t used, max; /* bytes */
    uint64_t refused; /* names there was no room for in this export */
};

/* Every address of [from, last] has this name, or is known to have none. */
struct known {
    uint64_t from, last;
    /* For people, NUL, as linked, NUL; the second is empty when they are the same. NULL: no name. */
    const char *text;
};

struct text_block;

struct names {
    struct names_budget *budget;
    struct known *known; /* sorted by from after names_sort(), disjoint */
    uint32_t count, cap;
    struct text_block *blocks; /* texts do not move while they are borrowed */
    size_t bytes;              /* this one's part of the budget */
};

void names_init(struct names *n, struct names_budget *budget);
void names_release(struct names *n);

/* shown NULL: no name. linked may equal shown. False, counted, when the budget does not allow it. */
bool names_add(struct names *n, const struct known *range, const char *shown, const char *linked);
/* Bytes that belong to the names but are kept elsewhere; no more than the budget still has. */
void names_charge(struct names *n, size_t bytes);
void names_sort(struct names *n);
/* The interval of an address, or NULL; valid until the next add. */
const struct known *names_find(const struct names *n, uint64_t addr);
void names_ref(const struct known *k, struct symbol_ref *out);

#endif
