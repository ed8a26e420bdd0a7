/*
 * test_unwind_full.c - rules that are not compact: expressions, signal frames
 */
#include "ringside/base.h"
#include "unwind_world.h"

#include <dwarf.h>

#define F          0x402000
#define G          0x403000
#define START      0x404000
#define TRAMPOLINE 0x405000

static struct world w;

static void start_at(uint64_t pc)
{
    world_init(&w, pc);
    world_add(&w, START, (struct cfi_rule)RULE_END);
}

static struct cfi_place expression(enum cfi_how how, const struct cfi_op *op, uint16_t ops)
{
    return (struct cfi_place){.how = (uint8_t)how, .op = op, .ops = ops};
}

/* All the same, return address below the CFA. */
static struct cfi_full plain_full(const struct cfi_op *cfa, uint16_t ops)
{
    struct cfi_full full = {.cfa = expression(CFI_HOW_EXPR, cfa, ops)};

    full.reg[ARCH_REG_SP] = (struct cfi_place){.how = CFI_HOW_CFA_PLUS};
    full.reg[ARCH_REG_PC] = (struct cfi_place){.how = CFI_HOW_AT_CFA, .offset = -8};
    return full;
}

static struct cfi_rule full_rule(const struct cfi_full *full)
{
    return (struct cfi_rule){.cfa = CFI_FULL, .full = full};
}

/* What binutils writes for .plt: 8 more bytes from the stub's 11th byte on, after its push. */
static const struct cfi_op plt_cfa[] = {
    {DW_OP_breg7, 8, 0, 0}, {DW_OP_breg16, 0, 0, 2}, {DW_OP_lit15, 0, 0, 4},
    {DW_OP_and, 0, 0, 5},   {DW_OP_lit11, 0, 0, 6},  {DW_OP_ge, 0, 0, 7},
    {DW_OP_lit3, 0, 0, 8},  {DW_OP_shl, 0, 0, 9},    {DW_OP_plus, 0, 0, 10},
};

TEST(unwind__plt_stub_is_left_before_and_after_its_push)
{
    struct cfi_full full = plain_full(plt_cfa, ARRAY_LEN(plt_cfa));

    start_at(F + 0x6);
    world_add(&w, F, full_rule(&full));
    w.word[0] = START + 1;
    w.word[1] = START + 2;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.frame[1].pc, START + 1);

    w.regs.r[ARCH_REG_PC] = F + 0xb;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.frame[1].pc, START + 2);
    assert_int_equal(w.frame[0].cfa, word_at(2));
}

/* ---- signal frames: as glibc describes __restore_rt ---- */

#define UCONTEXT        10 /* word of the stack where the trampoline's frame begins */
#define SAVED_WORD(reg) (UCONTEXT + arch_sigreturn_offset(reg) / 8)

static struct cfi_op signal_ops[ARCH_REG_COUNT];
static const struct cfi_op signal_cfa[] = {{DW_OP_breg7, 160, 0, 0}, {DW_OP_deref, 0, 0, 3}};

static struct cfi_full signal_full(void)
{
    struct cfi_full full = {.cfa = expression(CFI_HOW_EXPR, signal_cfa, ARRAY_LEN(signal_cfa))};

    for (unsigned reg = 0; reg < ARCH_REG_COUNT; reg++) {
        signal_ops[reg] = (struct cfi_op){DW_OP_breg7, arch_sigreturn_offset(reg), 0, 0};
        full.reg[reg] = expression(CFI_HOW_AT_EXPR, &signal_ops[reg], 1);
    }
    return full;
}

/* A handler f, interrupting g at its first instruction. */
static void signal_world(const struct cfi_full *full)
{
    struct cfi_rule trampoline = full_rule(full);

    start_at(F + 9);
    trampoline.signal_frame = true;
    world_add(&w, F, (struct cfi_rule)RULE_RSP(8 * UCONTEXT));
    world_add(&w, TRAMPOLINE, trampoline);
    world_add(&w, G, (struct cfi_rule)RULE_RSP(8));
    w.word[UCONTEXT - 1] = TRAMPOLINE + 1;
    w.word[SAVED_WORD(ARCH_REG_RIP)] = G;
    w.word[SAVED_WORD(ARCH_REG_RSP)] = word_at(60);
    w.word[60] = START + 1;
}

