/*
 * test_stacks.c - adding up, caps, root-first order
 */
#include "ringside/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct stacks_limits roomy = {.stacks = 100000, .words = 4000000, .entries = 200000};

/* The same numbers on every run and machine (xorshift64, Marsaglia 2003). */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static const struct stacks_entry *only_entry(const struct stacks *s)
{
    assert_int_equal(stacks_entry_count(s), 1);
    return stacks_entry_at(s, 0);
}

TEST(stacks__the_same_stack_and_owner_add_up)
{
    struct stacks *s = stacks_new(&roomy, NULL);
    const uint64_t frames[] = {1, 2, 3, 4, 5}, again[] = {1, 2, 3, 4, 5};
    const uint64_t *words;
    uint32_t n;

    assert_true(stacks_add(s, frames, 5, 7, 1, 100));
    assert_true(stacks_add(s, again, 5, 7, 2, 50));
    assert_int_equal(only_entry(s)->count, 3);
    assert_int_equal(only_entry(s)->value, 150);
    assert_int_equal(only_entry(s)->owner, 7);
    words = stacks_frames(s, only_entry(s)->stack, &n);
    assert_int_equal(n, 5);
    assert_memory_equal(words, frames, sizeof(frames));
    stacks_free(s);
    stacks_free(NULL);
}

TEST(stacks__owners_share_one_copy_of_the_frames)
{
    const struct stacks_limits one_stack = {.stacks = 1, .words = 3, .entries = 100};
    struct stacks *s = stacks_new(&one_stack, NULL);
    const uint64_t frames[] = {1, 2, 3};

    for (int round = 0; round < 2; round++)
        for (uint32_t owner = 0; owner < 100; owner++)
            assert_true(stacks_add(s, frames, 3, owner, 1, owner));
    assert_int_equal(stacks_entry_count(s), 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(stacks_entry_at(s, i)->count, 2);
        assert_int_equal(stacks_entry_at(s, i)->value, 2 * stacks_entry_at(s, i)->owner);
    }
    stacks_free(s);
}

TEST(stacks__a_prefix_is_another_stack)
{
    struct stacks *s = stacks_new(&roomy, NULL);
    const uint64_t frames[] = {1, 2, 3};

    assert_true(stacks_add(s, frames, 3, 0, 1, 1));
    assert_true(stacks_add(s, frames, 2, 0, 1, 1));
    assert_true(stacks_add(s, frames + 1, 2, 0, 1, 1));
    assert_true(stacks_add(s, frames, 0, 0, 1, 1));
    assert_int_equal(stacks_entry_count(s), 4);
    stacks_free(s);
}

TEST(stacks__each_cap_keeps_new_entries_out_and_known_ones_counting)
{
    static const struct stacks_limits caps[] = {
        {.stacks = 1, .words = 100, .entries = 100},
        {.stacks = 100, .words = 5, .entries = 100},
        {.stacks = 100, .words = 100, .entries = 1},
    };
    const uint64_t a[] = {1, 2, 3}, b[] = {4, 5, 6};

    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        struct stacks *s = stacks_new(&caps[i], NULL);

        assert_true(stacks_add(s, a, 3, 0, 1, 1));
        assert_false(stacks_add(s, b, 3, 0, 1, 1));
        assert_false(stacks_add(s, b, 3, 0, 1, 1));
        assert_true(stacks_add(s, a, 3, 0, 1, 1));
        assert_int_equal(only_entry(s)->count, 2);
        stacks_clear(s);
        assert_true(stacks_add(s, b, 3, 0, 1, 1)); /* the cap is of a period */
        stacks_free(s);
    }
}

TEST(stacks__an_owner_beyond_the_cap_of_entries_is_refused_for_a_known_stack)
{
    const struct stacks_limits one = {.stacks = 10, .words = 10, .entries = 1};
    struct stacks *s = stacks_new(&one, NULL);
    const uint64_t a[] = {1};

    assert_true(stacks_add(s, a, 1, 0, 1, 1));
    assert_false(stacks_add(s, a, 1, 1, 1, 1));
    assert_int_equal(only_entry(s)->owner, 0);
    stacks_free(s);
}

/* A stack made of few distinct frames, so that outer parts are shared: 1 to 40 deep. */
static uint32_t random_stack(uint64_t *seed, uint64_t *frames)
{
    uint32_t n = 1 + next_random(seed) % 40;

    for (uint32_t i = 0; i < n; i++)
        frames[i] = next_random(seed) % 3;
    return n;
}

