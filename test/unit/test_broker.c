/*
 * test_broker.c - both ends of a broker in one process: what is given out, and what never is
 */
#include "../../src/supervisor/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "unit.h"

/* The supervisor's end, served by a thread until the other end is closed. */
struct pair {
    int served, asking;
    pthread_t thread;
    struct broker_door door;
};

static void *serve(void *pair)
{
    const struct pair *p = pair;
    struct broker b = {{p->served, -1}, false};
    char first;

    while (recv(p->served, &first, 1, MSG_PEEK) > 0)
        broker_serve(&b);
    return NULL;
}

static const struct procfs_door *open_pair(struct pair *p)
{
    struct broker b, workers;
    const struct procfs_door *door;
    struct err e;

    assert_int_equal(broker_make(&b, &e), 0);
    p->served = b.fd[0];
    p->asking = b.fd[1];
    workers = (struct broker){{dup(b.fd[0]), b.fd[1]}, true};
    door = broker_enter(&workers, &p->door);
    assert_non_null(door);
    assert_int_equal(pthread_create(&p->thread, NULL, serve, p), 0);
    return door;
}

static void close_pair(struct pair *p)
{
    close(p->asking);
    pthread_join(p->thread, NULL);
    close(p->served);
}

static int ask(const struct procfs_door *door, enum procfs_kind kind, const char *path)
{
    struct procfs_wish wish = {.kind = kind, .pid = getpid(), .path = path};

    return door->open(door->ctx, &wish);
}

static void assert_gives(const struct procfs_door *door, enum procfs_kind kind, const char *path)
{
    int fd = ask(door, kind, path), flags;

    assert_true(fd >= 0);
    flags = fcntl(fd, F_GETFL);
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void assert_refuses(const struct procfs_door *door, enum procfs_kind kind, const char *path, int code)
{
    errno = 0;
    assert_int_equal(ask(door, kind, path), -1);
    assert_int_equal(errno, code);
}

TEST(broker__gives_out_programs_and_mappings)
{
    char program[PATH_MAX] = {0};
    struct pair p;
    const struct procfs_door *door = open_pair(&p);

    assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
    assert_gives(door, PROCFS_MAPS, NULL);
    assert_gives(door, PROCFS_EXE, NULL);
    assert_gives(door, PROCFS_ROOT, program);
    assert_gives(door, PROCFS_HERE, program);
    close_pair(&p);
}

static char *make_file(char *path, const void *bytes, size_t n)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    close(fd);
    return path;
}

TEST(broker__gives_out_nothing_but_programs)
{
    char text[] = "/tmp/ringside-test-broker-XXXXXX", core[] = "/tmp/ringside-test-broker-XXXXXX";
    char pipe_path[] = "/tmp/ringside-test-broker-XXXXXX", linked[sizeof(text) + 8];
    Elf64_Ehdr dumped = {.e_ident = ELFMAG, .e_type = ET_CORE};
    struct pair p;
    const struct procfs_door *door = open_pair(&p);

    make_file(text, "root:secret:0\n", 14);
    make_file(core, &dumped, sizeof(dumped));
    snprintf(linked, sizeof(linked), "%s.link", text);
    assert_int_equal(symlink(text, linked), 0);
    unlink(make_file(pipe_path, "", 0));
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_refuses(door, PROCFS_HERE, text, EACCES);
    assert_refuses(door, PROCFS_ROOT, text, EACCES);
    assert_refuses(door, PROCFS_HERE, linked, EACCES);
    assert_refuses(door, PROCFS_HERE, core, EACCES);
    assert_refuses(door, PROCFS_HERE, pipe_path, EACCES);
    assert_refuses(door, PROCFS_HERE, "/dev/null", EACCES);
    assert_refuses(door, PROCFS_HERE, "/tmp", EACCES);
    assert_int_equal(ask(door, PROCFS_HERE, "/proc/kcore"), -1); /* where there is one */
    assert_refuses(door, PROCFS_HERE, "/proc/self/exe/../maps", ENOTDIR);
    assert_refuses(door, PROCFS_HERE, "/proc/self/mem", EACCES);
    assert_refuses(door, PROCFS_HERE, "/sys/kernel/uevent_seqnum", EACCES);
    assert_refuses(door, PROCFS_HERE, "/nowhere", ENOENT);
    assert_refuses(door, PROCFS_HERE, "nowhere", EINVAL);
    unlink(text);
    unlink(core);
    unlink(linked);
    unlink(pipe_path);
    close_pair(&p);
}

