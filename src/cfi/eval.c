/*
 * eval.c - hands checked entries to libdw and turns its answers into rules
 */
#include "eval.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

#define FILE_BYTES (8U << 10) /* usual size of the little file: about 100 FDEs */

/*
 * The little file: header, one PT_GNU_EH_FRAME segment, the search table of that segment, the entries. Its
 * addresses are its offsets; those in the entries are of the real file, all absolute.
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

static const uint64_t frames_at = sizeof(struct head);

void eval_init(struct eval *v)
{
    *v = (struct eval){0};
    elf_version(EV_CURRENT);
}

static void close_libdw(struct eval *v)
{
    if (v->cfi)
        dwarf_cfi_end(v->cfi);
    if (v->elf)
        elf_end(v->elf);
    v->cfi = NULL;
    v->elf = NULL;
}

void eval_release(struct eval *v)
{
    close_libdw(v);
    free(v->file);
    free(v->draft);
    *v = (struct eval){0};
}

static void write_head(uint8_t *file)
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

    memcpy(h.table.frames, &frames_at, sizeof(frames_at));
    memcpy(file, &h, sizeof(h));
}

/* An empty little file with room for a number of bytes. False when libdw will not have it. */
static bool start_file(struct eval *v, size_t room)
{
    size_t bytes = MAX_OF(frames_at + room, FILE_BYTES);

    close_libdw(v);
    if (bytes != v->bytes) {
        free(v->file);
        v->file = base_alloc(bytes);
        v->bytes = bytes;
    }
    memset(v->file, 0, bytes);
    write_head(v->file);
    v->used = frames_at;
    v->generation++;
    v->elf = elf_memory((char *)v->file, v->bytes);
    v->cfi = v->elf ? dwarf_getcfi_elf(v->elf) : NULL;
    return v->cfi != NULL;
}

static void put(struct eval *v, const void *bytes, size_t n)
{
    if (n)
        memcpy(v->file + v->used, bytes, n);
    v->used += n;
}

static void put_byte(struct eval *v, uint8_t byte)
{
    v->file[v->used++] = byte;
}

static void put_leb(struct eval *v, uint64_t value, bool is_signed)
{
    /* A sign bit that would be misread costs one more byte. */
    uint64_t limit = is_signed ? 0x40 : 0x80;
    bool negative = is_signed && (int64_t)value < 0;

    while (negative ? (int64_t)value < -(int64_t)limit : value >= limit) {
        put_byte(v, (uint8_t)(value | 0x80));
        value = negative ? (uint64_t)((int64_t)value >> 7) : value >> 7;
    }
    put_byte(v, value & 0x7f);
}

/* Room an entry's fixed parts need at most. */
#define CIE_ROOM 48
#define FDE_ROOM 32

static void set_length(struct eval *v, uint32_t at)
{
    uint32_t length = (uint32_t)(v->used - at - sizeof(length));

    memcpy(v->file + at, &length, sizeof(length));
}

static uint32_t put_cie(struct eval *v, const struct frames_cie *cie)
{
    /*
     * libdw starts from the ABI's defaults, but its x86-64 table names register 0 where rbx, number 3, is
     * meant: say here that a function preserves rbx (backends/x86_64_cfi.c of elfutils 0.188).
     */
    static const uint8_t keep_rbx[] = {DW_CFA_same_value, ARCH_REG_RBX};
    uint32_t at = (uint32_t)v->used;
    uint32_t zero = 0;

    put(v, &zero, sizeof(zero));
    put(v, &zero, sizeof(zero)); /* id */
    put_byte(v, 1);              /* version */
    put(v, cie->signal ? "zRS" : "zR", cie->signal ? 4 : 3);
    put_leb(v, cie->code_align, false);
    put_leb(v, (uint64_t)cie->data_align, true);
    put_byte(v, (uint8_t)cie->return_column);
    put_byte(v, 1);
    put_byte(v, DW_EH_PE_absptr);
    put(v, keep_rbx, sizeof(keep_rbx));
    put(v, cie->program, cie->program_bytes);
    set_length(v, at);
    return at;
}

static uint32_t put_fde(struct eval *v, const struct frames_fde *fde, uint32_t cie_at)
{
    uint32_t at = (uint32_t)v->used;
    uint32_t distance = at + 4 - cie_at;
    uint64_t range = fde->end - fde->start;

    put(v, &distance, sizeof(distance)); /* the length comes last */
    put(v, &distance, sizeof(distance));
    put(v, &fde->start, sizeof(fde->start));
    put(v, &range, sizeof(range));
    put_byte(v, 0); /* augmentation data */
    put(v, fde->program, fde->program_bytes);
    set_length(v, at);
    return at;
}

