/*
 * test_unwind.c - compact rules, ends of stacks, limits
 */
#include "unwind_world.h"

#define MAIN  0x401000
#define F     0x402000
#define G     0x403000
#define START 0x404000

static struct world w;

static void start_at(uint64_t pc)
{
    world_init(&w, pc);
    world_add(&w, START, (struct cfi_rule)RULE_END);
}

static void assert_frame(uint32_t i, uint64_t pc, enum unwind_how how)
{
    assert_in_range(i, 0, w.count - 1);
    assert_int_equal(w.frame[i].pc, pc);
    assert_int_equal(w.frame[i].how, how);
}

TEST(unwind__leaf_without_frame_returns_through_word_at_sp)
{
    start_at(F + 5);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(8));
    w.word[0] = START + 0x21;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
    assert_frame(0, F + 5, UNWIND_BY_SAMPLE);
    assert_frame(1, START + 0x21, UNWIND_BY_ROW);
    assert_int_equal(w.frame[0].cfa, STACK_BASE + 8);
    assert_int_equal(w.frame[1].cfa, 0);
}

TEST(unwind__return_address_is_looked_up_in_its_call_and_leaf_exactly)
{
    start_at(F);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(8));
    w.word[0] = START + 0x1000; /* a call that never returns was the last instruction */
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.frame[0].where, F);
    assert_true(w.frame[0].exact);
    assert_int_equal(w.frame[1].where, START + 0xfff);
    assert_false(w.frame[1].exact);
}

TEST(unwind__recursion_400_deep_comes_whole)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(24));
    for (size_t i = 0; i < 400; i++)
        w.word[3 * i + 2] = i < 399 ? F + 0x30 : START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 401);
    assert_frame(400, START + 1, UNWIND_BY_ROW);
}

TEST(unwind__frame_pointer_is_restored_for_callers_that_need_it)
{
    struct cfi_rule saves_rbp = RULE_RSP(32);

    start_at(F + 9);
    saves_rbp.saved[ARCH_SAVED_FP] = -2;
    world_add(&w, F, saves_rbp);
    world_add(&w, G, (struct cfi_rule)RULE_RBP);
    w.regs.r[ARCH_REG_FP] = 0xdead; /* f uses it for something else */
    w.word[2] = word_at(20);
    w.word[3] = G + 7;
    w.word[21] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}

/* glibc's vfork(): "pop rdi; syscall", described as CFA = rsp + 0, return address in rdi. */
TEST(unwind__leaf_may_keep_its_return_address_in_a_register)
{
    static struct cfi_full full;
    struct cfi_rule vfork_rule = {.cfa = CFI_FULL, .full = &full};

    full.cfa = (struct cfi_place){.how = CFI_HOW_REG, .reg = ARCH_REG_SP};
    full.reg[ARCH_REG_PC] = (struct cfi_place){.how = CFI_HOW_REG, .reg = ARCH_REG_RDI};
    start_at(F + 3);
    world_add(&w, F, vfork_rule);
    world_add(&w, G, (struct cfi_rule)RULE_RSP(16));
    w.regs.r[ARCH_REG_RDI] = G + 7;
    w.word[1] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
    assert_frame(1, G + 7, UNWIND_BY_ROW);
}

/* GCC leaves the restore rule for rbp out of epilogues: after "pop rbp" the slot lies below SP and may be
 * overwritten. */
TEST(unwind__register_popped_from_slot_below_sp_is_live)
{
    struct cfi_rule epilogue = RULE_RSP(8);

    start_at(F + 0x40);
    epilogue.saved[ARCH_SAVED_FP] = -2;
    world_add(&w, F, epilogue);
    world_add(&w, G, (struct cfi_rule)RULE_RBP);
    w.regs.r[ARCH_REG_SP] = word_at(1);
    w.regs.r[ARCH_REG_FP] = word_at(20);
    w.word[0] = 0xdead;
    w.word[1] = G + 7;
    w.word[21] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}

/* _dl_runtime_resolve_xsave: CFA by rbx in a frame that is not the leaf; only the inner frames know rbx. */
static void rbx_world(struct cfi_rule inner)
{
    struct cfi_rule resolve = RULE_RSP(16);

    start_at(F + 9);
    world_add(&w, F, inner);
    resolve.cfa_reg = ARCH_REG_RBX;
    resolve.saved[0] = -2;
    world_add(&w, G, resolve);
    world_add(&w, MAIN, (struct cfi_rule)RULE_RSP(16));
    w.word[1] = word_at(40); /* rbx of g, where f may have saved it */
    w.word[3] = G + 7;
    w.word[40] = 0x55; /* rbx of main */
    w.word[41] = MAIN + 7;
    w.word[43] = START + 1;
}

TEST(unwind__other_register_is_recovered_from_inner_frame_that_saved_it)
{
    struct cfi_rule inner = RULE_RSP(32);

    inner.saved[0] = -3;
    rbx_world(inner);
    w.regs.r[ARCH_REG_RBX] = 0xdead;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
    assert_int_equal(w.frame[1].cfa, word_at(42));
}

