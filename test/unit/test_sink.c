/*
 * test_sink.c - names, atomic replacement, and what an output path may be
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/sink.h"

#define MORNING    1795866000000000000ULL /* 2026-11-28 11:40:00 UTC */
#define PATH_BYTES SINK_PATH_MAX

/* What a test writes and where. */
struct place {
    char dir[64];
    char path[256];
};

static void place_make(struct place *p, const char *name)
{
    strcpy(p->dir, "/tmp/ringside-test-sink-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/%s", p->dir, name);
}

static void place_remove(struct place *p)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
}

/* Names in a folder, hidden ones too. */
static int entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static struct sink *open_at(const char *path)
{
    struct sink_naming naming = {"my service/x", 1234};
    struct err e = {0};
    struct sink *s = sink_open(path, &naming, &e);

    if (!s)
        print_error("%s\n", e.text);
    assert_non_null(s);
    return s;
}

static void refused(const char *path, int code, const char *object)
{
    struct sink_naming naming = {"s", 1};
    struct err e = {0};

    assert_null(sink_open(path, &naming, &e));
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.text, object));
}

static int fill_text(void *ctx, const struct byte_out *out, struct err *e)
{
    return out->write(out->ctx, ctx, strlen(ctx), e);
}

static int fill_half(void *ctx, const struct byte_out *out, struct err *e)
{
    out->write(out->ctx, ctx, strlen(ctx), e);
    return err_set(e, ENOSPC, "encode");
}

static int fill_and_die(void *ctx, const struct byte_out *out, struct err *e)
{
    out->write(out->ctx, ctx, strlen(ctx), e);
    _exit(0);
}

static int put_with(struct sink *s, int (*fill)(void *, const struct byte_out *, struct err *), char *text,
                    struct err *e)
{
    struct sink_profile p = {.time_wall_ns = MORNING, .fill = fill, .ctx = text};

    return sink_put(s, &p, NULL, e);
}

static int put(struct sink *s, const char *text, char *path)
{
    struct sink_profile p = {.time_wall_ns = MORNING, .fill = fill_text, .ctx = (void *)text};
    struct err e = {0};
    int result = sink_put(s, &p, path, &e);

    if (result < 0)
        print_message("%s\n", e.text);
    return result;
}

static void holds(const char *path, const char *text)
{
    char have[64];

    assert_true(read_small_file(AT_FDCWD, path, have, sizeof(have), NULL) >= 0);
    assert_string_equal(have, text);
}

TEST(sink__names_files_by_service_time_pid_and_number)
{
    struct place at;
    char path[PATH_BYTES], want[PATH_BYTES];
    struct sink *s;

    place_make(&at, "");
    s = open_at(at.dir);
    assert_true(sink_is_folder(s));
    assert_int_equal(entries(at.dir), 0);
    assert_int_equal(put(s, "one", path), 0);
    snprintf(want, sizeof(want), "%s/my_service_x-20261128T114000Z-pid1234-0001.pb.gz", at.dir);
    assert_string_equal(path, want);
    holds(path, "one");
    assert_int_equal(put(s, "two", path), 0);
    assert_non_null(strstr(path, "-pid1234-0002.pb.gz"));
    assert_int_equal(entries(at.dir), 2);
    sink_close(s);
    place_remove(&at);
}

static int put_again(struct sink *s, const char *text)
{
    struct sink_profile p = {MORNING, fill_text, (void *)text, true};

    return sink_put(s, &p, NULL, NULL);
}

/* Whoever put the first died before it could count it. */
TEST(sink__does_not_put_twice_what_is_there)
{
    struct place at;
    char path[PATH_BYTES], next[PATH_BYTES];
    struct sink *s;

    place_make(&at, "");
    s = open_at(at.dir);
    assert_int_equal(put(s, "one", path), 0);
    sink_continue(s, 1234, 0);
    assert_int_equal(put_again(s, "one"), 0);
    assert_int_equal(entries(at.dir), 1);
    assert_int_equal(put_again(s, "two"), 0); /* it died before */
    assert_int_equal(entries(at.dir), 2);
    assert_int_equal(put(s, "three", next), 0);
    assert_non_null(strstr(next, "-0003.pb.gz"));
    holds(path, "one");
    sink_close(s);
    place_remove(&at);
}

/* Another profiler's has the name, as the temporary file tells. */
TEST(sink__puts_again_what_was_begun_only)
{
    struct place at;
    char path[PATH_BYTES];
    struct sink *s;
    struct err e;
    pid_t child;
    int status;

    place_make(&at, "");
    s = open_at(at.dir);
    assert_int_equal(put(s, "another's", path), 0);
    sink_continue(s, 1234, 0);
    child = fork();
    if (child == 0)
        put_with(s, fill_and_die, "mine", &e);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(entries(at.dir), 2);
    assert_int_equal(put_again(s, "mine"), 0);
    assert_int_equal(entries(at.dir), 2);
    holds(path, "another's");
    sink_close(s);
    place_remove(&at);
}

