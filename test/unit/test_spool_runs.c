/*
 * test_spool_runs.c - several runs in one folder: taken over, shared, killed
 */
#include "spool_world.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* A run that puts n entries ("PREFIX0"...) alternately for both keys, and ends. */
static void earlier_run(struct world *w, const char *prefix, int n)
{
    struct spool *s = spool_open(&w->config);

    for (int i = 0; i < n; i++) {
        char label[32];

        snprintf(label, sizeof(label), "%s%d", prefix, i);
        assert_int_equal(put(s, (uint32_t)i % 2, label, 500), 0);
    }
    spool_close(s);
}

static void next_run_takes(struct world *w, bool both_keys)
{
    struct spool *s = spool_open(&w->config);

    next_is(s, 0, "a0");
    next_is(s, 0, "a2");
    if (both_keys)
        next_is(s, 1, "a1");
    next_is(s, 0, "");
    spool_close(s);
}

TEST(spool__sends_what_an_earlier_run_left)
{
    struct world w;

    world_make(&w);
    earlier_run(&w, "a", 3);
    assert_int_equal(runs_in(&w), 1);
    next_run_takes(&w, true);
    assert_int_equal(runs_in(&w), 0); /* nothing left: no folder left */
    world_remove(&w);
}

TEST(spool__sends_what_earlier_runs_left_first_and_in_order)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    {
        /* Both alive at once, so that neither takes over the other. */
        struct spool *a = spool_open(&w.config), *b = spool_open(&w.config);

        put(b, 0, "b0", 10);
        for (int i = 0; i < 12; i++)
            put(a, 0, i < 11 ? "a" : "a last", 10);
        put(b, 0, "b1", 10);
        spool_close(b);
        spool_close(a);
    }
    s = spool_open(&w.config);
    put(s, 0, "mine", 10);
    for (int i = 0; i < 11; i++)
        next_is(s, 0, "a");
    next_is(s, 0, "a last");
    next_is(s, 0, "b0");
    next_is(s, 0, "b1");
    next_is(s, 0, "mine");
    next_is(s, 0, "");
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__takes_over_a_run_that_ends_meanwhile)
{
    struct world w;
    struct spool *a, *b;

    world_make(&w);
    a = spool_open(&w.config);
    b = spool_open(&w.config);
    put(a, 0, "left", 100);
    put(b, 0, "mine", 100);
    spool_tend(b, MORNING);
    assert_int_equal(entries_left(b), 1); /* a is alive */
    spool_close(a);
    spool_tend(b, MORNING);
    assert_int_equal(entries_left(b), 2);
    next_is(b, 0, "left"); /* older */
    assert_int_equal(runs_in(&w), 1);
    next_is(b, 0, "mine");
    spool_close(b);
    world_remove(&w);
}

TEST(spool__sends_the_older_run_first_though_it_ended_later)
{
    struct world w;
    struct spool *a, *b, *c, *d;

    world_make(&w);
    a = spool_open(&w.config);
    b = spool_open(&w.config);
    c = spool_open(&w.config);
    d = spool_open(&w.config);
    put(a, 0, "a", 10);
    put(b, 0, "b", 10);
    put(c, 0, "c", 10);
    put(d, 0, "d", 10);
    spool_close(d);
    spool_tend(c, MORNING);
    spool_close(b);
    spool_tend(c, MORNING);
    spool_close(a);
    spool_tend(c, MORNING);
    next_is(c, 0, "a");
    next_is(c, 0, "b");
    next_is(c, 0, "d"); /* what ended before what goes on, though it began later */
    next_is(c, 0, "c");
    spool_close(c);
    world_remove(&w);
}

