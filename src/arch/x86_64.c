/*
 * x86_64.c - registers as perf hands them over, and the few instructions the unwinder looks at
 */
#include "ringside/arch.h"

#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#include <string.h>
#include <ucontext.h>

#define BIT(n) (1ULL << (n))

/* The kernel writes the registers of the mask from its lowest bit up (perf_output_sample_regs,
 * kernel/events/core.c). */
static const struct {
    uint8_t perf, dwarf;
} perf_order[] = {
    {PERF_REG_X86_AX, ARCH_REG_RAX},
    {PERF_REG_X86_BX, ARCH_REG_RBX},
    {PERF_REG_X86_CX, ARCH_REG_RCX},
    {PERF_REG_X86_DX, ARCH_REG_RDX},
    {PERF_REG_X86_SI, ARCH_REG_RSI},
    {PERF_REG_X86_DI, ARCH_REG_RDI},
    {PERF_REG_X86_BP, ARCH_REG_RBP},
    {PERF_REG_X86_SP, ARCH_REG_RSP},
    {PERF_REG_X86_IP, ARCH_REG_RIP},
    {PERF_REG_X86_R8, ARCH_REG_R8},
    {PERF_REG_X86_R9, 9},
    {PERF_REG_X86_R10, 10},
    {PERF_REG_X86_R11, 11},
    {PERF_REG_X86_R12, 12},
    {PERF_REG_X86_R13, 13},
    {PERF_REG_X86_R14, 14},
    {PERF_REG_X86_R15, ARCH_REG_R15},
};
#define PERF_REGS (sizeof(perf_order) / sizeof(perf_order[0]))

uint64_t arch_perf_reg_mask(void)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < PERF_REGS; i++)
        mask |= BIT(perf_order[i].perf);
    return mask;
}

int arch_perf_reg_count(void)
{
    return PERF_REGS;
}

void arch_regs_from_perf(struct arch_regs *out, const uint64_t *values)
{
    for (size_t i = 0; i < PERF_REGS; i++)
        out->r[perf_order[i].dwarf] = values[i];
    out->known = BIT(ARCH_REG_COUNT) - 1;
}

uint64_t arch_perf_regs_abi(void)
{
    return PERF_SAMPLE_REGS_ABI_64;
}

/* ---- instructions: Intel SDM volume 2, chapter 2 (encoding) and the instructions' own pages ---- */

#define PUSH_RBP 0x55
#define POP_RBP  0x5d

static bool starts_with(const uint8_t *at, size_t n_at, const char *bytes, size_t n)
{
    return n_at >= n && memcmp(at, bytes, n) == 0;
}
#define STARTS_WITH(at, n_at, bytes) starts_with(at, n_at, bytes, sizeof(bytes) - 1)

static bool is_ret(const uint8_t *at, size_t n)
{
    return STARTS_WITH(at, n, "\xc3") || (n >= 3 && at[0] == 0xc2) || /* ret imm16 */
           STARTS_WITH(at, n, "\xf3\xc3") ||                          /* rep ret: old AMD branch prediction */
           STARTS_WITH(at, n, "\xf2\xc3");                            /* bnd ret */
}

static bool is_mov_rbp_rsp(const uint8_t *at, size_t n)
{
    return STARTS_WITH(at, n, "\x48\x89\xe5") || STARTS_WITH(at, n, "\x48\x8b\xec");
}

/*
 * Only whole idioms count. A lone 55 or c9 may be the tail of another instruction or an ordinary push, and
 * taking a frame for torn down when it is not costs a frame of every stack that passes there.
 */
enum arch_frame_hint arch_frame_hint(const uint8_t *before, size_t n_before, const uint8_t *at, size_t n_at)
{
    if (is_ret(at, n_at))
        return ARCH_FRAME_RETURN_AT_SP;
    if (STARTS_WITH(at, n_at,
                    "\xf3\x0f\x1e\xfa\x55")) /* endbr64 is an entry only in front of a prologue: GCC */
        return ARCH_FRAME_RETURN_AT_SP;      /* puts it on exception landing pads too */
    if (n_at > 1 && at[0] == PUSH_RBP && is_mov_rbp_rsp(at + 1, n_at - 1))
        return ARCH_FRAME_RETURN_AT_SP;
    if (n_before > 0 && before[n_before - 1] == PUSH_RBP && is_mov_rbp_rsp(at, n_at))
        return ARCH_FRAME_FP_PUSHED;
    if (n_at > 1 && at[0] == POP_RBP && is_ret(at + 1, n_at - 1))
        return ARCH_FRAME_FP_PUSHED;
    return ARCH_FRAME_SET_UP;
}

/* Bytes of "ff /2" with this ModRM and SIB byte, without prefixes; 0 when it is not a call. */
static size_t indirect_call_bytes(uint8_t modrm, uint8_t sib)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;
    size_t bytes = 2;

    if (((modrm >> 3) & 7) != 2)
        return 0;
    if (mod == 3)
        return bytes;
    if (rm == 4)
        bytes++; /* SIB */
    if (mod == 1)
        bytes += 1;
    else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
        bytes += 4; /* with mod 0: RIP-relative, or a SIB without base */
    return bytes;
}

bool arch_ends_in_call(const uint8_t *before, size_t n)
{
    if (n >= 5 && before[n - 5] == 0xe8)
        return true;
    /* A REX or other prefix in front changes nothing here, so only what follows it is compared. */
    for (size_t bytes = 2; bytes <= ARCH_CALL_BYTES && bytes <= n; bytes++) {
        const uint8_t *at = before + n - bytes;

        if (at[0] == 0xff && indirect_call_bytes(at[1], bytes > 2 ? at[2] : 0) == bytes)
            return true;
    }
    return false;
}

bool arch_call_target(const uint8_t *before, size_t n, uint64_t return_addr, uint64_t *target)
{
    int32_t distance;

    if (n < 5 || before[n - 5] != 0xe8)
        return false;
    memcpy(&distance, before + n - 4, sizeof(distance));
    *target = return_addr + (uint64_t)(int64_t)distance;
    return true;
}

/* The kernel's rt_sigframe without its return address (arch/x86/include/asm/sigframe.h) begins with the
 * ucontext. */
bool arch_is_sigreturn(const uint8_t *at, size_t n)
{
    return STARTS_WITH(at, n, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05") || /* mov $15,%rax; syscall */
           STARTS_WITH(at, n, "\xb8\x0f\x00\x00\x00\x0f\x05");           /* mov $15,%eax; syscall */
}

uint64_t arch_sigreturn_offset(unsigned reg)
{
    static const uint8_t greg[ARCH_REG_COUNT] = {
        REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
        REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
    };

    return offsetof(ucontext_t, uc_mcontext.gregs) + greg[reg] * sizeof(greg_t);
}
