/*
 * test_perf.c - the ring protocol and the record decoder, on memory made by hand
 */
#include "unit.h"

#include "perf_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/arch.h"
#include "ringside/base.h"
#include "ringside/perf.h"

#include "../../src/perf/attributes.h"
#include "../../src/perf/keeper.h"
#include "../../src/perf/ring.h"

/* ---- records ---- */

static struct perf_event event(void)
{
    return (struct perf_event){
        .attr = {
            .sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
                           PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
            .read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING | PERF_FORMAT_LOST,
        }};
}

/* A sample with two kernel frames, registers 1000, 1001... and 64 bytes of stack of which 40 were copied. */
static void make_sample(struct bytes *b)
{
    begin(b, PERF_RECORD_SAMPLE, 0);
    put_u64(b, 1);
    put_u32(b, 10);
    put_u32(b, 11);
    put_u64(b, 5000);
    put_u64(b, 4);
    put_u64(b, (uint64_t)PERF_CONTEXT_KERNEL);
    put_u64(b, 0xffffffff81000010);
    put_u64(b, 0xffffffff81000020);
    put_u64(b, (uint64_t)PERF_CONTEXT_USER);
    put_u64(b, arch_perf_regs_abi());
    for (int i = 0; i < arch_perf_reg_count(); i++)
        put_u64(b, 1000 + (uint64_t)i);
    put_u64(b, 64);
    for (int i = 0; i < 8; i++)
        put_u64(b, 0x100 + (uint64_t)i);
    put_u64(b, 40);
    end(b);
}

static bool decode(const struct bytes *b, struct feed_record *r, bool *torn)
{
    struct perf_event a = event();

    return perf_decode(&a, b->data, b->n, r, torn);
}

/* ---- decoder ---- */

TEST(decode__takes_a_sample_apart)
{
    struct bytes b;
    struct feed_record r;
    bool torn;

    make_sample(&b);
    assert_true(decode(&b, &r, &torn));
    assert_false(torn);
    assert_int_equal(r.kind, FEED_SAMPLE);
    assert_int_equal(r.pid, 10);
    assert_int_equal(r.tid, 11);
    assert_int_equal(r.time_ns, 5000);
    assert_int_equal(r.u.sample.kernel_frames, 2);
    assert_true(r.u.sample.kernel[1] == 0xffffffff81000020);
    assert_int_equal(r.u.sample.stack_bytes, 40);
    assert_int_equal(((const uint64_t *)r.u.sample.stack)[1], 0x101);
    assert_true(r.u.sample.regs.known != 0);
    assert_int_equal(r.u.sample.regs.r[ARCH_REG_RAX], 1000);
}

TEST(decode__refuses_a_sample_cut_anywhere)
{
    struct bytes whole;
    struct feed_record r;
    bool torn;

    make_sample(&whole);
    for (size_t n = 0; n < whole.n; n += 8) {
        struct bytes cut = whole;

        cut.n = n;
        if (n >= sizeof(struct perf_event_header))
            end(&cut);
        assert_false(decode(&cut, &r, &torn));
        assert_true(torn);
    }
}

TEST(decode__refuses_lengths_that_contradict_the_record)
{
    struct bytes b;
    struct feed_record r;
    bool torn;
    uint64_t huge = UINT64_MAX / 8;

    make_sample(&b);
    memcpy(b.data + 32, &huge, 8); /* callchain length */
    assert_false(decode(&b, &r, &torn));
    assert_true(torn);
    make_sample(&b);
    memcpy(b.data + b.n - 8, &huge, 8); /* bytes copied, more than asked for */
    assert_false(decode(&b, &r, &torn));
    assert_true(torn);
}

TEST(decode__marks_32_bit_code_instead_of_misreading_it)
{
    struct bytes b;
    struct feed_record r;
    bool torn;
    uint64_t abi32 = PERF_SAMPLE_REGS_ABI_32;

    make_sample(&b);
    memcpy(b.data + 8 + 24 + 8 + 32, &abi32, 8);
    assert_true(decode(&b, &r, &torn));
    assert_true(r.u.sample.foreign_abi);
    assert_int_equal(r.u.sample.regs.known, 0);
}

