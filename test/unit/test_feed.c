/*
 * test_feed.c - what was recorded comes back, and damaged recordings end without harm
 */
#include "ringside/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ringside/base.h"
#include "unit.h"

static const struct feed_info info = {
    .events = 6,
    .event = {[1] = {.name = "sCPU:u period=10101010",
                     .type = "cpu",
                     .unit = "nanoseconds",
                     .period = 10101010,
                     .stack_bytes = 32768,
                     .each = 2.5,
                     .kernel = true,
                     .task_counts = true}},
    .cpu_event = 1,
    .frequency_hz = 99,
    .ring_bytes = 1 << 20,
    .cpus = 2,
};

static const uint64_t kernel_frames[] = {0xffffffff81000010, 0xffffffff81000020, 0xffffffff81000030};

/* One record of each kind; stack: 1001 bytes, so that padding is needed. */
static struct feed_record record_of_kind(enum feed_kind kind)
{
    static uint8_t stack[1001];
    struct feed_record r = {.kind = kind, .pid = 10, .tid = 11, .cpu = 3, .time_ns = 1000 + kind};

    for (size_t i = 0; i < sizeof(stack); i++)
        stack[i] = (uint8_t)i;
    if (kind == FEED_SAMPLE) {
        r.u.sample =
            (struct feed_sample){.stack = stack, .stack_bytes = sizeof(stack), .kernel = kernel_frames};
        r.u.sample.kernel_frames = 3;
        r.u.sample.event = 5;
        r.u.sample.value = 1234567890123;
        r.u.sample.counted = 987654321;
        r.u.sample.foreign_abi = true;
        r.u.sample.regs.known = 1U << ARCH_REG_PC | 1U << ARCH_REG_SP;
        r.u.sample.regs.r[ARCH_REG_PC] = 0x401000;
        r.u.sample.regs.r[ARCH_REG_SP] = 0x7ffc00001000;
    } else if (kind == FEED_MMAP) {
        r.u.mmap =
            (struct feed_mmap){.start = 0x7f0000000000, .bytes = 0x1000, .file_offset = 0x2000, .inode = 77};
        r.u.mmap.dev_major = 8;
        r.u.mmap.dev_minor = 1;
        memcpy(r.u.mmap.build_id, "abcdefghijklmnopqrst", 20);
        r.u.mmap.build_id_bytes = 20;
        r.u.mmap.path = "/usr/lib/libc.so.6";
    } else if (kind == FEED_COMM) {
        r.u.comm.name = "worker";
        r.u.comm.exec = true;
    } else if (kind == FEED_FORK) {
        r.u.fork.parent_pid = 1;
        r.u.fork.parent_tid = 2;
    } else if (kind == FEED_TASK_COUNT) {
        r.u.task_count.value = 123456789;
        r.u.task_count.lost_samples = 4;
        r.u.task_count.event = 5;
    } else if (kind == FEED_LOST) {
        r.u.lost.records = 9;
    }
    return r;
}

static void assert_same_payload(const struct feed_record *a, const struct feed_record *b)
{
    switch (a->kind) {
    case FEED_SAMPLE:
        assert_int_equal(a->u.sample.regs.known, b->u.sample.regs.known);
        assert_int_equal(a->u.sample.regs.r[ARCH_REG_PC], b->u.sample.regs.r[ARCH_REG_PC]);
        assert_int_equal(a->u.sample.regs.r[ARCH_REG_SP], b->u.sample.regs.r[ARCH_REG_SP]);
        assert_int_equal(a->u.sample.stack_bytes, b->u.sample.stack_bytes);
        assert_memory_equal(a->u.sample.stack, b->u.sample.stack, b->u.sample.stack_bytes);
        assert_int_equal(a->u.sample.kernel_frames, b->u.sample.kernel_frames);
        assert_memory_equal(a->u.sample.kernel, b->u.sample.kernel, b->u.sample.kernel_frames * 8);
        assert_int_equal(a->u.sample.event, b->u.sample.event);
        assert_int_equal(a->u.sample.value, b->u.sample.value);
        assert_int_equal(a->u.sample.foreign_abi, b->u.sample.foreign_abi);
        break;
    case FEED_MMAP:
        assert_int_equal(a->u.mmap.start, b->u.mmap.start);
        assert_int_equal(a->u.mmap.bytes, b->u.mmap.bytes);
        assert_int_equal(a->u.mmap.file_offset, b->u.mmap.file_offset);
        assert_int_equal(a->u.mmap.inode, b->u.mmap.inode);
        assert_int_equal(a->u.mmap.dev_major, b->u.mmap.dev_major);
        assert_int_equal(a->u.mmap.dev_minor, b->u.mmap.dev_minor);
        assert_int_equal(a->u.mmap.build_id_bytes, b->u.mmap.build_id_bytes);
        assert_memory_equal(a->u.mmap.build_id, b->u.mmap.build_id, 20);
        assert_string_equal(a->u.mmap.path, b->u.mmap.path);
        break;
    case FEED_COMM:
        assert_string_equal(a->u.comm.name, b->u.comm.name);
        assert_int_equal(a->u.comm.exec, b->u.comm.exec);
        break;
    case FEED_FORK:
        assert_int_equal(a->u.fork.parent_pid, b->u.fork.parent_pid);
        assert_int_equal(a->u.fork.parent_tid, b->u.fork.parent_tid);
        break;
    case FEED_TASK_COUNT:
        assert_int_equal(a->u.task_count.value, b->u.task_count.value);
        assert_int_equal(a->u.task_count.lost_samples, b->u.task_count.lost_samples);
        assert_int_equal(a->u.task_count.event, b->u.task_count.event);
        break;
    case FEED_LOST:
        assert_int_equal(a->u.lost.records, b->u.lost.records);
        break;
    default:
        break;
    }
}

