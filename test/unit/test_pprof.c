/*
 * test_pprof.c - the bytes of a profile, judged by go tool pprof, by our validator, and by decoding them here
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "ringside/base.h"
#include "ringside/pprof.h"
#include "ringside/profile.h"

struct sink_bytes {
    struct buf buf;
    size_t refuse_after;
};

static int keep(void *ctx, const void *bytes, size_t n, struct err *e)
{
    struct sink_bytes *s = ctx;

    if (s->refuse_after && s->buf.len + n > s->refuse_after)
        return err_set(e, ENOSPC, "write x");
    assert_true(buf_add(&s->buf, bytes, n));
    return 0;
}

static void fill(struct profile *p, uint32_t stacks)
{
    struct profile_mapping m = {0x1000, 0x100000, 0x1000, 0, 0, true};
    struct profile_label label[2];
    uint32_t set;

    profile_init(p);
    profile_add_type(p, "samples", "count");
    profile_add_type(p, "cpu", "nanoseconds");
    p->default_type = profile_string(p, "cpu");
    p->period_type = p->type[1];
    p->period = 10101010;
    p->time_wall_ns = 1700000000000000000ULL;
    p->duration_ns = 59 * NSEC_PER_SEC;
    m.filename = profile_string(p, "/usr/bin/caf\xe9");
    m.build_id = profile_string(p, "00ff42");
    profile_add_mapping(p, &m);
    label[0] = (struct profile_label){profile_string(p, "thread_id"), profile_string(p, "42")};
    label[1] = (struct profile_label){profile_string(p, "process_name"), profile_string(p, "service")};
    set = profile_add_labels(p, label, 2);
    for (uint32_t i = 0; i < stacks; i++) {
        char name[64];
        uint32_t frame;
        int64_t values[2] = {i + 1, (int64_t)(i + 1) * 10101010};

        snprintf(name, sizeof(name), "ns::function_%u(int)", i);
        profile_add_location(p,
                             &(struct profile_location){0x1000 + i, 1, profile_add_function(p, name, name)});
        frame = profile_add_frame(p, profile_add_frame(p, 0, 1), 1);
        profile_add_sample(p, profile_add_frame(p, frame, i + 1), set, values);
    }
    profile_add_comment(p, "ringside test");
}

static void write_to(const struct profile *p, struct sink_bytes *s)
{
    struct byte_out out = {keep, s};
    struct err e = {0};

    buf_init(&s->buf, 64 << 20);
    assert_int_equal(pprof_write(p, &out, &e), 0);
}

/* Writes the profile where a command can read it and returns the command's status. */
static int run_on(const struct profile *p, const char *command)
{
    char path[] = "/tmp/ringside-test-pprof-XXXXXX", line[2048];
    struct sink_bytes s = {0};
    int fd = mkstemp(path), status;

    assert_true(fd >= 0);
    write_to(p, &s);
    assert_int_equal(write(fd, s.buf.data, s.buf.len), s.buf.len);
    close(fd);
    buf_release(&s.buf);
    snprintf(line, sizeof(line), "%s %s", command, path);
    status = system(line);
    unlink(path);
    return status;
}

static bool have_go(void)
{
    const char *require = getenv("REQUIRE");

    if (system("go version >/dev/null 2>&1") == 0)
        return true;
    assert_false(require && strstr(require, "go"));
    print_message("skipped: go is not installed\n");
    return false;
}

TEST(pprof__is_accepted_by_go_tool_pprof)
{
    struct profile p;

    if (!have_go())
        skip();
    fill(&p, 200);
    assert_int_equal(run_on(&p, "go tool pprof -symbolize=none -raw 2>&1 >/dev/null"), 0);
    assert_int_equal(run_on(&p, "f() { go tool pprof -symbolize=none -raw $1 2>/dev/null |"
                                " grep -q '200 2020202000: 200 1 1'; }; f"),
                     0);
    profile_release(&p);
}

TEST(pprof__passes_every_rule_of_the_validator)
{
    static const uint32_t sizes[] = {1, 2, 300, 20000};
    struct profile p;

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        fill(&p, sizes[i]);
        assert_int_equal(run_on(&p, "PYTHONDONTWRITEBYTECODE=1 python3 " TEST_TOOLS "/pprof_check.py"), 0);
        profile_release(&p);
    }
}

