/*
 * test_cfi.c - rules against libdw's own answers on the files of this machine
 */
#include "open_elf.h"
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

#include "ringside/base.h"
#include "ringside/cfi.h"
#include "ringside/elfio.h"

static const struct cfi_limits roomy = {.rows = 1 << 20, .rules = 65535};

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

    open_elf(path, &f);
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
    int files = 0;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        if (access(paths[i], R_OK) < 0) { /* not on this machine */
            print_message("no %s\n", paths[i]);
            continue;
        }
        files++;
        agree_on(paths[i], &seen);
        assert_true(seen.compact > ADDRESSES / 2);
    }
    if (!files)
        skip();
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
    open_elf(object_of(libc.inside), &f);
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

    open_elf("/proc/self/exe", &f);
    c = cfi_new(&f, &roomy, NULL);
    rule = cfi_find(c, f.entry);
    assert_int_equal(rule->cfa, CFI_END);
    assert_true(cfi_find(c, f.entry + 8) == rule);
    cfi_free(c);
    elf_release(&f);
}
