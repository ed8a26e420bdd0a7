/*
 * test_event.c - event specs
 */
#include "ringside/event.h"

#include <linux/perf_event.h>

#include "unit.h"

TEST(event__cpu_samples_the_task_clock_with_a_period_in_nanoseconds)
{
    struct event_spec e = event_cpu(99, 32768);

    assert_string_equal(e.name, "sCPU");
    assert_int_equal(e.perf_type, PERF_TYPE_SOFTWARE);
    assert_int_equal(e.perf_config, PERF_COUNT_SW_TASK_CLOCK);
    assert_int_equal(e.period, 10101010);
    assert_int_equal(e.stack_bytes, 32768);
}

TEST(event__stack_bytes_are_rounded_down_to_words_the_kernel_accepts)
{
    assert_int_equal(event_cpu(1, 1025).stack_bytes, 1024);
    assert_int_equal(event_cpu(1, 70000).stack_bytes, EVENT_STACK_MAX);
}

TEST(event__frequency_zero_is_taken_as_one)
{
    assert_int_equal(event_cpu(0, 0).period, 1000000000);
}
