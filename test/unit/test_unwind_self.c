/*
 * test_unwind_self.c - unwinds this very process through real call-frame information, and compares with
 * backtrace()
 *
 * Synchronous: a function looks at its own stack, in several places. Asynchronous: a timer interrupts real
 * work at arbitrary instructions, prologues, epilogues and PLT stubs included.
 */
#include "ringside/base.h"
#include "ringside/cfi.h"
#include "ringside/elfio.h"
#include "ringside/unwind.h"
#include "unit.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES 60000
#define DEPTH       200
#define MAX_MODULES 64

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define KEEP           __attribute__((noinline))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

/* ---- this process's code ---- */

struct module {
    uint64_t start, end, bias;
    struct elf_file elf;
    struct cfi *cfi;
};

static struct module modules[MAX_MODULES];
static size_t module_count;

static bool open_module(struct module *m, const char *path)
{
    struct err e;

    if (strcmp(path, "[vdso]") == 0)
        return elf_from_memory(&m->elf, (const void *)getauxval(AT_SYSINFO_EHDR), m->end - m->start, &e) == 0;
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && elf_open(&m->elf, fd, &e) == 0;
}

static void add_module(const char *line)
{
    static const struct cfi_limits limits = {100000, 10000};
    struct module *m = &modules[module_count];
    char path[256] = "";
    unsigned long start, end, offset;
    uint64_t vaddr;
    struct err e;

    if (sscanf(line, "%lx-%lx r-xp %lx %*s %*u %255s", &start, &end, &offset, path) != 4)
        return;
    *m = (struct module){.start = start, .end = end};
    if (!open_module(m, path))
        return;
    assert_true(elf_offset_to_vaddr(&m->elf, offset, &vaddr));
    m->bias = start - vaddr;
    m->cfi = cfi_new(&m->elf, &limits, &e);
    assert_non_null(m->cfi);
    module_count++;
    assert_true(module_count < MAX_MODULES);
}

static void read_modules(void)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        add_module(line);
    fclose(maps);
    assert_in_range(module_count, 3, MAX_MODULES);
}

static void forget_modules(void)
{
    for (size_t i = 0; i < module_count; i++) {
        cfi_free(modules[i].cfi);
        elf_release(&modules[i].elf);
    }
    module_count = 0;
}

static void find(void *ctx, uint64_t addr, struct unwind_site *out)
{
    static const struct cfi_rule none = {.cfa = CFI_NONE};

    (void)ctx;
    *out = (struct unwind_site){.rule = &none, .where = addr};
    for (size_t i = 0; i < module_count; i++) {
        if (addr < modules[i].start || addr >= modules[i].end)
            continue;
        out->rule = cfi_find(modules[i].cfi, addr - modules[i].bias);
        out->executable = true;
    }
}

static size_t code(void *ctx, uint64_t addr, uint8_t *out, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < module_count; i++) {
        if (addr < modules[i].start || addr >= modules[i].end)
            continue;
        if (n > modules[i].end - addr)
            n = modules[i].end - addr;
        memcpy(out, (const void *)addr, n); /* NOLINT(performance-no-int-to-ptr) */
        return n;
    }
    return 0;
}

/* ---- one look at a stack ---- */

struct snapshot {
    struct arch_regs regs;
    uint32_t stack_bytes;
    uint8_t stack[STACK_BYTES];
    void *expected[DEPTH]; /* backtrace(), from the frame of regs on */
    int expected_count;
};

static int memory_fd = -1;

static void take_registers(struct arch_regs *regs, const ucontext_t *from)
{
    for (unsigned reg = 0; reg < ARCH_REG_COUNT; reg++)
        memcpy(&regs->r[reg], (const char *)from + arch_sigreturn_offset(reg), sizeof(regs->r[reg]));
    regs->known = (1U << ARCH_REG_COUNT) - 1;
}

/* Through the file, because AddressSanitizer objects to reading whole stacks, and because it stops where the
 * stack does. */
static void take_stack(struct snapshot *s)
{
    ssize_t n = pread(memory_fd, s->stack, sizeof(s->stack), (off_t)s->regs.r[ARCH_REG_SP]);

    s->stack_bytes = n > 0 ? (uint32_t)n : 0;
}

static enum unwind_stop walk(const struct snapshot *s, struct unwind_frame *frame, uint32_t *count)
{
    struct unwind_finder finder = {find, code, NULL};
    struct unwind_input in = {&s->regs, s->stack, s->stack_bytes, NULL};

    return unwind_walk(&in, &finder, frame, UNWIND_MAX_FRAMES, count);
}

static bool same_frames(const struct snapshot *s, const struct unwind_frame *frame, uint32_t count)
{
    int skipped = s->expected_count - (int)count;

    if (skipped < 0 || skipped > SANITIZED) /* AddressSanitizer's backtrace() shows itself */
        return false;
    for (uint32_t i = 1; i < count; i++) /* frame 0 is somewhere else in the same function */
        if (frame[i].pc != (uint64_t)s->expected[(int)i + skipped])
            return false;
    return true;
}

static struct snapshot here;

KEEP static void look_at_own_stack(void)
{
    ucontext_t now;

    here.expected_count = backtrace(here.expected, DEPTH);
    getcontext(&now);
    take_registers(&here.regs, &now);
    take_stack(&here);
    NO_TAIL_CALL();
}

static void prepare(void)
{
    void *first[1];

    forget_modules();
    backtrace(first, 1); /* loads libgcc_s now rather than inside a handler */
    read_modules();
    if (memory_fd < 0)
        memory_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(memory_fd >= 0);
}

