/*
 * test_cfi_forged.c - rules of forged frames: every way to find them, odd and hostile programs, the caps
 */
#include "unit.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/cfi.h"
#include "ringside/elfio.h"

static const struct cfi_limits roomy = {.rows = 1 << 20, .rules = 65535};

/* version 1, "zR", code 1, data -8, return address 16, absolute addresses; CFA = rsp + 8, return address at
 * CFA - 8 */
#define CIE_BODY       "\x01zR\0\x01\x78\x10\x01\x00\x0c\x07\x08\x90\x01"
#define CIE_BODY_BYTES (sizeof(CIE_BODY) - 1)

struct frames_bytes {
    uint8_t bytes[4096];
    size_t n;
};

static void add_entry(struct frames_bytes *f, uint32_t id, const void *body, size_t n)
{
    uint32_t length = (uint32_t)(n + 4);

    memcpy(f->bytes + f->n, &length, 4);
    memcpy(f->bytes + f->n + 4, &id, 4);
    memcpy(f->bytes + f->n + 8, body, n);
    f->n += 8 + n;
}

/* An FDE of the CIE at offset 0; in .eh_frame the id is the distance back to it. */
static uint32_t add_fde(struct frames_bytes *f, uint64_t start, uint64_t bytes, const char *program, size_t n,
                        bool debug)
{
    uint32_t at = (uint32_t)f->n;
    uint8_t body[2048];
    size_t used = 16;

    memcpy(body, &start, 8);
    memcpy(body + 8, &bytes, 8);
    if (!debug)
        body[used++] = 0; /* augmentation data */
    memcpy(body + used, program, n);
    add_entry(f, debug ? 0 : at + 4, body, used + n);
    return at;
}

static struct forge forged;

enum forge_kind { EH_TABLE, EH_SECTION, DEBUG_FRAME, DEBUG_FRAME_ZLIB };

static void forge_frames(struct elf_file *f, const struct frames_bytes *frames, uint32_t fde,
                         enum forge_kind kind)
{
    static uint8_t packed[4096 + sizeof(Elf64_Chdr)];
    Elf64_Chdr h = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = frames->n};
    struct forge_section s = {.name = kind < DEBUG_FRAME ? ".eh_frame" : ".debug_frame",
                              .type = SHT_PROGBITS,
                              .bytes = frames->bytes,
                              .n = frames->n};
    uLongf n = sizeof(packed) - sizeof(h);

    if (kind == DEBUG_FRAME_ZLIB) {
        assert_int_equal(compress(packed + sizeof(h), &n, frames->bytes, frames->n), Z_OK);
        memcpy(packed, &h, sizeof(h));
        s.bytes = packed;
        s.n = n + sizeof(h);
        s.flags = SHF_COMPRESSED;
    }
    forge_elf(&forged, &s, kind == EH_TABLE, fde);
    assert_int_equal(elf_from_memory(f, forged.file, forged.used, NULL), 0);
}

#define PUSH_RBP "\x41\x0e\x10\x86\x02" /* after one byte: CFA = rsp + 16, rbp at CFA - 16 */

/* Two functions with a hole between them. */
static void forge_two(struct elf_file *f, enum forge_kind kind)
{
    bool debug = kind >= DEBUG_FRAME;
    struct frames_bytes frames = {.n = 0};
    uint32_t fde;

    if (debug) /* version 3, no augmentation */
        add_entry(&frames, 0xffffffff, "\x03\0\x01\x78\x10\x0c\x07\x08\x90\x01", 10);
    else
        add_entry(&frames, 0, CIE_BODY, CIE_BODY_BYTES);
    fde = add_fde(&frames, FORGE_CODE, 16, PUSH_RBP, 5, debug);
    add_fde(&frames, FORGE_CODE + 64, 16, "", 0, debug);
    forge_frames(f, &frames, fde, kind);
}

static void check_two(enum forge_kind kind)
{
    const struct cfi_rule *rule;
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, kind);
    c = cfi_new(&f, &roomy, NULL);
    rule = cfi_find(c, FORGE_CODE + 15);
    assert_int_equal(rule->cfa, CFI_REG_OFFSET);
    assert_int_equal(rule->cfa_offset, 16);
    assert_int_equal(rule->saved[ARCH_SAVED_FP], -2);
    assert_int_equal(rule->saved[ARCH_SAVED_PC], -1);
    assert_true(cfi_find(c, FORGE_CODE + 1) == rule);
    rule = cfi_find(c, FORGE_CODE);
    assert_int_equal(rule->cfa_offset, 8);
    assert_int_equal(rule->saved[ARCH_SAVED_FP], CFI_SAME);
    assert_int_equal(cfi_find(c, FORGE_CODE + 16)->cfa, CFI_NONE);
    assert_int_equal(cfi_find(c, FORGE_CODE + 63)->cfa, CFI_NONE);
    assert_true(kind == EH_TABLE || cfi_find(c, FORGE_CODE + 79) == rule);
    assert_int_equal(cfi_find(c, FORGE_CODE + 80)->cfa, CFI_NONE);
    assert_int_equal(cfi_find(c, FORGE_CODE - 1)->cfa, CFI_NONE);
    assert_int_equal(cfi_find(c, 0)->cfa, CFI_NONE);
    assert_int_equal(cfi_find(c, UINT64_MAX)->cfa, CFI_NONE);
    cfi_free(c);
}

