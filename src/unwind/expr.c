/*
 * expr.c - a small machine for DWARF expressions (DWARF 5, section 2.5): integers, registers, the stack copy
 *
 * Everything comes from a file of unknown origin: depth and steps are bounded, register numbers and divisors
 * checked, and arithmetic wraps on unsigned numbers.
 */
#include "expr.h"

#include <dwarf.h>

#define MAX_DEPTH 64

struct machine {
    const struct expr_input *in;
    const struct cfi_place *place;
    uint32_t next; /* operation to run */
    uint32_t depth;
    uint64_t value[MAX_DEPTH];
};

static enum unwind_stop push(struct machine *m, uint64_t value)
{
    if (m->depth == MAX_DEPTH)
        return UNWIND_BAD_STATE;
    m->value[m->depth++] = value;
    return UNWIND_GOES_ON;
}

/* The nth value from the top; the caller has checked the depth. */
static uint64_t *top(struct machine *m, uint32_t nth)
{
    return &m->value[m->depth - 1 - nth];
}

static enum unwind_stop push_register(struct machine *m, uint64_t reg, uint64_t offset)
{
    if (reg >= ARCH_REG_COUNT || !(m->in->regs->known & (1U << reg)))
        return UNWIND_BAD_STATE;
    return push(m, m->in->regs->r[reg] + offset);
}

static enum unwind_stop read_bytes(struct machine *m, uint64_t bytes)
{
    uint64_t word, addr = *top(m, 0);
    enum unwind_stop stop;

    if (bytes == 0 || bytes > sizeof(word))
        return UNWIND_BAD_STATE;
    stop = stack_read(m->in->stack, addr, &word);
    if (stop == UNWIND_GOES_ON)
        *top(m, 0) = bytes == sizeof(word) ? word : word & ((1ULL << (8 * bytes)) - 1); /* little-endian */
    return stop;
}

/* Branches count in bytes from the end of their own three bytes. To the end of the expression is allowed. */
static enum unwind_stop jump(struct machine *m, const struct cfi_op *op)
{
    const struct cfi_place *p = m->place;
    int64_t target = (int64_t)op->offset + 3 + (int16_t)op->number;

    if (target > p->op[p->ops - 1].offset) {
        m->next = p->ops;
        return UNWIND_GOES_ON;
    }
    for (uint32_t i = p->ops;
         i-- > 0;) { /* from the end: the prefix libdw adds shares offset 0 with what follows */
        if (p->op[i].offset == target) {
            m->next = i;
            return UNWIND_GOES_ON;
        }
    }
    return UNWIND_BAD_STATE;
}

static uint64_t shift_right_signed(uint64_t a, uint64_t by)
{
    uint64_t sign = a >> 63 ? UINT64_MAX : 0;

    if (by == 0)
        return a;
    return by > 63 ? sign : a >> by | sign << (64 - by);
}

static enum unwind_stop divide(struct machine *m, uint8_t atom, uint64_t a, uint64_t b)
{
    if (b == 0)
        return UNWIND_BAD_STATE;
    if (atom == DW_OP_mod)
        *top(m, 0) = a % b;
    else /* signed; INT64_MIN / -1 would trap */
        *top(m, 0) = b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
    return UNWIND_GOES_ON;
}

static bool compare(uint8_t atom, int64_t a, int64_t b)
{
    switch (atom) {
    case DW_OP_eq:
        return a == b;
    case DW_OP_ne:
        return a != b;
    case DW_OP_lt:
        return a < b;
    case DW_OP_le:
        return a <= b;
    case DW_OP_gt:
        return a > b;
    default:
        return a >= b;
    }
}

static uint64_t arithmetic(uint8_t atom, uint64_t a, uint64_t b)
{
    switch (atom) {
    case DW_OP_plus:
        return a + b;
    case DW_OP_minus:
        return a - b;
    case DW_OP_mul:
        return a * b;
    case DW_OP_and:
        return a & b;
    case DW_OP_or:
        return a | b;
    case DW_OP_xor:
        return a ^ b;
    case DW_OP_shl:
        return b > 63 ? 0 : a << b;
    case DW_OP_shr:
        return b > 63 ? 0 : a >> b;
    default:
        return shift_right_signed(a, b);
    }
}

/* Two operands, one result: a is the former second, b the former top. */
static enum unwind_stop binary(struct machine *m, uint8_t atom)
{
    uint64_t a, b;

    if (m->depth < 2)
        return UNWIND_BAD_STATE;
    b = m->value[--m->depth];
    a = *top(m, 0);
    if (atom == DW_OP_div || atom == DW_OP_mod)
        return divide(m, atom, a, b);
    if (atom >= DW_OP_eq && atom <= DW_OP_ne)
        *top(m, 0) = compare(atom, (int64_t)a, (int64_t)b);
    else
        *top(m, 0) = arithmetic(atom, a, b);
    return UNWIND_GOES_ON;
}

static enum unwind_stop unary(struct machine *m, const struct cfi_op *op)
{
    uint64_t *value;

