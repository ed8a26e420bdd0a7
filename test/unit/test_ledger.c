/*
 * test_ledger.c - memory that outlives who writes to it
 */
#include "ringside/ledger.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "unit.h"

#define PAGE 4096U

/* Pages of the first n bytes that take memory (mincore(2): of shared memory that nobody has touched, none).
 */
static size_t resident_pages(void *at, size_t bytes)
{
    static unsigned char pages[1 << 16];
    size_t found = 0;

    assert_int_equal(mincore(at, bytes, pages), 0);
    for (size_t i = 0; i < bytes / PAGE; i++)
        found += pages[i] & 1;
    return found;
}

TEST(ledger__parts_are_zero_and_do_not_overlap)
{
    struct err e;
    struct ledger *l = ledger_new(&e);
    char *end = NULL;

    assert_non_null(l);
    for (int part = 0; part < LEDGER_PARTS; part++) {
        size_t bytes;
        char *at = ledger_at(l, (enum ledger_part)part, &bytes);

        assert_int_equal((uintptr_t)at % PAGE, 0);
        assert_true(bytes >= PAGE);
        assert_true(at >= end);
        assert_int_equal(at[0] | at[bytes - 1], 0);
        at[0] = at[bytes - 1] = 1;
        end = at + bytes;
    }
    ledger_free(l);
    ledger_free(NULL);
}

TEST(ledger__what_a_child_that_is_killed_wrote_is_there)
{
    struct err e;
    struct ledger *l = ledger_new(&e);
    size_t bytes;
    char *text = ledger_at(l, LEDGER_TEXTS, &bytes);
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        memcpy(text, "kept", 5);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_string_equal(text, "kept");
    ledger_free(l);
}

TEST(ledger__memory_given_back_is_zero_and_takes_none)
{
    for (int shared = 0; shared < 2; shared++) {
        struct err e;
        struct ledger *l = shared ? ledger_new(&e) : ledger_new_private();
        size_t bytes;
        char *words = ledger_at(l, LEDGER_WORDS, &bytes);

        memset(words, 7, 1 << 20);
        assert_int_equal(resident_pages(words, 1 << 20), (1 << 20) / PAGE);
        ledger_give_back(l, LEDGER_WORDS, PAGE + 1);
        assert_int_equal(resident_pages(words, 1 << 20), 2);
        assert_int_equal(words[PAGE], 7);
        assert_int_equal(words[2 * PAGE], 0);
        ledger_give_back(l, LEDGER_WORDS, bytes);
        assert_int_equal(words[0], 7);
        ledger_free(l);
    }
}

/* In a child whose address space may grow by that much: bytes of the words' part; 0: refused with a cause. */
static size_t words_within(size_t limit_mb)
{
    int pipe_fd[2], status;
    size_t bytes = 0;
    pid_t pid;

    assert_int_equal(pipe(pipe_fd), 0);
    pid = fork();
    if (pid == 0) {
        char statm[64];
        struct rlimit limit;
        struct err e = {0};
        struct ledger *l;

        if (read_small_file(AT_FDCWD, "/proc/self/statm", statm, sizeof(statm), &e) < 0)
            _exit(2);
        limit.rlim_cur = limit.rlim_max = strtoull(statm, NULL, 10) * PAGE + (limit_mb << 20);
        setrlimit(RLIMIT_AS, &limit);
        l = ledger_new(&e);
        if (l)
            ledger_at(l, LEDGER_WORDS, &bytes);
        else if (!e.code || !e.text[0])
            _exit(2);
        _exit(write(pipe_fd[1], &bytes, sizeof(bytes)) != sizeof(bytes));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(read(pipe_fd[0], &bytes, sizeof(bytes)), sizeof(bytes));
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return bytes;
}

TEST(ledger__is_smaller_where_there_is_little_room_and_refused_where_there_is_none)
{
#ifdef __SANITIZE_ADDRESS__
    skip(); /* its own mappings come and go */
#endif
    size_t full = words_within(1024), small = words_within(16);

    assert_true(small > 0);
    assert_true(small < full);
    assert_int_equal(words_within(0), 0);
}