TEST(cfi__reads_eh_frame_by_its_table)
{
    check_two(EH_TABLE);
}

TEST(cfi__reads_eh_frame_without_a_table)
{
    check_two(EH_SECTION);
}

TEST(cfi__reads_debug_frame_plain_and_compressed)
{
    check_two(DEBUG_FRAME);
    check_two(DEBUG_FRAME_ZLIB);
}

TEST(cfi__finds_frames_in_another_segment_than_their_table)
{
    Elf64_Phdr *p = (Elf64_Phdr *)(forged.file + sizeof(Elf64_Ehdr));
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, EH_TABLE);
    p[1].p_offset = p[2].p_offset;
    p[1].p_vaddr = p[2].p_vaddr;
    p[1].p_filesz = p[0].p_filesz - p[2].p_offset;
    p[0].p_filesz = p[0].p_memsz = p[2].p_offset;
    p[1].p_memsz = FORGE_CODE + FORGE_CODE_BYTES - p[1].p_vaddr;
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, NULL), 0);
    c = cfi_new(&f, &roomy, NULL);
    assert_int_equal(cfi_find(c, FORGE_CODE + 5)->cfa_offset, 16);
    cfi_free(c);
}

TEST(cfi__remembers_a_hole_as_a_whole)
{
    struct cfi_counts counts;
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, EH_SECTION);
    c = cfi_new(&f, &roomy, NULL);
    for (uint64_t at = 20; at < 60; at++)
        assert_int_equal(cfi_find(c, FORGE_CODE + at)->cfa, CFI_NONE);
    cfi_counts(c, &counts);
    assert_int_equal(counts.compiled, 1);
    cfi_free(c);
}

TEST(cfi__knows_the_bounds_of_functions)
{
    uint64_t start, end;
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, EH_TABLE);
    c = cfi_new(&f, &roomy, NULL);
    assert_true(cfi_function(c, FORGE_CODE + 5, &start, &end));
    assert_int_equal(start, FORGE_CODE);
    assert_int_equal(end, FORGE_CODE + 16);
    assert_false(cfi_function(c, FORGE_CODE + 16, &start, &end));
    cfi_free(c);
}

TEST(cfi__joins_look_ups_that_go_downward)
{
    struct cfi_limits two_rows = {.rows = 2, .rules = 100};
    struct cfi_counts counts;
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, EH_TABLE);
    c = cfi_new(&f, &two_rows, NULL);
    for (uint64_t at = 15; at < 16; at--) /* ends by wrapping */
        assert_int_equal(cfi_find(c, FORGE_CODE + at)->cfa, CFI_REG_OFFSET);
    cfi_counts(c, &counts);
    assert_int_equal(counts.dropped, 0);
    cfi_find(c, FORGE_CODE + 100);
    cfi_counts(c, &counts);
    assert_int_equal(counts.dropped, 1);
    cfi_free(c);
}

TEST(cfi__stays_right_when_no_row_can_be_kept)
{
    struct cfi_limits none = {.rows = 0, .rules = 100}, one_rule = {.rows = 100, .rules = 1};
    struct cfi_counts counts;
    struct elf_file f;
    struct cfi *c;

    forge_two(&f, EH_TABLE);
    c = cfi_new(&f, &none, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cfi_find(c, FORGE_CODE + 5)->cfa_offset, 16);
    cfi_counts(c, &counts);
    assert_int_equal(counts.dropped, 3);
    cfi_free(c);
    c = cfi_new(&f, &one_rule, NULL);
    assert_int_equal(cfi_find(c, FORGE_CODE + 5)->cfa, CFI_NONE);
    cfi_free(c);
}

/* One function with the given program. */
static struct cfi *forge_program(struct elf_file *f, const char *program, size_t n)
{
    struct frames_bytes frames = {.n = 0};

    add_entry(&frames, 0, CIE_BODY, CIE_BODY_BYTES);
    forge_frames(f, &frames, add_fde(&frames, FORGE_CODE, 256, program, n, false), EH_TABLE);
    return cfi_new(f, &roomy, NULL);
}