static void check_against_backtrace(void)
{
    struct unwind_frame frame[UNWIND_MAX_FRAMES];
    uint32_t count;

    assert_int_equal(walk(&here, frame, &count), UNWIND_DONE);
    assert_true(same_frames(&here, frame, count));
    forget_modules();
}

/* ---- synchronous ---- */

TEST(unwind_self__own_stack_is_what_backtrace_says)
{
    prepare();
    look_at_own_stack();
    check_against_backtrace();
}

KEEP static void recurse(int depth)
{
    if (depth > 0)
        recurse(depth - 1);
    else
        look_at_own_stack();
    NO_TAIL_CALL();
}

TEST(unwind_self__recursion_is_what_backtrace_says)
{
    prepare();
    recurse(150);
    check_against_backtrace();
}

static int compare(const void *a, const void *b)
{
    if (*(const int *)a == 1)
        look_at_own_stack();
    return *(const int *)a - *(const int *)b;
}

TEST(unwind_self__callback_from_library_is_what_backtrace_says)
{
    int numbers[] = {3, 1, 2};

    prepare();
    qsort(numbers, ARRAY_LEN(numbers), sizeof(numbers[0]), compare);
    check_against_backtrace();
}

static void handler(int signal)
{
    (void)signal;
    look_at_own_stack();
}

TEST(unwind_self__signal_handler_is_what_backtrace_says)
{
    struct sigaction action = {.sa_handler = handler}, before;

    prepare();
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    check_against_backtrace();
}

static void *thread(void *nothing)
{
    recurse(3);
    NO_TAIL_CALL();
    return nothing;
}

TEST(unwind_self__thread_ends_at_its_start)
{
    pthread_t id;

    prepare();
    assert_int_equal(pthread_create(&id, NULL, thread, NULL), 0);
    pthread_join(id, NULL);
    check_against_backtrace();
}

static ucontext_t main_context, co_context;

static void coroutine(void)
{
    recurse(3);
    NO_TAIL_CALL();
}

/* backtrace() goes on with what lies above the stack's first frame; the end is __start_context. */
TEST(unwind_self__coroutine_ends_where_it_was_made)
{
    static char stack[64 * 1024];
    struct unwind_frame frame[UNWIND_MAX_FRAMES];
    uint32_t count;

    prepare();
    getcontext(&co_context);
    co_context.uc_stack.ss_sp = stack;
    co_context.uc_stack.ss_size = sizeof(stack);
    co_context.uc_link = &main_context;
    makecontext(&co_context, coroutine, 0);
    swapcontext(&main_context, &co_context);
    assert_int_equal(walk(&here, frame, &count), UNWIND_DONE);
    assert_int_equal(count, 7); /* look_at_own_stack, recurse x 4, coroutine, __start_context */
    forget_modules();
}

/* ---- asynchronous ---- */

#define SAMPLES 300

static struct snapshot *samples;
static volatile sig_atomic_t sample_count;

static void on_timer(int signal, siginfo_t *info, void *context)
{
    struct snapshot *s = &samples[sample_count];
    int saved_errno = errno, n, from = 0;
    void *trace[DEPTH];

    (void)signal;
    (void)info;
    if (sample_count == SAMPLES)
        return;
    take_registers(&s->regs, context);
    take_stack(s);
    n = backtrace(trace, DEPTH);
    while (from < n && (uint64_t)trace[from] != s->regs.r[ARCH_REG_PC])
        from++;
    s->expected_count = n - from;
    memcpy(s->expected, trace + from, (size_t)s->expected_count * sizeof(trace[0]));
    sample_count++;
    errno = saved_errno;
}

static int by_last_digit(const void *a, const void *b)
{
    return *(const int *)a % 10 - *(const int *)b % 10;
}

KEEP static uint64_t some_work(uint64_t seed)
{
    char text[64];
    int numbers[64];

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        numbers[i] = (int)(seed >> 40);
    }
    qsort(numbers, ARRAY_LEN(numbers), sizeof(numbers[0]), by_last_digit);
    snprintf(text, sizeof(text), "%g %d %s", (double)seed, numbers[0], "text");
    return seed + strtoul(text, NULL, 10) + strlen(text);
}

static timer_t start_timer(struct sigaction *before)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    timer_t timer;

    sigaction(SIGUSR2, &action, before);
    assert_int_equal(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), 0);
    timer_settime(timer, 0, &every, NULL);
    return timer;
}

TEST(unwind_self__work_interrupted_anywhere_is_unwound_to_its_start)
{
    struct sigaction before;
    struct unwind_frame frame[UNWIND_MAX_FRAMES];
    uint32_t count, complete = 0, same = 0;
    volatile uint64_t sum = 0;
    timer_t timer;

    if (SANITIZED)
        skip(); /* its interceptors allocate in handlers */
    prepare();
    samples = calloc(SAMPLES, sizeof(*samples));
    sample_count = 0;
    timer = start_timer(&before);
    while (sample_count < SAMPLES)
        sum += some_work(sum);
    timer_delete(timer);
    sigaction(SIGUSR2, &before, NULL);
    for (size_t i = 0; i < SAMPLES; i++) {
        bool done = walk(&samples[i], frame, &count) == UNWIND_DONE;

        complete += done;
        same += done && same_frames(&samples[i], frame, count);
    }
    free(samples);
    forget_modules();
    assert_in_range(complete, SAMPLES * 99 / 100, SAMPLES);
    /* libgcc's unwinder loses its way in some epilogues, where GCC does not describe the popped frame pointer
     */
    assert_in_range(same, SAMPLES * 95 / 100, SAMPLES);
}
