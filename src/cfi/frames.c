/*
 * frames.c - CIEs and FDEs taken apart, each field checked against the bytes it lies in
 */
#include "frames.h"

#include <dwarf.h>
#include <string.h>

#include "ringside/base.h"

/* libdw makes room for every register up to the highest one named, and for every remembered state. */
#define REGISTER_MAX  255U /* x86-64 defines numbers below 145 */
#define REMEMBER_MAX  32   /* compilers nest one deep */
#define LEB_BYTES_MAX 10   /* where libdw stops reading one number */

#define CIE_PROGRAM_MAX 4096U
#define FDE_PROGRAM_MAX (256U << 10)

struct cursor {
    const uint8_t *at, *end;
    bool bad; /* something reached past the end; everything read since is 0 */
};

static inline uint64_t take(struct cursor *c, unsigned bytes)
{
    uint64_t value = 0;

    if (c->bad || (size_t)(c->end - c->at) < bytes) {
        c->bad = true;
        return 0;
    }
    memcpy(&value, c->at, bytes);
    c->at += bytes;
    return value;
}

static void skip(struct cursor *c, uint64_t bytes)
{
    if (c->bad || (uint64_t)(c->end - c->at) < bytes)
        c->bad = true;
    else
        c->at += bytes;
}

static uint64_t take_leb(struct cursor *c, bool is_signed)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < LEB_BYTES_MAX; i++) {
        uint64_t byte = take(c, 1);

        value |= (byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (is_signed && (byte & 0x40) && 7 * (i + 1) < 64)
            value |= ~0ULL << (7 * (i + 1));
        return value;
    }
    c->bad = true;
    return 0;
}

/*
 * Operands of DW_CFA_* instructions whose upper two bits are 0: u and s are LEB128 numbers, r a register, b a
 * block. take_extended() has the usual ones. The ones left out are refused: DW_CFA_set_loc (an encoded
 * address, which eval.c could not copy) and those of other processors.
 */
static const char *const operands[] = {
    [DW_CFA_offset_extended] = "ru",
    [DW_CFA_restore_extended] = "r",
    [DW_CFA_undefined] = "r",
    [DW_CFA_same_value] = "r",
    [DW_CFA_register] = "rr",
    [DW_CFA_def_cfa] = "ru",
    [DW_CFA_def_cfa_register] = "r",
    [DW_CFA_def_cfa_expression] = "b",
    [DW_CFA_expression] = "rb",
    [DW_CFA_offset_extended_sf] = "rs",
    [DW_CFA_def_cfa_sf] = "rs",
    [DW_CFA_def_cfa_offset_sf] = "s",
    [DW_CFA_val_offset] = "ru",
    [DW_CFA_val_offset_sf] = "rs",
    [DW_CFA_val_expression] = "rb",
    [DW_CFA_GNU_args_size] = "u",
    [DW_CFA_GNU_negative_offset_extended] = "ru",
};

struct check {
    struct cursor c;
    uint64_t code_align, at, stop; /* addresses: of the row being made, and where no further row matters */
    int remembered;
    struct frames_uses uses;
};

/* The arithmetic is libdw's, which stops at the same instruction. */
static inline void advance(struct check *k, uint64_t by)
{
    k->at += by * k->code_align;
    if (k->at > k->stop)
        k->c.end = k->c.at;
}

static void take_operand(struct check *k, char kind)
{
    uint64_t reg;

    switch (kind) {
    case 'r':
        reg = take_leb(&k->c, false);
        k->c.bad |= reg > REGISTER_MAX;
        k->uses.registers |= reg < 64 ? 1ULL << reg : 0;
        return;
    case 'u':
    case 's':
        take_leb(&k->c, false);
        return;
    case 'b':
        k->uses.expressions = true;
        skip(&k->c, take_leb(&k->c, false));
        return;
    default:
        k->c.bad = true;
    }
}

static void take_operands(struct check *k, uint8_t op)
{
    const char *kind = op < ARRAY_LEN(operands) ? operands[op] : NULL;

    k->c.bad |= !kind;
    for (; kind && *kind; kind++)
        take_operand(k, *kind);
}

/* A number of one byte is nearly all there is. */
static inline void skip_leb(struct cursor *c)
{
    if (c->at < c->end && *c->at < 0x80)
        c->at++;
    else
        take_leb(c, false);
}

