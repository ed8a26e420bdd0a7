/*
 * test_spool_disk.c - what a disk does: full, read-only, gone, somebody else's, damaged
 */
#include "spool_world.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define SUFFIX ".request"

static void make_file(const char *folder, const char *name, const char *bytes, size_t n)
{
    char path[1024];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static uint32_t in_memory(const struct spool *s)
{
    return left_of(s, UINT32_MAX).in_memory;
}

/* Lines of the log from now on. One place says at most 10 a second, so only two uses fall into one. */
static void log_to(const struct world *w)
{
    static int uses;
    uint64_t second = clock_mono_ns() / NSEC_PER_SEC;
    char path[128];

    while (uses == 2 && clock_mono_ns() / NSEC_PER_SEC == second)
        usleep(1000);
    uses = uses % 2 + 1;
    snprintf(path, sizeof(path), "%s/log", w->dir);
    assert_int_equal(log_open(&(struct log_config){LEVEL_WARN, LOG_MODE_FILE, path}, NULL), 0);
}

static int log_count(const struct world *w)
{
    char path[128];
    FILE *f;
    int c, n = 0;

    snprintf(path, sizeof(path), "%s/log", w->dir);
    f = fopen(path, "r");
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF)
        n += c == '\n';
    fclose(f);
    return n;
}

static void log_off(void)
{
    int fd = log_keep_fd();

    log_open(&(struct log_config){.mode = LOG_MODE_DISABLED}, NULL);
    close(fd);
}

/* ---- the folder ---- */

TEST(spool__makes_its_folder_with_parents_for_nobody_else)
{
    struct world w;
    struct spool *s;
    char run_folder[512], file[1024], parent[100];
    mode_t before = umask(0);

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "x", 10);
    umask(before);
    snprintf(parent, sizeof(parent), "%s/state", w.dir);
    assert_int_equal(mode_of(parent), 0700);
    assert_int_equal(mode_of(w.folder), 0700);
    only_run(&w, run_folder);
    assert_int_equal(mode_of(run_folder), 0700);
    assert_int_equal(find_in(run_folder, "00000000000000aa" SUFFIX, file, sizeof(file)), 1);
    assert_int_equal(files_in(run_folder), 1);
    assert_int_equal(mode_of(file), 0600);
    spool_close(s);
    world_remove(&w);
}

/* In memory, with one message; on disk once the cause is gone. */
static void refused_until(struct world *w, const char *remedy)
{
    struct spool *s;

    log_to(w);
    s = spool_open(&w->config);
    assert_string_equal(spool_folder(s), "");
    put(s, 0, "1", 10);
    put(s, 0, "2", 10);
    spool_tend(s, MORNING);
    assert_int_equal(in_memory(s), 2);
    assert_int_equal(log_count(w), 1);
    run(remedy, w->folder);
    spool_tend(s, MORNING);
    assert_int_equal(in_memory(s), 0);
    assert_int_equal(runs_in(w), 1);
    assert_string_equal(spool_folder(s), w->folder);
    log_off();
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
}

TEST(spool__refuses_a_folder_others_may_write_to)
{
    static const char *const modes[] = {"chmod 0770 %s", "chmod 0702 %s"};

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct world w;

        world_make(&w);
        run("mkdir -p %s", w.folder);
        run(modes[i], w.folder);
        refused_until(&w, "chmod 0755 %s");
        world_remove(&w);
    }
}

TEST(spool__refuses_what_is_no_folder)
{
    struct world w;

    world_make(&w);
    run("mkdir -p $(dirname %s)", w.folder);
    run("touch %s", w.folder);
    refused_until(&w, "rm %s");
    world_remove(&w);
}

TEST(spool__refuses_a_folder_of_somebody_else)
{
    struct world w;

    if (geteuid() != 0)
        skip(); /* only root can give a folder away */
    world_make(&w);
    run("mkdir -p -m 0700 %s", w.folder);
    run("chown 12345 %s", w.folder);
    refused_until(&w, "chown 0 %s");
    world_remove(&w);
}

TEST(spool__follows_a_link_unless_it_is_somebody_elses)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    run("mkdir -p -m 0700 %s.real", w.folder);
    run("ln -s spool.real %s", w.folder);
    s = spool_open(&w.config);
    put(s, 0, "x", 10);
    assert_int_equal(in_memory(s), 0);
    next_is(s, 0, "x");
    spool_close(s);
    if (geteuid() == 0) {
        char slash[160];

        snprintf(slash, sizeof(slash), "%s/", w.folder);
        w.config.folder = slash; /* is looked through by lstat(2) */
        run("chown -h 12345 %s", w.folder);
        refused_until(&w, "chown -h 0 %s");
    }
    world_remove(&w);
}

