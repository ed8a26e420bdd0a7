/*
 * little.h - the small ELF file libdw gets to read instead of the real one
 *
 * libdw reads frames out of a whole ELF file. It gets one made in memory, that holds only parts frames.h has
 * checked, written anew in one plain form: a CIE, and an FDE that covers every address and whose instructions
 * change as needed. So libdw never reads a hostile byte that was not looked at, never scans (12 ms for the
 * first look-up in a file linked by gold), treats .debug_frame like .eh_frame, and has nothing to look up: it
 * takes the two entries apart once, and each function after that costs a copy of its instructions.
 */
#ifndef RINGSIDE_CFI_LITTLE_H
#define RINGSIDE_CFI_LITTLE_H

#include "frames.h"

#include <elfutils/libdw.h>

struct little {
    uint8_t *file;
    size_t bytes;
    struct frames_cie cie; /* its program lies in file */
    size_t program, used;  /* where the FDE's instructions start and end in file */
    bool spoiled;          /* libdw remembers what must change */
    Elf *elf;
    Dwarf_CFI *cfi;
};

/* All zero is one that holds nothing. */
void little_release(struct little *l);

/* Whether it was made for a CIE that says the same. */
bool little_is_for(const struct little *l, const struct frames_cie *cie);

/* Begins anew with a CIE, and room for an FDE's instructions; false when libdw will not have it. */
bool little_open(struct little *l, const struct frames_cie *cie, size_t room);

/*
 * What libdw makes of an FDE's instructions at a distance from the FDE's start; addresses in the result count
 * from there too. The FDE's CIE must say what l's does. NULL when libdw refuses; freed by the caller.
 */
Dwarf_Frame *little_frame(struct little *l, const struct frames_fde *fde, uint64_t distance);

#endif