TEST(pprof__writes_equal_bytes_for_equal_profiles)
{
    struct profile p, q;
    struct sink_bytes a = {0}, b = {0};

    fill(&p, 50);
    fill(&q, 50);
    write_to(&p, &a);
    write_to(&q, &b);
    assert_int_equal(a.buf.len, b.buf.len);
    assert_memory_equal(a.buf.data, b.buf.data, a.buf.len);
    /* RFC 1952, 2.3: no flags (so no file name) and no time. */
    assert_memory_equal(a.buf.data, "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
    buf_release(&a.buf);
    buf_release(&b.buf);
    profile_release(&p);
    profile_release(&q);
}

TEST(pprof__writes_a_profile_without_samples)
{
    struct profile p;

    if (!have_go())
        skip();
    fill(&p, 0);
    assert_int_equal(run_on(&p, "go tool pprof -symbolize=none -raw >/dev/null 2>&1"), 0);
    profile_release(&p);
}

TEST(pprof__keeps_large_and_negative_numbers)
{
    struct profile p;
    int64_t values[2] = {INT64_MAX, 1};
    uint32_t location;

    fill(&p, 0);
    p.mapping[0].limit = UINT64_MAX;
    location = profile_add_location(
        &p, &(struct profile_location){0xfffffffffffffff0, 1, profile_add_function(&p, "f", "f")});
    profile_add_sample(&p, profile_add_frame(&p, 0, location), 0, values);
    assert_int_equal(run_on(&p, "f() { python3 -c 'import sys; sys.dont_write_bytecode = True;"
                                " sys.path.insert(0, \"" TEST_TOOLS "\"); import pprof_read;"
                                " p = pprof_read.load(sys.argv[1]);"
                                " assert p.locations[0].address == 2**64 - 16;"
                                " assert p.raw_samples[0].values == [2**63 - 1, 1]' $1; }; f"),
                     0);
    profile_release(&p);
}

/* Depths around the sizes at which lengths take another byte and buffers grow; each label set, none, and one
 * that is not there. */
TEST(pprof__writes_what_each_sample_has)
{
    static const uint32_t depths[] = {1, 2, 127, 128, 300, 20000};
    struct profile p;
    uint32_t frame = 0;
    struct profile_label label;

    fill(&p, 300);
    p.sample_count = 0;
    label = (struct profile_label){profile_string(&p, "pid"), profile_string(&p, "7")};
    profile_add_labels(&p, &label, 1);
    profile_add_labels(&p, NULL, 0);
    for (uint32_t i = 0, depth = 0; i < ARRAY_LEN(depths); i++) {
        int64_t values[2] = {i, 0};

        for (; depth < depths[i]; depth++)
            frame = profile_add_frame(&p, frame, depth % 300 + 1);
        profile_add_sample(&p, frame, i % 4, values);
    }
    assert_int_equal(run_on(&p, "f() { python3 -c 'import sys; sys.dont_write_bytecode = True;"
                                " sys.path.insert(0, \"" TEST_TOOLS "\"); import pprof_read;"
                                " p = pprof_read.load(sys.argv[1]);"
                                " depths = [1, 2, 127, 128, 300, 20000];"
                                " labels = [{\"thread_id\": \"42\", \"process_name\": \"service\"},"
                                " {\"pid\": \"7\"}, {}, {}];"
                                " assert [s.location_ids for s in p.raw_samples] =="
                                " [[i % 300 + 1 for i in reversed(range(d))] for d in depths];"
                                " assert [s.values for s in p.raw_samples] == [[i, 0] for i in range(6)];"
                                " assert [s.labels for s in p.samples] == (labels * 2)[:6]' $1; }; f"),
                     0);
    profile_release(&p);
}

TEST(pprof__reports_when_bytes_are_refused)
{
    static const size_t limits[] = {1, 100, 20000, 40000};
    struct profile p;

    fill(&p, 20000);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct sink_bytes s = {.refuse_after = limits[i]};
        struct byte_out out = {keep, &s};
        struct err e = {0};

        buf_init(&s.buf, 64 << 20);
        assert_int_equal(pprof_write(&p, &out, &e), -1);
        assert_int_equal(e.code, ENOSPC);
        assert_non_null(strstr(e.text, "No space left"));
        buf_release(&s.buf);
    }
    profile_release(&p);
}

static size_t inflated_size(const struct buf *b)
{
    static unsigned char out[1 << 16];
    z_stream z = {.next_in = (unsigned char *)b->data, .avail_in = (unsigned)b->len};
    int status;

    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    do {
        z.next_out = out;
        z.avail_out = sizeof(out);
        status = inflate(&z, Z_NO_FLUSH);
    } while (status == Z_OK);
    assert_int_equal(status, Z_STREAM_END);
    inflateEnd(&z);
    return z.total_out;
}

TEST(pprof__knows_the_size_before_compression)
{
    static const uint32_t sizes[] = {0, 1, 2, 127, 128, 300, 20000};
    struct profile p;

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct sink_bytes s = {0};

        fill(&p, sizes[i]);
        write_to(&p, &s);
        assert_int_equal(pprof_size(&p), inflated_size(&s.buf));
        buf_release(&s.buf);
        profile_release(&p);
    }
}

TEST(pprof__compresses_any_bytes_to_one_gzip_member)
{
    static const size_t sizes[] = {0, 1, 16384, 300000};
    FREE_PTR uint8_t *bytes = base_alloc(300000), *back = base_alloc(300001);
    uint64_t x = 1;

    for (size_t i = 0; i < 300000; i++)
        bytes[i] = (uint8_t)((x = hash_u64(x + i)) % 7);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct sink_bytes s = {0};
        struct byte_out out = {keep, &s};
        z_stream z = {0};
        struct err e = {0};

        buf_init(&s.buf, 1 << 20);
        assert_int_equal(pprof_gzip(bytes, sizes[i], &out, &e), 0);
        assert_int_equal(inflateInit2(&z, 16 + 15), Z_OK); /* 16: gzip only */
        z.next_in = (unsigned char *)s.buf.data;
        z.avail_in = (unsigned)s.buf.len;
        z.next_out = back;
        z.avail_out = 300001;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        assert_int_equal(z.avail_in, 0);
        assert_int_equal(z.total_out, sizes[i]);
        assert_memory_equal(back, bytes, sizes[i]);
        inflateEnd(&z);
        s.refuse_after = s.buf.len;
        assert_int_equal(pprof_gzip(bytes, sizes[i], &out, &e), -1);
        assert_int_equal(e.code, ENOSPC);
        buf_release(&s.buf);
    }
}
