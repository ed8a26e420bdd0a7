/*
 * test_cfi_index.c - look-ups in search tables of every shape, against a look at each line
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../src/cfi/index.h"
#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/elfio.h"

#define TABLE_VADDR  0x10000000ULL
#define HEADER_BYTES 12

/* A file that is one table. Its lines name FDEs that cannot be read, so a look-up answers with the hole
 * between two starts. */
struct table {
    struct elf_file file;
    uint8_t *bytes; /* a block of its own, so that sanitizers see a read beyond it */
    struct index index;
};

static void put_start(struct table *t, size_t line, int32_t start)
{
    memcpy(t->bytes + HEADER_BYTES + 8 * line, &start, sizeof(start));
}

static uint64_t start_of(const struct table *t, size_t line)
{
    int32_t start;

    memcpy(&start, t->bytes + HEADER_BYTES + 8 * line, sizeof(start));
    return TABLE_VADDR + (uint64_t)(int64_t)start;
}

static void table_init(struct table *t, const int32_t *starts, uint32_t count)
{
    size_t bytes = HEADER_BYTES + 8 * (size_t)count;
    int32_t frames = -4; /* the table itself will do */

    *t = (struct table){.bytes = base_calloc(1, bytes)};
    memcpy(t->bytes, "\x01\x1b\x03\x3b", 4);
    memcpy(t->bytes + 4, &frames, sizeof(frames));
    memcpy(t->bytes + 8, &count, sizeof(count));
    for (uint32_t i = 0; i < count; i++)
        put_start(t, i, starts[i]);
    t->file = (struct elf_file){.data = t->bytes,
                                .bytes = bytes,
                                .segments = 1,
                                .eh_frame_hdr_vaddr = TABLE_VADDR,
                                .eh_frame_hdr_bytes = bytes};
    t->file.segment[0] =
        (struct elf_segment){.vaddr = TABLE_VADDR, .file_bytes = bytes, .memory_bytes = bytes};
    index_open_eh_frame(&t->index, &t->file);
    assert_int_equal(t->index.count, count);
}

static void table_release(struct table *t)
{
    index_release(&t->index);
    free(t->bytes);
}

static void check_hit(struct table *t, uint64_t addr)
{
    uint64_t from = 0, to = UINT64_MAX;
    struct index_hit hit;

    for (size_t i = 0; i < t->index.count; i++) {
        uint64_t start = start_of(t, i);

        if (start <= addr)
            from = MAX_OF(from, start);
        else
            to = MIN_OF(to, start);
    }
    index_find(&t->index, addr, &hit);
    assert_false(hit.covered);
    assert_int_equal(hit.from, from);
    assert_int_equal(hit.to, to);
}

/* The lines at the edges of samples, and some between. */
static void check_sorted(const int32_t *starts, uint32_t count)
{
    struct table t;

    table_init(&t, starts, count);
    check_hit(&t, 0);
    check_hit(&t, UINT64_MAX);
    for (uint32_t i = 0; i < count; i += i % INDEX_SAMPLE_EVERY < 2 ? 1 : 31) {
        check_hit(&t, start_of(&t, i) - 1);
        check_hit(&t, start_of(&t, i));
        check_hit(&t, start_of(&t, i) + 1);
    }
    check_hit(&t, start_of(&t, count - 1) + 1000);
    table_release(&t);
}

#define LINES 1500

TEST(cfi_index__finds_starts_in_even_tables_of_every_length)
{
    static const uint32_t counts[] = {1, 2, 63, 64, 65, 127, 128, 129, 640, LINES};
    static int32_t starts[LINES];

    for (int32_t i = 0; i < LINES; i++)
        starts[i] = -0x8000 + 32 * i;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        check_sorted(starts, counts[i]);
}

TEST(cfi_index__finds_starts_in_clusters_far_apart)
{
    static int32_t starts[LINES];

    for (int32_t i = 0; i < LINES; i++)
        starts[i] = i < 700 ? INT32_MIN / 16 + 2 * i : i < 1490 ? 2 * i : INT32_MAX - 100000 + 64 * i;
    check_sorted(starts, LINES);
}

TEST(cfi_index__finds_starts_that_stand_many_times)
{
    static int32_t starts[LINES];

    for (int32_t i = 0; i < LINES; i++)
        starts[i] = i < 100 ? 0 : i < 1100 ? 4096 : 8192 + (i - 1100) / 3;
    check_sorted(starts, LINES);
}

static void check_any_order(struct table *t)
{
    struct index_hit hit;

    for (size_t i = 0; i < t->index.count; i++)
        for (uint64_t at = 0; at < 3; at++) {
            uint64_t addr = start_of(t, i) - 1 + at;

            index_find(&t->index, addr, &hit);
            assert_false(hit.covered);
            assert_true(hit.from <= addr);
            assert_true(addr < hit.to);
        }
}

TEST(cfi_index__answers_around_the_address_when_the_table_is_out_of_order)
{
    static int32_t starts[LINES];
    struct table t;

    for (uint64_t i = 0; i < LINES; i++)
        starts[i] = (int32_t)hash_u64(i);
    table_init(&t, starts, LINES);
    check_any_order(&t);
    table_release(&t);
    for (int32_t i = 0; i < LINES; i++)
        starts[i] = -i;
    table_init(&t, starts, LINES);
    check_any_order(&t);
    table_release(&t);
}

TEST(cfi_index__answers_around_the_address_when_the_file_was_written_to)
{
    static int32_t starts[LINES];
    struct table t;

    for (int32_t i = 0; i < LINES; i++)
        starts[i] = 16 * i;
    table_init(&t, starts, LINES);
    for (uint32_t i = 0; i < LINES; i++)
        put_start(&t, i, (int32_t)(hash_u64(i) % (16 * LINES)));
    check_any_order(&t);
    table_release(&t);
}

/* Anonymous memory in a file's place: what is given back reads as zeros. */
TEST(cfi_index__gives_the_pages_of_a_scanned_section_back)
{
    /* a CIE, and the FDE of 16 bytes from FORGE_CODE on (0x500000) */
    static const uint8_t frames[] = {20,   0, 0, 0,    0, 0, 0,  0,  1, 'z', 'R', 0,  1, 0x78, 0x10, 1, 0,
                                     12,   7, 8, 0x90, 1, 0, 0,  21, 0, 0,   0,   28, 0, 0,    0,    0, 0,
                                     0x50, 0, 0, 0,    0, 0, 16, 0,  0, 0,   0,   0,  0, 0,    0};
    struct forge_section s = {
        .name = ".eh_frame", .type = SHT_PROGBITS, .bytes = frames, .n = sizeof(frames)};
    struct forge *forged =
        mmap(NULL, sizeof(*forged), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct index index;
    struct elf_file f;

    assert_true(forged != MAP_FAILED);
    forge_elf(forged, &s, false, 0);
    assert_int_equal(elf_from_memory(&f, forged->file, forged->used, NULL), 0);
    f.mapped = true;
    index_open_eh_frame(&index, &f);
    assert_int_equal(index.count, 1);
    assert_int_equal(forged->file[0], 0);
    index_release(&index);
    munmap(forged, sizeof(*forged));
}