TEST(decode__takes_a_mapping_with_a_build_id)
{
    static const char path[16] = "/usr/bin/true";
    uint8_t id[24] = {20, 0, 0, 0, 0xab, 0xcd};
    struct bytes b;
    struct feed_record r;
    bool torn;

    begin(&b, PERF_RECORD_MMAP2, PERF_RECORD_MISC_MMAP_BUILD_ID);
    put_u32(&b, 7);
    put_u32(&b, 8);
    put_u64(&b, 0x400000);
    put_u64(&b, 0x1000);
    put_u64(&b, 0x2000);
    put(&b, id, sizeof(id));
    put_u64(&b, 0);
    put(&b, path, sizeof(path));
    put_trailer(&b, 7, 8, 77);
    end(&b);
    assert_true(decode(&b, &r, &torn));
    assert_int_equal(r.kind, FEED_MMAP);
    assert_int_equal(r.time_ns, 77);
    assert_int_equal(r.u.mmap.file_offset, 0x2000);
    assert_int_equal(r.u.mmap.build_id_bytes, 20);
    assert_int_equal(r.u.mmap.build_id[1], 0xcd);
    assert_string_equal(r.u.mmap.path, "/usr/bin/true");
    b.data[40] = 21; /* a longer build id than there is room for */
    assert_false(decode(&b, &r, &torn));
    assert_true(torn);
}

TEST(decode__wants_names_that_end_inside_the_record)
{
    struct bytes b;
    struct feed_record r;
    bool torn;

    begin(&b, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
    put_u32(&b, 7);
    put_u32(&b, 7);
    put(&b, "12345678", 8);
    put_trailer(&b, 7, 7, 1);
    end(&b);
    assert_false(decode(&b, &r, &torn));
    assert_true(torn);
    b.data[sizeof(struct perf_event_header) + 15] = '\0';
    assert_true(decode(&b, &r, &torn));
    assert_true(r.u.comm.exec);
    assert_string_equal(r.u.comm.name, "1234567");
}

TEST(decode__reads_the_exact_time_of_an_ended_task)
{
    struct bytes b;
    struct feed_record r;
    bool torn;

    begin(&b, PERF_RECORD_READ, 0);
    put_u32(&b, 7);
    put_u32(&b, 9);
    put_u64(&b, 3000000);
    put_u64(&b, 1);
    put_u64(&b, 2);
    put_trailer(&b, 7, 9, 1);
    end(&b);
    assert_true(decode(&b, &r, &torn));
    assert_int_equal(r.kind, FEED_TASK_COUNT);
    assert_int_equal(r.u.task_count.value, 3000000);
    assert_int_equal(r.u.task_count.lost_samples, 0);
}

/* ---- ring ---- */

#define RING_BYTES 4096

struct fake {
    struct perf_event_mmap_page page;
    uint8_t data[RING_BYTES] __attribute__((aligned(8)));
    struct ring ring;
    uint8_t scratch[RING_RECORD_MAX] __attribute__((aligned(8)));
};

static struct fake *fake_new(uint64_t start)
{
    struct fake *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->ring = (struct ring){
        .page = &f->page, .data = f->data, .mask = RING_BYTES - 1, .tail = start, .head = start};
    f->ring.saved_max = 4 * RING_BYTES;
    f->page.data_head = f->page.data_tail = start;
    return f;
}

/* As the kernel does: bytes wrap around the end, then the head moves. */
static void fake_write(struct fake *f, const struct bytes *b)
{
    for (size_t i = 0; i < b->n; i++)
        f->data[(f->page.data_head + i) % RING_BYTES] = b->data[i];
    f->page.data_head += b->n;
}

TEST(ring__joins_a_record_split_across_the_end)
{
    struct fake *f = fake_new(RING_BYTES - 16);
    struct bytes b;
    const void *p;
    bool torn;

    make_sample(&b);
    fake_write(f, &b);
    assert_true(ring_look(&f->ring));
    assert_int_equal(ring_peek_time(&f->ring), 5000);
    assert_int_equal(ring_peek(&f->ring, f->scratch, &p, &torn), b.n);
    assert_memory_equal(p, b.data, b.n);
    ring_consume(&f->ring, b.n);
    assert_int_equal(f->page.data_tail, f->page.data_head);
    assert_false(ring_look(&f->ring));
    free(f);
}

TEST(ring__skips_what_makes_no_sense_and_goes_on)
{
    static const uint16_t sizes[] = {0, 4, 12, 4000};
    struct bytes good;

    make_sample(&good);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct fake *f = fake_new(0);
        struct bytes bad;
        const void *p;
        bool torn;

        begin(&bad, PERF_RECORD_SAMPLE, 0);
        put_u64(&bad, 0);
        ((struct perf_event_header *)bad.data)->size = sizes[i];
        fake_write(f, &bad);
        assert_true(ring_look(&f->ring));
        assert_int_equal(ring_peek(&f->ring, f->scratch, &p, &torn), 0);
        assert_true(torn);
        fake_write(f, &good);
        assert_true(ring_look(&f->ring));
        assert_int_equal(ring_peek(&f->ring, f->scratch, &p, &torn), good.n);
        free(f);
    }
}

