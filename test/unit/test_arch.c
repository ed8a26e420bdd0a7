/*
 * test_arch.c - register order and the instructions the unwinder recognises
 */
#include "ringside/arch.h"
#include "unit.h"

#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#include <string.h>

TEST(arch__mask_names_general_registers_only)
{
    uint64_t mask = arch_perf_reg_mask();

    assert_int_equal(__builtin_popcountll(mask), ARCH_REG_COUNT);
    assert_int_equal(arch_perf_reg_count(), ARCH_REG_COUNT);
    assert_true(mask & (1ULL << PERF_REG_X86_SP));
    assert_true(mask & (1ULL << PERF_REG_X86_IP));
    assert_true(mask & (1ULL << PERF_REG_X86_R15));
    assert_false(mask & (1ULL << PERF_REG_X86_FLAGS));
    assert_false(mask & (1ULL << PERF_REG_X86_DS)); /* the kernel refuses segment registers */
    assert_int_equal(arch_perf_regs_abi(), PERF_SAMPLE_REGS_ABI_64);
}

/* Each value is the perf number of its register, counted out over the mask as the kernel does. */
TEST(arch__registers_arrive_in_mask_order_and_leave_in_dwarf_order)
{
    static const uint8_t perf_of_dwarf[ARCH_REG_COUNT] = {
        PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,  PERF_REG_X86_SI,
        PERF_REG_X86_DI,  PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,  PERF_REG_X86_R9,
        PERF_REG_X86_R10, PERF_REG_X86_R11, PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14,
        PERF_REG_X86_R15, PERF_REG_X86_IP,
    };
    uint64_t values[ARCH_REG_COUNT], n = 0;
    struct arch_regs regs;

    for (uint64_t bit = 0; bit < 64; bit++)
        if (arch_perf_reg_mask() >> bit & 1)
            values[n++] = bit;
    arch_regs_from_perf(&regs, values);
    assert_int_equal(regs.known, (1U << ARCH_REG_COUNT) - 1);
    for (unsigned i = 0; i < ARCH_REG_COUNT; i++)
        assert_int_equal(regs.r[i], perf_of_dwarf[i]);
}

#define HINT(before, at)                                                                                     \
    arch_frame_hint((const uint8_t *)(before), sizeof(before) - 1, (const uint8_t *)(at), sizeof(at) - 1)

TEST(arch__hint_sees_return_address_at_sp_before_push_and_at_ret)
{
    assert_int_equal(HINT("\x90", "\x55\x48\x89\xe5\x53"), ARCH_FRAME_RETURN_AT_SP);
    assert_int_equal(HINT("", "\x55\x48\x8b\xec"), ARCH_FRAME_RETURN_AT_SP);
    assert_int_equal(HINT("\xc3\x90", "\xf3\x0f\x1e\xfa\x55\x48\x89\xe5"), ARCH_FRAME_RETURN_AT_SP);
    assert_int_equal(HINT("\x5d", "\xc3"), ARCH_FRAME_RETURN_AT_SP);
    assert_int_equal(HINT("\xc9", "\xf3\xc3"), ARCH_FRAME_RETURN_AT_SP);
    assert_int_equal(HINT("\xc9", "\xc2\x08\x00"), ARCH_FRAME_RETURN_AT_SP);
}

TEST(arch__hint_sees_pushed_frame_pointer)
{
    assert_int_equal(HINT("\x90\x55", "\x48\x89\xe5"), ARCH_FRAME_FP_PUSHED);
    assert_int_equal(HINT("\x55", "\x48\x8b\xec\x90"), ARCH_FRAME_FP_PUSHED);
    assert_int_equal(HINT("\x5b", "\x5d\xc3"), ARCH_FRAME_FP_PUSHED);
}

TEST(arch__hint_claims_nothing_on_partial_idioms)
{
    assert_int_equal(HINT("", ""), ARCH_FRAME_SET_UP);
    assert_int_equal(HINT("\x55", ""), ARCH_FRAME_SET_UP);
    assert_int_equal(HINT("", "\x55"), ARCH_FRAME_SET_UP); /* push rbp among other pushes */
    assert_int_equal(HINT("", "\x55\x53\x48"), ARCH_FRAME_SET_UP);
    assert_int_equal(HINT("\x53", "\x48\x89\xe5"), ARCH_FRAME_SET_UP);
    assert_int_equal(HINT("", "\xf3\x0f\x1e\xfa\x31\xc0"), ARCH_FRAME_SET_UP);     /* a landing pad */
    assert_int_equal(HINT("\x31\xc9", "\xe9\x10\x20\x30\x40"), ARCH_FRAME_SET_UP); /* c9 here is no leave */
    assert_int_equal(HINT("", "\xc9\xc3"), ARCH_FRAME_SET_UP); /* before leave FP still holds */
    assert_int_equal(HINT("", "\xc2\x08"), ARCH_FRAME_SET_UP); /* cut off */
}