TEST(unwind__signal_frame_is_crossed_and_interrupted_frame_is_exact)
{
    struct cfi_full full = signal_full();

    signal_world(&full);
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_false(w.frame[1].exact);
    assert_int_equal(w.frame[2].pc, G);
    assert_true(w.frame[2].exact);
    assert_int_equal(w.frame[2].where, G);
    assert_false(w.frame[3].exact);
}

TEST(unwind__registers_beyond_signal_frame_are_the_interrupted_ones)
{
    struct cfi_full full = signal_full();

    signal_world(&full);
    w.piece[w.pieces - 1].rule.cfa_reg = ARCH_REG_RBX;
    w.regs.r[ARCH_REG_RBX] = 0xdead;
    w.word[SAVED_WORD(ARCH_REG_RBX)] = word_at(70);
    w.word[70] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.frame[2].cfa, word_at(71));
}

/* The handler runs on an alternate stack: the interrupted one was not copied, whether it lies above or below.
 */
TEST(unwind__interrupted_stack_elsewhere_counts_as_ended)
{
    struct cfi_full full = signal_full();
    static const uint64_t elsewhere[] = {0x10000, STACK_BASE - 64, STACK_BASE + (1ULL << 40)};

    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
        signal_world(&full);
        w.word[SAVED_WORD(ARCH_REG_RSP)] = elsewhere[i];
        assert_int_equal(world_walk(&w), UNWIND_STACK_ENDED);
        assert_int_equal(w.count, 3);
        assert_int_equal(w.frame[2].pc, G);
    }
}

TEST(unwind__signal_frame_that_leads_to_itself_ends)
{
    struct cfi_full full = signal_full();

    signal_world(&full);
    w.word[SAVED_WORD(ARCH_REG_RIP)] = TRAMPOLINE;
    w.word[SAVED_WORD(ARCH_REG_RSP)] = word_at(UCONTEXT);
    assert_int_equal(world_walk(&w), UNWIND_NO_PROGRESS);
    assert_int_equal(w.count, 2);
}

/* SIGSEGV after a call through a null pointer: the interrupted pc is 0, its caller is known all the same. */
TEST(unwind__handler_of_a_null_call_shows_the_caller)
{
    struct cfi_full full = signal_full();

    signal_world(&full);
    w.word[SAVED_WORD(ARCH_REG_RIP)] = 0;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.frame[2].pc, 0);
    assert_int_equal(w.frame[3].how, UNWIND_BY_GUESS);
}

/* musl's trampoline has no call-frame information, and handlers return to its first byte. */
TEST(unwind__trampoline_without_information_is_known_by_its_code)
{
    signal_world(NULL);
    w.piece[2] = (struct piece){.start = TRAMPOLINE};
    WORLD_CODE(&w.piece[2], "\x90\x90\x90\x90\x90\x90\x90\x90\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05");
    w.word[UCONTEXT - 1] = TRAMPOLINE + 8;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_true(w.frame[1].exact);
    assert_int_equal(w.frame[2].pc, G);
    assert_true(w.frame[2].exact);
}

/* Go's has a row, which describes it as if it had been called. */
TEST(unwind__trampoline_described_like_a_function_is_known_by_its_code)
{
    signal_world(NULL);
    w.piece[2] = (struct piece){.start = 0x420000, .rule = RULE_RSP(8)}; /* nothing is known in front of it */
    WORLD_CODE(&w.piece[2], "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05");
    w.word[UCONTEXT - 1] = 0x420000;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.frame[2].pc, G);
    assert_true(w.frame[2].exact);
}

TEST(unwind__full_rule_leaves_popped_register_alone)
{
    static const struct cfi_op cfa[] = {{DW_OP_breg7, 8, 0, 0}};
    struct cfi_full full = plain_full(cfa, 1);

    full.reg[ARCH_REG_FP] = (struct cfi_place){.how = CFI_HOW_AT_CFA, .offset = -16};
    start_at(F + 9);
    world_add(&w, F, full_rule(&full));
    world_add(&w, G, (struct cfi_rule)RULE_RBP);
    w.regs.r[ARCH_REG_SP] = word_at(1);
    w.regs.r[ARCH_REG_FP] = word_at(20);
    w.word[1] = G + 7;
    w.word[21] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}

