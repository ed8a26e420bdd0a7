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
    assert_string_equal(strtab_get(&p.strings, profile_string(&p, " eight~\x7f")), " eight~\x7f");
    for (size_t at = 0; at < 20; at++) { /* wherever the byte is */
        char text[] = "operator<<(A, B&&)::", clean[sizeof(text)];

        memcpy(clean, text, sizeof(text));
        clean[at] = '?';
        for (const char *bad = "\x01\x1f\x80\xe9\xff"; *bad; bad++) {
            text[at] = *bad;
            assert_string_equal(strtab_get(&p.strings, profile_string(&p, text)), clean);
        }
    }
    profile_add_comment(&p, "command \xff %d", 7);
    assert_string_equal(strtab_get(&p.strings, p.comment[0]), "command ? 7");
    profile_release(&p);
}

TEST(profile__keeps_frames_and_values_of_samples_apart)
{
    struct profile p;
    uint32_t main_frame, other;
    int64_t values[2][2] = {{1, 10}, {2, 20}};

    with_types(&p);
    for (uint64_t i = 0; i < 3; i++)
        profile_add_location(&p, &(struct profile_location){.address = i});
    main_frame = profile_add_frame(&p, 0, 3);
    other = profile_add_frame(&p, main_frame, 1);
    profile_add_sample(&p, other, 0, values[0]);
    profile_add_sample(&p, main_frame, 0, values[1]);
    assert_int_equal(p.sample_count, 2);
    assert_int_equal(p.sample[0].frame, other);
    assert_int_equal(p.frame[other - 1].location, 1);
    assert_int_equal(p.frame[other - 1].caller, main_frame);
    assert_int_equal(p.frame[main_frame - 1].location, 3);
    assert_int_equal(p.frame[main_frame - 1].caller, 0);
    assert_int_equal(p.sample[1].frame, main_frame);
    assert_int_equal(p.value[p.sample[1].first_value + 1], 20);
    assert_int_equal(p.value[p.sample[0].first_value], 1);
    profile_release(&p);
}

TEST(profile__drops_and_counts_samples_no_reader_would_take)
{
    struct profile p;
    int64_t values[2] = {1, 10};

    with_types(&p);
    profile_add_location(&p, &(struct profile_location){.address = 1});
    profile_add_sample(&p, 0, 0, values);
    profile_add_sample(&p, 1, 0, values);
    profile_add_sample(&p, PROFILE_NO_FRAME, 0, values);
    assert_int_equal(p.sample_count, 0);
    assert_int_equal(p.dropped, 3);
    profile_add_sample(&p, profile_add_frame(&p, 0, 1), 0, values);
    assert_int_equal(p.sample_count, 1);
    profile_release(&p);
}

TEST(profile__drops_frames_without_location_and_all_called_from_them)
{
    struct profile p;

    with_types(&p);
    profile_add_location(&p, &(struct profile_location){.address = 1});
    assert_int_equal(profile_add_frame(&p, 0, 0), PROFILE_NO_FRAME);
    assert_int_equal(profile_add_frame(&p, 0, 2), PROFILE_NO_FRAME);
    assert_int_equal(profile_add_frame(&p, PROFILE_NO_FRAME, 1), PROFILE_NO_FRAME);
    assert_int_equal(profile_add_frame(&p, 1, 1), PROFILE_NO_FRAME);
    assert_int_equal(p.dropped, 4);
    assert_int_equal(p.frame_count, 0);
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