TEST(spool__works_where_it_was_opened_after_a_chdir)
{
    struct world w;
    struct spool *s;
    char cwd[512];

    world_make(&w);
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(w.dir), 0);
    w.config.folder = "state/spool//";
    s = spool_open(&w.config);
    assert_string_equal(spool_folder(s), w.folder);
    assert_int_equal(chdir("/"), 0);
    put(s, 0, "1", 10);
    assert_int_equal(runs_in(&w), 1);
    next_is(s, 0, "1");
    run("rm -rf %s", w.folder);
    put(s, 0, "2", 10); /* made anew there, not below / */
    assert_int_equal(runs_in(&w), 1);
    assert_int_equal(in_memory(s), 0);
    next_is(s, 0, "2");
    spool_close(s);
    assert_int_equal(chdir(cwd), 0);
    world_remove(&w);
}

TEST(spool__goes_on_when_its_folder_is_moved)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "1", 10);
    run("cd %s && mv state elsewhere", w.dir);
    snprintf(w.folder, sizeof(w.folder), "%s/elsewhere/spool", w.dir);
    put(s, 0, "2", 10);
    assert_int_equal(in_memory(s), 0);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

/* As a process does that gives up its rights. */
static void lose_access(const struct world *w, bool lose)
{
    if (geteuid() == 0 || getuid() == 0)
        assert_int_equal(seteuid(lose ? 65534 : 0), 0);
    else
        assert_int_equal(chmod(w->folder, lose ? 0 : 0700), 0);
}

TEST(spool__forgets_nothing_when_it_loses_access_to_its_folder)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "1", 10);
    lose_access(&w, true);
    spool_tend(s, MORNING);
    lose_access(&w, false);
    assert_true(unreadable(&w) == 0);
    put(s, 0, "2", 10);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

/* ---- gone ---- */

static void removed_while_running(const char *how, bool at_tend)
{
    struct world w;
    struct spool *s;
    struct spool_taken taken;

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "1", 10);
    put(s, 0, "2", 10);
    put(s, 0, "3", 10);
    assert_true(spool_take(s, 0, &taken));
    run(how, w.folder);
    if (at_tend)
        spool_tend(s, MORNING);
    else
        assert_int_equal(put(s, 0, "4", 10), 0);
    assert_true(unreadable(&w) == 2);
    assert_true(is_whole(&taken.item));
    spool_done(s, &taken);
    if (at_tend)
        assert_int_equal(put(s, 0, "4", 10), 0);
    assert_int_equal(in_memory(s), 0);
    assert_int_equal(runs_in(&w), 1);
    next_is(s, 0, "4");
    next_is(s, 0, "");
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__makes_its_folder_anew_when_it_was_removed)
{
    removed_while_running("rm -rf %s", false);
    removed_while_running("rm -rf %s", true);
    removed_while_running("rm -rf %s/*", false);
    removed_while_running("rm -rf %s/*", true);
}

TEST(spool__goes_on_when_files_were_removed_or_replaced)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "1", 10);
    put(s, 0, "2", 10);
    put(s, 0, "3", 10);
    run("rm %s/run-*/0000000001-*", w.folder);
    /* A pipe instead: to open it must not wait for somebody who writes into it. */
    run("f=$(echo %s/run-*/0000000002-*) && rm $f && mkfifo $f", w.folder);
    next_is(s, 0, "3");
    assert_true(unreadable(&w) == 2);
    spool_close(s);
    world_remove(&w);
}

