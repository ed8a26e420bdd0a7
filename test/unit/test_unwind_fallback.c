/*
 * test_unwind_fallback.c - code without call-frame information: frame pointers, prologues, JIT code, musl,
 * wild calls
 */
#include "unwind_world.h"

#define MAIN  0x401000
#define F     0x402000
#define G     0x403000
#define START 0x404000
#define JIT   0x3a0000000000ULL

/* 32 bytes of nothing, in the middle of which a return address may lie: only MAIN + 0x10 follows a call. */
#define PLAIN_CODE                                                                                           \
    "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90"
#define CALLING_CODE                                                                                         \
    "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\xe8\xf0\x0f\x00\x00\x90\x90\x90\x90" /* MAIN + 0x10 -> F   \
                                                                                        */
#define CALLING_CODE_INDIRECT                                                                                \
    "\x90\x90\x90\x90\x90\x90\x90\x90\x90\x90\xff\x15\xf0\x0f\x00\x00\x90\x90\x90\x90"
#define AFTER_CALL 0x10

static struct world w;

static struct piece *plain(uint64_t start)
{
    return world_add(&w, start, (struct cfi_rule){.cfa = CFI_NONE});
}

static void start_at(uint64_t pc)
{
    world_init(&w, pc);
    world_add(&w, START, (struct cfi_rule)RULE_END);
}

/* f (frame pointer at word 2) called by main (frame pointer at word 6), called by the start; code can be
 * read. */
static void fp_world(uint64_t pc)
{
    start_at(pc);
    WORLD_CODE(plain(MAIN), CALLING_CODE);
    WORLD_CODE(plain(F), PLAIN_CODE);
    w.regs.r[ARCH_REG_FP] = word_at(2);
    w.word[2] = word_at(6);
    w.word[3] = MAIN + AFTER_CALL;
    w.word[6] = 0;
    w.word[7] = START + 1;
}

static void assert_whole(void)
{
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.frame[1].pc, MAIN + AFTER_CALL);
    assert_int_equal(w.frame[2].pc, START + 1);
}

TEST(unwind__frame_pointers_lead_to_the_start)
{
    fp_world(F + 0x9);
    assert_whole();
    assert_int_equal(w.frame[1].how, UNWIND_BY_FRAME_POINTER);
    assert_int_equal(w.frame[2].how, UNWIND_BY_FRAME_POINTER);
    assert_int_equal(w.frame[0].cfa, word_at(4));
}

TEST(unwind__prologue_and_epilogue_of_frame_pointer_code_lose_no_caller)
{
    fp_world(F); /* before push rbp: FP is still main's */
    WORLD_CODE(&w.piece[2], "\x55\x48\x89\xe5\x90\x90\x90\x90");
    w.regs.r[ARCH_REG_SP] = word_at(3);
    w.regs.r[ARCH_REG_FP] = word_at(6);
    assert_whole();

    w.regs.r[ARCH_REG_PC] = F + 1; /* after push, before mov */
    w.regs.r[ARCH_REG_SP] = word_at(2);
    assert_whole();

    WORLD_CODE(&w.piece[2], PLAIN_CODE "\x5d\xc3");
    w.regs.r[ARCH_REG_PC] = F + sizeof(PLAIN_CODE) - 1; /* before pop rbp */
    w.regs.r[ARCH_REG_FP] = word_at(2);
    assert_whole();

    w.regs.r[ARCH_REG_PC] = F + sizeof(PLAIN_CODE); /* before ret */
    w.regs.r[ARCH_REG_SP] = word_at(3);
    w.regs.r[ARCH_REG_FP] = word_at(6);
    assert_whole();
}

TEST(unwind__frame_pointer_that_is_not_one_is_refused)
{
    fp_world(F + 9);
    w.word[3] = MAIN + AFTER_CALL - 1; /* no call in front */
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 1);

    fp_world(F + 9);
    w.word[3] = 0x1234567; /* not code */
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);

    fp_world(F + 9);
    w.regs.r[ARCH_REG_FP] = word_at(2) + 4;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);

    fp_world(F + 9);
    w.word[2] = word_at(1); /* the chain leads down */
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);

    fp_world(F + 9);
    w.regs.r[ARCH_REG_FP] = STACK_BASE - 16;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
}