TEST(sink__makes_a_folder_that_is_asked_for_with_a_slash)
{
    struct place at;
    struct sink *s;

    place_make(&at, "new/");
    assert_true(sink_path_is_folder(at.path));
    s = open_at(at.path);
    assert_true(sink_is_folder(s));
    assert_int_equal(put(s, "x", NULL), 0);
    assert_int_equal(entries(at.path), 1);
    sink_close(s);
    place_remove(&at);
}

TEST(sink__never_replaces_a_file_of_a_folder)
{
    struct place at;
    char first[PATH_BYTES], second[PATH_BYTES];
    struct sink *a, *b;

    place_make(&at, "");
    a = open_at(at.dir);
    b = open_at(at.dir);
    assert_int_equal(put(a, "first", first), 0);
    assert_int_equal(put(b, "second", second), 0);
    assert_string_not_equal(first, second);
    holds(first, "first");
    holds(second, "second");
    assert_int_equal(entries(at.dir), 2);
    sink_close(a);
    sink_close(b);
    place_remove(&at);
}

TEST(sink__makes_any_service_safe_for_a_file_name)
{
    static const char *const cases[][2] = {
        {"../../etc/passwd", "_._.._etc_passwd"},
        {".hidden", "_hidden"},
        {"", "unnamed"},
        {"a.b-c_D9", "a.b-c_D9"},
        {"caf\xc3\xa9 \n", "caf____"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sink_naming naming = {cases[i][0], 5};
        struct place at;
        char path[PATH_BYTES];
        struct sink *s;

        place_make(&at, "");
        s = sink_open(at.dir, &naming, NULL);
        assert_non_null(s);
        assert_int_equal(put(s, "x", path), 0);
        assert_int_equal(strncmp(path + strlen(at.dir) + 1, cases[i][1], strlen(cases[i][1])), 0);
        assert_null(strchr(path + strlen(at.dir) + 1, '/'));
        assert_int_equal(entries(at.dir), 1);
        sink_close(s);
        place_remove(&at);
    }
}

TEST(sink__takes_a_service_of_any_length)
{
    struct sink_naming naming = {NULL, 5};
    char service[5000];
    struct place at;
    struct sink *s;

    memset(service, 'x', sizeof(service) - 1);
    service[sizeof(service) - 1] = '\0';
    naming.service = service;
    place_make(&at, "");
    s = sink_open(at.dir, &naming, NULL);
    assert_non_null(s);
    assert_int_equal(put(s, "x", NULL), 0);
    assert_int_equal(entries(at.dir), 1);
    sink_close(s);
    place_remove(&at);
}

TEST(sink__replaces_a_single_file_at_once)
{
    struct place at;
    char path[PATH_BYTES];
    struct sink *s;

    place_make(&at, "cpu.pb.gz");
    assert_false(sink_path_is_folder(at.path));
    s = open_at(at.path);
    assert_false(sink_is_folder(s));
    assert_int_equal(entries(at.dir), 0); /* nothing is left of the check */
    assert_int_equal(put(s, "one", path), 0);
    assert_string_equal(path, at.path);
    assert_int_equal(put(s, "two", NULL), 0);
    holds(at.path, "two");
    assert_int_equal(entries(at.dir), 1);
    sink_close(s);
    place_remove(&at);
}

TEST(sink__leaves_the_old_file_when_writing_fails)
{
    struct place at;
    struct err e = {0};
    struct sink *s;

    place_make(&at, "cpu.pb.gz");
    s = open_at(at.path);
    assert_int_equal(put(s, "good", NULL), 0);
    assert_int_equal(put_with(s, fill_half, "bad", &e), -1);
    assert_int_equal(e.code, ENOSPC);
    holds(at.path, "good");
    assert_int_equal(entries(at.dir), 1);
    sink_close(s);
    s = open_at(at.dir);
    assert_int_equal(put_with(s, fill_half, "bad", &e), -1);
    assert_int_equal(entries(at.dir), 1);
    sink_close(s);
    place_remove(&at);
}

static int die_half_way(void *ctx, const struct byte_out *out, struct err *e)
{
    (void)ctx;
    _exit(out->write(out->ctx, "half", 4, e) < 0);
}

static void check_that_nothing_is_left(const char *name, int files)
{
    struct place p;
    struct sink *s;
    pid_t child;
    int status;

    place_make(&p, name);
    s = open_at(p.path);
    child = fork();
    if (child == 0) {
        put_with(s, die_half_way, NULL, NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(entries(p.dir), 1);
    assert_int_equal(put_with(s, fill_text, "whole", NULL), 0);
    assert_int_equal(entries(p.dir), files);
    sink_close(s);
    place_remove(&p);
}

TEST(sink__what_a_process_left_that_died_while_it_wrote_goes_with_the_next_file)
{
    check_that_nothing_is_left("", 1);
    check_that_nothing_is_left("out.pb.gz", 1);
}

TEST(sink__writes_where_it_was_opened_after_a_chdir)
{
    struct place at;
    char cwd[PATH_BYTES], moved[PATH_BYTES];
    struct sink *s;

    place_make(&at, "cpu.pb.gz");
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(at.dir), 0);
    s = open_at("cpu.pb.gz");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(put(s, "here", moved), 0);
    holds(at.path, "here");
    assert_int_equal(chdir(cwd), 0);
    sink_close(s);
    place_remove(&at);
}

TEST(sink__follows_a_link_to_the_file_it_replaces)
{
    struct place at;
    char link_path[300];
    struct stat st;
    struct sink *s;

    place_make(&at, "real.pb.gz");
    snprintf(link_path, sizeof(link_path), "%s/link.pb.gz", at.dir);
    s = open_at(at.path);
    assert_int_equal(put(s, "old", NULL), 0);
    sink_close(s);
    assert_int_equal(symlink(at.path, link_path), 0);
    s = open_at(link_path);
    assert_int_equal(put(s, "new", NULL), 0);
    sink_close(s);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    holds(at.path, "new");
    place_remove(&at);
}

TEST(sink__refuses_what_it_cannot_write_and_leaves_nothing_behind)
{
    struct place at;
    char path[400];

    place_make(&at, "file");
    refused("/nonexistent/folder/cpu.pb.gz", ENOENT, "/nonexistent/folder");
    refused("/nonexistent/folder/", ENOENT, "/nonexistent/folder");
    refused("/proc/cpu.pb.gz", ENOENT, "/proc/cpu.pb.gz");
    refused("", 0, "output");
    close(open(at.path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof(path), "%s/", at.path);
    refused(path, ENOTDIR, at.path);
    snprintf(path, sizeof(path), "%s/below", at.path);
    refused(path, ENOTDIR, at.path);
    /* a name, but none that a temporary file's can be made of */
    snprintf(path, sizeof(path), "%s/%0250d", at.dir, 0);
    refused(path, ENAMETOOLONG, at.dir);
    assert_int_equal(entries(at.dir), 1);
    place_remove(&at);
}

/* Who is killed while it looks whether it can write must not leave a file. */
TEST(sink__tries_a_folder_without_making_a_name_in_it)
{
    struct place p;
    char event[256];
    int fd, watch;

    place_make(&p, "cpu.pb.gz");
    if ((fd = open(p.dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)) < 0) {
        place_remove(&p);
        skip(); /* this file system cannot */
    }
    close(fd);
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(watch, p.dir, IN_CREATE | IN_MOVED_TO) >= 0);
    sink_close(open_at(p.path));
    sink_close(open_at(p.dir));
    assert_int_equal(read(watch, event, sizeof(event)), -1);
    assert_int_equal(errno, EAGAIN);
    close(watch);
    place_remove(&p);
}

TEST(sink__refuses_a_folder_without_write_permission)
{
    struct place at;

    if (geteuid() == 0)
        skip(); /* root may write everywhere */
    place_make(&at, "cpu.pb.gz");
    assert_int_equal(chmod(at.dir, 0500), 0);
    refused(at.path, EACCES, at.path);
    refused(at.dir, EACCES, at.dir);
    assert_int_equal(chmod(at.dir, 0700), 0);
    place_remove(&at);
}

TEST(sink__writes_straight_into_devices_and_pipes)
{
    struct place at;
    char path[PATH_BYTES] = "x", text[8] = "";
    struct stat st;
    struct sink *s;
    int reader;

    s = open_at("/dev/null");
    assert_int_equal(put(s, "gone", path), 0);
    assert_string_equal(path, "");
    sink_close(s);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));

    place_make(&at, "pipe");
    assert_int_equal(mkfifo(at.path, 0600), 0);
    refused(at.path, ENXIO, at.path); /* nobody reads it: said at once, not waited for */
    reader = open(at.path, O_RDONLY | O_NONBLOCK);
    s = open_at(at.path);
    assert_int_equal(put(s, "through", NULL), 0);
    assert_int_equal(read(reader, text, sizeof(text)), 7);
    assert_memory_equal(text, "through", 7);
    sink_close(s);
    close(reader);
    place_remove(&at);
}

TEST(sink__adds_to_the_file_that_an_open_descriptor_means)
{
    struct place at;
    char path[64], link_path[PATH_BYTES] = "x";
    struct sink *s;
    int fd;

    place_make(&at, "output");
    fd = open(at.path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "printed before, ", 16), 16);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* what /dev/stdout is */
    s = open_at(path);
    assert_int_equal(put(s, "one, ", link_path), 0);
    assert_string_equal(link_path, "");
    assert_int_equal(put(s, "two", NULL), 0);
    holds(at.path, "printed before, one, two");
    assert_int_equal(entries(at.dir), 1);
    sink_close(s);
    close(fd);
    place_remove(&at);
}

TEST(sink__reports_a_full_device)
{
    struct err e = {0};
    struct sink *s = open_at("/dev/full");

    assert_int_equal(put_with(s, fill_text, "x", &e), -1);
    assert_int_equal(e.code, ENOSPC);
    sink_close(s);
}
