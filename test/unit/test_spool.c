/*
 * test_spool.c - order, bounds, age and the bytes of an entry, on disk and in memory
 */
#include "spool_world.h"

/* Everything that holds on disk and in memory alike. */
static void both(void (*test)(struct world *w))
{
    for (int disk = 0; disk < 2; disk++) {
        struct world w;

        world_make(&w);
        if (!disk)
            w.config.folder = NULL;
        test(&w);
        world_remove(&w);
    }
}

static void in_order(struct world *w)
{
    struct spool *s = spool_open(&w->config);

    for (int i = 0; i < 120; i++) {
        char label[32];

        snprintf(label, sizeof(label), "%d", i);
        assert_int_equal(put(s, i % 3 == 0, label, (size_t)i), 0);
    }
    for (int i = 0; i < 120; i++) {
        char label[32];

        snprintf(label, sizeof(label), "%d", i);
        next_is(s, i % 3 == 0, label);
    }
    next_is(s, 0, "");
    next_is(s, 1, "");
    assert_int_equal(entries_left(s), 0);
    assert_true(left_of(s, UINT32_MAX).bytes == 0);
    spool_close(s);
}

TEST(spool__gives_the_items_of_a_key_in_the_order_they_were_put)
{
    both(in_order);
}

static void several_taken(struct world *w)
{
    struct spool *s = spool_open(&w->config);
    struct spool_taken one, two;

    put(s, 0, "one", 10);
    put(s, 0, "two", 10);
    put(s, 0, "three", 10);
    assert_true(spool_take(s, 0, &one));
    assert_true(spool_take(s, 0, &two));
    assert_string_equal(one.item.label, "one");
    assert_string_equal(two.item.label, "two");
    assert_int_equal(entries_left(s), 3); /* what is taken is still there */
    spool_put_back(s, &two);
    spool_put_back(s, &one);
    assert_null(one.memory);
    next_is(s, 0, "one");
    next_is(s, 0, "two");
    next_is(s, 0, "three");
    spool_close(s);
}

TEST(spool__gives_what_was_put_back_first_again)
{
    both(several_taken);
}

static void any_item(struct world *w)
{
    struct spool *s = spool_open(&w->config);
    struct spool_item item = {UINT64_MAX, NULL, "PUT", "/a b?\n\xff", NULL, "\0\n\0", 3};
    struct spool_taken t;

    assert_int_equal(spool_put(s, 1, &item, NULL), 0);
    assert_true(spool_take(s, 1, &t));
    assert_string_equal(t.item.label, "");
    assert_string_equal(t.item.path, item.path);
    assert_string_equal(t.item.headers, "");
    assert_int_equal(t.item.body_bytes, 3);
    assert_memory_equal(t.item.body, "\0\n\0", 3);
    assert_true(t.item.wall_ns == UINT64_MAX);
    spool_done(s, &t);
    spool_close(s);
}

TEST(spool__keeps_any_text_and_any_body)
{
    both(any_item);
}

static void too_large(struct world *w)
{
    struct spool *s = spool_open(&w->config);
    char text[SPOOL_TEXT_MAX + 2];
    struct spool_item item = {.label = text, .method = "", .path = "", .headers = "", .body = text};
    struct err e = {0};

    memset(text, 'x', sizeof(text));
    text[SPOOL_TEXT_MAX + 1] = '\0';
    assert_int_equal(spool_put(s, 0, &item, &e), -1);
    assert_true(e.text[0] != '\0');
    text[SPOOL_TEXT_MAX] = '\0';
    assert_int_equal(spool_put(s, 0, &item, NULL), 0);
    item.label = "large";
    item.body_bytes = SPOOL_ITEM_BYTES_MAX + 1; /* not read: text is shorter */
    assert_int_equal(spool_put(s, 0, &item, &e), -1);
    assert_int_equal(entries_left(s), 1);
    spool_close(s);
}

TEST(spool__refuses_an_item_beyond_its_maximums)
{
    both(too_large);
}

