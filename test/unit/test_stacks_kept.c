/*
 * test_stacks_kept.c - counts that outlive who counted them
 */
#include "ringside/stacks.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/ledger.h"
#include "unit.h"

static const struct stacks_limits roomy = {.stacks = 100000, .words = 4000000, .entries = 200000};

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct ledger *new_ledger(void)
{
    struct err e;
    struct ledger *l = ledger_new(&e);

    assert_non_null(l);
    return l;
}

/* One of some thousands, some of which come again and again. */
static bool add_random(struct stacks *s, uint64_t *seed)
{
    uint64_t frames[64], which = next_random(seed) % 3000;
    uint32_t n = 1 + (uint32_t)(which * 7 % 60);

    for (uint32_t i = 0; i < n; i++)
        frames[i] = which * 1000 + i;
    return stacks_add(s, frames, n, (uint32_t)(next_random(seed) % 3), 1, which + 1);
}

struct sum {
    uint64_t count, value;
};

static struct sum sum_of(const struct stacks *s)
{
    struct sum sum = {0};

    for (uint32_t i = 0; i < stacks_entry_count(s); i++) {
        sum.count += stacks_entry_at(s, i)->count;
        sum.value += stacks_entry_at(s, i)->value;
    }
    return sum;
}

/* Every entry of a is in b, and as large or larger there. */
static void assert_within(const struct stacks *a, struct stacks *b)
{
    for (uint32_t i = 0; i < stacks_entry_count(a); i++) {
        const struct stacks_entry *e = stacks_entry_at(a, i);
        struct sum before = sum_of(b), after;
        uint32_t n, entries = stacks_entry_count(b);
        const uint64_t *frames = stacks_frames(a, e->stack, &n);

        assert_true(stacks_add(b, frames, n, e->owner, 0, 0));
        assert_int_equal(stacks_entry_count(b), entries);
        after = sum_of(b);
        assert_int_equal(before.count, after.count);
    }
}

TEST(stacks_kept__a_second_table_goes_on_where_the_first_was)
{
    struct ledger *l = new_ledger();
    struct stacks *s = stacks_new(&roomy, l), *whole = stacks_new(&roomy, NULL);
    uint64_t seed = 1, again = 1;

    for (int i = 0; i < 5000; i++)
        assert_true(add_random(s, &seed));
    stacks_free(s);
    s = stacks_new(&roomy, l);
    assert_int_equal(stacks_dropped(s), 0);
    for (int i = 0; i < 5000; i++)
        assert_true(add_random(s, &seed));
    for (int i = 0; i < 10000; i++)
        assert_true(add_random(whole, &again));
    stacks_sort(s);
    stacks_sort(whole);
    assert_int_equal(stacks_entry_count(s), stacks_entry_count(whole));
    for (uint32_t i = 0; i < stacks_entry_count(s); i++) {
        const struct stacks_entry *x = stacks_entry_at(s, i), *y = stacks_entry_at(whole, i);
        uint32_t nx, ny;
        const uint64_t *fx = stacks_frames(s, x->stack, &nx), *fy = stacks_frames(whole, y->stack, &ny);

        assert_int_equal(nx, ny);
        assert_memory_equal(fx, fy, nx * sizeof(*fx));
        assert_int_equal(x->owner, y->owner);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->value, y->value);
    }
    stacks_free(whole);
    stacks_free(s);
    ledger_free(l);
}

TEST(stacks_kept__what_was_cleared_does_not_come_back)
{
    struct ledger *l = new_ledger();
    struct stacks *s = stacks_new(&roomy, l);
    uint64_t seed = 1;
    uint32_t generation = stacks_generation(s);

    assert_true(add_random(s, &seed));
    stacks_clear(s);
    stacks_free(s);
    s = stacks_new(&roomy, l);
    assert_int_equal(stacks_entry_count(s), 0);
    assert_int_equal(stacks_generation(s), generation + 1);
    stacks_free(s);
    ledger_free(l);
}

/* What the child has done, which it says after each sample. */
struct said {
    uint64_t added, value;
};

