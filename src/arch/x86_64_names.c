/*
 * x86_64_names.c - registers by name, by perf's number and by the argument they carry
 */
#include "ringside/arch.h"

#include <asm/perf_regs.h>
#include <strings.h>

#define REG_RCX ARCH_REG_RCX
#define REG_R10 10

static const char *const names[ARCH_REG_COUNT] = {
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
    "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip",
};

int arch_reg_find(const char *name)
{
    for (int i = 0; i < ARCH_REG_COUNT; i++)
        if (strcasecmp(name, names[i]) == 0)
            return i;
    return -1;
}

const char *arch_reg_name(int reg)
{
    return reg >= 0 && reg < ARCH_REG_COUNT ? names[reg] : "?";
}

/* enum perf_event_x86_regs without PERF_REG_X86_DS to _GS. */
int arch_reg_from_number(unsigned number)
{
    static const int8_t dwarf[ARCH_REG_NUMBERS] = {
        [PERF_REG_X86_AX] = ARCH_REG_RAX,
        [PERF_REG_X86_BX] = ARCH_REG_RBX,
        [PERF_REG_X86_CX] = ARCH_REG_RCX,
        [PERF_REG_X86_DX] = ARCH_REG_RDX,
        [PERF_REG_X86_SI] = ARCH_REG_RSI,
        [PERF_REG_X86_DI] = ARCH_REG_RDI,
        [PERF_REG_X86_BP] = ARCH_REG_RBP,
        [PERF_REG_X86_SP] = ARCH_REG_RSP,
        [PERF_REG_X86_IP] = ARCH_REG_RIP,
        [PERF_REG_X86_FLAGS] = -1,
        [PERF_REG_X86_CS] = -1,
        [PERF_REG_X86_SS] = -1,
        ARCH_REG_R8,
        9,
        10,
        11,
        12,
        13,
        14,
        ARCH_REG_R15,
    };

    return number < ARCH_REG_NUMBERS ? dwarf[number] : -1;
}

/* System V ABI, AMD64 supplement, 3.2.3 (functions) and A.2.1 (system calls: the instruction overwrites rcx).
 */
int arch_reg_argument(unsigned n, bool system_call)
{
    static const int8_t order[ARCH_ARGUMENTS_MAX] = {ARCH_REG_RDI, ARCH_REG_RSI, ARCH_REG_RDX,
                                                     REG_RCX,      ARCH_REG_R8,  9};

    if (n < 1 || n > ARCH_ARGUMENTS_MAX)
        return -1;
    return system_call && order[n - 1] == REG_RCX ? REG_R10 : order[n - 1];
}

int arch_reg_result(void)
{
    return ARCH_REG_RAX;
}