/* Another sample at the given time; false when the ring has no room for it. */
static bool fake_write_at(struct fake *f, uint64_t time_ns)
{
    struct bytes b;

    make_sample(&b);
    if (f->page.data_head - f->page.data_tail + b.n > RING_BYTES)
        return false;
    memcpy(b.data + 24, &time_ns, 8);
    fake_write(f, &b);
    return true;
}

/* Reads everything there is; each time must be one more than the one before. Returns how many. */
static uint64_t read_in_order(struct fake *f, uint64_t first_ns)
{
    uint64_t n = 0;
    const void *p;
    size_t bytes;
    bool torn;

    ring_look(&f->ring);
    for (; !ring_empty(&f->ring); n++) {
        struct perf_event a = event();
        struct feed_record r;

        assert_int_equal(ring_peek_time(&f->ring), first_ns + n);
        bytes = ring_peek(&f->ring, f->scratch, &p, &torn);
        assert_true(perf_decode(&a, p, bytes, &r, &torn));
        assert_int_equal(r.time_ns, first_ns + n);
        ring_prefetch_next(&f->ring, bytes);
        ring_consume(&f->ring, bytes);
    }
    return n;
}

TEST(ring__yields_what_was_saved_before_what_came_later)
{
    struct fake *f = fake_new(RING_BYTES - 16);
    uint64_t n = 0;

    while (n < 30) { /* several times what the ring holds */
        if (fake_write_at(f, 1000 + n))
            n++;
        else
            ring_save(&f->ring);
    }
    assert_int_equal(read_in_order(f, 1000), 30);
    assert_null(f->ring.saved);
    assert_int_equal(f->page.data_tail, f->page.data_head);
    assert_true(fake_write_at(f, 2000));
    assert_int_equal(read_in_order(f, 2000), 1);
    free(f);
}

TEST(ring__leaves_alone_what_does_not_press)
{
    struct fake *f = fake_new(0);

    assert_true(fake_write_at(f, 1));
    ring_save(&f->ring);
    assert_null(f->ring.saved);
    assert_int_equal(f->page.data_tail, 0);
    assert_int_equal(read_in_order(f, 1), 1);
    free(f);
}

TEST(ring__saves_no_more_than_it_may)
{
    struct fake *f = fake_new(0);
    uint64_t n = 0;

    for (int full = 0; full < 20; full++) {
        while (fake_write_at(f, n))
            n++;
        ring_save(&f->ring);
    }
    assert_true(f->ring.saved_bytes <= f->ring.saved_max);
    assert_true(f->ring.saved_bytes > f->ring.saved_max - RING_BYTES);
    assert_int_equal(read_in_order(f, 0), n);
    free(f);
}

TEST(ring__forgets_what_was_saved_when_closed)
{
    struct fake *f = fake_new(0);

    while (fake_write_at(f, 1))
        ;
    ring_save(&f->ring);
    assert_non_null(f->ring.saved);
    f->ring.page = NULL; /* not mapped */
    ring_close(&f->ring);
    assert_null(f->ring.saved);
    free(f);
}

TEST(keeper__empties_rings_until_stopped)
{
    struct fake *f = fake_new(0);
    struct keeper k = {.ring = &f->ring, .rings = 1, .interval_ns = NSEC_PER_MSEC};

    keeper_stop(&k); /* never started */
    while (fake_write_at(f, 1))
        ;
    keeper_start(&k);
    while (__atomic_load_n(&f->page.data_tail, __ATOMIC_ACQUIRE) != f->page.data_head)
        usleep(100);
    keeper_stop(&k);
    keeper_stop(&k);
    assert_non_null(f->ring.saved);
    ring_close(&(struct ring){.saved = f->ring.saved, .saved_max = f->ring.saved_max});
    free(f);
}

TEST(ring__resynchronises_when_the_head_runs_away)
{
    struct fake *f = fake_new(0);

    f->page.data_head = 10 * RING_BYTES;
    assert_false(ring_look(&f->ring));
    assert_int_equal(f->ring.tail, 10 * RING_BYTES);
    free(f);
}

/* ---- what is given up ---- */

TEST(attributes__a_lower_maximum_of_frames_is_taken_as_it_is)
{
    struct perf_event_attr attr = {.sample_type = PERF_SAMPLE_CALLCHAIN, .sample_max_stack = 127};

    assert_true(attributes_step_down(&attr, EOVERFLOW));
    assert_int_equal(attr.sample_max_stack, 0);
    assert_int_equal(attr.exclude_kernel, 0);
    assert_true(attr.sample_type & PERF_SAMPLE_CALLCHAIN);
    assert_false(attributes_step_down(&attr, EOVERFLOW));
}