/* The same offset may name an entry of each of the two sections. */
static uint64_t entry_key(uint64_t offset, bool debug)
{
    return offset << 1 | debug;
}

/* Points the table's line at a copy of the FDE. */
static bool show(struct eval *v, const struct frames_fde *fde, bool debug)
{
    uint64_t fde_key = entry_key(fde->offset, debug), cie_key = entry_key(fde->cie_offset, debug);
    struct eval_copy *f = &v->fde[hash_u64(fde_key) % ARRAY_LEN(v->fde)];
    struct eval_copy *c = &v->cie[hash_u64(cie_key) % ARRAY_LEN(v->cie)];
    size_t room = CIE_ROOM + fde->cie.program_bytes + FDE_ROOM + fde->program_bytes;
    struct table *table;
    uint64_t at;

    if ((!v->cfi || room > v->bytes - v->used) && !start_file(v, room))
        return false;
    if (f->generation != v->generation || f->offset != fde_key) {
        if (c->generation != v->generation || c->offset != cie_key)
            *c = (struct eval_copy){
                .offset = cie_key, .at = put_cie(v, &fde->cie), .generation = v->generation};
        *f = (struct eval_copy){.offset = fde_key, .at = put_fde(v, fde, c->at), .generation = v->generation};
    }
    table = (struct table *)(v->file + offsetof(struct head, table));
    at = f->at;
    memcpy(table->start, &fde->start, sizeof(table->start));
    memcpy(table->fde, &at, sizeof(table->fde));
    return true;
}

static Dwarf_Frame *frame_at(struct eval *v, const struct frames_fde *fde, bool debug, uint64_t addr)
{
    Dwarf_Frame *frame = NULL;

    if (!show(v, fde, debug))
        return NULL;
    if (dwarf_cfi_addrframe(v->cfi, addr, &frame) == 0)
        return frame;
    /* FDEs that overlap upset libdw's tree of those it has seen: ask once more with this one alone. */
    close_libdw(v);
    if (!show(v, fde, debug) || dwarf_cfi_addrframe(v->cfi, addr, &frame) != 0)
        return NULL;
    return frame;
}

/* Copies an expression into the draft; false when it is too long. */
static bool take_ops(struct rules_draft *d, const Dwarf_Op *ops, size_t n, struct cfi_place *out)
{
    if (n > RULES_OPS_MAX - d->ops)
        return false;
    out->ops = (uint16_t)n;
    out->op = d->op + d->ops;
    for (size_t i = 0; i < n; i++)
        d->op[d->ops++] = (struct cfi_op){.atom = ops[i].atom,
                                          .number = ops[i].number,
                                          .number2 = ops[i].number2,
                                          .offset = (uint32_t)ops[i].offset};
    return true;
}

/* "CFA", "CFA + n", and either as a value: what offset(n) and val_offset(n) become in libdw. */
static bool take_cfa_based(const Dwarf_Op *ops, size_t n, struct cfi_place *out)
{
    bool value = n > 1 && ops[n - 1].atom == DW_OP_stack_value;

    n -= value;
    if (ops[0].atom != DW_OP_call_frame_cfa || n > 2 || (n == 2 && ops[1].atom != DW_OP_plus_uconst))
        return false;
    out->how = value ? CFI_HOW_CFA_PLUS : CFI_HOW_AT_CFA;
    out->offset = n == 2 ? (int64_t)ops[1].number : 0; /* a negative number comes as its two's complement */
    return true;
}

static bool take_register(struct rules_draft *d, Dwarf_Frame *frame, int column, struct cfi_place *out)
{
    Dwarf_Op memory[3], *ops;
    size_t n;
    uint64_t reg;

    *out = (struct cfi_place){0};
    if (dwarf_frame_register(frame, column, memory, &ops, &n) < 0)
        return false;
    if (n == 0) {
        out->how = ops ? CFI_HOW_UNDEFINED : CFI_HOW_SAME;
        return true;
    }
    if (take_cfa_based(ops, n, out))
        return true;
    if (n == 1 && ops == memory && ops[0].atom == DW_OP_regx) {
        reg = ops[0].number;
        out->how = reg < ARCH_REG_COUNT ? CFI_HOW_REG : CFI_HOW_UNDEFINED;
        out->reg = (uint8_t)(reg < ARCH_REG_COUNT ? reg : 0);
        return true;
    }
    out->how = CFI_HOW_AT_EXPR;
    if (ops[n - 1].atom == DW_OP_stack_value) {
        out->how = CFI_HOW_EXPR;
        n--;
    }
    return take_ops(d, ops, n, out);
}

