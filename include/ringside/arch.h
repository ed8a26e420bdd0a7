/*
 * arch.h - the one place that knows the processor: register numbers, the perf register mask, what code looks
 * like
 *
 * Registers are kept in DWARF numbering everywhere above the perf decoder. Porting to aarch64 means a second
 * block of this header and a second src/arch file; nothing else may test for a processor.
 */
#ifndef RINGSIDE_ARCH_H
#define RINGSIDE_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

/* System V ABI, AMD64 supplement, figure 3.36: DWARF register number mapping. */
enum arch_reg {
    ARCH_REG_RAX,
    ARCH_REG_RDX,
    ARCH_REG_RCX,
    ARCH_REG_RBX,
    ARCH_REG_RSI,
    ARCH_REG_RDI,
    ARCH_REG_RBP,
    ARCH_REG_RSP,
    ARCH_REG_R8,
    ARCH_REG_R15 = 15,
    ARCH_REG_RIP = 16,
    ARCH_REG_COUNT = 17,
};
#define ARCH_REG_SP ARCH_REG_RSP
#define ARCH_REG_FP ARCH_REG_RBP
#define ARCH_REG_PC ARCH_REG_RIP

/* Registers a function must preserve, beside SP: the only ones a compact row describes, the return address
 * last. */
#define ARCH_SAVED_COUNT 7
#define ARCH_SAVED_FP    1
#define ARCH_SAVED_PC    6
#define ARCH_SAVED_REGS                                                                                      \
    {                                                                                                        \
        ARCH_REG_RBX, ARCH_REG_RBP, 12, 13, 14, 15, ARCH_REG_PC                                              \
    }

#define ARCH_WORD_BYTES    8
#define ARCH_ELF_MACHINE   62 /* EM_X86_64 */
#define ARCH_ELF_CLASS     2  /* ELFCLASS64 */
#define ARCH_MAX_USER_ADDR 0x7fffffffffffULL

#else
#error "Ringside runs on x86-64; see docs/architecture.md for what another processor needs"
#endif

struct arch_regs {
    uint64_t r[ARCH_REG_COUNT]; /* DWARF numbering */
    uint32_t known;             /* bit i: r[i] holds a value */
};

/* For perf_event_attr.sample_regs_user. */
uint64_t arch_perf_reg_mask(void);
/* Number of registers in that mask. */
int arch_perf_reg_count(void);
/* Takes the values as the kernel writes them, lowest bit of the mask first. */
void arch_regs_from_perf(struct arch_regs *out, const uint64_t *values);
/* PERF_SAMPLE_REGS_ABI_* of a process this build can unwind (64-bit). */
uint64_t arch_perf_regs_abi(void);

/*
 * Registers by name ("rdi", "r10"; capitals alike) and, as perf numbers what it samples of a process, by
 * number (0 is rax, 8 rip, 12 to 19 are r8 to r15: the segment registers, which it does not hand out, do not
 * count). DWARF numbers; -1 for no such register, and for the flags and segments, which are not recorded.
 */
int arch_reg_find(const char *name);
int arch_reg_from_number(unsigned number);
#define ARCH_REG_NUMBERS 20
const char *arch_reg_name(int reg);
/* The register of argument n (from 1) of a function, or of a system call as the process makes it; -1 beyond
 * the last that is passed in a register. */
int arch_reg_argument(unsigned n, bool system_call);
#define ARCH_ARGUMENTS_MAX 6
/* The register a function's result is in when it returns. */
int arch_reg_result(void);

/*
 * A hint from the instruction bytes at pc for code without call-frame information whose interrupted frame may
 * not have been set up yet, or is being torn down.
 */
enum arch_frame_hint {
    ARCH_FRAME_SET_UP,       /* the frame pointer belongs to this function */
    ARCH_FRAME_RETURN_AT_SP, /* before "push fp", or at "ret": the return address lies at SP */
    ARCH_FRAME_FP_PUSHED,    /* after "push fp", before "mov fp,sp": old fp at SP, return address above it */
};
/* before: up to n_before bytes in front of pc; at: n_at bytes from pc on. Either may be empty. */
enum arch_frame_hint arch_frame_hint(const uint8_t *before, size_t n_before, const uint8_t *at, size_t n_at);

/* True when the bytes in front of a possible return address end in a call instruction. */
bool arch_ends_in_call(const uint8_t *before, size_t n);
/* The longest call instruction arch_ends_in_call() looks for: what to hand it where the code can be read. */
#define ARCH_CALL_BYTES 7
/*
 * Where the direct call in front of a return address leads; false when there is none (the call is indirect,
 * or it is not a call).
 */
bool arch_call_target(const uint8_t *before, size_t n, uint64_t return_addr, uint64_t *target);

/*
 * True when the bytes at a handler's return address are a signal trampoline without call-frame information
 * (musl, Go). SP then points to the kernel's struct ucontext, which holds register i at
 * arch_sigreturn_offset(i).
 */
bool arch_is_sigreturn(const uint8_t *at, size_t n);
#define ARCH_SIGRETURN_BYTES 9
/* Bytes from SP in such a trampoline to the saved value of a register; reg is less than ARCH_REG_COUNT. */
uint64_t arch_sigreturn_offset(unsigned reg);

#endif
