/*
 * test_process_space.c - what the addresses of a process show, as mappings come, go and are shared
 */
#include "process_world.h"

TEST(process__a_mapping_is_found_by_each_of_its_addresses_only)
{
    struct process *p;

    begin(roomy);
    comm(10, 10, "x", true);
    map(10, 0x5000, 0x7000, 0x1000, "/b");
    map(10, 0x1000, 0x2000, 0, "/a");
    p = process_find(table, 10);
    for (int round = 0; round < 2; round++) {
        assert_null(process_find_mapping(p, 0xfff));
        assert_string_equal(process_find_mapping(p, 0x1000)->image->path, "/a");
        assert_string_equal(process_find_mapping(p, 0x1fff)->image->path, "/a");
        assert_null(process_find_mapping(p, 0x2000));
        assert_string_equal(process_find_mapping(p, 0x6fff)->image->path, "/b");
        assert_null(process_find_mapping(p, 0x7000));
        assert_null(process_find_mapping(p, UINT64_MAX));
    }
    end();
}

TEST(process__addresses_turn_into_those_of_the_file)
{
    struct process *p;

    begin(roomy);
    comm(10, 10, "x", true);
    map(10, 0x7f0000005000, 0x7f0000007000, 0x1000, "/lib");
    map(10, 0x8000, 0x9000, 0x8000, "//anon");
    p = process_find(table, 10);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mapping_to_elf(&images, process_find_mapping(p, 0x7f0000005010), 0x7f0000005010),
                         0x401010);
        assert_int_equal(mapping_to_elf(&images, process_find_mapping(p, 0x8123), 0x8123), 0x8123);
    }
    /* the rest of a mapping that was cut keeps what is known */
    map(10, 0x7f0000005000, 0x7f0000006000, 0, "/other");
    assert_int_equal(mapping_to_elf(&images, process_find_mapping(p, 0x7f0000006000), 0x7f0000006000),
                     0x402000);
    end();
}

TEST(process__addresses_are_those_of_the_file_once_it_can_be_read)
{
    struct mapping *m;

    begin(roomy);
    comm(10, 10, "x", true);
    map(10, 0x7f0000005000, 0x7f0000007000, 0x1000, "/lib");
    m = process_find_mapping(process_find(table, 10), 0x7f0000005010);
    files_readable = false;
    assert_int_equal(mapping_to_elf(&images, m, 0x7f0000005010), 0x7f0000005010);
    files_readable = true;
    assert_int_equal(mapping_to_elf(&images, m, 0x7f0000005010), 0x401010);
    files_readable = false; /* not asked for again */
    assert_int_equal(mapping_to_elf(&images, m, 0x7f0000005020), 0x401020);
    end();
}

