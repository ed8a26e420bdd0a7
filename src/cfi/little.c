/*
 * little.c - writes the small file, and the instructions in it
 */
#include "little.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/arch.h"
#include "ringside/base.h"

#define FILE_BYTES 2048U /* usual size */

/*
 * Header, one PT_GNU_EH_FRAME segment, the search table of that segment, the entries. Addresses of the file
 * are its offsets; that of the FDE is 0.
 */
struct table {
    uint8_t version, pointer_encoding, count_encoding, entry_encoding;
    uint8_t frames[8];
    uint8_t count[4];
    uint8_t start[8], fde[8]; /* the one line */
};

struct head {
    Elf64_Ehdr elf;
    Elf64_Phdr segment;
    struct table table;
};

_Static_assert(sizeof(struct table) == 32, "the table must have no holes");

/* Room the entries need at most, beside their instructions. */
#define CIE_ROOM 48U
#define FDE_ROOM 32U

/*
 * Behind the instructions, so that libdw stops there: as far ahead as one instruction goes. Everything behind
 * it is DW_CFA_nop.
 */
static const uint8_t far_ahead[] = {DW_CFA_advance_loc4, 0xff, 0xff, 0xff, 0xff};

static void close_libdw(struct little *l)
{
    if (l->cfi)
        dwarf_cfi_end(l->cfi);
    if (l->elf)
        elf_end(l->elf);
    l->cfi = NULL;
    l->elf = NULL;
}

void little_release(struct little *l)
{
    close_libdw(l);
    free(l->file);
    *l = (struct little){0};
}

bool little_is_for(const struct little *l, const struct frames_cie *cie)
{
    const struct frames_cie *own = &l->cie;

    return l->file && own->code_align == cie->code_align && own->data_align == cie->data_align &&
           own->return_column == cie->return_column && own->signal == cie->signal &&
           own->program_bytes == cie->program_bytes &&
           memcmp(own->program, cie->program, cie->program_bytes) == 0;
}

/* ---- writing ---- */

static void put(struct little *l, const void *bytes, size_t n)
{
    if (n)
        memcpy(l->file + l->used, bytes, n);
    l->used += n;
}

static void put_byte(struct little *l, uint8_t byte)
{
    l->file[l->used++] = byte;
}

static void put_leb(struct little *l, uint64_t value, bool is_signed)
{
    /* A sign bit that would be misread costs one more byte. */
    uint64_t limit = is_signed ? 0x40 : 0x80;
    bool negative = is_signed && (int64_t)value < 0;

    while (negative ? (int64_t)value < -(int64_t)limit : value >= limit) {
        put_byte(l, (uint8_t)(value | 0x80));
        value = negative ? (uint64_t)((int64_t)value >> 7) : value >> 7;
    }
    put_byte(l, value & 0x7f);
}

static void set_length(struct little *l, size_t at, size_t end)
{
    uint32_t length = (uint32_t)(end - at - sizeof(length));

    memcpy(l->file + at, &length, sizeof(length));
}

static void put_cie(struct little *l, struct frames_cie cie)
{
    /*
     * libdw starts from the ABI's defaults, but its x86-64 table names register 0 where rbx, number 3, is
     * meant: say here that a function preserves rbx (backends/x86_64_cfi.c of elfutils 0.188).
     */
    static const uint8_t keep_rbx[] = {DW_CFA_same_value, ARCH_REG_RBX};
    uint32_t zero = 0;
    size_t at = l->used;

    put(l, &zero, sizeof(zero)); /* the length comes last */
    put(l, &zero, sizeof(zero)); /* id */
    put_byte(l, 1);              /* version */
    put(l, cie.signal ? "zRS" : "zR", cie.signal ? 4 : 3);
    put_leb(l, cie.code_align, false);
    put_leb(l, (uint64_t)cie.data_align, true);
    put_byte(l, (uint8_t)cie.return_column);
    put_byte(l, 1);
    put_byte(l, DW_EH_PE_absptr);
    put(l, keep_rbx, sizeof(keep_rbx));
    l->cie = cie;
    l->cie.program = l->file + l->used;
    put(l, cie.program, cie.program_bytes);
    set_length(l, at, l->used);
}