TEST(unwind__other_register_comes_from_sample_when_no_frame_saved_it)
{
    rbx_world((struct cfi_rule)RULE_RSP(32));
    w.regs.r[ARCH_REG_RBX] = word_at(40);
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
}

TEST(unwind__nearest_inner_frame_that_saved_a_register_wins)
{
    struct cfi_rule saves_rbx = RULE_RSP(16);

    start_at(F + 9);
    saves_rbx.saved[0] = -2;
    world_add(&w, F, saves_rbx);
    world_add(&w, G, (struct cfi_rule){.cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_RBX, .saved = NO_SAVES});
    w.regs.r[ARCH_REG_RBX] = 0xdead;
    w.word[0] = 0xbeef; /* of f's caller, f: not what g had */
    w.word[1] = F + 0x10;
    w.word[2] = word_at(30);
    w.word[3] = G + 5;
    w.word[29] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 4);
}

TEST(unwind__caller_saved_register_is_not_trusted_beyond_the_leaf)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    world_add(&w, G,
              (struct cfi_rule){.cfa = CFI_REG_OFFSET, .cfa_reg = 10, .cfa_offset = 8, .saved = NO_SAVES});
    w.regs.r[10] = word_at(30);
    w.word[1] = G + 5;
    assert_int_equal(world_walk(&w), UNWIND_BAD_STATE);
    assert_int_equal(w.count, 2);

    w.regs.r[ARCH_REG_PC] = G; /* "lea 8(%rsp),%r10" has just run */
    w.word[30] = START + 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
}

TEST(unwind__compact_rule_without_return_address_is_refused)
{
    struct cfi_rule no_pc = RULE_RSP(8);

    start_at(F);
    no_pc.saved[ARCH_SAVED_PC] = CFI_SAME;
    world_add(&w, F, no_pc);
    assert_int_equal(world_walk(&w), UNWIND_BAD_STATE);
    assert_int_equal(w.count, 1);
}

/* ---- ends ---- */

TEST(unwind__undefined_return_address_in_leaf_is_the_end)
{
    start_at(START + 3);
    w.words_copied = 1;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 1);
}

TEST(unwind__zero_return_address_ends_a_coroutine)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    w.word[1] = F + 5;
    w.word[3] = 0;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
}

TEST(unwind__entry_point_without_information_is_the_end)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    world_add(&w, 0x410000, (struct cfi_rule){.cfa = CFI_NONE})->entry = true;
    w.word[1] = 0x410016;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
}

/* glibc's __start_context: makecontext() wrote its address; the byte before belongs to nobody. */
TEST(unwind__planted_return_address_at_start_of_function_is_the_end)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    WORLD_CODE(world_add(&w, 0x40f000, (struct cfi_rule){.cfa = CFI_NONE}),
               "\x66\x90"); /* readable, though not just before */
    world_add(&w, 0x410000, (struct cfi_rule)RULE_RSP(8));
    w.piece[w.pieces - 2].data = true;
    w.word[1] = 0x410000;
    w.word[2] = 0x7ffd12345678;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
    assert_true(w.frame[1].exact);
    assert_int_equal(w.frame[1].where, 0x410000);
}

TEST(unwind__return_address_that_is_not_code_stops_before_it)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    world_add(&w, G, (struct cfi_rule)RULE_RSP(8))->data = true;
    w.word[1] = G + 5;
    assert_int_equal(world_walk(&w), UNWIND_NO_ROW);
    assert_int_equal(w.count, 1);
}

/* ---- the copy ---- */

TEST(unwind__stops_when_copied_stack_runs_out)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    for (size_t i = 0; i < 100; i++)
        w.word[2 * i + 1] = F + 0x10;
    w.words_copied = 9;
    assert_int_equal(world_walk(&w), UNWIND_STACK_ENDED);
    assert_int_equal(w.count, 5);
}

TEST(unwind__half_a_word_at_the_end_of_the_copy_is_not_read)
{
    struct unwind_finder finder = {world_find, world_code, &w};

    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(8));
    w.word[0] = START + 1;
    for (uint32_t bytes = 0; bytes < 8; bytes++) {
        struct unwind_input in = {&w.regs, (const uint8_t *)w.word, bytes, NULL};

        assert_int_equal(unwind_walk(&in, &finder, w.frame, w.max, &w.count), UNWIND_STACK_ENDED);
    }
}

TEST(unwind__wild_address_is_not_called_truncated)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RBP);
    w.regs.r[ARCH_REG_FP] = 0x7fffffff0000;
    assert_int_equal(world_walk(&w), UNWIND_BAD_STATE);
}

/* The kernel copies on past the top of a small thread stack; what is there must not become frames. */
TEST(unwind__memory_beyond_the_threads_start_is_not_walked)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    w.word[1] = START + 5;
    for (size_t i = 2; i < 100; i++)
        w.word[i] = F + 0x10;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 2);
}

/* ---- progress ---- */

