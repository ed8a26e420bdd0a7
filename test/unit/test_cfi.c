/*
 * test_cfi.c - rules against libdw's own answers on the files of this machine, and on forged frames
 */
#include "unit.h"

#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
#include <zlib.h>

#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/cfi.h"
#include "ringside/elfio.h"

static const struct cfi_limits roomy = {.rows = 1 << 20, .rules = 65535};

static void open_file(const char *path, struct elf_file *f)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err e = {0};

    assert_true(fd >= 0);
    if (elf_open(f, fd, &e) < 0)
        fail_msg("%s: %s", path, e.text);
}

/* ---- both answers as text, to be compared ---- */

static const uint8_t saved_regs[ARCH_SAVED_COUNT] = ARCH_SAVED_REGS;

static bool is_saved(int reg)
{
    for (int i = 0; i < ARCH_SAVED_COUNT; i++)
        if (saved_regs[i] == reg)
            return true;
    return false;
}

static void write_ops(struct buf *out, const Dwarf_Op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, " %02x:%" PRIx64 ":%" PRIx64 "@%x", ops[i].atom, ops[i].number, ops[i].number2,
                   (uint32_t)ops[i].offset);
}

/* What libdw says of one register. Its x86-64 defaults forget rbx, which functions preserve. */
static void write_libdw_register(struct buf *out, Dwarf_Frame *frame, int reg)
{
    Dwarf_Op memory[3], *ops;
    size_t n;

    assert_int_equal(dwarf_frame_register(frame, reg, memory, &ops, &n), 0);
    if (n == 0 && !is_saved(reg))
        return;
    buf_printf(out, "\n r%d", reg);
    if (n == 0)
        buf_add_text(out, ops && reg != ARCH_REG_RBX ? " undefined" : " same");
    else if (n == 1 && ops[0].atom == DW_OP_regx)
        buf_printf(out, " = r%" PRIu64, ops[0].number);
    else if (ops[0].atom == DW_OP_call_frame_cfa && n == 1)
        buf_add_text(out, " at 0");
    else if (ops[0].atom == DW_OP_call_frame_cfa && n == 2 && ops[1].atom == DW_OP_plus_uconst)
        buf_printf(out, " at %" PRId64, (int64_t)ops[1].number);
    else if (ops[0].atom == DW_OP_call_frame_cfa && n == 2 && ops[1].atom == DW_OP_stack_value)
        buf_add_text(out, " cfa 0");
    else if (ops[n - 1].atom == DW_OP_stack_value) {
        buf_add_text(out, " is");
        write_ops(out, ops, n - 1);
    } else {
        buf_add_text(out, " expr");
        write_ops(out, ops, n);
    }
}

static void write_libdw(struct buf *out, Dwarf_CFI *cfi, uint64_t addr)
{
    Dwarf_Frame *frame;
    Dwarf_Op memory[3], *ops;
    size_t n;
    bool signal = false;
    int column;

    out->len = 0;
    if (!cfi || dwarf_cfi_addrframe(cfi, addr, &frame) < 0) {
        buf_add_text(out, "none");
        return;
    }
    column = dwarf_frame_info(frame, NULL, NULL, &signal);
    assert_int_equal(column, ARCH_REG_PC);
    assert_int_equal(dwarf_frame_register(frame, column, memory, &ops, &n), 0);
    if (n == 0 && ops) {
        buf_printf(out, "end%s", signal ? " signal" : "");
        free(frame);
        return;
    }
    assert_int_equal(dwarf_frame_cfa(frame, &ops, &n), 0);
    if (n == 1 && ops[0].atom == DW_OP_bregx)
        buf_printf(out, "r%" PRIu64 " + %" PRId64, ops[0].number, (int64_t)ops[0].number2);
    else
        write_ops(out, ops, n);
    if (signal)
        buf_add_text(out, " signal");
    for (int reg = 0; reg < ARCH_REG_COUNT; reg++)
        write_libdw_register(out, frame, reg);
    free(frame);
}

static void write_our_ops(struct buf *out, const struct cfi_place *p)
{
    for (uint32_t i = 0; i < p->ops; i++)
        buf_printf(out, " %02x:%" PRIx64 ":%" PRIx64 "@%x", p->op[i].atom, p->op[i].number, p->op[i].number2,
                   p->op[i].offset);
}

static void write_our_place(struct buf *out, const struct cfi_place *p, int reg)
{
    if ((p->how == CFI_HOW_SAME || p->how == CFI_HOW_UNDEFINED) && !is_saved(reg))
        return;
    buf_printf(out, "\n r%d", reg);
    switch (p->how) {
    case CFI_HOW_SAME:
        buf_add_text(out, " same");
        return;
    case CFI_HOW_UNDEFINED:
        buf_add_text(out, " undefined");
        return;
    case CFI_HOW_AT_CFA:
        buf_printf(out, " at %" PRId64, p->offset);
        return;
    case CFI_HOW_CFA_PLUS:
        buf_printf(out, " cfa %" PRId64, p->offset);
        return;
    case CFI_HOW_REG:
        buf_printf(out, " = r%u", p->reg);
        return;
    default:
        buf_add_text(out, p->how == CFI_HOW_EXPR ? " is" : " expr");
        write_our_ops(out, p);
    }
}