/* ---- full ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN); /* EFBIG instead (setrlimit(2)) */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_and_again(bool at_tend)
{
    struct world w;
    struct spool *s;
    char run_folder[512];

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "1", 5000);
    log_to(&w);
    limit_files(1000);
    for (int i = 2; i < 12; i++)
        assert_int_equal(put(s, 0, i == 2 ? "2" : i == 11 ? "11" : "x", 5000), 0);
    limit_files(0);
    assert_int_equal(log_count(&w), 1); /* not one a put */
    assert_int_equal(in_memory(s), 10);
    only_run(&w, run_folder);
    assert_int_equal(files_in(run_folder), 1); /* nothing half-written is left */
    if (at_tend)
        spool_tend(s, MORNING);
    else
        put(s, 0, "12", 5000);
    assert_int_equal(in_memory(s), 0);
    assert_int_equal(files_in(run_folder), at_tend ? 11 : 12);
    log_off();
    spool_close(s);
    s = spool_open(&w.config); /* in their places for the next run, too */
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    for (int i = 3; i < 11; i++)
        next_is(s, 0, "x");
    next_is(s, 0, "11");
    next_is(s, 0, at_tend ? "" : "12");
    assert_true(dropped_full(&w) == 0);
    spool_close(s);
    world_remove(&w);
}

TEST(spool__keeps_in_memory_what_the_disk_does_not_take_until_it_does)
{
    full_and_again(false);
    full_and_again(true);
}

TEST(spool__says_again_that_the_disk_is_full_only_after_it_was_not)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    s = spool_open(&w.config);
    log_to(&w);
    for (int i = 0; i < 3; i++) {
        limit_files(3000);
        put(s, 0, "x", 5000);
        put(s, 0, "x", 10); /* fits: that is not yet the end of it */
        assert_int_equal(in_memory(s), 1);
        put(s, 0, "x", 5000);
        spool_tend(s, MORNING);
        limit_files(0);
        assert_int_equal(log_count(&w), i + 1);
        put(s, 0, "x", 10);
        assert_int_equal(in_memory(s), 0);
    }
    /* Nothing in memory does not mean that the disk works. */
    limit_files(3000);
    for (int i = 0; i < 3; i++) {
        struct spool_taken t;

        put(s, 1, "x", 5000);
        assert_true(spool_take(s, 1, &t));
        spool_done(s, &t);
        spool_tend(s, MORNING);
    }
    limit_files(0);
    assert_int_equal(log_count(&w), 4);
    log_off();
    spool_close(s);
    world_remove(&w);
}

TEST(spool__drops_the_oldest_of_memory_while_the_disk_is_full)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    w.config.memory_bytes_max = 12000;
    s = spool_open(&w.config);
    put(s, 0, "on disk", 5000);
    limit_files(1000);
    put(s, 0, "1", 5000);
    put(s, 0, "2", 5000);
    put(s, 0, "3", 5000);
    limit_files(0);
    assert_true(dropped_full(&w) == 1);
    next_is(s, 0, "on disk");
    next_is(s, 0, "2");
    next_is(s, 0, "3");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__moves_nothing_to_disk_that_is_under_way)
{
    struct world w;
    struct spool *s;
    struct spool_taken taken;

    world_make(&w);
    s = spool_open(&w.config);
    limit_files(1000);
    put(s, 0, "1", 5000);
    put(s, 0, "2", 5000);
    limit_files(0);
    assert_true(spool_take(s, 0, &taken));
    spool_tend(s, MORNING);
    assert_int_equal(in_memory(s), 1);
    assert_true(is_whole(&taken.item));
    spool_put_back(s, &taken);
    spool_tend(s, MORNING);
    assert_int_equal(in_memory(s), 0);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
    world_remove(&w);
}

TEST(spool__writes_what_is_in_memory_when_it_is_closed)
{
    struct world w;
    struct spool *s;
    struct spool_taken taken;

    world_make(&w);
    s = spool_open(&w.config);
    limit_files(1000);
    put(s, 0, "1", 5000);
    put(s, 0, "2", 5000);
    limit_files(0);
    assert_true(spool_take(s, 0, &taken));
    spool_close(s);
    s = spool_open(&w.config);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_close(s);
    world_remove(&w);
}