TEST(unwind__frame_pointer_just_beyond_the_copy_is_truncation)
{
    fp_world(F + 9);
    w.words_copied = 3;
    assert_int_equal(world_walk(&w), UNWIND_STACK_ENDED);
    assert_int_equal(w.count, 1);
}

TEST(unwind__zero_frame_pointer_without_information_is_the_end)
{
    fp_world(F + 9);
    WORLD_CODE(plain(G), CALLING_CODE);
    w.word[7] = G + AFTER_CALL;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}

TEST(unwind__frame_pointer_chain_ends_at_zero_return_address)
{
    fp_world(F + 9);
    w.word[7] = 0;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
}

/* The caller has rules and uses rbp as it likes: the chain need not rise. */
TEST(unwind__saved_frame_pointer_may_be_anything_where_the_caller_has_rules)
{
    fp_world(F + 9);
    w.piece[1].rule = (struct cfi_rule)RULE_RSP(32);
    w.word[2] = 0x1234;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.frame[2].how, UNWIND_BY_ROW);
}

/* Native leaf, two JIT frames whose code cannot be read, native entry that restores what it saved. */
TEST(unwind__jit_code_in_the_middle_is_crossed)
{
    struct cfi_rule saves_rbx = RULE_RSP(24);

    start_at(F + 9);
    saves_rbx.saved[0] = -2;
    world_add(&w, F, saves_rbx);
    plain(JIT);
    world_add(&w, G, (struct cfi_rule)RULE_RBP);
    world_add(&w, MAIN,
              (struct cfi_rule){
                  .cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_RBX, .cfa_offset = 8, .saved = NO_SAVES});
    w.regs.r[ARCH_REG_FP] = word_at(6);
    w.word[1] = word_at(40); /* rbx, which nobody further out touches */
    w.word[2] = JIT + 0x100;
    w.word[6] = word_at(10);
    w.word[7] = JIT + 0x200;
    w.word[10] = word_at(20);
    w.word[11] = G + 5;
    w.word[20] = 0x77;
    w.word[21] = MAIN + 5;
    w.word[40] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 6);
    assert_int_equal(w.frame[2].how, UNWIND_BY_FRAME_POINTER);
    assert_int_equal(w.frame[3].how, UNWIND_BY_FRAME_POINTER);
    assert_int_equal(w.frame[4].how, UNWIND_BY_ROW);
}

/* ---- musl and assembly ---- */

/* main has a frame pointer, memcpy no frame at all: FP would skip main. */
TEST(unwind__leaf_that_leaves_frame_pointer_to_its_caller_does_not_skip_it)
{
    start_at(F + 0x12);
    WORLD_CODE(world_add(&w, MAIN, (struct cfi_rule)RULE_RBP), CALLING_CODE);
    WORLD_CODE(plain(F), PLAIN_CODE);
    WORLD_CODE(world_add(&w, 0x400000, (struct cfi_rule)RULE_END), CALLING_CODE); /* calls something else */
    w.regs.r[ARCH_REG_FP] = word_at(4);
    w.word[0] = MAIN + AFTER_CALL;
    w.word[4] = 0;
    w.word[5] = 0x400000 + AFTER_CALL;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.frame[1].pc, MAIN + AFTER_CALL);
    assert_int_equal(w.frame[1].how, UNWIND_BY_GUESS);
}

/* rbp equals rsp: both candidates are the same word, and only the frame pointer's rule restores rbp. */
TEST(unwind__frame_pointer_wins_over_scan_for_the_same_return_address)
{
    fp_world(F + 9);
    w.regs.r[ARCH_REG_SP] = word_at(2);
    assert_whole();
    assert_int_equal(w.frame[1].how, UNWIND_BY_FRAME_POINTER);
}

TEST(unwind__second_word_of_the_leaf_is_tried)
{
    start_at(F + 0x12);
    WORLD_CODE(world_add(&w, MAIN, (struct cfi_rule)RULE_END), CALLING_CODE_INDIRECT);
    WORLD_CODE(plain(F), PLAIN_CODE);
    w.word[0] = MAIN + 3; /* code, but no return address */
    w.word[1] = MAIN + AFTER_CALL;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
    assert_int_equal(w.frame[1].how, UNWIND_BY_GUESS);
}