static void write_compact(struct buf *out, const struct cfi_rule *rule)
{
    int16_t words[ARCH_REG_COUNT] = {0};

    buf_printf(out, "r%u + %d%s", rule->cfa_reg, rule->cfa_offset, rule->signal_frame ? " signal" : "");
    for (int i = 0; i < ARCH_SAVED_COUNT; i++)
        words[saved_regs[i]] = rule->saved[i];
    for (int reg = 0; reg < ARCH_REG_COUNT; reg++) {
        if (reg == ARCH_REG_SP)
            buf_printf(out, "\n r%d cfa 0", reg);
        else if (is_saved(reg) && words[reg] == CFI_SAME)
            buf_printf(out, "\n r%d same", reg);
        else if (is_saved(reg))
            buf_printf(out, "\n r%d at %d", reg, words[reg] * ARCH_WORD_BYTES);
    }
}

static void write_full(struct buf *out, const struct cfi_rule *rule)
{
    const struct cfi_place *cfa = &rule->full->cfa;

    if (cfa->how == CFI_HOW_REG)
        buf_printf(out, "r%u + %" PRId64, cfa->reg, cfa->offset);
    else
        write_our_ops(out, cfa);
    if (rule->signal_frame)
        buf_add_text(out, " signal");
    for (int reg = 0; reg < ARCH_REG_COUNT; reg++)
        write_our_place(out, &rule->full->reg[reg], reg);
}

static void write_ours(struct buf *out, const struct cfi_rule *rule)
{
    out->len = 0;
    if (rule->cfa == CFI_NONE)
        buf_add_text(out, "none");
    else if (rule->cfa == CFI_END)
        buf_printf(out, "end%s", rule->signal_frame ? " signal" : "");
    else if (rule->cfa == CFI_REG_OFFSET)
        write_compact(out, rule);
    else
        write_full(out, rule);
}

/* ---- agreement with libdw ---- */

#define ADDRESSES 6000

struct random {
    uint64_t state;
};

static uint64_t next_random(struct random *r, uint64_t below)
{
    r->state = hash_u64(r->state + 1);
    return r->state % below;
}

/* Half of the addresses anywhere in the code, half close to the one before: the edges of rows. */
static void pick_addresses(const struct elf_file *f, uint64_t *addrs, size_t n)
{
    struct random r = {.state = 42};
    const struct elf_segment *code = NULL;

    for (uint32_t i = 0; i < f->segments; i++)
        if (f->segment[i].flags & PF_X)
            code = &f->segment[i];
    assert_non_null(code);
    for (size_t i = 0; i < n; i++)
        addrs[i] =
            i % 2 ? addrs[i - 1] + next_random(&r, 24) - 12 : code->vaddr + next_random(&r, code->file_bytes);
}

struct agreement {
    uint32_t none, end, compact, full, signal;
};

static void compare_one(struct cfi *ours, Dwarf_CFI *theirs, uint64_t addr, struct agreement *seen)
{
    const struct cfi_rule *rule = cfi_find(ours, addr);
    struct buf a, b;

    buf_init(&a, 1 << 16);
    buf_init(&b, 1 << 16);
    write_ours(&a, rule);
    write_libdw(&b, theirs, addr);
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
        fail_msg("at %" PRIx64 "\nours:\n%.*s\nlibdw:\n%.*s", addr, (int)a.len, a.data, (int)b.len, b.data);
    buf_release(&a);
    buf_release(&b);
    seen->none += rule->cfa == CFI_NONE;
    seen->end += rule->cfa == CFI_END;
    seen->compact += rule->cfa == CFI_REG_OFFSET;
    seen->full += rule->cfa == CFI_FULL;
    seen->signal += rule->signal_frame;
}

/* Cold, then remembered: what a row kept too wide would get wrong shows the second time. */
static void compare_all(const struct elf_file *f, Elf *elf, struct agreement *seen)
{
    static uint64_t addrs[ADDRESSES];
    Dwarf_CFI *theirs = dwarf_getcfi_elf(elf);
    struct cfi *ours = cfi_new(f, &roomy, NULL);
    struct cfi_counts first, second;

    *seen = (struct agreement){0};
    assert_non_null(theirs);
    assert_non_null(ours);
    pick_addresses(f, addrs, ADDRESSES);
    for (size_t i = 0; i < ADDRESSES; i++)
        compare_one(ours, theirs, addrs[i], seen);
    cfi_counts(ours, &first);
    for (size_t i = 0; i < ADDRESSES; i++)
        compare_one(ours, theirs, addrs[ADDRESSES - 1 - i], seen);
    cfi_counts(ours, &second);
    assert_int_equal(first.compiled, second.compiled);
    assert_int_equal(second.dropped, 0);
    cfi_free(ours);
    dwarf_cfi_end(theirs);
}