/* One whose upper two bits are 0. */
static inline void take_extended(struct check *k, uint8_t op)
{
    switch (op) {
    case DW_CFA_nop:
        return;
    case DW_CFA_def_cfa_offset:
        skip_leb(&k->c);
        return;
    case DW_CFA_advance_loc1:
        advance(k, take(&k->c, 1));
        return;
    case DW_CFA_advance_loc2:
        advance(k, take(&k->c, 2));
        return;
    case DW_CFA_advance_loc4:
        advance(k, take(&k->c, 4));
        return;
    case DW_CFA_remember_state:
        k->c.bad |= ++k->remembered > REMEMBER_MAX;
        return;
    case DW_CFA_restore_state:
        k->c.bad |= --k->remembered < 0;
        return;
    default:
        take_operands(k, op);
    }
}

/* Every row that is met comes through here, so the usual instructions have ways of their own. */
static void check(struct check *k)
{
    while (k->c.at < k->c.end && !k->c.bad) {
        uint8_t op = *k->c.at++;

        if (op >= DW_CFA_offset) { /* or DW_CFA_restore: the register is in the byte */
            k->uses.registers |= 1ULL << (op & 0x3f);
            if (op < DW_CFA_restore)
                skip_leb(&k->c);
        } else if (op >= DW_CFA_advance_loc)
            advance(k, op & 0x3f);
        else
            take_extended(k, op);
    }
}

bool frames_check(const uint8_t *program, size_t bytes)
{
    struct check k = {.c = {.at = program, .end = program + bytes}, .stop = UINT64_MAX};

    check(&k);
    return !k.c.bad;
}

bool frames_check_to(struct frames_fde *fde, uint64_t addr)
{
    struct check k = {.c = {.at = fde->program, .end = fde->program + fde->program_bytes},
                      .code_align = fde->cie.code_align,
                      .stop = addr - fde->start};

    check(&k);
    fde->program_bytes = (size_t)(k.c.at - fde->program);
    fde->uses = k.uses;
    return !k.c.bad;
}

/* Bytes of an encoded pointer's value; 0 for forms no x86-64 tool writes in frames. */
static unsigned encoded_bytes(uint8_t encoding)
{
    switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        return 8;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4:
        return 4;
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2:
        return 2;
    default:
        return 0;
    }
}

static uint64_t take_encoded(struct cursor *c, const struct frames *f, uint8_t encoding)
{
    uint64_t here = f->vaddr + (uint64_t)(c->at - f->data), value;

    switch (encoding & 0x0f) {
    case DW_EH_PE_sdata4: /* what linkers write */
        value = (uint64_t)(int32_t)take(c, 4);
        break;
    case DW_EH_PE_sdata2:
        value = (uint64_t)(int16_t)take(c, 2);
        break;
    default:
        value = take(c, encoded_bytes(encoding));
        c->bad |= !encoded_bytes(encoding);
    }
    if ((encoding & 0x70) == DW_EH_PE_pcrel)
        return value + here;
    c->bad |= (encoding & 0xf0) != DW_EH_PE_absptr;
    return value;
}

/* What the letters of an augmentation say; false for one whose FDEs cannot be read. */
static bool take_augmentation(struct cursor *c, const char *letters, struct frames_cie *out)
{
    struct cursor data;
    uint64_t bytes;
    uint8_t encoding;

    out->encoding = DW_EH_PE_absptr;
    if (!*letters)
        return true;
    if (*letters++ != 'z') /* "eh" of GCC 2, or unknown: its data has no length */
        return false;
    out->sized = true;
    bytes = take_leb(c, false);
    data = *c;
    skip(c, bytes);
    if (c->bad)
        return false;
    data.end = c->at;
    for (; *letters; letters++) {
        if (*letters == 'S')
            out->signal = true;
        else if (*letters == 'R')
            out->encoding = (uint8_t)take(&data, 1);
        else if (*letters == 'L')
            take(&data, 1);
        else if (*letters == 'P') {
            encoding = (uint8_t)take(&data, 1);
            skip(&data, encoded_bytes(encoding));
            data.bad |= !encoded_bytes(encoding);
        } else
            break; /* the length covers what is not known */
    }
    return !data.bad;
}