TEST(spool__leaves_entries_of_other_targets)
{
    struct world w;

    world_make(&w);
    earlier_run(&w, "a", 3);
    w.config.keys = 1;
    next_run_takes(&w, false);
    assert_int_equal(runs_in(&w), 1);
    w.config.key[0] = KEY_B;
    {
        struct spool *s = spool_open(&w.config);

        assert_int_equal(entries_left(s), 1);
        next_is(s, 0, "a1");
        spool_close(s);
    }
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__lets_go_of_a_run_whose_entries_are_not_its)
{
    struct world w;
    struct spool *a, *b;

    world_make(&w);
    earlier_run(&w, "a", 2);
    w.config.keys = 1;
    a = spool_open(&w.config);
    next_is(a, 0, "a0"); /* what is left of that run is the other's */
    w.config.key[0] = KEY_B;
    b = spool_open(&w.config);
    next_is(b, 0, "a1");
    spool_close(b);
    spool_close(a);
    world_remove(&w);
}

TEST(spool__drops_what_is_too_old_whoever_it_was_for)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    earlier_run(&w, "a", 4);
    w.config.keys = 1;
    w.config.age_max_ns = MINUTE;
    s = spool_open(&w.config);
    assert_true(dropped_old(&w) == 0);
    spool_tend(s, MORNING + 2 * MINUTE);
    assert_true(dropped_old(&w) == 4);
    assert_int_equal(runs_in(&w), 1);
    spool_close(s);
    world_remove(&w);
}

TEST(spool__drops_at_open_what_became_too_old_meanwhile)
{
    struct world w;
    struct spool *s;
    uint64_t now = clock_wall_ns();

    world_make(&w);
    s = spool_open(&w.config);
    put_at(s, 0, "old", 10, now - 10 * MINUTE);
    put_at(s, 0, "new", 10, now);
    spool_close(s);
    w.config.age_max_ns = 5 * MINUTE;
    s = spool_open(&w.config);
    assert_true(dropped_old(&w) == 1);
    next_is(s, 0, "new");
    spool_close(s);
    world_remove(&w);
}

/* ---- the limit is the folder's ---- */

TEST(spool__drops_other_targets_entries_of_ended_runs_to_make_room)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    earlier_run(&w, "a", 4); /* of some 620 bytes each */
    w.config.keys = 1;
    w.config.key[0] = "cccccccccccccccc";
    w.config.bytes_max = 4000;
    s = spool_open(&w.config);
    put(s, 0, "mine", 1000);
    assert_true(dropped_full(&w) == 0);
    put(s, 0, "mine too", 1000);
    assert_true(dropped_full(&w) == 2); /* a0, a1: the oldest */
    assert_int_equal(left_of(s, 0).in_memory, 0);
    next_is(s, 0, "mine");
    next_is(s, 0, "mine too");
    spool_close(s);
    w.config.key[0] = KEY_A;
    s = spool_open(&w.config);
    next_is(s, 0, "a2");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__never_drops_entries_of_a_run_that_is_alive)
{
    struct world w;
    struct spool *a, *b;

    world_make(&w);
    w.config.bytes_max = 8000;
    a = spool_open(&w.config);
    put(a, 0, "a", 5000);
    b = spool_open(&w.config);
    put(b, 0, "b0", 1500);
    assert_int_equal(left_of(b, 0).in_memory, 0);
    put(b, 0, "b1", 1500); /* b0 goes for it, a does not */
    assert_true(dropped_full(&w) == 1);
    put(b, 0, "b2", 5000); /* would not fit if all of ours went: to memory, and b1 stays */
    assert_true(dropped_full(&w) == 1);
    spool_tend(b, MORNING);
    assert_int_equal(left_of(b, 0).in_memory, 1);
    next_is(a, 0, "a");
    spool_close(a);
    spool_tend(b, MORNING); /* now there is room */
    assert_int_equal(left_of(b, 0).in_memory, 0);
    next_is(b, 0, "b1");
    next_is(b, 0, "b2");
    spool_close(b);
    world_remove(&w);
}

/* ---- descriptors ---- */

static int descriptors(void)
{
    return find_in("/proc/self/fd", "", NULL, 0);
}

