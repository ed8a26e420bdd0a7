/*
 * test_perf_weight.c - what a sample counts for, and which event it is of
 */
#include "unit.h"

#include "perf_record.h"

#include "ringside/arch.h"
#include "ringside/perf.h"

#include "../../src/perf/ids.h"

#define RAW_BYTES 20 /* with its length, 24: whole words */

static const uint8_t raw[RAW_BYTES] = {1, 2, 0xfe, 0xff, 0xff, 0xff, 7, 8};

static struct perf_event event_of(uint64_t more_fields, struct perf_weight weight)
{
    return (struct perf_event){.attr = {.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID |
                                                       PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER |
                                                       PERF_SAMPLE_STACK_USER | more_fields,
                                        .sample_period = 3},
                               .weight = weight};
}

static void put_registers(struct bytes *b, uint64_t first)
{
    put_u64(b, arch_perf_regs_abi());
    for (int i = 0; i < arch_perf_reg_count(); i++)
        put_u64(b, first + (uint64_t)i);
}

/* With all optional fields the event has; registers count up from 1000, those of the kernel from 2000. */
static void make_sample(struct bytes *b, const struct perf_event *event)
{
    uint32_t raw_bytes = RAW_BYTES;

    begin(b, PERF_RECORD_SAMPLE, 0);
    put_u64(b, 77);
    put_u32(b, 10);
    put_u32(b, 11);
    put_u64(b, 5000);
    if (event->attr.sample_type & PERF_SAMPLE_PERIOD)
        put_u64(b, 250);
    if (event->attr.sample_type & PERF_SAMPLE_RAW) {
        put_u32(b, raw_bytes);
        put(b, raw, RAW_BYTES);
    }
    put_registers(b, 1000);
    put_u64(b, 0);
    if (event->attr.sample_type & PERF_SAMPLE_REGS_INTR)
        put_registers(b, 2000);
    end(b);
}

static int64_t value_of(struct perf_event event)
{
    struct feed_record r;
    struct bytes b;
    bool torn;

    make_sample(&b, &event);
    assert_true(perf_decode(&event, b.data, b.n, &r, &torn));
    assert_int_equal(r.u.sample.regs.known != 0, true);
    return r.u.sample.value;
}

static int64_t raw_of(uint16_t offset, uint8_t size, bool is_signed)
{
    return value_of(event_of(PERF_SAMPLE_RAW, (struct perf_weight){.kind = EVENT_WEIGHT_RAW,
                                                                   .raw_offset = offset,
                                                                   .raw_size = size,
                                                                   .raw_signed = is_signed,
                                                                   .scale = 1}));
}

TEST(weight__is_the_period_or_what_the_kernel_says_it_was)
{
    assert_int_equal(value_of(event_of(0, (struct perf_weight){.scale = 1})), 3);
    assert_int_equal(value_of(event_of(PERF_SAMPLE_PERIOD, (struct perf_weight){.scale = 1})), 250);
}

TEST(weight__is_scaled_and_rounded)
{
    assert_int_equal(value_of(event_of(0, (struct perf_weight){.scale = 0.5})), 2);
    assert_int_equal(value_of(event_of(0, (struct perf_weight){.scale = 1e30})), INT64_MAX);
}

TEST(weight__of_a_register_is_the_process_s_or_that_of_the_kernel_function)
{
    struct perf_weight w = {.kind = EVENT_WEIGHT_REGISTER, .reg = ARCH_REG_PC, .scale = 1};
    struct arch_regs user = {0};
    uint64_t values[64];

    for (size_t i = 0; i < 64; i++)
        values[i] = 1000 + i;
    arch_regs_from_perf(&user, values);
    assert_int_equal(value_of(event_of(0, w)), 3 * user.r[ARCH_REG_PC]);
    assert_int_equal(value_of(event_of(PERF_SAMPLE_REGS_INTR, w)), 3 * (user.r[ARCH_REG_PC] + 1000));
}

TEST(weight__of_raw_data_has_a_place_size_and_sign)
{
    assert_int_equal(raw_of(0, 1, false), 3 * 1);
    assert_int_equal(raw_of(0, 2, false), 3 * 0x201);
    assert_int_equal(raw_of(2, 4, false), 3 * 0xfffffffeLL);
    assert_int_equal(raw_of(2, 4, true), 0); /* -2: what a call that failed returned */
    assert_int_equal(raw_of(12, 8, false), 0);
}

TEST(weight__of_raw_data_that_ends_before_it_is_nothing)
{
    assert_int_equal(raw_of(RAW_BYTES - 3, 4, false), 0);
    assert_int_equal(raw_of(60000, 8, false), 0);
    assert_int_equal(raw_of(0, 9, false), 0);
}

TEST(weight__torn_raw_data_is_noticed)
{
    struct perf_event event = event_of(PERF_SAMPLE_RAW, (struct perf_weight){.scale = 1});
    uint32_t too_long = 4000;
    struct feed_record r;
    struct bytes b;
    bool torn;

    make_sample(&b, &event);
    memcpy(b.data + 32, &too_long, sizeof(too_long));
    assert_false(perf_decode(&event, b.data, b.n, &r, &torn));
    assert_true(torn);
}

/* ---- identifiers ---- */

TEST(ids__a_single_event_has_all_records)
{
    struct bytes b;

    begin(&b, PERF_RECORD_SAMPLE, 0);
    end(&b);
    assert_int_equal(ids_event_of(&(struct ids){0}, b.data, b.n), 0);
}

TEST(ids__lie_at_the_start_of_a_sample_and_at_the_end_of_everything_else)
{
    struct id_slot slots[8] = {0};
    struct ids ids = {.slot = slots, .slots = 8};
    struct perf_event event = event_of(0, (struct perf_weight){.scale = 1});
    struct bytes b;

    for (size_t i = 0; i < 8; i++)
        slots[i] = (struct id_slot){.id = 77, .event = 4}; /* wherever its hash leads */
    make_sample(&b, &event);
    assert_int_equal(ids_event_of(&ids, b.data, b.n), 3);
    begin(&b, PERF_RECORD_EXIT, 0);
    put_trailer(&b, 1, 1, 5);
    end(&b);
    memcpy(b.data + b.n - 8, &(uint64_t){77}, 8);
    assert_int_equal(ids_event_of(&ids, b.data, b.n), 3);
}

TEST(ids__unknown_ones_and_records_too_short_for_one_are_told)
{
    struct id_slot slots[8] = {0};
    struct ids ids = {.slot = slots, .slots = 8};
    struct perf_event event = event_of(0, (struct perf_weight){.scale = 1});
    struct bytes b;

    make_sample(&b, &event);
    assert_int_equal(ids_event_of(&ids, b.data, b.n), IDS_UNKNOWN);
    assert_int_equal(ids_event_of(&ids, b.data, 8), IDS_UNKNOWN);
}