/* The part of an entry behind its length and id. */
static bool read_cie(struct cursor c, bool debug, struct frames_cie *out)
{
    uint64_t version = take(&c, 1);
    const char *letters = (const char *)c.at;
    const uint8_t *end = c.bad ? NULL : memchr(c.at, 0, (size_t)(c.end - c.at));

    *out = (struct frames_cie){0};
    if (!end || (version != 1 && version != 3 && !(version == 4 && debug)))
        return false;
    c.at = end + 1;
    if (version == 4 && (take(&c, 1) != 8 || take(&c, 1) != 0)) /* address size, segment selector size */
        return false;
    out->code_align = take_leb(&c, false);
    out->data_align = (int64_t)take_leb(&c, true);
    out->return_column = version == 1 ? take(&c, 1) : take_leb(&c, false);
    if (!take_augmentation(&c, letters, out) || c.bad || out->return_column > REGISTER_MAX)
        return false;
    out->program = c.at;
    out->program_bytes = (size_t)(c.end - c.at);
    return out->program_bytes <= CIE_PROGRAM_MAX && frames_check(out->program, out->program_bytes);
}

struct entry {
    struct cursor body; /* behind the id */
    uint64_t id;
    uint64_t id_offset; /* of the id field in the section */
    bool is_cie;
};

/* Splits off length and id; false when there is no further entry. */
static bool read_entry(const struct frames *f, uint64_t offset, struct entry *out, uint64_t *next)
{
    struct cursor c = {.at = f->data + MIN_OF(offset, f->bytes), .end = f->data + f->bytes};
    uint64_t length = take(&c, 4);
    bool wide = length == 0xffffffff;

    if (wide)
        length = take(&c, 8);
    if (c.bad || length == 0 || length > (uint64_t)(c.end - c.at))
        return false;
    c.end = c.at + length;
    *next = (uint64_t)(c.end - f->data);
    out->id_offset = (uint64_t)(c.at - f->data);
    /* The id has four bytes in .eh_frame even when the length has eight (LSB 10.6.1); libdw and gas disagree,
     * nobody writes it. */
    if (wide && !f->debug)
        c.bad = true;
    out->id = take(&c, wide ? 8 : 4);
    out->is_cie = f->debug ? out->id == (wide ? ~0ULL : 0xffffffffULL) : out->id == 0;
    out->body = c;
    return true;
}

/* The CIE at an offset; NULL when there is none that can be used. */
static const struct frames_cie *find_cie(struct frames *f, uint64_t offset)
{
    struct frames_known *known = &f->known[hash_u64(offset) % FRAMES_CIES_KNOWN];
    struct entry e;
    uint64_t next;

    if (known->is_set && known->offset == offset)
        return &known->cie;
    known->is_set = read_entry(f, offset, &e, &next) && e.is_cie && read_cie(e.body, f->debug, &known->cie);
    known->offset = offset;
    return known->is_set ? &known->cie : NULL;
}

static bool read_fde(struct frames *f, struct entry *e, struct frames_fde *out)
{
    struct cursor c = e->body;
    const struct frames_cie *cie;

    if (!f->debug && e->id > e->id_offset)
        return false;
    cie = find_cie(f, f->debug ? e->id : e->id_offset - e->id);
    if (!cie)
        return false;
    out->cie = *cie;
    out->start = take_encoded(&c, f, cie->encoding);
    out->end = out->start + take_encoded(&c, f, cie->encoding & 0x0f);
    if (cie->sized)
        skip(&c, take_leb(&c, false));
    if (c.bad || out->end <= out->start)
        return false;
    out->program = c.at;
    out->program_bytes = (size_t)(c.end - c.at);
    return out->program_bytes <= FDE_PROGRAM_MAX;
}

enum frames_entry frames_read(struct frames *f, uint64_t offset, struct frames_fde *out, uint64_t *next)
{
    struct entry e;

    if (!read_entry(f, offset, &e, next))
        return FRAMES_END;
    if (e.body.bad)
        return FRAMES_BAD;
    if (e.is_cie)
        return FRAMES_CIE;
    out->offset = offset;
    return read_fde(f, &e, out) ? FRAMES_FDE : FRAMES_BAD;
}