TEST(cfi__keeps_rows_apart_around_a_restored_state)
{
    /* push at 1; at 5 an early way out: remember, CFA = rsp + 8, at 6 restored */
    static const char program[] = "\x41\x0e\x10\x86\x02\x44\x0a\x0e\x08\x41\x0b";
    struct elf_file f;
    struct cfi *c = forge_program(&f, program, sizeof(program) - 1);

    assert_int_equal(cfi_find(c, FORGE_CODE + 20)->cfa_offset, 16);
    assert_int_equal(cfi_find(c, FORGE_CODE + 5)->cfa_offset, 8);
    assert_int_equal(cfi_find(c, FORGE_CODE + 3)->cfa_offset, 16);
    assert_int_equal(cfi_find(c, FORGE_CODE + 6)->cfa_offset, 16);
    assert_int_equal(cfi_find(c, FORGE_CODE)->cfa_offset, 8);
    cfi_free(c);
}

TEST(cfi__tells_odd_registers_apart)
{
    /* rbx undefined, r12 in rdx, r13 = CFA - 24, rip at CFA - 8, rax at CFA - 16 */
    static const char program[] = "\x07\x03\x09\x0c\x01\x14\x0d\x03\x80\x02";
    struct elf_file f;
    struct cfi *c = forge_program(&f, program, sizeof(program) - 1);
    const struct cfi_rule *rule = cfi_find(c, FORGE_CODE);

    assert_int_equal(rule->cfa, CFI_FULL);
    assert_int_equal(rule->full->cfa.how, CFI_HOW_REG);
    assert_int_equal(rule->full->cfa.reg, ARCH_REG_SP);
    assert_int_equal(rule->full->cfa.offset, 8);
    assert_int_equal(rule->full->reg[ARCH_REG_RBX].how, CFI_HOW_UNDEFINED);
    assert_int_equal(rule->full->reg[12].how, CFI_HOW_REG);
    assert_int_equal(rule->full->reg[12].reg, ARCH_REG_RDX);
    assert_int_equal(rule->full->reg[13].how, CFI_HOW_CFA_PLUS);
    assert_int_equal(rule->full->reg[13].offset, -24);
    assert_int_equal(rule->full->reg[14].how, CFI_HOW_SAME);
    assert_int_equal(rule->full->reg[ARCH_REG_RAX].how, CFI_HOW_AT_CFA);
    assert_int_equal(rule->full->reg[ARCH_REG_RAX].offset, -16);
    assert_int_equal(rule->full->reg[ARCH_REG_PC].offset, -8);
    assert_int_equal(rule->full->reg[ARCH_REG_SP].how, CFI_HOW_CFA_PLUS);
    cfi_free(c);
}

/* Nothing is remembered: each look-up is evaluated, after whatever was before it. */
static const struct cfi_limits forgetful = {.rows = 0, .rules = 100};

TEST(cfi__keeps_expressions_of_functions_apart)
{
    /* DW_CFA_def_cfa_expression, two bytes: DW_OP_breg7 8 and 24 */
    struct frames_bytes frames = {.n = 0};
    struct elf_file f;
    uint32_t fde;
    struct cfi *c;

    add_entry(&frames, 0, CIE_BODY, CIE_BODY_BYTES);
    fde = add_fde(&frames, FORGE_CODE, 16, "\x0f\x02\x77\x08", 4, false);
    add_fde(&frames, FORGE_CODE + 16, 16, "\x0f\x02\x77\x18", 4, false);
    forge_frames(&f, &frames, fde, EH_SECTION);
    c = cfi_new(&f, &forgetful, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cfi_find(c, FORGE_CODE)->cfa_offset, 8);
        assert_int_equal(cfi_find(c, FORGE_CODE + 16)->cfa_offset, 24);
    }
    cfi_free(c);
}

TEST(cfi__forgets_a_longer_function)
{
    /* Code alignment 0: no instruction moves on, all of them hold everywhere. */
    static const char cie[] = "\x01zR\0\x00\x78\x10\x01\x00\x0c\x07\x08\x90\x01";
    static char program[1000];
    struct frames_bytes frames = {.n = 0};
    struct elf_file f;
    uint32_t fde;
    struct cfi *c;

    memcpy(program + sizeof(program) - 4, "\x0e\x20\x86\x02", 4); /* CFA = rsp + 32, rbp at CFA - 16 */
    add_entry(&frames, 0, cie, sizeof(cie) - 1);
    fde = add_fde(&frames, FORGE_CODE, 16, program, sizeof(program), false);
    add_fde(&frames, FORGE_CODE + 16, 16, "", 0, false);
    forge_frames(&f, &frames, fde, EH_SECTION);
    c = cfi_new(&f, &forgetful, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cfi_find(c, FORGE_CODE)->cfa_offset, 32);
        assert_int_equal(cfi_find(c, FORGE_CODE)->saved[ARCH_SAVED_FP], -2);
        assert_int_equal(cfi_find(c, FORGE_CODE + 16)->cfa_offset, 8);
        assert_int_equal(cfi_find(c, FORGE_CODE + 16)->saved[ARCH_SAVED_FP], CFI_SAME);
    }
    cfi_free(c);
}