TEST(unwind__register_undefined_in_full_rule_is_missed_only_when_needed)
{
    static const struct cfi_op cfa[] = {{DW_OP_breg7, 8, 0, 0}};
    struct cfi_full full = plain_full(cfa, 1);

    full.reg[ARCH_REG_FP] = (struct cfi_place){.how = CFI_HOW_UNDEFINED};
    start_at(F + 9);
    world_add(&w, F, full_rule(&full));
    world_add(&w, G, (struct cfi_rule)RULE_RSP(8));
    w.word[0] = G + 7;
    w.word[1] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);

    w.piece[2].rule = (struct cfi_rule)RULE_RBP;
    assert_int_equal(world_walk(&w), UNWIND_BAD_STATE);
    assert_int_equal(w.count, 2);
}

TEST(unwind__full_rule_that_does_not_rise_ends_the_walk)
{
    static const struct cfi_op cfa[] = {{DW_OP_breg7, 0, 0, 0}};
    struct cfi_full full = plain_full(cfa, 1);

    full.reg[ARCH_REG_PC] = (struct cfi_place){.how = CFI_HOW_SAME};
    start_at(F + 9);
    world_add(&w, F, full_rule(&full));
    assert_int_equal(world_walk(&w), UNWIND_NO_PROGRESS);
}

/* ---- expressions: the value is taken for the caller's pc ---- */

/* With rbx = 100 and rdi the address of a word that holds 0x1122334455667788; 0 when the expression is
 * refused. */
static uint64_t value_of(const struct cfi_op *op, uint16_t ops)
{
    static const struct cfi_op cfa[] = {{DW_OP_breg7, 800, 0, 0}};
    struct cfi_full full = plain_full(cfa, 1);
    struct cfi_rule rule = full_rule(&full);

    full.reg[ARCH_REG_PC] = expression(CFI_HOW_EXPR, op, ops);
    rule.signal_frame = true; /* whatever the value is, it becomes a frame */
    start_at(F);
    world_add(&w, F, rule);
    w.regs.r[ARCH_REG_RBX] = 100;
    w.regs.r[ARCH_REG_RDI] = word_at(50);
    w.word[50] = 0x1122334455667788;
    world_walk(&w);
    return w.count > 1 ? w.frame[1].pc : 0;
}
#define VALUE(...)                                                                                           \
    ({                                                                                                       \
        const struct cfi_op ops_[] = {__VA_ARGS__};                                                          \
        value_of(ops_, ARRAY_LEN(ops_));                                                                     \
    })
#define OP(name)                                                                                             \
    {                                                                                                        \
        DW_OP_##name, 0, 0, 0                                                                                \
    }
#define OP1(name, n)                                                                                         \
    {                                                                                                        \
        DW_OP_##name, (uint64_t)(n), 0, 0                                                                    \
    }

TEST(unwind__expression_arithmetic)
{
    assert_int_equal(VALUE(OP1(const1u, 7), OP1(const1u, 5), OP(plus)), 12);
    assert_int_equal(VALUE(OP1(const1u, 7), OP1(const1u, 5), OP(minus)), 2);
    assert_int_equal(VALUE(OP1(const1u, 7), OP1(const1u, 5), OP(mul)), 35);
    assert_int_equal(VALUE(OP1(const1s, -35), OP1(const1u, 5), OP(div), OP(neg)), 7);
    assert_int_equal(VALUE(OP1(constu, 1ULL << 63), OP1(const1s, -1), OP(div)), 1ULL << 63);
    assert_int_equal(VALUE(OP1(const1u, 7), OP(lit5), OP(mod)), 2);
    assert_int_equal(VALUE(OP1(const1u, 6), OP(lit3), OP(and)), 2);
    assert_int_equal(VALUE(OP1(const1u, 6), OP(lit3), OP(or)), 7);
    assert_int_equal(VALUE(OP1(const1u, 6), OP(lit3), OP(xor)), 5);
    assert_int_equal(VALUE(OP(lit3), OP(lit4), OP(shl)), 48);
    assert_int_equal(VALUE(OP1(const1u, 48), OP(lit4), OP(shr)), 3);
    assert_int_equal(VALUE(OP1(const1s, -48), OP(lit4), OP(shra), OP(abs)), 3);
    assert_int_equal(VALUE(OP1(const1s, -48), OP1(const1u, 200), OP(shra)), UINT64_MAX);
    assert_int_equal(VALUE(OP1(const4s, -2), OP(not )), 1);
    assert_int_equal(VALUE(OP1(const2u, 0xffff), OP1(plus_uconst, 1)), 0x10000);
    assert_int_equal(VALUE(OP1(const1s, -1), OP(lit1), OP(lt)), 1);
    assert_int_equal(VALUE(OP(lit2), OP(lit1), OP(gt), OP(lit1), OP(eq)), 1);
    assert_int_equal(VALUE(OP(lit2), OP(lit1), OP(ne), OP(lit1), OP(le)), 1);
}