static void agree_on(const char *path, struct agreement *seen)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct elf_file f;
    Elf *elf;

    if (fd < 0) { /* not on this machine */
        print_message("no %s\n", path);
        *seen = (struct agreement){.compact = ADDRESSES};
        return;
    }
    open_file(path, &f);
    elf_version(EV_CURRENT);
    elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    assert_non_null(elf);
    compare_all(&f, elf, seen);
    elf_end(elf);
    elf_release(&f);
}

/* Path of the loaded object that holds an address. */
static const char *object_of(const void *at)
{
    Dl_info info;

    assert_int_not_equal(dladdr(at, &info), 0);
    return info.dli_fname;
}

TEST(cfi__agrees_with_libdw_on_libc)
{
    struct agreement seen;

    agree_on(object_of((const void *)(uintptr_t)gnu_get_libc_version), &seen);
    assert_true(seen.compact > ADDRESSES);
}

TEST(cfi__agrees_with_libdw_on_the_dynamic_linker)
{
    struct agreement seen;

    agree_on("/lib64/ld-linux-x86-64.so.2", &seen);
    assert_true(seen.compact > ADDRESSES / 2);
}

TEST(cfi__agrees_with_libdw_on_cpp_and_python)
{
    static const char *const paths[] = {
        "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "/usr/bin/python3",
        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", /* hand-written code with frames of its own */
    };
    struct agreement seen;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        agree_on(paths[i], &seen);
        assert_true(seen.compact > ADDRESSES / 2);
    }
}

TEST(cfi__agrees_with_libdw_on_this_program)
{
    struct agreement seen;

    agree_on("/proc/self/exe", &seen);
    assert_true(seen.compact > ADDRESSES / 2);
    assert_true(seen.full > 0); /* the PLT */
}

TEST(cfi__agrees_with_libdw_on_the_vdso)
{
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
    struct agreement seen;
    struct elf_file f;
    size_t bytes;
    Elf *elf;

    if (!h)
        skip();
    bytes = h->e_shoff + (size_t)h->e_shnum * h->e_shentsize;
    assert_int_equal(elf_from_memory(&f, h, bytes, NULL), 0);
    elf_version(EV_CURRENT);
    elf = elf_memory((char *)(uintptr_t)h, bytes);
    compare_all(&f, elf, &seen);
    assert_true(seen.compact > ADDRESSES / 4);
    elf_end(elf);
}

/* ---- places everybody passes ---- */

static void *volatile trampoline;

static void on_signal(__attribute__((unused)) int number)
{
    trampoline = __builtin_return_address(0);
}

struct own_object {
    const void *inside;
    uint64_t bias;
};

static int find_bias(struct dl_phdr_info *info, __attribute__((unused)) size_t size, void *ctx)
{
    struct own_object *o = ctx;

    for (int i = 0; i < info->dlpi_phnum; i++) {
        uint64_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            (uint64_t)(uintptr_t)o->inside - from < info->dlpi_phdr[i].p_memsz) {
            o->bias = info->dlpi_addr;
            return 1;
        }
    }
    return 0;
}

TEST(cfi__knows_the_signal_trampoline)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct own_object libc = {0};
    const struct cfi_rule *rule;
    const struct cfi_place *rbp;
    struct elf_file f;
    struct cfi *c;

    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    libc.inside = trampoline;
    assert_int_equal(dl_iterate_phdr(find_bias, &libc), 1);
    open_file(object_of(libc.inside), &f);
    c = cfi_new(&f, &roomy, NULL);
    rule = cfi_find(c, (uint64_t)(uintptr_t)libc.inside - libc.bias);
    assert_int_equal(rule->cfa, CFI_FULL);
    assert_true(rule->signal_frame);
    assert_int_equal(rule->full->cfa.how, CFI_HOW_EXPR);
    rbp = &rule->full->reg[ARCH_REG_FP];
    assert_int_equal(rbp->how, CFI_HOW_AT_EXPR);
    assert_int_equal(rbp->op[0].atom, DW_OP_call_frame_cfa);
    assert_int_equal(rule->full->reg[ARCH_REG_PC].how, CFI_HOW_AT_EXPR);
    cfi_free(c);
    elf_release(&f);
}

TEST(cfi__ends_at_the_programs_start)
{
    const struct cfi_rule *rule;
    struct elf_file f;
    struct cfi *c;

    open_file("/proc/self/exe", &f);
    c = cfi_new(&f, &roomy, NULL);
    rule = cfi_find(c, f.entry);
    assert_int_equal(rule->cfa, CFI_END);
    assert_true(cfi_find(c, f.entry + 8) == rule);
    cfi_free(c);
    elf_release(&f);
}

/* ---- forged frames ---- */

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