/* Adds until the timer ends it, at whatever instruction. */
static void add_until_killed(struct ledger *l, volatile struct said *said, uint64_t seed)
{
    struct stacks *s = stacks_new(&roomy, l);
    struct itimerval timer = {.it_value.tv_usec = 50 + (suseconds_t)(seed % 1500)};

    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (;;) {
        add_random(s, &seed);
        said->added++;
    }
}

TEST(stacks_kept__who_is_killed_at_any_moment_loses_at_most_what_it_was_adding)
{
    volatile struct said *said =
        mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    for (uint64_t round = 1; round <= 300; round++) {
        struct ledger *l = new_ledger();
        uint64_t seed = round * 0x9e3779b97f4a7c15ULL, again = seed;
        struct stacks *found, *least = stacks_new(&roomy, NULL);
        struct sum have, want;
        int status;
        pid_t pid;

        said->added = 0;
        pid = fork();
        if (pid == 0)
            add_until_killed(l, said, seed);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
        found = stacks_new(&roomy, l);
        assert_int_equal(stacks_dropped(found), 0);
        for (uint64_t i = 0; i < said->added; i++)
            assert_true(add_random(least, &again));
        have = sum_of(found);
        want = sum_of(least);
        assert_in_range(have.count, want.count, want.count + 1);
        assert_in_range(have.value, want.value, want.value + 3000);
        if (round % 50 == 0)
            assert_within(least, found);
        stacks_free(least);
        stacks_free(found);
        ledger_free(l);
    }
    munmap((void *)said, sizeof(*said));
}

/* All that is said of the table must be true in itself. */
static void assert_sound(struct stacks *s)
{
    uint64_t seed = 5, sum = 0;
    uint32_t n;

    stacks_sort(s);
    for (uint32_t i = 0; i < stacks_entry_count(s); i++) {
        const uint64_t *frames = stacks_frames(s, stacks_entry_at(s, i)->stack, &n);

        assert_true(n <= STACKS_FRAMES_MAX);
        for (uint32_t k = 0; k < n; k++)
            sum += frames[k];
    }
    for (int i = 0; i < 100; i++)
        add_random(s, &seed);
    assert_true(sum != 1);
}

TEST(stacks_kept__what_was_written_over_is_dropped_and_the_rest_stays)
{
    static const enum ledger_part parts[] = {LEDGER_STACKS, LEDGER_ENTRIES, LEDGER_WORDS};
    uint64_t seed = 99;
    uint32_t dropped = 0;

    for (int round = 0; round < 300; round++) {
        struct ledger *l = new_ledger();
        struct stacks *s = stacks_new(&roomy, l);
        uint64_t adds = 3;
        uint32_t entries;

        for (int i = 0; i < 2000; i++)
            add_random(s, &adds);
        entries = stacks_entry_count(s);
        stacks_free(s);
        for (int i = 0; i <= round % 20; i++) {
            size_t bytes;
            uint8_t *at = ledger_at(l, parts[next_random(&seed) % 3], &bytes);
            size_t offset = next_random(&seed) % (round % 2 ? 64 : 40000);

            at[offset] = (uint8_t)next_random(&seed);
        }
        s = stacks_new(&roomy, l);
        if (stacks_entry_count(s) > entries / 2) /* the numbers of stacks and entries were not hit */
            dropped += stacks_dropped(s);
        assert_sound(s);
        stacks_free(s);
        ledger_free(l);
    }
    assert_true(dropped > 0);
}

TEST(stacks_kept__entries_of_owners_that_are_not_there_are_dropped)
{
    struct ledger *l = new_ledger();
    struct stacks_limits two = roomy;
    struct stacks *s = stacks_new(&roomy, l);
    const uint64_t frames[] = {1, 2};

    two.owners = 2;
    for (uint32_t owner = 0; owner < 4; owner++)
        assert_true(stacks_add(s, frames, 2, owner, 1, 10));
    stacks_free(s);
    s = stacks_new(&two, l);
    assert_int_equal(stacks_dropped(s), 2);
    assert_int_equal(sum_of(s).value, 20);
    assert_true(stacks_add(s, frames, 2, 0, 1, 10));
    assert_int_equal(stacks_entry_count(s), 2);
    stacks_free(s);
    ledger_free(l);
}
