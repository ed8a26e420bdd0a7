/*
 * test_worker_words.c - numbering and sorting the frame words of a period
 */
#include "unit.h"

#include <stdlib.h>

#include "ringside/base.h"

#include "../../src/worker/words.h"

static uint64_t word_at(uint64_t i)
{
    return hash_u64(i) >> (i % 64); /* all magnitudes, some of them equal */
}

TEST(worker_words__equal_words_have_one_number_in_order_of_coming)
{
    struct words w = {0};
    uint32_t distinct = 0;

    for (uint64_t i = 0; i < 5000; i++) {
        uint32_t number = words_add(&w, word_at(i));

        assert_in_range(number, 0, distinct);
        distinct += number == distinct;
        assert_int_equal(w.word[number], word_at(i));
    }
    assert_int_equal(w.count, distinct);
    for (uint32_t i = 0; i < distinct; i++)
        assert_int_equal(words_add(&w, w.word[i]), i);
    assert_int_equal(w.count, distinct);
    words_release(&w);
    words_release(&w);
}

TEST(worker_words__sorted_is_every_word_once_ascending)
{
    static const uint32_t counts[] = {0, 1, 2, 300, 20000};

    for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
        struct words w = {0};
        uint64_t *sorted;

        for (uint64_t i = 0; i < counts[c]; i++)
            words_add(&w, word_at(i));
        sorted = words_sorted(&w);
        for (uint32_t i = 0; i < w.count; i++) {
            assert_true(words_add(&w, sorted[i]) < w.count);
            assert_true(i == 0 || sorted[i - 1] < sorted[i]);
        }
        free(sorted);
        words_release(&w);
    }
}