/* The rest of the file: every address, and no instructions yet. */
static size_t put_fde(struct little *l, size_t cie_at)
{
    size_t at = l->used;
    uint32_t distance = (uint32_t)(at + sizeof(distance) - cie_at);
    uint64_t start = 0, range = UINT64_MAX;

    put(l, &distance, sizeof(distance)); /* set_length() writes over it */
    put(l, &distance, sizeof(distance));
    put(l, &start, sizeof(start));
    put(l, &range, sizeof(range));
    put_byte(l, 0); /* augmentation data */
    set_length(l, at, l->bytes);
    return at;
}

static void write_head(uint8_t *file, uint64_t fde_at)
{
    struct head h = {
        .elf = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ARCH_ELF_CLASS, ELFDATA2LSB, EV_CURRENT},
                .e_type = ET_DYN,
                .e_machine = ARCH_ELF_MACHINE,
                .e_version = EV_CURRENT,
                .e_phoff = offsetof(struct head, segment),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 1},
        .segment = {.p_type = PT_GNU_EH_FRAME,
                    .p_offset = offsetof(struct head, table),
                    .p_vaddr = offsetof(struct head, table),
                    .p_filesz = sizeof(struct table),
                    .p_memsz = sizeof(struct table)},
        .table = {.version = 1,
                  .pointer_encoding = DW_EH_PE_udata8,
                  .count_encoding = DW_EH_PE_udata4,
                  .entry_encoding = DW_EH_PE_udata8,
                  .count = {1}},
    };
    uint64_t frames = sizeof(h);

    memcpy(h.table.frames, &frames, sizeof(frames));
    memcpy(h.table.fde, &fde_at, sizeof(fde_at));
    memcpy(file, &h, sizeof(h));
}

bool little_open(struct little *l, const struct frames_cie *cie, size_t room)
{
    size_t needed = sizeof(struct head) + CIE_ROOM + cie->program_bytes + FDE_ROOM + room + sizeof(far_ahead);
    uint8_t *old = l->file; /* cie may lie in it */

    close_libdw(l);
    l->bytes = FILE_BYTES;
    while (l->bytes < needed)
        l->bytes *= 2;
    l->file = base_calloc(1, l->bytes);
    l->used = sizeof(struct head);
    put_cie(l, *cie);
    free(old);
    write_head(l->file, put_fde(l, sizeof(struct head)));
    l->program = l->used;
    l->spoiled = false;
    /* The CIE was checked when it was first met, perhaps long ago: somebody may have written to the file. */
    if (!frames_check(l->cie.program, l->cie.program_bytes))
        return false;
    l->elf = elf_memory((char *)l->file, l->bytes);
    l->cfi = l->elf ? dwarf_getcfi_elf(l->elf) : NULL;
    return l->cfi != NULL;
}

/* ---- reading ---- */

static void put_program(struct little *l, const struct frames_fde *fde)
{
    size_t end = l->used;

    l->used = l->program;
    put(l, fde->program, fde->program_bytes);
    put(l, far_ahead, sizeof(far_ahead));
    if (l->used < end)
        memset(l->file + l->used, DW_CFA_nop, end - l->used);
}

Dwarf_Frame *little_frame(struct little *l, const struct frames_fde *fde, uint64_t distance)
{
    size_t room = fde->program_bytes + sizeof(far_ahead);
    Dwarf_Frame *frame = NULL;

    if ((l->spoiled || room > l->bytes - l->program) && !little_open(l, &l->cie, fde->program_bytes))
        return NULL;
    if (!l->cfi)
        return NULL;
    put_program(l, fde);
    /* libdw keeps expressions by where they lie. */
    l->spoiled = fde->uses.expressions;
    return dwarf_cfi_addrframe(l->cfi, distance, &frame) == 0 ? frame : NULL;
}