TEST(cfi__tells_the_functions_of_many_cies_apart)
{
    enum { CIES = 7 };
    char cie[] = "\x01zR\0\x01\x78\x10\x01\x00\x0c\x07\x08\x90\x01\x83\x02"; /* rbx at CFA - 16 */
    struct frames_bytes frames = {.n = 0};
    uint32_t fde[CIES], at, distance;
    struct elf_file f;
    struct cfi *c;

    for (int i = 0; i < CIES; i++) {
        at = (uint32_t)frames.n;
        cie[11] = (char)(8 + i);
        cie[15] = (char)(2 + i);
        add_entry(&frames, 0, cie, sizeof(cie) - 1);
        fde[i] = add_fde(&frames, FORGE_CODE + 16 * (uint32_t)i, 16, "\x86\x09", 2, false);
        distance = fde[i] + 4 - at;
        memcpy(frames.bytes + fde[i] + 4, &distance, sizeof(distance));
    }
    forge_frames(&f, &frames, fde[0], EH_SECTION);
    c = cfi_new(&f, &forgetful, NULL);
    for (int i = 0; i < 3 * CIES; i++) {
        const struct cfi_rule *rule = cfi_find(c, FORGE_CODE + 16 * (uint64_t)(i * 3 % CIES));

        assert_int_equal(rule->cfa_offset, 8 + i * 3 % CIES);
        assert_int_equal(rule->saved[0], -2 - i * 3 % CIES); /* rbx */
        assert_int_equal(rule->saved[ARCH_SAVED_FP], -9);
    }
    cfi_free(c);
}

TEST(cfi__ends_where_the_return_address_is_undefined)
{
    struct elf_file f;
    struct cfi *c = forge_program(&f, "\x07\x10", 2);

    assert_int_equal(cfi_find(c, FORGE_CODE)->cfa, CFI_END);
    cfi_free(c);
}

TEST(cfi__refuses_programs_that_would_hurt)
{
    static char storm[1024];
    struct {
        const char *program;
        size_t n;
    } hostile[] = {
        {"\x05\xff\xff\xff\x7f\x01", 6}, /* a register far away: libdw would make room for 268 million */
        {storm, sizeof(storm)},          /* states remembered without end */
        {"\x0b", 1},                     /* none remembered */
        {"\x0f\x7f\x50", 3},             /* an expression longer than the program */
        {"\x0e\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 13}, /* a number that does not end in time */
        {"\x0c\x07", 2},                                              /* an operand missing */
        {"\x3f", 1},                                                  /* no such instruction */
    };

    memset(storm, DW_CFA_remember_state, sizeof(storm));
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct elf_file f;
        struct cfi *c = forge_program(&f, hostile[i].program, hostile[i].n);

        assert_int_equal(cfi_find(c, FORGE_CODE)->cfa, CFI_NONE);
        cfi_free(c);
    }
}

TEST(cfi__uses_a_program_up_to_what_would_hurt)
{
    /* push at 1; at 5, no such instruction */
    static const char program[] = "\x41\x0e\x10\x86\x02\x44\x3f";
    static const uint64_t up[] = {0, 1, 4, 5, 6, 255}, down[] = {255, 6, 5, 4, 1, 0};
    struct elf_file f;

    for (int pass = 0; pass < 2; pass++) {
        struct cfi *c = forge_program(&f, program, sizeof(program) - 1);

        for (size_t i = 0; i < ARRAY_LEN(up); i++) {
            uint64_t at = pass ? up[i] : down[i];
            const struct cfi_rule *rule = cfi_find(c, FORGE_CODE + at);

            assert_int_equal(rule->cfa, at < 5 ? CFI_REG_OFFSET : CFI_NONE);
            assert_int_equal(rule->cfa_offset, at == 0 ? 8 : at < 5 ? 16 : 0);
        }
        cfi_free(c);
    }
}

TEST(cfi__knows_nothing_of_a_file_without_frames)
{
    struct forge_section s = {.name = ".comment", .type = SHT_PROGBITS, .bytes = "none", .n = 4};
    struct elf_file f;
    struct cfi *c;

    forge_elf(&forged, &s, false, 0);
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, NULL), 0);
    c = cfi_new(&f, &roomy, NULL);
    assert_non_null(c);
    assert_int_equal(cfi_find(c, FORGE_CODE)->cfa, CFI_NONE);
    cfi_free(c);
    cfi_free(NULL);
}