TEST(unwind__cfa_that_does_not_rise_ends_the_walk)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RBP);
    w.regs.r[ARCH_REG_FP] = word_at(4);
    w.word[4] = word_at(4); /* saved frame pointer points to itself */
    w.word[5] = F + 0x10;
    assert_int_equal(world_walk(&w), UNWIND_NO_PROGRESS);
    assert_int_equal(w.count, 2);

    w.word[4] = word_at(1);
    assert_int_equal(world_walk(&w), UNWIND_NO_PROGRESS);
}

TEST(unwind__depth_is_capped)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    for (size_t i = 1; i < STACK_WORDS; i++)
        w.word[i] = F + 0x10;
    assert_int_equal(world_walk(&w), UNWIND_TOO_DEEP);
    assert_int_equal(w.count, UNWIND_MAX_FRAMES);

    w.max = 3;
    assert_int_equal(world_walk(&w), UNWIND_TOO_DEEP);
    assert_int_equal(w.count, 3);
}

TEST(unwind__stack_of_exactly_the_maximum_is_complete)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(16));
    w.word[1] = F + 0x10;
    w.word[3] = START + 1;
    w.max = 3;
    assert_int_equal(world_walk(&w), UNWIND_DONE);
    assert_int_equal(w.count, 3);
}

/* ---- trails ---- */

/* A chain of n frames of F, each `words` words long, from word `from` on; START below them. */
static void put_chain(size_t from, size_t n, size_t words)
{
    for (size_t i = 0; i < n; i++)
        w.word[from + words * (i + 1) - 1] = i + 1 < n ? F + 0x30 + 16 * (i % 100) : START + 1;
}

static void start_chain(void)
{
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(24));
    put_chain(0, 40, 3);
}

static uint32_t found; /* look-ups of the finder */

static void counting_find(void *ctx, uint64_t addr, struct unwind_site *out)
{
    found++;
    world_find(ctx, addr, out);
}

/* Look-ups a walk with the trail takes; it must end complete. */
static uint32_t look_ups(struct unwind_trail *trail)
{
    struct unwind_finder finder = {counting_find, world_code, &w};
    uint64_t first = (w.regs.r[ARCH_REG_SP] - STACK_BASE) / 8;
    struct unwind_input in = {&w.regs, (const uint8_t *)&w.word[first], 8 * (uint32_t)(STACK_WORDS - first),
                              trail};

    found = 0;
    assert_int_equal(unwind_walk(&in, &finder, w.frame, w.max, &w.count), UNWIND_DONE);
    return found;
}

TEST(unwind_trail__unchanged_outer_frames_are_not_looked_up_again)
{
    static struct unwind_trail trail;

    trail.count = 0;
    start_chain();
    assert_int_equal(look_ups(&trail), 41);
    assert_int_equal(trail.count, 41);
    w.regs.r[ARCH_REG_PC] += 3; /* the leaf went on */
    assert_int_equal(look_ups(&trail), 2);
    assert_int_equal(w.count, 41);
    world_walk_again(&w, &trail, UNWIND_DONE);
}

TEST(unwind_trail__frames_from_a_changed_return_address_to_the_leaf_are_walked)
{
    static struct unwind_trail trail;

    trail.count = 0;
    start_chain();
    look_ups(&trail);
    w.regs.r[ARCH_REG_PC] += 3;
    w.word[3 * 20 - 1] = F + 0x999; /* frame 20 was called from elsewhere */
    assert_int_equal(look_ups(&trail), 4);
    assert_int_equal(w.frame[20].pc, F + 0x999);
    assert_int_equal(w.count, 41);
    assert_int_equal(look_ups(NULL), 41);
}

TEST(unwind_trail__same_places_with_another_frame_pointer_are_walked)
{
    static struct unwind_trail trail;

    trail.count = 0;
    start_chain();
    w.regs.r[ARCH_REG_FP] = 1;
    look_ups(&trail);
    w.regs.r[ARCH_REG_FP] = 2;
    assert_int_equal(look_ups(&trail), 41);
}

TEST(unwind_trail__a_copy_that_ends_early_ends_the_walk_and_keeps_what_lies_beyond)
{
    static struct unwind_trail trail;

    trail.count = 0;
    start_chain();
    look_ups(&trail);
    w.words_copied = 60;
    assert_int_equal(world_walk_on(&w, &trail), UNWIND_STACK_ENDED);
    assert_int_equal(w.count, 21);
    assert_int_equal(trail.count, 41);
    w.words_copied = 0;
    w.regs.r[ARCH_REG_PC] += 3;
    assert_int_equal(look_ups(&trail), 2);
    assert_int_equal(w.count, 41);
}

TEST(unwind_trail__of_a_deeper_stack_than_it_holds_is_its_outer_part)
{
    static struct unwind_trail trail;

    trail.count = 0;
    start_at(F + 9);
    world_add(&w, F, (struct cfi_rule)RULE_RSP(24));
    put_chain(0, 400, 3);
    assert_int_equal(look_ups(&trail), 401);
    assert_int_equal(trail.count, UNWIND_TRAIL_FRAMES);
    assert_int_equal(look_ups(&trail), 401 - UNWIND_TRAIL_FRAMES + 1);
    assert_int_equal(w.count, 401);
    world_walk_again(&w, &trail, UNWIND_DONE);
}
