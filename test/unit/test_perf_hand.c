/*
 * test_perf_hand.c - records that readers died of
 */
#include "unit.h"

#include <string.h>

#include "ringside/feed.h"
#include "ringside/perf.h"

#include "../../src/perf/hand.h"

static struct feed_record sample_at(uint64_t pc)
{
    struct feed_record r = {.kind = FEED_SAMPLE, .pid = 7, .tid = 7};

    r.u.sample.regs.known = 1U << ARCH_REG_PC;
    r.u.sample.regs.r[ARCH_REG_PC] = pc;
    return r;
}

static void die_of(struct perf_hand *hand, const struct feed_record *r, bool faulted)
{
    hand_take(hand, r);
    hand->faulted = faulted;
    hand_begin(hand);
}

TEST(hand__what_two_died_of_is_left_out_and_nothing_else)
{
    struct feed_record deadly = sample_at(0x1000), other = sample_at(0x1001), elsewhere = sample_at(0x1000);
    struct perf_hand hand = {0};

    elsewhere.pid = 8;
    die_of(&hand, &deadly, true);
    assert_true(hand_take(&hand, &deadly)); /* once may be chance */
    hand_put_down(&hand);
    die_of(&hand, &deadly, true);
    assert_false(hand_take(&hand, &deadly));
    assert_true(hand_take(&hand, &other));
    assert_true(hand_take(&hand, &elsewhere));
}

TEST(hand__files_that_are_mapped_are_told_apart_by_path)
{
    struct feed_record deadly = {.kind = FEED_MMAP, .pid = 7, .u.mmap.path = "/tmp/deadly.so"};
    struct feed_record other = {.kind = FEED_MMAP, .pid = 7, .u.mmap.path = "/tmp/other.so"};
    struct perf_hand hand = {0};

    die_of(&hand, &deadly, true);
    die_of(&hand, &deadly, true);
    assert_false(hand_take(&hand, &deadly));
    assert_true(hand_take(&hand, &other));
}

TEST(hand__deaths_by_somebody_elses_hand_do_not_count)
{
    struct feed_record r = sample_at(0x1000);
    struct perf_hand hand = {0};

    for (int i = 0; i < 5; i++)
        die_of(&hand, &r, false);
    assert_true(hand_take(&hand, &r));
}

TEST(hand__deaths_with_nothing_in_hand_do_not_count)
{
    struct feed_record r = sample_at(0x1000);
    struct perf_hand hand = {0};

    for (int i = 0; i < 5; i++) {
        assert_true(hand_take(&hand, &r));
        hand_put_down(&hand);
        hand.faulted = true;
        hand_begin(&hand);
    }
    assert_true(hand_take(&hand, &r));
}

static int left_out_until_tried(struct perf_hand *hand, const struct feed_record *r)
{
    int n = 0;

    while (!hand_take(hand, r) && n < 1000000)
        n++;
    return n;
}

TEST(hand__it_is_tried_again_ever_more_rarely)
{
    struct feed_record r = sample_at(0x1000);
    struct perf_hand hand = {0};

    die_of(&hand, &r, true);
    die_of(&hand, &r, true);
    assert_int_equal(left_out_until_tried(&hand, &r), 100);
    die_of(&hand, &r, true);
    assert_int_equal(left_out_until_tried(&hand, &r), 400);
    die_of(&hand, &r, true);
    assert_int_equal(left_out_until_tried(&hand, &r), 1600);
}

TEST(hand__many_suspects_leave_room_for_the_worst)
{
    struct feed_record worst = sample_at(1);
    struct perf_hand hand = {0};

    die_of(&hand, &worst, true);
    die_of(&hand, &worst, true);
    for (uint64_t pc = 100; pc < 100 + 3 * PERF_SUSPECTS; pc++) {
        struct feed_record r = sample_at(pc);

        die_of(&hand, &r, true);
    }
    assert_false(hand_take(&hand, &worst));
}

/* A dying process may have written anything. */
TEST(hand__any_content_is_taken)
{
    struct feed_record r = sample_at(0x1000);
    struct perf_hand hand;

    memset(&hand, 0xff, sizeof(hand));
    hand.faulted = true;
    hand_begin(&hand);
    hand_take(&hand, &r);
    hand_put_down(&hand);
    memset(hand.suspect, 0x80, sizeof(hand.suspect));
    die_of(&hand, &r, true);
    die_of(&hand, &r, true);
    assert_false(hand_take(&hand, &r));
}