TEST(process__a_new_mapping_replaces_what_it_overlaps_as_mmap_does)
{
    static const struct {
        uint64_t start, end;
        const char *expected;
    } cases[] = {
        {0x1000, 0x2000, "1000-2000+0/n 2000-4000+0/a 6000-8000+100/b"},
        {0x1000, 0x3000, "1000-3000+0/n 3000-4000+1000/a 6000-8000+100/b"},
        {0x2000, 0x4000, "2000-4000+0/n 6000-8000+100/b"},
        {0x2800, 0x3000, "2000-2800+0/a 2800-3000+0/n 3000-4000+1000/a 6000-8000+100/b"},
        {0x3000, 0x4000, "2000-3000+0/a 3000-4000+0/n 6000-8000+100/b"},
        {0x3000, 0x5000, "2000-3000+0/a 3000-5000+0/n 6000-8000+100/b"},
        {0x3000, 0x7000, "2000-3000+0/a 3000-7000+0/n 7000-8000+1100/b"},
        {0x4000, 0x6000, "2000-4000+0/a 4000-6000+0/n 6000-8000+100/b"},
        {0x1000, 0x9000, "1000-9000+0/n"},
        {0x8000, 0x9000, "2000-4000+0/a 6000-8000+100/b 8000-9000+0/n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(roomy);
        comm(10, 10, "x", true);
        map(10, 0x2000, 0x4000, 0, "/a");
        map(10, 0x6000, 0x8000, 0x100, "/b");
        map(10, cases[i].start, cases[i].end, 0, "/n");
        assert_mappings(10, cases[i].expected);
        assert_int_equal(mappings_of("/n"), 1);
        end();
    }
}

TEST(process__mappings_that_make_no_sense_are_left_out)
{
    begin(roomy);
    comm(10, 10, "x", true);
    assert_false(map(10, 0x2000, 0x2000, 0, "/empty"));
    assert_false(map(10, 0x2000, 0x1000, 0, "/wraps"));
    assert_mappings(10, "");
    end();
}

/* Random maps over a small range, against one cell per page. */
TEST(process__any_sequence_of_mappings_shows_the_newest_at_every_page)
{
    static const char *const paths[] = {"/a", "/b", "/c"};
    uint64_t seed = 88172645463325252ULL;
    int shown[64];
    struct process *p;

    begin(roomy);
    comm(10, 10, "x", true);
    memset(shown, -1, sizeof(shown));
    for (int i = 0; i < 3000; i++) {
        uint64_t start, pages;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        start = seed % 60;
        pages = 1 + (seed >> 20) % 4;
        map(10, start << 12, (start + pages) << 12, start << 12, paths[(seed >> 40) % 3]);
        for (uint64_t k = start; k < start + pages; k++)
            shown[k] = (int)((seed >> 40) % 3);
        p = process_find(table, 10);
        for (uint64_t k = 0; k < 64; k++) {
            const struct mapping *m = process_find_mapping(p, (k << 12) + 5);

            assert_int_equal(m != NULL, shown[k] >= 0);
            if (m)
                assert_string_equal(m->image->path, paths[shown[k]]);
            if (m) /* every page is mapped at its own offset here, however often it was cut */
                assert_int_equal(m->start - m->file_offset, 0);
        }
    }
    end();
}

TEST(process__a_fork_shares_mappings_until_one_side_changes)
{
    struct process *parent, *child;
    uint32_t epoch;

    begin(roomy);
    comm(10, 10, "shell", true);
    map(10, 0x1000, 0x2000, 0, "/a");
    epoch = process_find(table, 10)->space->epoch;
    assert_true(fork_record(11, 11, 10, 10));
    parent = process_find(table, 10);
    child = process_find(table, 11);
    assert_ptr_equal(parent->space, child->space);
    assert_int_equal(child->parent_pid, 10);
    assert_string_equal(child->name, "shell");
    assert_int_equal(mappings_of("/a"), 1);
    map(11, 0x3000, 0x4000, 0, "/b");
    assert_mappings(10, "1000-2000+0/a");
    assert_mappings(11, "1000-2000+0/a 3000-4000+0/b");
    assert_int_equal(parent->space->epoch, epoch);
    assert_int_not_equal(child->space->epoch, epoch);
    assert_int_equal(mappings_of("/a"), 2);
    exit_record(11, 11);
    assert_int_equal(mappings_of("/a"), 1);
    assert_int_equal(mappings_of("/b"), 0);
    end();
}

TEST(process__a_child_outlives_the_parent_whose_mappings_it_shares)
{
    begin(roomy);
    comm(10, 10, "x", true);
    map(10, 0x1000, 0x2000, 0, "/a");
    fork_record(11, 11, 10, 10);
    exit_record(10, 10);
    processes_forget(table, processes_next_ended(table, UINT64_MAX));
    assert_null(process_find(table, 10));
    assert_mappings(11, "1000-2000+0/a");
    end();
}

TEST(process__epochs_change_with_every_change_and_only_then)
{
    uint32_t epoch;

    begin(roomy);
    comm(10, 10, "x", true);
    map(10, 0x1000, 0x2000, 0, "/a");
    epoch = process_find(table, 10)->space->epoch;
    assert_false(map(10, 0x1000, 0x2000, 0, "/a")); /* as mprotect of a JIT's pages reports again and again */
    assert_int_equal(process_find(table, 10)->space->epoch, epoch);
    map(10, 0x1000, 0x2000, 0, "/b");
    assert_int_not_equal(process_find(table, 10)->space->epoch, epoch);
    end();
}

TEST(process__beyond_the_cap_of_mappings_new_ones_are_counted_and_dropped)
{
    begin((struct process_limits){.processes = 10, .tasks = 10, .mappings = 2});
    comm(1, 1, "x", true);
    map(1, 0x1000, 0x4000, 0, "/a");
    map(1, 0x5000, 0x6000, 0, "/b");
    assert_false(map(1, 0x7000, 0x8000, 0, "/c"));
    assert_false(map(1, 0x2000, 0x3000, 0, "/c")); /* would split one into two */
    assert_int_equal(stats_get(stats, STATS_MAPPINGS_DROPPED), 2);
    assert_mappings(1, "1000-4000+0/a 5000-6000+0/b");
    assert_true(map(1, 0x1000, 0x6000, 0, "/d"));
    assert_mappings(1, "1000-6000+0/d");
    end();
}
