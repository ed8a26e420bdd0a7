/*
 * test_perf_doubles.c - threads that have events twice: which of them count
 */
#include "perf_record.h"
#include "unit.h"

#include "ringside/perf.h"

#include "../../src/perf/doubles.h"

/* Number 0 was there from the first, 1 and 2 were found later. */
static struct perf_task tasks[] = {{.tid = 100}, {.tid = 101, .late = true}, {.tid = 102, .late = true}};
static const struct perf_attached attached = {.task = tasks, .tasks = 3};
static struct doubles doubles;

static struct doubles_answer look(uint32_t type, uint32_t tid, uint32_t task)
{
    struct bytes b;

    begin(&b, type, 0);
    if (type == PERF_RECORD_SAMPLE) {
        put_u64(&b, 1);
        put_u32(&b, 100);
        put_u32(&b, tid);
        put_u64(&b, 5);
    } else {
        put_u64(&b, 0);
        put_trailer(&b, 100, tid, 5);
    }
    end(&b);
    return doubles_look(&doubles, b.data, b.n, task);
}

static void assert_kept(struct doubles_answer a)
{
    assert_false(a.drop);
    assert_int_equal(a.sleep, DOUBLES_NOBODY);
}

TEST(doubles__who_was_there_first_needs_no_look)
{
    doubles_init(&doubles, NULL);
    assert_int_equal(doubles.count, 0);
    doubles_release(&doubles);
    doubles_init(&doubles, &attached);
    assert_int_equal(doubles.count, 2);
    doubles_release(&doubles);
}

TEST(doubles__a_late_thread_that_inherited_counts_as_an_heir)
{
    struct doubles_answer a;

    doubles_init(&doubles, &attached);
    assert_kept(look(PERF_RECORD_SAMPLE, 100, 0));
    assert_kept(look(PERF_RECORD_SAMPLE, 555, 0)); /* a child of it that was never given events */
    a = look(PERF_RECORD_SAMPLE, 101, 0);
    assert_int_equal(a.sleep, 1);
    assert_false(a.drop);
    assert_true(look(PERF_RECORD_SAMPLE, 101, 1).drop);
    assert_true(look(PERF_RECORD_FORK, 777, 1).drop); /* and what its own events' heirs say */
    assert_kept(look(PERF_RECORD_SAMPLE, 101, 0));
    doubles_release(&doubles);
}

TEST(doubles__the_record_that_decides_is_left_out_when_its_twin_was_taken)
{
    struct doubles_answer a;

    doubles_init(&doubles, &attached);
    assert_kept(look(PERF_RECORD_FORK, 101, 1));
    a = look(PERF_RECORD_FORK, 101, 0);
    assert_int_equal(a.sleep, 1);
    assert_true(a.drop);
    assert_kept(look(PERF_RECORD_SAMPLE, 101, 0));
    doubles_release(&doubles);
}

TEST(doubles__a_late_thread_with_nothing_but_its_own_events_keeps_them)
{
    doubles_init(&doubles, &attached);
    assert_kept(look(PERF_RECORD_SAMPLE, 102, 2));
    assert_kept(look(PERF_RECORD_SAMPLE, 103, 2)); /* its child */
    assert_kept(look(PERF_RECORD_EXIT, 102, 2));
    doubles_release(&doubles);
}

TEST(doubles__an_end_told_twice_still_decides)
{
    doubles_init(&doubles, &attached);
    assert_kept(look(PERF_RECORD_EXIT, 102, 2));
    assert_int_equal(look(PERF_RECORD_EXIT, 102, 0).sleep, 2);
    doubles_release(&doubles);
}

TEST(doubles__an_id_given_to_somebody_else_decides_nothing)
{
    doubles_init(&doubles, &attached);
    assert_kept(look(PERF_RECORD_EXIT, 102, 2));
    assert_kept(look(PERF_RECORD_SAMPLE, 102, 0));
    assert_kept(look(PERF_RECORD_EXIT, 102, 0));
    assert_kept(look(PERF_RECORD_SAMPLE, 555, 2)); /* what it left behind still counts */
    doubles_release(&doubles);
}

TEST(doubles__two_late_threads_of_which_one_comes_from_the_other)
{
    doubles_init(&doubles, &attached);
    assert_int_equal(look(PERF_RECORD_SAMPLE, 102, 1).sleep, 2);
    assert_kept(look(PERF_RECORD_SAMPLE, 101, 1));
    assert_true(look(PERF_RECORD_SAMPLE, 102, 2).drop);
    doubles_release(&doubles);
}
