/*
 * test_profile.c - interning, cleaning and dropping in the finished profile
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/profile.h"

static void with_types(struct profile *p)
{
    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
}

TEST(profile__interns_strings_and_functions)
{
    struct profile p;
    uint32_t main_id, other;

    profile_init(&p);
    main_id = profile_add_function(&p, "main", "main");
    other = profile_add_function(&p, "f(int)", "_Z1fi");
    assert_int_equal(main_id, 1);
    assert_int_equal(other, 2);
    assert_int_equal(profile_add_function(&p, "main", "main"), main_id);
    assert_int_equal(profile_add_function(&p, "f(int)", "_Z1fi"), other);
    assert_int_equal(profile_add_function(&p, "f(int)", "other"), 3);
    assert_int_equal(p.function_count, 3);
    assert_string_equal(strtab_get(&p.strings, p.function[1].name), "f(int)");
    assert_int_equal(profile_string(&p, "main"), p.function[0].name);
    assert_int_equal(profile_string(&p, ""), 0);
    profile_release(&p);
}

TEST(profile__ids_count_from_one_in_order)
{
    struct profile p;

    profile_init(&p);
    for (uint32_t i = 1; i <= 1000; i++) {
        struct profile_location l = {.address = i};
        struct profile_mapping m = {.start = i, .limit = i + 1};

        assert_int_equal(profile_add_location(&p, &l), i);
        assert_int_equal(profile_add_mapping(&p, &m), i);
        assert_int_equal(p.location[i - 1].address, i);
    }
    profile_release(&p);
}

TEST(profile__replaces_bytes_that_are_not_utf8)
{
    struct profile p;

    profile_init(&p);
    assert_string_equal(strtab_get(&p.strings, profile_string(&p, "caf\xe9")), "caf?");
    assert_string_equal(strtab_get(&p.strings, profile_string(&p, "caf\xc3\xa9")), "caf\xc3\xa9");
    profile_add_comment(&p, "command \xff %d", 7);
    assert_string_equal(strtab_get(&p.strings, p.comment[0]), "command ? 7");
    profile_release(&p);
}

TEST(profile__keeps_stacks_and_values_of_samples_apart)
{
    struct profile p;
    uint32_t first[] = {1, 2, 3}, second[] = {3};
    int64_t values[2][2] = {{1, 10}, {2, 20}};

    with_types(&p);
    for (uint64_t i = 0; i < 3; i++)
        profile_add_location(&p, &(struct profile_location){.address = i});
    profile_add_sample(&p, first, 3, 0, values[0]);
    profile_add_sample(&p, second, 1, 0, values[1]);
    assert_int_equal(p.sample_count, 2);
    assert_int_equal(p.sample[1].first_location, 3);
    assert_int_equal(p.sample[1].locations, 1);
    assert_int_equal(p.stack[p.sample[1].first_location], 3);
    assert_int_equal(p.value[p.sample[1].first_value + 1], 20);
    assert_int_equal(p.value[p.sample[0].first_value], 1);
    profile_release(&p);
}

TEST(profile__drops_and_counts_samples_no_reader_would_take)
{
    struct profile p;
    uint32_t unknown[] = {1, 2}, zero[] = {0}, good[] = {1};
    int64_t values[2] = {1, 10};

    with_types(&p);
    profile_add_location(&p, &(struct profile_location){.address = 1});
    profile_add_sample(&p, unknown, 2, 0, values);
    profile_add_sample(&p, zero, 1, 0, values);
    profile_add_sample(&p, good, 0, 0, values);
    assert_int_equal(p.sample_count, 0);
    assert_int_equal(p.dropped, 3);
    profile_add_sample(&p, good, 1, 0, values);
    assert_int_equal(p.sample_count, 1);
    profile_release(&p);
}

TEST(profile__leaves_out_empty_and_repeated_labels)
{
    struct profile p;
    struct profile_label labels[4];
    uint32_t set;

    profile_init(&p);
    labels[0] = (struct profile_label){profile_string(&p, "pid"), profile_string(&p, "7")};
    labels[1] = (struct profile_label){profile_string(&p, "container_id"), profile_string(&p, "")};
    labels[2] = (struct profile_label){profile_string(&p, "pid"), profile_string(&p, "8")};
    labels[3] = (struct profile_label){profile_string(&p, "thread_name"), profile_string(&p, "main")};
    set = profile_add_labels(&p, labels, 4);
    assert_int_equal(p.label_set[set].labels, 2);
    assert_string_equal(strtab_get(&p.strings, p.label_set[set].label[0].text), "7");
    assert_string_equal(strtab_get(&p.strings, p.label_set[set].label[1].text), "main");
    profile_release(&p);
}

TEST(profile__counts_what_the_caps_on_types_and_labels_keep_out)
{
    struct profile p;
    struct profile_label labels[PROFILE_LABELS_MAX + 1];
    char text[16];

    profile_init(&p);
    for (uint32_t i = 0; i <= PROFILE_LABELS_MAX; i++) {
        snprintf(text, sizeof(text), "key%u", i);
        labels[i] = (struct profile_label){profile_string(&p, text), profile_string(&p, "x")};
    }
    profile_add_labels(&p, labels, PROFILE_LABELS_MAX + 1);
    assert_int_equal(p.label_set[0].labels, PROFILE_LABELS_MAX);
    for (uint32_t i = 0; i <= PROFILE_TYPES_MAX; i++)
        profile_add_type(&p, "cpu", "nanoseconds");
    assert_int_equal(p.type_count, PROFILE_TYPES_MAX);
    assert_int_equal(p.dropped, 2);
    profile_release(&p);
}

TEST(profile__can_be_released_twice)
{
    struct profile p;

    with_types(&p);
    profile_release(&p);
    profile_release(&p);
}
