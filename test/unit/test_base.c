/*
 * test_base.c - errors, containers, text, atomic files
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"

TEST(err__keeps_the_cause_when_context_does_not_fit)
{
    struct err e;
    char long_text[sizeof(e.text)];

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(err_set(&e, ENOENT, "open %s", "/a"), -1);
    assert_int_equal(err_wrap(&e, "read %d", 7), -1);
    assert_string_equal(e.text, "read 7: open /a: No such file or directory");
    err_wrap(&e, "%s", long_text);
    assert_string_equal(e.text, "read 7: open /a: No such file or directory");
    assert_int_equal(e.code, ENOENT);
}

TEST(err__tells_what_is_short_from_what_is_wrong)
{
    struct err e;

    err_set(&e, EMFILE, "open /a");
    assert_true(err_is_shortage(&e));
    err_wrap(&e, "read 7");
    assert_true(err_is_shortage(&e));
    err_set(&e, ENOENT, "open /a");
    assert_false(err_is_shortage(&e));
    err_set(&e, 0, "no such option");
    assert_false(err_is_shortage(&e));
}

static void leave_with(void *ctx)
{
    _exit(*(int *)ctx);
}

static void ask_again(void *ctx)
{
    (void)ctx;
    base_out_of_memory();
}

/* What a process without memory ends with. */
static int end_without_memory(void (*handler)(void *ctx))
{
    int status, chosen = 37;
    pid_t pid = fork();

    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        base_set_last_resort(handler, &chosen);
        base_out_of_memory();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(memory__last_resort_has_the_last_word_once)
{
    assert_int_equal(end_without_memory(NULL), 1);
    assert_int_equal(end_without_memory(leave_with), 37);
    assert_int_equal(end_without_memory(ask_again), 1);
}

TEST(err__cuts_a_long_object_but_not_its_cause)
{
    struct err e;

    err_set(&e, ENOENT, "open /%0*d", (int)sizeof(e.text), 1);
    assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
    assert_string_equal(e.text + strlen(e.text) - strlen(": No such file or directory"),
                        ": No such file or directory");
    assert_memory_equal(e.text, "open /000", 9);
}

TEST(buf__refuses_more_than_its_maximum)
{
    struct buf b;

    buf_init(&b, 100);
    assert_true(buf_printf(&b, "%090d", 1));
    assert_false(buf_add(&b, "0123456789a", 11));
    assert_int_equal(b.len, 90);
    assert_true(buf_add(&b, "0123456789", 10));
    assert_false(buf_add(&b, "x", 1));
    buf_release(&b);
}

TEST(map64__agrees_with_an_array_under_random_changes)
{
    enum { KEYS = 512 };
    uint64_t value[KEYS] = {0};
    bool present[KEYS] = {false};
    struct map64 m;
    uint64_t x = 1;
    uint32_t expected = 0;

    map64_init(&m);
    for (int i = 0; i < 20000; i++) {
        uint64_t key;

        x = hash_u64(x + 1);
        key = x % KEYS;
        if (x & (1 << 20)) {
            map64_put(&m, key, x);
            present[key] = true;
            value[key] = x;
        } else {
            assert_int_equal(map64_remove(&m, key), present[key]);
            present[key] = false;
        }
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        uint64_t *found = map64_find(&m, key);

        assert_int_equal(found != NULL, present[key]);
        if (found)
            assert_true(*found == value[key]);
        expected += present[key];
    }
    assert_int_equal(m.used, expected);
    map64_release(&m);
}

TEST(strtab__in_memory_of_ones_own_finds_again_what_another_had_there)
{
    static char memory[200];
    struct strtab t;
    uint32_t a, b;
    size_t used;

    strtab_init_in(&t, memory, sizeof(memory), 0);
    a = strtab_add(&t, "first");
    b = strtab_add(&t, "second");
    used = t.bytes.len;
    strtab_release(&t);
    strtab_init_in(&t, memory, sizeof(memory), used);
    assert_int_equal(strtab_add(&t, "second"), b);
    assert_int_equal(strtab_add(&t, "first"), a);
    assert_string_equal(strtab_get(&t, b), "second");
    assert_int_equal(t.bytes.len, used);
    for (int i = 0; i < 100; i++) {
        char text[12];

        snprintf(text, sizeof(text), "%d", i);
        a = strtab_add(&t, text);
    }
    assert_string_equal(strtab_get(&t, a), "[too many strings]");
    assert_true(t.bytes.len <= sizeof(memory));
    strtab_release(&t);
    memset(memory, 'x', sizeof(memory)); /* no end anywhere */
    strtab_init_in(&t, memory, sizeof(memory), sizeof(memory));
    assert_int_equal(t.count, 1);
    assert_int_equal(strtab_add(&t, "again"), 1);
    strtab_release(&t);
    memset(memory, 0, sizeof(memory)); /* nothing but ends */
    strtab_init_in(&t, memory, sizeof(memory), sizeof(memory));
    assert_string_equal(strtab_get(&t, strtab_add(&t, "x")), "[too many strings]");
    strtab_release(&t);
}

TEST(strtab__gives_equal_texts_equal_ids_and_says_when_full)
{
    struct strtab t;
    char text[32];
    uint32_t id;

    strtab_init(&t, 1000);
    assert_int_equal(strtab_add(&t, ""), 0);
    id = strtab_add(&t, "one");
    assert_int_equal(strtab_add_n(&t, "one more", 3), id);
    assert_string_equal(strtab_get(&t, id), "one");
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "string %d", i);
        id = strtab_add(&t, text);
    }
    assert_string_equal(strtab_get(&t, id), "[too many strings]");
    assert_int_equal(strtab_add(&t, "yet another"), id);
    strtab_release(&t);
}