TEST(unwind__scan_guesses_only_once_and_only_the_leaf)
{
    start_at(F + 0x12);
    WORLD_CODE(plain(MAIN), CALLING_CODE);
    WORLD_CODE(plain(F), PLAIN_CODE);
    w.regs.r[ARCH_REG_FP] = 0x1234;
    for (size_t i = 0; i < 64; i++)
        w.word[i] = MAIN + AFTER_CALL;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 2);
}

/* musl: main's caller keeps no frame pointer, a few words further up is the return address into _start. */
TEST(unwind__caller_without_information_near_the_entry_point_is_the_end)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(8));
    WORLD_CODE(plain(MAIN), CALLING_CODE);
    WORLD_CODE(plain(G), CALLING_CODE);
    w.piece[w.pieces - 1].entry = true;
    w.regs.r[ARCH_REG_FP] = 0x1234;
    w.word[0] = MAIN + AFTER_CALL;
    w.word[2] = MAIN + AFTER_CALL; /* stale */
    w.word[6] = G + AFTER_CALL;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.frame[2].pc, G + AFTER_CALL);
    assert_int_equal(w.frame[2].how, UNWIND_BY_GUESS);
    assert_int_equal(w.frame[1].cfa, word_at(7));
}

TEST(unwind__unreadable_leaf_is_not_guessed_from_unreadable_callers)
{
    start_at(JIT + 0x100);
    plain(JIT);
    w.word[0] = JIT + 0x200;
    w.regs.r[ARCH_REG_FP] = 0x1234;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 1);
}

/* ---- planted return addresses that fall into the row of the function before ---- */

#define PLANTED 0x420000
static const char code_before[0x1000];

/* The function before the planted address ends right there, and its row says whatever it says. */
static void planted_world(void)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    world_set_code(world_add(&w, PLANTED - 0x1000, (struct cfi_rule)RULE_RSP(48)), code_before,
                   sizeof(code_before));
    WORLD_CODE(world_add(&w, PLANTED, (struct cfi_rule)RULE_RSP(8)), PLAIN_CODE);
    w.word[1] = PLANTED;
    for (size_t i = 2; i < 10; i++)
        w.word[i] = 0xbad;
}

TEST(unwind__planted_address_in_the_row_of_another_function_is_the_end)
{
    planted_world();
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
    assert_int_equal(w.frame[1].where, PLANTED);
    assert_true(w.frame[1].exact);
}

TEST(unwind__return_address_in_the_middle_of_a_function_is_no_planted_one)
{
    planted_world();
    w.word[1] = PLANTED + 8;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 2);
    assert_int_equal(w.frame[1].where, PLANTED + 7);
}

TEST(unwind__trampoline_described_as_a_function_is_known_by_its_code)
{
    planted_world();
    WORLD_CODE(&w.piece[3], "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05");
    world_add(&w, MAIN, (struct cfi_rule)RULE_RSP(8));
    w.word[2 + arch_sigreturn_offset(ARCH_REG_RIP) / 8] = MAIN + 7;
    w.word[2 + arch_sigreturn_offset(ARCH_REG_RSP) / 8] = word_at(60);
    w.word[60] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.frame[2].pc, MAIN + 7);
    assert_true(w.frame[2].exact);
}

/* ---- wild calls ---- */

TEST(unwind__call_through_null_pointer_shows_its_caller)
{
    start_at(0);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    w.word[0] = F + 7;
    w.word[2] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_int_equal(w.frame[0].pc, 0);
    assert_int_equal(w.frame[1].pc, F + 7);
    assert_int_equal(w.frame[1].how, UNWIND_BY_GUESS);
}

TEST(unwind__wild_pc_without_return_address_stops)
{
    start_at(0xdeadbeef);
    w.word[0] = 0x1111;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 1);
}

TEST(unwind__finder_without_code_still_follows_frame_pointers)
{
    struct unwind_finder finder = {world_find, NULL, &w};
    struct unwind_input in = {&w.regs, (const uint8_t *)w.word, sizeof(w.word), NULL};

    fp_world(F + 9);
    assert_int_equal(unwind_walk(&in, &finder, w.frame, w.max, &w.count), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}