TEST(spool__holds_a_limited_number_of_ended_runs_at_once)
{
    enum { RUNS = 70, HELD = 64 };
    struct world w;
    struct spool *s, *run[RUNS];
    int before = descriptors();

    world_make(&w);
    for (int i = 0; i < RUNS; i++) {
        char label[16];

        run[i] = spool_open(&w.config);
        snprintf(label, sizeof(label), "%d", i);
        put(run[i], 0, label, 10);
    }
    for (int i = 0; i < RUNS; i++)
        spool_close(run[i]);
    assert_int_equal(descriptors(), before);
    s = spool_open(&w.config);
    assert_int_equal(entries_left(s), HELD);
    assert_int_equal(descriptors(), before + 2 + HELD);
    for (int i = 0; i < RUNS; i++) {
        char label[16];

        if (i == HELD)
            spool_tend(s, MORNING);
        snprintf(label, sizeof(label), "%d", i);
        next_is(s, 0, label);
    }
    next_is(s, 0, "");
    assert_int_equal(descriptors(), before + 2);
    spool_close(s);
    assert_int_equal(descriptors(), before);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

/* ---- processes ---- */

/* What a child tells: one number an entry. */
struct child {
    pid_t pid;
    int reports;
};

static struct child child_start(struct world *w, void (*work)(struct world *w, int to))
{
    struct child c;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        close(ends[0]);
        work(w, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    c.reports = ends[0];
    return c;
}

static bool report(int to, int number)
{
    return write(to, &number, sizeof(number)) == sizeof(number);
}

/* False at the end. */
static bool next_report(const struct child *c, int *number)
{
    return read(c->reports, number, sizeof(*number)) == sizeof(*number);
}

static void child_end(struct child *c, int signal)
{
    int status;

    if (signal)
        kill(c->pid, signal);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    if (!signal)
        assert_int_equal(status, 0);
}

/* Puts for ever; reports each that is in. Large enough for a kill to fall into the writing. */
static void put_for_ever(struct world *w, int to)
{
    struct spool *s = spool_open(&w->config);

    for (int i = 0;; i++) {
        char label[16];

        snprintf(label, sizeof(label), "%d", i);
        if (put(s, 0, label, 300000) < 0 || left_of(s, 0).in_memory || !report(to, i))
            _exit(1);
    }
}

/* The entries are 0 to some number >= last, each whole. */
static void all_there(struct world *w, int last)
{
    struct spool *s = spool_open(&w->config);
    struct spool_taken t;
    int next = 0;

    while (spool_take(s, 0, &t)) {
        assert_int_equal(atoi(t.item.label), next++);
        assert_true(is_whole(&t.item));
        spool_done(s, &t);
    }
    assert_true(next > last && next <= last + 2); /* one may have been finished and not reported */
    assert_true(unreadable(w) == 0);
    spool_close(s);
    assert_int_equal(runs_in(w), 0); /* nor is anything left of what was being written */
}

TEST(spool__loses_nothing_that_was_put_when_its_process_is_killed)
{
    enum { ROUNDS = 30 };

    for (int round = 0; round < ROUNDS; round++) {
        struct world w;
        struct child c;
        int last = -1;

        world_make(&w);
        c = child_start(&w, put_for_ever);
        while (last < round % 7 && next_report(&c, &last))
            ;
        /* Somewhere in the next one: these steps spread over what writing one takes. */
        usleep((useconds_t)round * 70);
        child_end(&c, SIGKILL);
        while (next_report(&c, &last))
            ;
        assert_true(last >= round % 7);
        all_there(&w, last);
        close(c.reports);
        world_remove(&w);
    }
}

/* A live one's, or those of one who is about to end. */
static bool entries_anywhere(const struct world *w)
{
    char part[512];

    snprintf(part, sizeof(part), "find %s -name '*.request' 2>/dev/null | grep -q .", w->folder);
    return system(part) == 0;
}

/* Sends all there is, reporting before an entry is done, until there is nothing left in the folder. */
static void send_all(struct world *w, int to)
{
    struct spool *s = spool_open(&w->config);
    struct spool_taken t;

    do {
        while (spool_take(s, 0, &t)) {
            if (!is_whole(&t.item) || !report(to, atoi(t.item.label)))
                _exit(1);
            spool_done(s, &t);
        }
        spool_tend(s, MORNING);
        if (unreadable(w) || dropped_full(w) || dropped_old(w))
            _exit(2);
    } while (entries_left(s) || entries_anywhere(w));
    spool_close(s);
}

#define SENT_MAX 1000

/* Runs that left entries 0 to n - 1. */
static void leave_many(struct world *w, int n)
{
    struct spool *s = NULL;
    struct spool *open[20];
    int runs = 0;

    for (int i = 0; i < n; i++) {
        char label[16];

        if (i % 50 == 0)
            s = open[runs++] = spool_open(&w->config);
        snprintf(label, sizeof(label), "%d", i);
        assert_int_equal(put(s, 0, label, 100), 0);
    }
    while (runs)
        spool_close(open[--runs]);
}

TEST(spool__never_gives_an_entry_to_two_processes)
{
    enum { CHILDREN = 4, ENTRIES = 400 };
    struct world w;
    struct child c[CHILDREN];
    int sent[SENT_MAX] = {0}, number;

    world_make(&w);
    leave_many(&w, ENTRIES);
    for (int i = 0; i < CHILDREN; i++)
        c[i] = child_start(&w, send_all);
    for (int i = 0; i < CHILDREN; i++) {
        while (next_report(&c[i], &number))
            sent[number]++;
        child_end(&c[i], 0);
        close(c[i].reports);
    }
    for (int i = 0; i < ENTRIES; i++)
        assert_int_equal(sent[i], 1);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__takes_over_from_a_process_that_is_killed)
{
    enum { ENTRIES = SENT_MAX }; /* more than are sent until it is killed */
    struct world w;
    struct child first, second;
    int sent[SENT_MAX] = {0}, number = -1, last;

    world_make(&w);
    leave_many(&w, ENTRIES);
    first = child_start(&w, send_all);
    for (int i = 0; i < 20; i++) {
        assert_true(next_report(&first, &number));
        sent[number]++;
    }
    second = child_start(&w, send_all);
    child_end(&first, SIGKILL);
    while (next_report(&first, &number))
        sent[number]++;
    last = number; /* sent, but perhaps not done */
    while (next_report(&second, &number))
        sent[number]++;
    child_end(&second, 0);
    for (int i = 0; i < ENTRIES; i++)
        assert_true(sent[i] == 1 || (i == last && sent[i] == 2));
    spool_close(spool_open(&w.config)); /* had it sent all when it was killed, nobody else came to tidy up */
    assert_int_equal(runs_in(&w), 0);
    close(first.reports);
    close(second.reports);
    world_remove(&w);
}

/* Makes its run folder, which others try to remove as soon as it is there. */
static void come_and_go(struct world *w, int to)
{
    for (int i = 0; i < 300; i++) {
        struct spool *s = spool_open(&w->config);

        if (!*spool_folder(s) || put(s, 1, "x", 10) < 0 || left_of(s, 1).in_memory || !report(to, i))
            _exit(1);
        spool_close(s);
    }
}

TEST(spool__makes_its_folder_while_others_remove_empty_ones)
{
    struct world w;
    struct child c[3];
    struct spool *s;
    int number, puts = 0, taken = 0;
    struct spool_taken t;

    world_make(&w);
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        c[i] = child_start(&w, come_and_go);
    s = spool_open(&w.config);
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        while (next_report(&c[i], &number)) {
            puts++;
            spool_tend(s, MORNING);
            for (; spool_take(s, 1, &t); taken++)
                spool_done(s, &t);
        }
        child_end(&c[i], 0);
        close(c[i].reports);
    }
    /* More than the runs held at once may be left. */
    for (int before = -1; before != taken;) {
        before = taken;
        spool_tend(s, MORNING);
        for (; spool_take(s, 1, &t); taken++)
            spool_done(s, &t);
    }
    assert_int_equal(puts, 900);
    assert_int_equal(taken, 900);
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}