#define IS_CALL(bytes) arch_ends_in_call((const uint8_t *)(bytes), sizeof(bytes) - 1)

TEST(arch__call_is_recognised_in_every_length)
{
    assert_true(IS_CALL("\xe8\x01\x02\x03\x04"));
    assert_true(IS_CALL("\x90\x67\xe8\x01\x02\x03\x04"));
    assert_true(IS_CALL("\xff\xd0"));                     /* call *%rax */
    assert_true(IS_CALL("\x41\xff\xd7"));                 /* call *%r15 */
    assert_true(IS_CALL("\xff\x10"));                     /* call *(%rax) */
    assert_true(IS_CALL("\xff\x14\x24"));                 /* call *(%rsp) */
    assert_true(IS_CALL("\xff\x15\x01\x02\x03\x04"));     /* call *d(%rip) */
    assert_true(IS_CALL("\xff\x14\xc5\x01\x02\x03\x04")); /* call *d(,%rax,8) */
    assert_true(IS_CALL("\x41\xff\x54\x24\x08"));         /* call *8(%r12) */
    assert_true(IS_CALL("\xff\x50\x10"));                 /* call *16(%rax) */
    assert_true(IS_CALL("\xff\x90\x01\x02\x03\x04"));     /* call *d(%rax) */
    assert_true(IS_CALL("\xff\x94\x24\x01\x02\x03\x04")); /* call *d(%rsp) */
}

TEST(arch__other_instructions_are_not_calls)
{
    assert_false(IS_CALL(""));
    assert_false(IS_CALL("\xd0"));
    assert_false(IS_CALL("\x02\x03\x04\x05"));
    assert_false(IS_CALL("\xe9\x01\x02\x03\x04"));         /* jmp */
    assert_false(IS_CALL("\xff\xe0"));                     /* jmp *%rax */
    assert_false(IS_CALL("\xff\x25\x01\x02\x03\x04"));     /* jmp *d(%rip): a PLT stub */
    assert_false(IS_CALL("\xff\x15\x01\x02\x03"));         /* too short for its displacement */
    assert_false(IS_CALL("\xff\x14\x25"));                 /* SIB without base needs four more bytes */
    assert_false(IS_CALL("\x0f\x1f\x40\x00\x0f\x1f\x00")); /* padding */
}

TEST(arch__direct_call_tells_its_target)
{
    uint64_t target = 0;

    assert_true(arch_call_target((const uint8_t *)"\x90\xe8\xf0\xff\xff\xff", 6, 0x401000, &target));
    assert_int_equal(target, 0x400ff0);
    assert_false(arch_call_target((const uint8_t *)"\xff\x15\x01\x02\x03\x04", 6, 0x401000, &target));
    assert_false(arch_call_target((const uint8_t *)"\x01\x02\x03\x04", 4, 0x401000, &target));
}

TEST(arch__signal_trampoline_is_recognised_by_its_code)
{
    static const uint8_t musl[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

    assert_true(arch_is_sigreturn(musl, sizeof(musl)));
    assert_false(arch_is_sigreturn(musl, sizeof(musl) - 1));
    assert_int_equal(arch_sigreturn_offset(ARCH_REG_RSP),
                     160); /* what glibc's own call-frame information says */
    assert_int_equal(arch_sigreturn_offset(ARCH_REG_RIP), 168);
    assert_int_equal(arch_sigreturn_offset(ARCH_REG_R8), 40);
}

TEST(arch__registers_have_names_and_numbers)
{
    for (int i = 0; i < ARCH_REG_COUNT; i++)
        assert_int_equal(arch_reg_find(arch_reg_name(i)), i);
    assert_int_equal(arch_reg_find("RDI"), ARCH_REG_RDI);
    assert_int_equal(arch_reg_find("xyz"), -1);
    assert_int_equal(arch_reg_from_number(PERF_REG_X86_IP), ARCH_REG_RIP);
    assert_int_equal(arch_reg_from_number(PERF_REG_X86_FLAGS), -1);
    assert_int_equal(arch_reg_from_number(12), ARCH_REG_R8);
    assert_int_equal(arch_reg_from_number(19), ARCH_REG_R15);
    assert_int_equal(arch_reg_from_number(20), -1);
}

TEST(arch__arguments_are_passed_in_six_registers)
{
    assert_int_equal(arch_reg_argument(0, false), -1);
    assert_int_equal(arch_reg_argument(1, false), ARCH_REG_RDI);
    assert_int_equal(arch_reg_argument(4, false), ARCH_REG_RCX);
    assert_int_equal(arch_reg_argument(4, true), 10);
    assert_int_equal(arch_reg_argument(6, true), 9);
    assert_int_equal(arch_reg_argument(7, false), -1);
    assert_int_equal(arch_reg_result(), ARCH_REG_RAX);
}