/* A recording with one record of every kind, in memory; the caller frees. */
static char *recording(size_t *n)
{
    char *bytes = NULL;
    FILE *to = open_memstream(&bytes, n);
    struct err e = {0};

    assert_int_equal(feed_file_write_header(to, &info, &e), 0);
    for (int kind = 0; kind < FEED_KINDS; kind++) {
        struct feed_record r = record_of_kind((enum feed_kind)kind);

        assert_int_equal(feed_file_write(to, &r, &e), 0);
    }
    fclose(to);
    return bytes;
}

static struct feed *open_bytes(const void *bytes, size_t n, struct err *e)
{
    int fd = memfd_create("feed", MFD_CLOEXEC);
    struct feed *f;
    char path[64];

    assert_int_equal(write(fd, bytes, n), n);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    f = feed_file_open(path, e);
    close(fd);
    return f;
}

TEST(feed__a_recording_yields_what_was_written)
{
    FREE_PTR char *bytes = NULL;
    struct feed_totals totals = {.known = true};
    struct feed_record r;
    struct err e = {0};
    struct feed *f;
    size_t n;

    bytes = recording(&n);
    f = open_bytes(bytes, n, &e);
    assert_non_null(f);
    assert_int_equal(f->info.events, 6);
    assert_int_equal(f->info.cpu_event, 1);
    assert_int_equal(feed_period_ns(&f->info), 10101010);
    assert_int_equal(f->info.event[1].stack_bytes, 32768);
    assert_true(f->info.event[1].kernel && !f->info.event[0].kernel);
    assert_string_equal(f->info.event[1].name, info.event[1].name);
    assert_string_equal(f->info.event[1].type, "cpu");
    assert_string_equal(f->info.event[1].unit, "nanoseconds");
    assert_int_equal(f->info.frequency_hz, 99);
    assert_int_equal(f->info.ring_bytes, 1 << 20);
    assert_int_equal(f->info.cpus, 2);
    assert_true(f->info.event[1].task_counts && !f->info.event[0].task_counts);
    assert_true(f->info.event[1].each == 2.5);
    for (int kind = 0; kind < FEED_KINDS; kind++) {
        struct feed_record expected = record_of_kind((enum feed_kind)kind);

        assert_int_equal(f->ops->wait(f, 0, false), FEED_READY);
        assert_true(feed_next(f, &r));
        assert_int_equal(r.kind, kind);
        assert_int_equal(r.pid, 10);
        assert_int_equal(r.tid, 11);
        assert_int_equal(r.cpu, 3);
        assert_int_equal(r.time_ns, expected.time_ns);
        assert_same_payload(&r, &expected);
    }
    assert_false(feed_next(f, &r));
    assert_int_equal(f->ops->wait(f, 0, false), FEED_ENDED);
    f->ops->finish(f);
    assert_false(feed_next(f, &r));
    f->ops->totals(f, 0, &totals);
    assert_false(totals.known);
    feed_close(f);
    feed_close(NULL);
}