    if (m->depth == 0)
        return UNWIND_BAD_STATE;
    value = top(m, 0);
    switch (op->atom) {
    case DW_OP_plus_uconst:
        *value += op->number;
        break;
    case DW_OP_neg:
        *value = 0 - *value;
        break;
    case DW_OP_not:
        *value = ~*value;
        break;
    case DW_OP_abs:
        *value = *value >> 63 ? 0 - *value : *value;
        break;
    case DW_OP_deref:
        return read_bytes(m, ARCH_WORD_BYTES);
    case DW_OP_deref_size:
        return read_bytes(m, op->number);
    default:
        return UNWIND_BAD_STATE;
    }
    return UNWIND_GOES_ON;
}

static enum unwind_stop rearrange(struct machine *m, const struct cfi_op *op)
{
    static const uint8_t least[] = {
        [DW_OP_dup] = 1, [DW_OP_drop] = 1, [DW_OP_over] = 2, [DW_OP_swap] = 2, [DW_OP_rot] = 3};
    uint64_t first;

    if (op->atom == DW_OP_pick)
        return op->number < m->depth ? push(m, *top(m, (uint32_t)op->number)) : UNWIND_BAD_STATE;
    if (m->depth < least[op->atom])
        return UNWIND_BAD_STATE;
    first = *top(m, 0);
    switch (op->atom) {
    case DW_OP_dup:
        return push(m, first);
    case DW_OP_over:
        return push(m, *top(m, 1));
    case DW_OP_drop:
        m->depth--;
        break;
    case DW_OP_swap:
        *top(m, 0) = *top(m, 1);
        *top(m, 1) = first;
        break;
    default: /* DW_OP_rot: the top becomes the third */
        *top(m, 0) = *top(m, 1);
        *top(m, 1) = *top(m, 2);
        *top(m, 2) = first;
    }
    return UNWIND_GOES_ON;
}

/* libdw widens constants by their kind, but what arrives here may come from elsewhere: narrow and widen
 * again. */
static uint64_t constant(const struct cfi_op *op)
{
    switch (op->atom) {
    case DW_OP_const1u:
        return (uint8_t)op->number;
    case DW_OP_const1s:
        return (uint64_t)(int64_t)(int8_t)op->number;
    case DW_OP_const2u:
        return (uint16_t)op->number;
    case DW_OP_const2s:
        return (uint64_t)(int64_t)(int16_t)op->number;
    case DW_OP_const4u:
        return (uint32_t)op->number;
    case DW_OP_const4s:
        return (uint64_t)(int64_t)(int32_t)op->number;
    default:
        return op->number;
    }
}

static enum unwind_stop branch_if(struct machine *m, const struct cfi_op *op)
{
    if (m->depth == 0)
        return UNWIND_BAD_STATE;
    return m->value[--m->depth] != 0 ? jump(m, op) : UNWIND_GOES_ON;
}

static enum unwind_stop run(struct machine *m, const struct cfi_op *op)
{
    switch (op->atom) {
    case DW_OP_lit0 ... DW_OP_lit31:
        return push(m, op->atom - DW_OP_lit0);
    case DW_OP_const1u ... DW_OP_consts:
        return push(m, constant(op));
    case DW_OP_breg0 ... DW_OP_breg31:
        return push_register(m, op->atom - DW_OP_breg0, op->number);
    case DW_OP_bregx:
        return push_register(m, op->number, op->number2);
    case DW_OP_call_frame_cfa:
        return m->in->cfa_known ? push(m, m->in->cfa) : UNWIND_BAD_STATE;
    case DW_OP_dup:
    case DW_OP_drop:
    case DW_OP_over:
    case DW_OP_pick:
    case DW_OP_swap:
    case DW_OP_rot:
        return rearrange(m, op);
    case DW_OP_abs:
    case DW_OP_neg:
    case DW_OP_not:
    case DW_OP_plus_uconst:
    case DW_OP_deref:
    case DW_OP_deref_size:
        return unary(m, op);
    case DW_OP_skip:
        return jump(m, op);
    case DW_OP_bra:
        return branch_if(m, op);
    case DW_OP_nop:
    case DW_OP_stack_value:
        return UNWIND_GOES_ON; /* libdw marks value expressions so at their end */
    case DW_OP_and:
    case DW_OP_div:
    case DW_OP_minus:
    case DW_OP_mod:
    case DW_OP_mul:
    case DW_OP_or:
    case DW_OP_plus:
    case DW_OP_shl ... DW_OP_xor:
    case DW_OP_eq ... DW_OP_ne:
        return binary(m, op->atom);
    default:
        return UNWIND_BAD_STATE;
    }
}

enum unwind_stop expr_eval(const struct cfi_place *place, const struct expr_input *in, uint32_t *ops_left,
                           uint64_t *out)
{
    struct machine m;
    enum unwind_stop stop;

    m.in = in;
    m.place = place;
    m.next = m.depth = 0;
    while (m.next < place->ops) {
        if (*ops_left == 0)
            return UNWIND_BAD_STATE;
        --*ops_left;
        stop = run(&m, &place->op[m.next++]);
        if (stop != UNWIND_GOES_ON)
            return stop;
    }
    if (m.depth == 0)
        return UNWIND_BAD_STATE;
    *out = *top(&m, 0);
    return UNWIND_GOES_ON;
}
