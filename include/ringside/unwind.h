/*
 * unwind.h - from one sample's registers and stack copy to frames
 *
 * Pure: makes no system call, allocates nothing, knows no process. What a pc means comes from the caller's
 * finder.
 */
#ifndef RINGSIDE_UNWIND_H
#define RINGSIDE_UNWIND_H

#include "ringside/arch.h"
#include "ringside/cfi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_MAX_FRAMES 512

enum unwind_stop {
    UNWIND_DONE,        /* reached the start of the process or thread */
    UNWIND_STACK_ENDED, /* the copy ran out: truncated */
    UNWIND_NO_ROW,      /* neither call-frame information nor a frame pointer that holds up */
    UNWIND_BAD_STATE,   /* a register or expression could not be evaluated */
    UNWIND_NO_PROGRESS, /* the same pc and CFA twice, or the stack going downward */
    UNWIND_TOO_DEEP,
    UNWIND_STOPS
};

/* What the finder knows about an address. */
struct unwind_site {
    const struct cfi_rule *rule; /* never NULL */
    uint64_t where;              /* the finder's own name for the address, handed through to the frame */
    bool executable;             /* lies in a mapping the process may execute */
    bool entry; /* lies at the start of an image's entry point: the end where no CFI says so */
};

struct unwind_finder {
    /* addr is already moved into the call for return addresses. */
    void (*find)(void *ctx, uint64_t addr, struct unwind_site *out);
    /* Up to n code bytes from addr on; returns how many were copied, 0 when the code cannot be read. For rare
     * cases. */
    size_t (*code)(void *ctx, uint64_t addr, uint8_t *out, size_t n);
    void *ctx;
};

enum unwind_how {
    UNWIND_BY_SAMPLE,
    UNWIND_BY_ROW,
    UNWIND_BY_FRAME_POINTER,
    UNWIND_BY_GUESS,
    UNWIND_BY_SPLICE
};

struct unwind_frame {
    uint64_t pc;    /* as in the register or on the stack */
    uint64_t cfa;   /* of this frame; 0 when it was not computed (the last frame) */
    uint64_t where; /* from the finder, for frame_lookup_addr() of this frame */
    uint8_t how;    /* enum unwind_how: how this frame was found */
    bool exact; /* pc is the next instruction to run (leaf, interrupted by a signal), not a return address */
};

/* The address that belongs to the code that was running: a return address is moved back into its call. */
static inline uint64_t frame_lookup_addr(uint64_t pc, bool exact)
{
    return exact ? pc : pc - 1;
}

/*
 * A thread's last complete walk, for its next one: the outer frames of a thread mostly stay where they were,
 * and where the words they were found by are the same, so are they. Saves most of the work on deep stacks and
 * changes no result. Good for as long as every rule and `where` the finder gave out is, and as the code it
 * describes stays: set count to 0 (which is also how it begins) when an address may mean something else.
 */
#define UNWIND_TRAIL_FRAMES 256 /* the outermost ones are kept */

struct unwind_trail {
    uint32_t count;
    struct unwind_trail_frame {
        uint64_t pc, sp, fp, where; /* registers in the frame */
        const struct cfi_rule *rule;
        int16_t fp_slot;
        uint8_t how;
        bool exact, fp_known, plain;
    } frame[UNWIND_TRAIL_FRAMES]; /* outermost first */
};

struct unwind_input {
    const struct arch_regs *regs;
    const uint8_t *stack; /* copy of memory from the stack pointer upward */
    uint32_t stack_bytes;
    struct unwind_trail *trail; /* read and brought up to date; NULL: none */
};

/* Fills frames (leaf first, at least one, at most max) and *count. Needs pc and SP in regs. */
enum unwind_stop unwind_walk(const struct unwind_input *in, const struct unwind_finder *finder,
                             struct unwind_frame *frames, uint32_t max, uint32_t *count);

#endif