static bool take_cfa(struct rules_draft *d, Dwarf_Frame *frame, struct cfi_place *out)
{
    Dwarf_Op *ops;
    size_t n;
    bool indexed;

    *out = (struct cfi_place){0};
    if (dwarf_frame_cfa(frame, &ops, &n) < 0 || n == 0)
        return false;
    indexed = ops[0].atom == DW_OP_bregx;
    if (n == 1 && (indexed || (ops[0].atom >= DW_OP_breg0 && ops[0].atom <= DW_OP_breg31))) {
        uint64_t reg = indexed ? ops[0].number : (uint64_t)ops[0].atom - DW_OP_breg0;

        if (reg >= ARCH_REG_COUNT)
            return false;
        out->how = CFI_HOW_REG;
        out->reg = (uint8_t)reg;
        out->offset = (int64_t)(indexed ? ops[0].number2 : ops[0].number);
        return true;
    }
    out->how = CFI_HOW_EXPR;
    return take_ops(d, ops, n, out);
}

/* Registers a call may change need no place in a compact rule, unless the function says where they are. */
static bool fits_default(int reg, const struct cfi_place *p)
{
    if (reg == ARCH_REG_SP)
        return p->how == CFI_HOW_CFA_PLUS && p->offset == 0;
    return p->how == CFI_HOW_SAME || p->how == CFI_HOW_UNDEFINED;
}

static bool fits_saved(const struct cfi_place *p, int16_t *words)
{
    *words = CFI_SAME;
    if (p->how == CFI_HOW_SAME)
        return true;
    if (p->how != CFI_HOW_AT_CFA || p->offset % ARCH_WORD_BYTES != 0 ||
        p->offset / ARCH_WORD_BYTES <= CFI_SAME || p->offset / ARCH_WORD_BYTES > INT16_MAX)
        return false;
    *words = (int16_t)(p->offset / ARCH_WORD_BYTES);
    return true;
}

/* Writes the compact form of d->full into d->rule; false when it has none. */
static bool make_compact(struct rules_draft *d)
{
    static const uint8_t saved_regs[ARCH_SAVED_COUNT] = ARCH_SAVED_REGS;
    const struct cfi_place *cfa = &d->full.cfa;
    bool is_saved[ARCH_REG_COUNT] = {false};

    if (cfa->how != CFI_HOW_REG || cfa->offset < INT32_MIN || cfa->offset > INT32_MAX)
        return false;
    for (int i = 0; i < ARCH_SAVED_COUNT; i++) {
        is_saved[saved_regs[i]] = true;
        if (!fits_saved(&d->full.reg[saved_regs[i]], &d->rule.saved[i]))
            return false;
    }
    for (int i = 0; i < ARCH_REG_COUNT; i++)
        if (!is_saved[i] && !fits_default(i, &d->full.reg[i]))
            return false;
    d->rule.cfa = CFI_REG_OFFSET;
    d->rule.cfa_reg = cfa->reg;
    d->rule.cfa_offset = (int32_t)cfa->offset;
    return true;
}

static void make_full(struct rules_draft *d)
{
    memset(d->rule.saved, 0, sizeof(d->rule.saved));
    d->rule.cfa = CFI_FULL;
}

static void take_rule(struct rules_draft *d, Dwarf_Frame *frame, int return_column)
{
    if (return_column < 0 || !take_register(d, frame, return_column, &d->full.reg[ARCH_REG_PC]))
        return;
    if (d->full.reg[ARCH_REG_PC].how == CFI_HOW_UNDEFINED) {
        d->rule.cfa = CFI_END;
        return;
    }
    if (!take_cfa(d, frame, &d->full.cfa))
        return;
    for (int i = 0; i < ARCH_REG_PC; i++)
        if (!take_register(d, frame, i, &d->full.reg[i]))
            return;
    if (!make_compact(d))
        make_full(d);
}

void eval_rule(struct eval *v, const struct frames_fde *fde, bool debug, uint64_t addr, uint64_t *end)
{
    Dwarf_Frame *frame = frame_at(v, fde, debug, addr);
    Dwarf_Addr from, to;
    bool signal;
    int column;

    if (!v->draft)
        v->draft = base_alloc(sizeof(*v->draft));
    v->draft->rule = (struct cfi_rule){.cfa = CFI_NONE};
    v->draft->ops = 0;
    *end = addr + 1;
    if (!frame)
        return;
    /* Its start is wrong after DW_CFA_restore_state, so only the end is used. */
    column = dwarf_frame_info(frame, &from, &to, &signal);
    if (column >= 0 && to > addr)
        *end = MIN_OF(to, fde->end);
    v->draft->rule.signal_frame = fde->cie.signal;
    take_rule(v->draft, frame, column);
    if (v->draft->rule.cfa == CFI_NONE)
        v->draft->rule.signal_frame = false;
    free(frame);
}