/* Plainly: compares from the last word to the first, the shorter one first. */
static int reference_order(const struct stacks *s, const struct stacks_entry *a, const struct stacks_entry *b)
{
    uint32_t na, nb;
    const uint64_t *x = stacks_frames(s, a->stack, &na), *y = stacks_frames(s, b->stack, &nb);

    for (uint32_t i = 1; i <= na && i <= nb; i++)
        if (x[na - i] != y[nb - i])
            return x[na - i] < y[nb - i] ? -1 : 1;
    if (na != nb)
        return na < nb ? -1 : 1;
    return (a->owner > b->owner) - (a->owner < b->owner);
}

TEST(stacks__sorting_goes_from_the_root_inward_then_by_owner)
{
    struct stacks *s = stacks_new(&roomy, NULL);
    uint64_t seed = 88172645463325252ULL, frames[40], count = 0, value = 0;

    for (int i = 0; i < 20000; i++) {
        uint32_t n = random_stack(&seed, frames);

        assert_true(stacks_add(s, frames, n, next_random(&seed) % 3, 1, n));
        value += n;
    }
    stacks_sort(s);
    for (uint32_t i = 0; i < stacks_entry_count(s); i++) {
        if (i)
            assert_true(reference_order(s, stacks_entry_at(s, i - 1), stacks_entry_at(s, i)) < 0);
        count += stacks_entry_at(s, i)->count;
        value -= stacks_entry_at(s, i)->value;
    }
    assert_int_equal(count, 20000);
    assert_int_equal(value, 0);
    stacks_free(s);
}

TEST(stacks__what_was_sorted_still_adds_up)
{
    struct stacks *s = stacks_new(&roomy, NULL);
    uint64_t seed = 1, frames[40];
    uint32_t entries;

    for (int round = 0; round < 3; round++) {
        seed = 1;
        for (int i = 0; i < 500; i++) {
            uint32_t n = random_stack(&seed, frames);

            assert_true(stacks_add(s, frames, n, (uint32_t)i % 2, 1, 1));
        }
        if (round == 0)
            entries = stacks_entry_count(s);
        assert_int_equal(stacks_entry_count(s), entries);
        stacks_sort(s);
    }
    for (uint32_t i = 0; i < stacks_entry_count(s); i++)
        assert_int_equal(stacks_entry_at(s, i)->count % 3, 0);
    stacks_free(s);
}

TEST(stacks__frames_stay_where_they_are_until_cleared)
{
    enum { STACKS = 60 };
    static uint64_t frames[STACKS_FRAMES_MAX + 1];
    const uint64_t *at[STACKS];
    struct stacks *s = stacks_new(&roomy, NULL);
    uint32_t n;

    for (int period = 0; period < 3; period++) {
        /* The longest, the shortest, and some that do not fit behind. */
        for (uint32_t i = 0; i < STACKS; i++) {
            uint32_t length = i % 4 == 1 ? 1 : STACKS_FRAMES_MAX >> i % 4;

            for (uint32_t k = 0; k < length; k++)
                frames[k] = (uint64_t)(period + 1) << 40 | i << 16 | k;
            assert_true(stacks_add(s, frames, length, 0, 1, 1));
            at[i] = stacks_frames(s, i, &n);
        }
        for (uint32_t i = 0; i < STACKS; i++) {
            assert_ptr_equal(stacks_frames(s, i, &n), at[i]);
            assert_int_equal(n, i % 4 == 1 ? 1 : STACKS_FRAMES_MAX >> i % 4);
            for (uint32_t k = 0; k < n; k++)
                assert_int_equal(at[i][k], (uint64_t)(period + 1) << 40 | i << 16 | k);
        }
        assert_false(stacks_add(s, frames, STACKS_FRAMES_MAX + 1, 0, 1, 1));
        stacks_clear(s);
    }
    stacks_free(s);
}

TEST(stacks__clearing_forgets_everything_even_after_memory_was_given_back)
{
    struct stacks *s = stacks_new(&roomy, NULL);
    uint64_t seed = 5, frames[40];

    for (int i = 0; i < 5000; i++) {
        uint32_t n = random_stack(&seed, frames);

        stacks_add(s, frames, n, 0, 1, 1);
    }
    for (int period = 0; period < 10; period++) {
        stacks_clear(s);
        assert_int_equal(stacks_entry_count(s), 0);
        stacks_sort(s);
        assert_true(stacks_add(s, frames, 2, 3, 1, 1));
        assert_true(stacks_add(s, frames, 2, 3, 1, 1));
        assert_int_equal(only_entry(s)->count, 2);
    }
    stacks_free(s);
}