TEST(spool__drops_the_oldest_when_the_folder_is_full)
{
    struct world w;
    struct spool *s;
    struct spool_taken first;

    world_make(&w);
    w.config.bytes_max = 10000;
    s = spool_open(&w.config);
    put(s, 0, "1", 2000);
    put(s, 1, "2", 2000);
    put(s, 0, "3", 2000);
    put(s, 0, "4", 2000);
    assert_true(dropped_full(&w) == 0);
    assert_true(spool_take(s, 0, &first)); /* under way: not dropped, though the oldest */
    put(s, 0, "5", 4000);
    assert_true(dropped_full(&w) == 2);
    assert_true(left_of(s, UINT32_MAX).bytes <= 10000);
    assert_int_equal(left_of(s, UINT32_MAX).in_memory, 0);
    spool_put_back(s, &first);
    next_is(s, 1, "");
    next_is(s, 0, "1");
    next_is(s, 0, "4");
    next_is(s, 0, "5");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__drops_nothing_for_an_item_that_can_never_fit)
{
    struct world w;
    struct spool *s;
    struct err e = {0};
    struct spool_item item = {.label = "huge", .method = "", .path = "", .headers = ""};
    FREE_PTR char *body = base_calloc(1, 50000);

    world_make(&w);
    w.config.bytes_max = 10000;
    w.config.memory_bytes_max = 40000;
    s = spool_open(&w.config);
    put(s, 0, "1", 4000);
    put(s, 0, "2", 20000); /* beyond the folder's maximum, but there is memory */
    assert_int_equal(left_of(s, 0).in_memory, 1);
    item.body = body;
    item.body_bytes = 50000;
    assert_int_equal(spool_put(s, 0, &item, &e), -1);
    assert_non_null(strstr(e.text, "huge"));
    assert_true(dropped_full(&w) == 0);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__drops_the_oldest_when_memory_is_full)
{
    struct world w;
    struct spool *s;
    struct spool_taken taken;

    world_make(&w);
    w.config.folder = NULL;
    w.config.memory_bytes_max = 10000;
    s = spool_open(&w.config);
    assert_string_equal(spool_folder(s), "");
    put(s, 0, "1", 3000);
    put(s, 1, "2", 3000);
    put(s, 0, "3", 3000);
    assert_true(spool_take(s, 0, &taken));
    assert_int_equal(put(s, 0, "4", 3000), 0);
    assert_true(dropped_full(&w) == 1);
    next_is(s, 1, "");
    assert_true(is_whole(&taken.item)); /* still whole, though it lies in the spool's memory */
    spool_done(s, &taken);
    next_is(s, 0, "3");
    next_is(s, 0, "4");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__holds_a_limited_number_of_entries)
{
    enum { MAX = 16384 };
    struct world w;
    struct spool *s;

    world_make(&w);
    w.config.folder = NULL;
    w.config.memory_bytes_max = 1 << 30;
    s = spool_open(&w.config);
    for (int i = 0; i < MAX + 10; i++)
        assert_int_equal(put(s, 0, i == 10 ? "eleventh" : "x", 1), 0);
    assert_int_equal(entries_left(s), MAX);
    assert_true(dropped_full(&w) == 10);
    next_is(s, 0, "eleventh");
    spool_close(s);
    world_remove(&w);
}

static void old_go(struct world *w)
{
    struct spool *s;
    struct spool_taken taken;

    w->config.age_max_ns = 10 * MINUTE;
    s = spool_open(&w->config);
    put_at(s, 0, "taken", 10, MORNING);
    put_at(s, 0, "old", 10, MORNING);
    put_at(s, 1, "new", 10, MORNING + MINUTE);
    assert_true(spool_take(s, 0, &taken));
    spool_tend(s, MORNING + 10 * MINUTE);
    assert_true(dropped_old(w) == 0);
    spool_tend(s, MORNING + 10 * MINUTE + 1);
    assert_true(dropped_old(w) == 1);
    spool_put_back(s, &taken);
    next_is(s, 0, "taken");
    next_is(s, 0, "");
    next_is(s, 1, "new");
    spool_close(s);
}

TEST(spool__drops_what_is_too_old)
{
    both(old_go);
}

static void clock_back(struct world *w)
{
    struct spool *s;

    w->config.age_max_ns = 10 * MINUTE;
    s = spool_open(&w->config);
    put_at(s, 0, "ahead", 10, MORNING + 1000 * MINUTE);
    put_at(s, 0, "behind", 10, MORNING);
    spool_tend(s, MORNING + MINUTE);
    spool_tend(s, 0);
    assert_true(dropped_old(w) == 0);
    next_is(s, 0, "ahead");
    next_is(s, 0, "behind");
    spool_close(s);
}