TEST(utf8_clean__keeps_valid_text_and_replaces_the_rest)
{
    char valid[] = "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80";
    char broken[] = "a\xff\xc3(\xed\xa0\x80\x01z";

    utf8_clean(valid);
    assert_string_equal(valid, "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80");
    utf8_clean(broken);
    assert_string_equal(broken, "a?\?(?\?\?\?z");
}

TEST(utf8_clean__finds_the_one_bad_byte_of_a_text_at_any_place)
{
    static const char bad[] = {0x01, 0x1f, (char)0x80, (char)0xff};

    for (size_t n = 1; n < 20; n++)
        for (size_t at = 0; at < n; at++)
            for (size_t b = 0; b < sizeof(bad); b++) {
                char text[20] = {0}, want[20] = {0};

                memset(text, '~', n);
                memset(want, '~', n);
                assert_true(utf8_is_plain(text, n));
                text[at] = bad[b];
                want[at] = '?';
                assert_false(utf8_is_plain(text, n));
                utf8_clean(text);
                assert_string_equal(text, want);
            }
}

TEST(atomic_file__shows_nothing_until_commit)
{
    char dir[] = "/tmp/ringside-test-XXXXXX";
    struct atomic_file f;
    struct err e;
    char text[16];
    int dir_fd;

    assert_non_null(mkdtemp(dir));
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(atomic_file_open(&f, dir_fd, "out", &e), 0);
    assert_int_equal(atomic_file_write(&f, "abc", 3, &e), 0);
    assert_int_equal(faccessat(dir_fd, "out", F_OK, 0), -1);
    assert_int_equal(atomic_file_commit(&f, &e), 0);
    assert_int_equal(read_small_file(dir_fd, "out", text, sizeof(text), &e), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(atomic_file_open(&f, dir_fd, "other", &e), 0);
    atomic_file_abort(&f);
    atomic_file_abort(&f);
    unlinkat(dir_fd, "out", 0);
    close(dir_fd);
    assert_int_equal(rmdir(dir), 0); /* nothing was left behind */
}

TEST(word_distance__counts_what_was_typed_wrong)
{
    assert_int_equal(word_distance("same", "same"), 0);
    assert_int_equal(word_distance("Same", "sAME"), 0);
    assert_int_equal(word_distance("smae", "same"), 1); /* neighbours swapped */
    assert_int_equal(word_distance("sme", "same"), 1);
    assert_int_equal(word_distance("sxme", "same"), 1);
    assert_int_equal(word_distance("", "same"), 4);
}

static const char *pointed(const char *text, size_t at, size_t n)
{
    static struct err e;

    err_set(&e, 0, "wrong");
    assert_int_equal(err_point(&e, text, at, n), -1);
    return e.text;
}

TEST(err_point__marks_the_place_under_the_text)
{
    assert_string_equal(pointed("a bad word", 2, 3), "wrong\n  a bad word\n    ^~~");
    assert_string_equal(pointed("word", 0, 4), "wrong\n  word\n  ^~~~");
    assert_string_equal(pointed("word", 4, 1), "wrong\n  word\n      ^"); /* something is missing */
    assert_string_equal(pointed("", 0, 0), "wrong\n  \n  ^");
    assert_string_equal(pointed("word", 5, 1), "wrong"); /* no such place */
    assert_string_equal(pointed("\xc3\xa9t\xc3\xa9 x", 6, 1), "wrong\n  \xc3\xa9t\xc3\xa9 x\n      ^");
}

TEST(err_point__shows_the_part_of_a_long_text_around_the_place)
{
    char text[201] = "";

    memset(text, '-', 200);
    memcpy(text + 100, "bad", 3);
    assert_string_equal(pointed(text, 100, 3),
                        "wrong\n  ------------------------------bad---------------------------\n"
                        "                                ^~~");
    assert_string_equal(pointed(text, 199, 9),
                        "wrong\n  ------------------------------------------------------------\n"
                        "                                                             ^");
}