TEST(feed__a_sample_without_user_state_or_stack_is_recorded_too)
{
    struct feed_record r = {.kind = FEED_SAMPLE, .pid = 1, .tid = 1}, back;
    struct err e = {0};
    char *bytes = NULL;
    struct feed *f;
    size_t n;
    FILE *to = open_memstream(&bytes, &n);

    assert_int_equal(feed_file_write_header(to, &info, &e), 0);
    assert_int_equal(feed_file_write(to, &r, &e), 0);
    fclose(to);
    f = open_bytes(bytes, n, &e);
    assert_true(feed_next(f, &back));
    assert_int_equal(back.u.sample.regs.known, 0);
    assert_int_equal(back.u.sample.stack_bytes, 0);
    assert_int_equal(back.u.sample.kernel_frames, 0);
    feed_close(f);
    free(bytes);
}

TEST(feed__a_recording_cut_anywhere_yields_whole_records_only)
{
    FREE_PTR char *bytes = NULL;
    size_t n;

    bytes = recording(&n);
    for (size_t cut = 0; cut < n; cut++) {
        struct err e = {0};
        struct feed *f = open_bytes(bytes, cut, &e);
        struct feed_record r;
        int count = 0;

        if (!f) {
            assert_true(strlen(e.text) > 0);
            continue;
        }
        while (feed_next(f, &r))
            count++;
        assert_true(count < FEED_KINDS);
        assert_int_equal(f->ops->wait(f, 0, false), FEED_ENDED);
        feed_close(f);
    }
}

TEST(feed__damaged_bytes_never_lead_outside_the_file)
{
    FREE_PTR char *bytes = NULL;
    uint64_t seed = 88172645463325252ULL, sum = 0;
    size_t n;

    bytes = recording(&n);
    for (int i = 0; i < 3000; i++) {
        struct err e = {0};
        struct feed_record r;
        struct feed *f;
        size_t at;
        char saved;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        at = seed % n;
        saved = bytes[at];
        bytes[at] = (char)(seed >> 32);
        f = open_bytes(bytes, n, &e);
        bytes[at] = saved;
        while (f && feed_next(f, &r)) {
            if (r.kind == FEED_MMAP)
                sum += strlen(r.u.mmap.path);
            if (r.kind == FEED_SAMPLE && r.u.sample.stack_bytes)
                sum += r.u.sample.stack[r.u.sample.stack_bytes - 1];
        }
        feed_close(f);
    }
    assert_true(sum > 0);
}

TEST(feed__a_mapping_beyond_all_addresses_ends_the_recording)
{
    struct feed_record r = record_of_kind(FEED_MMAP);
    FREE_PTR char *bytes = NULL;
    struct err e = {0};
    struct feed *f;
    size_t n;
    FILE *to = open_memstream(&bytes, &n);

    r.u.mmap.bytes = UINT64_MAX - r.u.mmap.start + 1;
    assert_int_equal(feed_file_write_header(to, &info, &e), 0);
    assert_int_equal(feed_file_write(to, &r, &e), 0);
    fclose(to);
    f = open_bytes(bytes, n, &e);
    assert_non_null(f);
    assert_false(feed_next(f, &r));
    feed_close(f);
}

TEST(feed__what_is_no_recording_is_refused_with_its_name)
{
    FREE_PTR char *bytes = NULL;
    struct err e = {0};
    size_t n;

    assert_null(feed_file_open("/nowhere/feed.rec", &e));
    assert_non_null(strstr(e.text, "/nowhere/feed.rec"));
    assert_null(open_bytes("", 0, &e));
    assert_null(open_bytes("short", 5, &e));
    bytes = recording(&n);
    bytes[8]++; /* version */
    assert_null(open_bytes(bytes, n, &e));
    assert_non_null(strstr(e.text, "version"));
    bytes[8]--;
    bytes[0]++;
    assert_null(open_bytes(bytes, n, &e));
    assert_non_null(strstr(e.text, "not a recorded feed"));
}

TEST(feed__writing_reports_a_full_disk_and_records_beyond_all_bounds)
{
    struct feed_record r = record_of_kind(FEED_SAMPLE);
    struct err e = {0};
    FILE *to = fopen("/dev/full", "w");

    assert_non_null(to);
    setvbuf(to, NULL, _IONBF, 0);
    assert_int_equal(feed_file_write(to, &r, &e), -1);
    assert_true(e.code != 0);
    fclose(to);
    to = fopen("/dev/null", "w");
    r.u.sample.stack_bytes = 2 << 20; /* refused before it is read */
    assert_int_equal(feed_file_write(to, &r, &e), -1);
    fclose(to);
}
