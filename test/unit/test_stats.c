/*
 * test_stats.c - the counters' page and the profiler's own use
 */
#include "ringside/stats.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

TEST(stats__start_at_zero_and_add_up)
{
    struct stats *s = stats_new();

    for (int i = 0; i < STATS_COUNT; i++)
        assert_int_equal(stats_get(s, i), 0);
    stats_add(s, STATS_SAMPLES, 3);
    stats_add(s, STATS_SAMPLES, 4);
    assert_int_equal(stats_get(s, STATS_SAMPLES), 7);
    assert_int_equal(stats_get(s, STATS_RECORDS), 0);
    stats_free(s);
    stats_free(NULL);
}

TEST(stats__a_childs_counts_outlive_it)
{
    struct stats *s = stats_new();
    int status;
    pid_t child = fork();

    if (child == 0) {
        stats_add(s, STATS_FRAMES, 42);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(stats_get(s, STATS_FRAMES), 42);
    stats_free(s);
}

TEST(stats__every_counter_has_a_name_of_its_own)
{
    for (int i = 0; i < STATS_COUNT; i++) {
        assert_true(strlen(stats_name(i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(stats_name(i), stats_name(j));
    }
    assert_string_equal(stats_name(STATS_SAMPLES_LOST), "samples_lost");
    assert_string_equal(stats_name(STATS_COUNT), "unknown");
}

TEST(stats__self_counts_own_cpu_and_peak_memory)
{
    const size_t bytes = 24 << 20;
    struct stats_self before, after;
    char *memory;

    stats_self(&before);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    for (;;) { /* CPU time is the condition, so this ends on any machine */
        memset(memory, 1, bytes);
        stats_self(&after);
        if (after.cpu_ns > before.cpu_ns)
            break;
    }
    munmap(memory, bytes);
    assert_true(after.peak_rss_bytes >= bytes);
    assert_true(after.peak_rss_bytes >= before.peak_rss_bytes);
}