TEST(spool__loses_nothing_when_the_clock_jumps_back)
{
    both(clock_back);
}

TEST(spool__says_what_is_left)
{
    struct world w;
    struct spool *s;
    uint64_t bytes;

    world_make(&w);
    s = spool_open(&w.config);
    assert_string_equal(spool_folder(s), w.folder);
    put(s, 0, "1", 1000);
    put(s, 0, "2", 1000);
    bytes = left_of(s, 0).bytes;
    assert_true(bytes > 2000 && bytes < 2500);
    put(s, 1, "3", 1000);
    assert_int_equal(left_of(s, 0).entries, 2);
    assert_int_equal(left_of(s, 1).entries, 1);
    assert_int_equal(entries_left(s), 3);
    assert_true(left_of(s, UINT32_MAX).bytes == bytes + bytes / 2);
    spool_close(s);
    world_remove(&w);
}

/* ---- the bytes of an entry ---- */

#define HEAD "ringside-spool 1 0123456789abcdef 5 2 1 1 4 3\n"
static const char good[] = HEAD "ab\0P\0/\0H: v\0xyz"; /* and the literal's own NUL */
#define GOOD_BYTES (sizeof(good) - 1)

TEST(spool__decodes_an_entry_where_it_lies)
{
    struct spool_item item;

    assert_int_equal(spool_decode(good, GOOD_BYTES, &item, NULL), 0);
    assert_true(item.label == good + strlen(HEAD));
    assert_string_equal(item.label, "ab");
    assert_string_equal(item.method, "P");
    assert_string_equal(item.path, "/");
    assert_string_equal(item.headers, "H: v");
    assert_int_equal(item.body_bytes, 3);
    assert_memory_equal(item.body, "xyz", 3);
    assert_true(item.wall_ns == 5);
}

TEST(spool__refuses_an_entry_cut_anywhere)
{
    struct spool_item item;

    for (size_t n = 0; n < GOOD_BYTES; n++) {
        FREE_PTR char *copy = base_alloc(n); /* so that a sanitizer sees reading behind it */
        struct err e = {0};

        memcpy(copy, good, n);
        assert_int_equal(spool_decode(copy, n, &item, &e), -1);
        assert_true(e.text[0] != '\0');
    }
    assert_int_equal(spool_decode(good, GOOD_BYTES + 1, &item, NULL), -1);
}

TEST(spool__refuses_an_entry_that_is_damaged)
{
    static const char *const heads[] = {
        "ringside-spool 2 0123456789abcdef 5 2 1 1 4 3\n",
        "ringside-spool 1 0123456789ABCDEF 5 2 1 1 4 3\n",
        "ringside-spool 1 0123456789abcde 5 2 1 1 4 3\n",
        "ringside-spool 1 0123456789abcdef -5 2 1 1 4 3\n",
        "ringside-spool 1 0123456789abcdef 5 2 1 1 4\n",
        "ringside-spool 1 0123456789abcdef 5 2 1 1 4 3 \n",
        "ringside-spool 1 0123456789abcdef 5  2 1 1 4 3\n",
        "ringside-spool 1 0123456789abcdef 5 2 1 1 4 3\r\n",
        "ringside-spool 1 0123456789abcdef 5 2 1 1 5000 3\n",
        "ringside-spool 1 0123456789abcdef 5 2 1 1 4 67108865\n",
        "ringside-spool 1 0123456789abcdef 99999999999999999999 2 1 1 4 3\n",
        "ringside-spool 1 0123456789abcdef 5 1 2 1 4 3\n",
        "ringside-spool 1 0123456789abcdef 5 5 1 1 1 3\n",
    };
    struct spool_item item;
    char bytes[256];

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        size_t n = strlen(heads[i]), texts = GOOD_BYTES - strlen(HEAD);

        memcpy(bytes, heads[i], n);
        memcpy(bytes + n, good + strlen(HEAD), texts);
        if (spool_decode(bytes, n + texts, &item, NULL) == 0)
            fail_msg("taken: %s", heads[i]);
    }
}