/* A file system of our own at dir that ends with this process; false without the right. */
static bool mount_at(const char *dir, const char *options)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("ringside-test", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

static void full_file_system(const char *options, size_t bytes)
{
    struct world w;
    struct spool *s;
    int on_disk = 0;

    world_make(&w);
    w.config.memory_bytes_max = 64 << 20;
    if (!mount_at(w.dir, options)) {
        world_remove(&w);
        skip();
    }
    s = spool_open(&w.config);
    for (int i = 0; i < 20; i++) {
        char label[16];

        snprintf(label, sizeof(label), "%d", i);
        assert_int_equal(put(s, 0, label, bytes), 0);
        on_disk += in_memory(s) == 0;
    }
    assert_true(on_disk > 1 && on_disk < 20);
    assert_int_equal(in_memory(s), 20 - on_disk);
    assert_true(dropped_full(&w) == 0);
    for (int i = 0; i < 20; i++) { /* makes room one by one; memory moves into it */
        char label[16];

        snprintf(label, sizeof(label), "%d", i);
        next_is(s, 0, label);
        spool_tend(s, MORNING);
    }
    assert_int_equal(in_memory(s), 0);
    spool_close(s);
    assert_int_equal(umount2(w.dir, MNT_DETACH), 0);
    world_remove(&w);
}

TEST(spool__goes_on_in_memory_when_the_file_system_is_full)
{
    full_file_system("size=1m", 100000);
}

TEST(spool__goes_on_in_memory_when_there_are_no_inodes)
{
    full_file_system("size=16m,nr_inodes=12", 100);
}

TEST(spool__sends_nothing_twice_when_it_becomes_read_only)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    if (!mount_at(w.dir, "size=16m")) {
        world_remove(&w);
        skip();
    }
    s = spool_open(&w.config);
    put(s, 0, "left", 10);
    spool_close(s);
    s = spool_open(&w.config);
    put(s, 0, "1", 10);
    assert_int_equal(mount("none", w.dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    put(s, 0, "2", 10);
    assert_int_equal(in_memory(s), 1);
    next_is(s, 0, "left");
    spool_tend(s, MORNING);
    next_is(s, 0, "1");
    next_is(s, 0, "2");
    spool_tend(s, MORNING);
    next_is(s, 0, "");
    assert_int_equal(mount("none", w.dir, NULL, MS_REMOUNT, NULL), 0);
    put(s, 0, "3", 10);
    assert_int_equal(in_memory(s), 0);
    next_is(s, 0, "3");
    spool_close(s);
    assert_int_equal(umount2(w.dir, MNT_DETACH), 0);
    world_remove(&w);
}

/* ---- damaged ---- */

TEST(spool__drops_what_is_no_entry_and_takes_the_next)
{
    struct world w;
    struct spool *s;
    char run_folder[512], path[1024];

    world_make(&w);
    s = spool_open(&w.config);
    for (int i = 1; i < 7; i++)
        put(s, 0, i == 6 ? "good" : "bad", 5000);
    only_run(&w, run_folder);
    spool_close(s);
    assert_int_equal(find_in(run_folder, "0000000001", path, sizeof(path)), 1);
    assert_int_equal(truncate(path, 4000), 0);
    assert_int_equal(find_in(run_folder, "0000000002", path, sizeof(path)), 1);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(find_in(run_folder, "0000000003", path, sizeof(path)), 1);
    assert_int_equal(truncate(path, 6000), 0);
    assert_int_equal(find_in(run_folder, "0000000004", path, sizeof(path)), 1);
    assert_int_equal(truncate(path, 1LL << 40), 0); /* no reason to ask for that much memory */
    spool_close(NULL);
    w.config.bytes_max = UINT64_MAX;
    s = spool_open(&w.config);
    next_is(s, 0, "bad"); /* the fifth is good */
    assert_true(unreadable(&w) == 4);
    next_is(s, 0, "good");
    next_is(s, 0, "");
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__sends_no_entry_to_another_target_than_it_was_made_for)
{
    struct world w;
    struct spool *s;

    world_make(&w);
    s = spool_open(&w.config);
    put_at(s, 0, "x", 10, 7);
    spool_close(s);
    run("cd %s/run-* && mv 0000000001-7-" KEY_A SUFFIX " 0000000001-7-" KEY_B SUFFIX, w.folder);
    s = spool_open(&w.config);
    next_is(s, 1, "");
    assert_true(unreadable(&w) == 1);
    spool_close(s);
    assert_int_equal(runs_in(&w), 0);
    world_remove(&w);
}

TEST(spool__removes_what_is_left_of_ours_but_nothing_else)
{
    static const char *const ours[] = {
        "x" SUFFIX,
        SUFFIX,
        "1-5-" KEY_A SUFFIX,
        "0000000001-05-" KEY_A SUFFIX,
        "0000000001-5-000000000000000A" SUFFIX,
        "99999999999999999999999-5-" KEY_A SUFFIX,
    };
    struct world w;
    struct spool *s;
    char run_folder[512];

    world_make(&w);
    s = spool_open(&w.config);
    only_run(&w, run_folder);
    put(s, 0, "good", 10);
    spool_close(s);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        make_file(run_folder, ours[i], "x", 1);
    make_file(run_folder, ".0000000009-5-" KEY_A SUFFIX ".tmp-77", "half", 4);
    run("cd %s && mkdir 0000000002-5-" KEY_A SUFFIX " && mkfifo 0000000003-5-" KEY_A SUFFIX
        " && ln -s /etc/passwd 0000000004-5-" KEY_A SUFFIX " && touch note",
        run_folder);
    s = spool_open(&w.config);
    assert_int_equal(entries_left(s), 1);
    assert_true(unreadable(&w) == ARRAY_LEN(ours)); /* what was half-written is no loss */
    next_is(s, 0, "good");
    spool_close(s);
    assert_int_equal(files_in(run_folder), 4); /* folder, pipe, link, note */
    world_remove(&w);
}

TEST(spool__keeps_an_entry_that_cannot_be_read_now)
{
    struct world w;
    struct spool *s;
    struct spool_taken taken;
    struct rlimit limit, none;

    world_make(&w);
    s = spool_open(&w.config);
    put(s, 0, "x", 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_false(spool_take(s, 0, &taken));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(unreadable(&w) == 0);
    next_is(s, 0, "x");
    spool_close(s);
    world_remove(&w);
}

/* ---- memory ---- */

static long resident_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

TEST(spool__needs_little_memory_for_what_is_on_disk)
{
    enum { PUT = 300, LEFT = 2000 };
    FREE_PTR char *body = base_calloc(1, 100000);
    struct spool_item item = {MORNING, "x", "POST", "/", "", body, 100000};
    struct world w;
    struct spool *s;
    char run_folder[512], file[1024], name[1024];
    long before;

    world_make(&w);
    s = spool_open(&w.config);
    assert_int_equal(spool_put(s, 0, &item, NULL), 0);
    before = resident_bytes();
    for (int i = 1; i < PUT; i++)
        assert_int_equal(spool_put(s, 0, &item, NULL), 0);
    assert_int_equal(left_of(s, 0).in_memory, 0);
    assert_true(left_of(s, 0).bytes > PUT * 100000L);
    assert_true(resident_bytes() - before < PUT * 1024L);
    only_run(&w, run_folder);
    spool_close(s);
    /* What another run left: more, and all the same file, as disks are slow. */
    assert_int_equal(find_in(run_folder, SUFFIX, file, sizeof(file)), PUT);
    for (int i = PUT + 1; i <= LEFT; i++) {
        snprintf(name, sizeof(name), "%s/%010d-%llu-" KEY_A SUFFIX, run_folder, i,
                 (unsigned long long)MORNING);
        assert_int_equal(link(file, name), 0);
    }
    before = resident_bytes();
    s = spool_open(&w.config);
    assert_int_equal(entries_left(s), LEFT);
    assert_true(left_of(s, 0).bytes > LEFT * 100000L);
    assert_true(resident_bytes() - before < LEFT * 1024L);
    spool_close(s);
    world_remove(&w);
}

TEST(spool__takes_over_no_more_entries_than_it_can_hold)
{
    enum { MAX = 16384, LEFT = MAX + 10 };
    struct world w;
    struct spool *s;
    char run_folder[512], name[128];

    world_make(&w);
    s = spool_open(&w.config);
    only_run(&w, run_folder);
    make_file(run_folder, "note", "", 0); /* so that the folder stays */
    spool_close(s);
    for (int i = LEFT; i > 0; i--) {
        snprintf(name, sizeof(name), "%010d-%llu-" KEY_A SUFFIX, i, (unsigned long long)MORNING);
        make_file(run_folder, name, "x", 1);
    }
    s = spool_open(&w.config);
    assert_int_equal(entries_left(s), MAX);
    assert_int_equal(put(s, 0, "mine", 10), 0);
    assert_true(dropped_full(&w) == 1);
    next_is(s, 0, "mine"); /* the rest is no entries, and goes */
    assert_true(unreadable(&w) == MAX - 1);
    spool_tend(s, MORNING); /* now those there was no room for */
    assert_int_equal(entries_left(s), 10);
    next_is(s, 0, "");
    assert_true(unreadable(&w) == LEFT - 1);
    assert_int_equal(files_in(run_folder), 1);
    spool_close(s);
    world_remove(&w);
}