TEST(broker__reads_memory_of_mapped_files_alone)
{
    char path[] = "/tmp/ringside-test-broker-XXXXXX", got[64] = {0};
    struct pair p;
    const struct procfs_door *door = open_pair(&p);
    int shared = open(make_file(path, "what the file says", 19), O_RDWR | O_CLOEXEC);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *file = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    char *writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    char *secret = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct procfs_memory m = {.pid = getpid(), .bytes = got, .size = 19};

    m.start = m.at = (uintptr_t)file;
    m.end = m.start + 4096;
    assert_int_equal(door->read(door->ctx, &m), 19);
    assert_string_equal(got, "what the file says");
    m.end += 4096; /* not a mapping */
    assert_int_equal(door->read(door->ctx, &m), -1);
    m.start = m.at = (uintptr_t)writable;
    m.end = m.start + 4096;
    assert_int_equal(door->read(door->ctx, &m), -1);
    assert_int_equal(mprotect(file, 4096, PROT_READ | PROT_WRITE), 0);
    strcpy(file, "a variable");
    m.start = m.at = (uintptr_t)file;
    m.end = m.start + 4096;
    assert_int_equal(door->read(door->ctx, &m), -1);
    assert_int_equal(errno, EACCES);
    strcpy(secret, "a key");
    m.start = m.at = (uintptr_t)secret;
    m.end = m.start + 4096;
    assert_int_equal(door->read(door->ctx, &m), -1);
    assert_int_equal(errno, EACCES);
    munmap(file, 4096);
    munmap(writable, 4096);
    munmap(secret, 4096);
    close(shared);
    close(fd);
    unlink(path);
    close_pair(&p);
}

static struct broker_request good_request(void)
{
    return (struct broker_request){.number = 7, .kind = PROCFS_ROOT, .pid = 1, .path = "/bin/sh"};
}

TEST(broker__takes_no_request_that_makes_no_sense)
{
    struct broker_request r = good_request(), out;

    assert_true(broker_decode(&r, sizeof(r), &out));
    assert_false(broker_decode(&r, sizeof(r) - 1, &out));
    r.pid = 0;
    assert_false(broker_decode(&r, sizeof(r), &out));
    r = good_request();
    r.kind = BROKER_KINDS;
    assert_false(broker_decode(&r, sizeof(r), &out));
    r = good_request();
    memset(r.path, '/', sizeof(r.path));
    assert_false(broker_decode(&r, sizeof(r), &out));
    r = good_request();
    r.kind = PROCFS_MAP_FILE;
    r.start = 2;
    r.end = 1;
    assert_false(broker_decode(&r, sizeof(r), &out));
    r = (struct broker_request){
        .kind = BROKER_MEMORY, .pid = 1, .start = 4096, .end = 8192, .at = 4096, .size = 4097};
    assert_false(broker_decode(&r, sizeof(r), &out));
    r.size = 4096;
    assert_true(broker_decode(&r, sizeof(r), &out));
    r.at = UINT64_MAX;
    assert_false(broker_decode(&r, sizeof(r), &out));
}

/* A worker that asked and died leaves its answer behind; one that asks and never listens fills the socket. */
TEST(broker__answers_to_others_are_left_out)
{
    struct broker_request r = good_request();
    struct pair p;
    const struct procfs_door *door = open_pair(&p);

    r.kind = PROCFS_MAPS;
    r.pid = getpid();
    assert_int_equal(send(p.asking, &r, sizeof(r), 0), sizeof(r));
    assert_int_equal(send(p.asking, "torn", 4, 0), 4);
    assert_int_equal(send(p.asking, &r, 100, 0), 100);
    assert_gives(door, PROCFS_EXE, NULL);
    close_pair(&p);
}

TEST(broker__never_waits_for_who_does_not_listen)
{
    struct broker_request r = good_request();
    struct broker b;
    struct err e;

    r.kind = PROCFS_EXE;
    r.pid = getpid();
    assert_int_equal(broker_make(&b, &e), 0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(send(b.fd[1], &r, sizeof(r), 0), sizeof(r));
        broker_serve(&b);
    }
    broker_serve(&b); /* nothing is asked */
    broker_release(&b);
}

TEST(broker__that_is_silent_is_not_asked_again_at_once)
{
    struct broker_door d;
    struct broker b;
    const struct procfs_door *door;
    struct err e;

    assert_int_equal(broker_make(&b, &e), 0);
    door = broker_enter(&b, &d);
    assert_int_equal(ask(door, PROCFS_EXE, NULL), -1); /* nobody is at the other end */
    assert_true(d.shut_until_ns > clock_mono_ns());
    broker_release(&b);
    assert_null(broker_enter(&b, &d));
}

/* Or its supervisor would be woken for ever by what is no request; the next worker has a socket of its own.
 */
TEST(broker__a_worker_that_shuts_it_down_does_so_for_itself)
{
    struct broker_request r = good_request();
    struct broker b;
    char got[64];
    struct err e;

    r.kind = PROCFS_EXE;
    r.pid = getpid();
    assert_int_equal(broker_make(&b, &e), 0);
    assert_int_equal(send(b.fd[1], &r, sizeof(r), 0), sizeof(r));
    assert_int_equal(shutdown(b.fd[1], SHUT_RDWR), 0);
    broker_serve(&b);
    broker_serve(&b);
    assert_int_equal(b.fd[0], -1);
    broker_serve(&b);
    broker_renew(&b);
    assert_int_equal(send(b.fd[1], &r, sizeof(r), 0), sizeof(r));
    broker_serve(&b);
    assert_true(recv(b.fd[1], got, sizeof(got), MSG_DONTWAIT) > 0);
    broker_release(&b);
}