TEST(unwind__expression_registers_stack_and_memory)
{
    assert_int_equal(VALUE(OP1(breg3, 11)), 111);
    assert_int_equal(VALUE({DW_OP_bregx, 3, (uint64_t)-1, 0}), 99);
    assert_int_equal(VALUE(OP1(breg5, 0), OP(deref)), 0x1122334455667788);
    assert_int_equal(VALUE(OP1(breg5, 0), OP1(deref_size, 4)), 0x55667788);
    assert_int_equal(VALUE(OP(call_frame_cfa)), STACK_BASE + 800);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(swap)), 1);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(over)), 1);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(drop)), 1);
    assert_int_equal(VALUE(OP(lit4), OP(dup), OP(plus)), 8);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(lit3), OP(rot)), 2);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(lit3), OP(rot), OP(drop), OP(drop)), 3);
    assert_int_equal(VALUE(OP(lit1), OP(lit2), OP(lit3), OP1(pick, 2)), 1);
    assert_int_equal(VALUE(OP(lit1), OP(nop), OP(stack_value)), 1);
}

TEST(unwind__expression_branches_count_in_bytes)
{
    /* lit1; bra +1; lit5 skipped; lit7 */
    assert_int_equal(VALUE({DW_OP_lit9, 0, 0, 0}, {DW_OP_lit1, 0, 0, 1}, {DW_OP_bra, 1, 0, 2},
                           {DW_OP_lit5, 0, 0, 5}, {DW_OP_lit7, 0, 0, 6}, {DW_OP_plus, 0, 0, 7}),
                     16);
    assert_int_equal(VALUE({DW_OP_lit9, 0, 0, 0}, {DW_OP_skip, 1, 0, 1}, {DW_OP_lit5, 0, 0, 4}),
                     9); /* to the end */
    /* into the middle of itself */
    assert_int_equal(VALUE({DW_OP_lit9, 0, 0, 0}, {DW_OP_skip, (uint64_t)-2, 0, 1}, {DW_OP_nop, 0, 0, 4}), 0);
}

TEST(unwind__expression_that_cannot_be_evaluated_is_refused)
{
    assert_int_equal(VALUE(OP(plus)), 0);
    assert_int_equal(VALUE(OP(lit1), OP(plus)), 0);
    assert_int_equal(VALUE(OP(lit1), OP(lit0), OP(div)), 0);
    assert_int_equal(VALUE(OP(lit1), OP(lit0), OP(mod)), 0);
    assert_int_equal(VALUE(OP(lit1), OP1(pick, 1)), 0);
    assert_int_equal(VALUE(OP(lit1), OP(swap)), 0);
    assert_int_equal(VALUE(OP(lit1), OP(lit1), OP(rot)), 0);
    assert_int_equal(VALUE(OP(lit8), OP(deref)), 0);
    assert_int_equal(VALUE(OP1(breg5, 0), OP1(deref_size, 9)), 0);
    assert_int_equal(VALUE(OP1(breg20, 0)), 0);
    assert_int_equal(VALUE({DW_OP_bregx, 1ULL << 40, 0, 0}), 0);
    assert_int_equal(VALUE(OP(push_object_address)), 0);
    assert_int_equal(VALUE({DW_OP_lit1, 0, 0, 0}, {DW_OP_drop, 0, 0, 1}), 0);
    assert_int_equal(VALUE({0xff, 0, 0, 0}), 0);
}

TEST(unwind__expression_without_end_is_cut)
{
    assert_int_equal(VALUE({DW_OP_lit1, 0, 0, 0}, {DW_OP_skip, (uint64_t)-4, 0, 1}), 0); /* pushes for ever */
    assert_int_equal(VALUE({DW_OP_lit1, 0, 0, 0}, {DW_OP_skip, (uint64_t)-3, 0, 1}),
                     0); /* jumps to itself for ever */
}
