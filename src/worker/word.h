/*
 * word.h - a frame in one word, as stacks.h keeps it: image id in the top 16 bits, address in the file below
 *
 * 48 bits hold every ELF address of a user binary and, sign-extended, every kernel address. Image id 0 is a
 * pseudo-frame: what the profiler has to say itself, or a name of the period's string table.
 */
#ifndef RINGSIDE_WORKER_WORD_H
#define RINGSIDE_WORKER_WORD_H

#include <stdbool.h>
#include <stdint.h>

#include "ringside/image.h"

#define WORD_ADDR_BITS (64 - IMAGE_ID_BITS)

enum pseudo {
    PSEUDO_NONE, /* a word of 0 is no frame */
    PSEUDO_TRUNCATED,
    PSEUDO_INCOMPLETE,
    PSEUDO_UNMAPPED,
    PSEUDO_FOREIGN_ABI,
    PSEUDO_NO_USER_STATE,
    PSEUDO_KERNEL_NOT_PERMITTED,
    PSEUDO_ENDED_WITHIN_PERIOD,
    PSEUDO_NOT_SAMPLED,
    PSEUDO_OUTSIDE_EVENTS,
    PSEUDO_UNWATCHED,
    PSEUDO_LOST,
    PSEUDO_RESTARTED,
    PSEUDO_TOO_MANY_STACKS,
    PSEUDO_TOO_MANY_PROCESSES,
    PSEUDO_COUNT,
};

const char *pseudo_name(enum pseudo p);

static inline uint64_t word_of(uint32_t image_id, uint64_t elf_addr)
{
    return (uint64_t)image_id << WORD_ADDR_BITS | (elf_addr & ((1ULL << WORD_ADDR_BITS) - 1));
}

static inline uint32_t word_image(uint64_t word)
{
    return (uint32_t)(word >> WORD_ADDR_BITS);
}

static inline uint64_t word_addr(uint64_t word)
{
    return (uint64_t)((int64_t)(word << IMAGE_ID_BITS) >> IMAGE_ID_BITS);
}

static inline uint64_t word_pseudo(enum pseudo p)
{
    return p;
}

/* A frame that is just a text, by its id in the period's strings. */
#define WORD_TEXT_FLAG (1ULL << 40)
static inline uint64_t word_text(uint32_t string_id)
{
    return WORD_TEXT_FLAG | string_id;
}

#endif
