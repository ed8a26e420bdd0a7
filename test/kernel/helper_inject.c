/*
 * helper_inject - runs a program in which one system call of it or of a process it forks fails, or which is
 * killed or held there
 *
 *     helper_inject -o REPORT [OPTIONS] PROGRAM [ARGUMENTS...]
 *
 *     -p PATH   of the process: 0 is the program, 0.1 the first it forks, 0.1.2 the second that one forks
 *     -n N      its Nth call, from 1
 *     -m        count calls of malloc, calloc and realloc in place of system calls
 *     -f        further calls of the same class fail, too, in every process, with the first errno of each
 *     -k        the process is killed there
 *     -s        it is held there until a command was executed or the program ended
 *     -e ERRNO  0: the call is made (and nothing fails); default: one that the call is known to fail with,
 *     -r R      and of these number R (modulo how many there are)
 *     -d S      seconds after which what still runs is reported and killed (default 20)
 *
 * Counting begins at the program's entry point, when the dynamic loader is done, and ends in the process that
 * executes another program: it is let go. The report, a line each:
 *
 *     call PATH N NAME CLASS  every call, in order (without -n); what runs out together is of a class
 *     hit PATH N NAME ERRNO   it came to that
 *     started MILLISECONDS    from the program's entry to the other program's exec
 *     left PATH PID           still there at the end, and killed
 *     status WAITSTATUS       of the program
 *
 * Exit status: the program's as a shell gives it; 125 when something was left; 124 when tracing fails.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "helper_inject_calls.h"

#define PROCESSES_MAX 64
#define POINTS_MAX    4
#define TRACE_OPTIONS                                                                                        \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |                \
     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

struct process {
    pid_t pid; /* 0: free */
    char path[64];
    unsigned children, calls;
    bool inside;        /* between a call's entry and its exit */
    int fail;           /* errno to put in place of the result at the exit; 0: none */
    bool held;          /* not resumed until a command was executed */
    bool unknown;       /* stopped before its parent told of it */
    unsigned long step; /* the breakpoint being stepped over; 0: none */
};

/* Where a program's byte is an int3. */
struct point {
    unsigned long at;
    long word;
};

static struct {
    const char *report_path, *path;
    FILE *report;
    unsigned n, rotate;
    int code; /* -1: choose */
    bool allocations, from_there, kill, hold;
    unsigned seconds;

    pid_t program;
    struct process process[PROCESSES_MAX];
    bool counting, hit, executed, ended;
    enum call_class failing; /* with -f, after the hit */
    struct point entry, point[POINTS_MAX];
    unsigned points;
    int status;
    struct timespec entered;
} run = {.code = -1, .seconds = 20};

static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
}

static void die(const char *what)
{
    fprintf(stderr, "helper_inject: %s: %s\n", what, strerror(errno));
    exit(124);
}

/* ---- processes ---- */

static struct process *find(pid_t pid)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (run.process[i].pid == pid)
            return &run.process[i];
    return NULL;
}

static struct process *find_or_add(pid_t pid)
{
    struct process *p = find(pid);

    if (p)
        return p;
    p = find(0);
    if (!p)
        die("too many processes");
    *p = (struct process){.pid = pid};
    return p;
}

static bool is_any_left(void)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (run.process[i].pid)
            return true;
    return false;
}

/* ---- the tracee ---- */

static void resume(struct process *p, int number)
{
    int how = p->step ? PTRACE_SINGLESTEP : run.allocations || !run.counting ? PTRACE_CONT : PTRACE_SYSCALL;

    /* ESRCH: killed meanwhile, which wait will tell. */
    if (ptrace(how, p->pid, 0, number) < 0 && errno != ESRCH)
        die("resume");
}

static unsigned long get(struct process *p, size_t offset)
{
    return (unsigned long)ptrace(PTRACE_PEEKUSER, p->pid, offset, 0);
}

static void set(struct process *p, size_t offset, unsigned long value)
{
    ptrace(PTRACE_POKEUSER, p->pid, offset, value);
}

#define REGISTER(name) offsetof(struct user_regs_struct, name)

static void set_point(pid_t pid, struct point *b, unsigned long at)
{
    errno = 0;
    b->at = at;
    b->word = ptrace(PTRACE_PEEKTEXT, pid, at, 0);
    if (errno || ptrace(PTRACE_POKETEXT, pid, at, (b->word & ~0xffL) | 0xcc) < 0)
        die("set a breakpoint");
}

static void clear_point(pid_t pid, const struct point *b)
{
    ptrace(PTRACE_POKETEXT, pid, b->at, b->word);
}

static unsigned long entry_of(pid_t pid)
{
    unsigned long pair[2] = {0};
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        die(path);
    while (read(fd, pair, sizeof(pair)) == sizeof(pair) && pair[0] != AT_ENTRY)
        ;
    close(fd);
    return pair[1];
}

/* ---- where memory is asked for (-m) ---- */

static bool is_allocation(const char *name)
{
    return strcmp(name, "malloc") == 0 || strcmp(name, "calloc") == 0 || strcmp(name, "realloc") == 0;
}

/* The program has these itself; so do the libraries it uses find them. entry: tells where it was loaded. */
static void set_allocation_points(pid_t pid, const char *file, unsigned long entry)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat s;
    char *bytes = NULL;
    const Elf64_Ehdr *h;
    const Elf64_Shdr *section;

    if (fd < 0 || fstat(fd, &s) < 0 || !(bytes = malloc((size_t)s.st_size)) ||
        pread(fd, bytes, (size_t)s.st_size, 0) != s.st_size)
        die(file);
    close(fd);
    h = (const Elf64_Ehdr *)bytes;
    section = (const Elf64_Shdr *)(bytes + h->e_shoff);
    for (unsigned i = 0; i < h->e_shnum; i++) {
        const Elf64_Sym *symbol = (const Elf64_Sym *)(bytes + section[i].sh_offset);
        const char *names = bytes + section[section[i].sh_link].sh_offset;

        if (section[i].sh_type != SHT_DYNSYM)
            continue;
        for (size_t k = 0; k < section[i].sh_size / sizeof(*symbol); k++)
            if (symbol[k].st_value && is_allocation(names + symbol[k].st_name) && run.points < POINTS_MAX)
                set_point(pid, &run.point[run.points++], entry - h->e_entry + symbol[k].st_value);
    }
    free(bytes);
    if (!run.points)
        die("no malloc in the program");
}

static const struct point *point_at(unsigned long at)
{
    for (unsigned i = 0; i < run.points; i++)
        if (run.point[i].at == at)
            return &run.point[i];
    return NULL;
}

/* ---- what is done to a call ---- */

static bool is_chosen(const struct process *p)
{
    return run.n && p->calls == run.n && strcmp(p->path, run.path) == 0;
}

/* Counts it. True: it is the one, or one of those after it. */
static bool is_affected(struct process *p, enum call_class class, const char *name)
{
    p->calls++;
    if (!run.n)
        fprintf(run.report, "call %s %u %s %s\n", p->path, p->calls, name, class_names[class]);
    if (run.hit)
        return run.from_there && class == run.failing && class != CALL_OTHER;
    if (!is_chosen(p))
        return false;
    run.hit = true;
    run.failing = class;
    return true;
}

static void tell_hit(const struct process *p, const char *name, int code)
{
    if (is_chosen(p))
        fprintf(run.report, "hit %s %u %s %s\n", p->path, p->calls, name,
                run.kill   ? "killed"
                : run.hold ? "held"
                : code     ? strerrorname_np(code)
                           : "nothing");
}

static void do_otherwise(struct process *p)
{
    if (run.kill)
        kill(p->pid, SIGKILL);
    else if (!run.executed && !run.ended)
        p->held = true;
}

static void fail_call(struct process *p, const struct call *c, long number)
{
    int code = run.code < 0 ? call_errno(c, run.from_there ? 0 : run.rotate) : run.code;

    if (number == SYS_wait4 && get(p, REGISTER(rdx)) & WNOHANG)
        code = 0; /* what does not wait is not interrupted */

    tell_hit(p, c->name, code);
    if (!code)
        return;
    p->fail = code;
    if (number == SYS_brk) /* as the kernel says no: the break stays where it is (mm/mmap.c) */
        set(p, REGISTER(rdi), 0);
    else if (number != SYS_close) /* the descriptor is gone whatever close(2) returns */
        set(p, REGISTER(orig_rax), (unsigned long)-1);
}

static void enter_call(struct process *p)
{
    long number = (long)get(p, REGISTER(orig_rax));
    struct call unknown;
    const struct call *c = call_find(number, &unknown);
    bool affected = is_affected(p, c->class, c->name);

    if (!affected)
        return;
    if (!run.kill && !run.hold) {
        fail_call(p, c, number);
        return;
    }
    tell_hit(p, c->name, 0);
    do_otherwise(p);
}

static void leave_call(struct process *p)
{
    if (p->fail && get(p, REGISTER(orig_rax)) != SYS_brk)
        set(p, REGISTER(rax), (unsigned long)-p->fail);
    p->fail = 0;
}

static void at_call(struct process *p)
{
    struct __ptrace_syscall_info info = {0};

    if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) < 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        enter_call(p);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
        leave_call(p);
}

/* At a function's first instruction: as if it had returned NULL. */
static void fail_allocation(struct process *p, unsigned long at)
{
    unsigned long sp = get(p, REGISTER(rsp));

    (void)at;
    set(p, REGISTER(rip), (unsigned long)ptrace(PTRACE_PEEKDATA, p->pid, sp, 0));
    set(p, REGISTER(rsp), sp + 8);
    set(p, REGISTER(rax), 0);
}

static void at_allocation(struct process *p, const struct point *b)
{
    bool affected = is_affected(p, CALL_MEMORY, "malloc");

    set(p, REGISTER(rip), b->at);
    if (affected)
        tell_hit(p, "malloc", ENOMEM);
    if (affected && !run.kill && !run.hold) {
        fail_allocation(p, b->at);
        return;
    }
    if (affected)
        do_otherwise(p);
    clear_point(p->pid, b);
    p->step = b->at;
}

/* ---- what stops tell ---- */

static void at_entry(struct process *p, const char *file)
{
    clear_point(p->pid, &run.entry);
    set(p, REGISTER(rip), run.entry.at);
    run.counting = true;
    clock_gettime(CLOCK_MONOTONIC, &run.entered);
    if (run.allocations)
        set_allocation_points(p->pid, file, run.entry.at);
}

/* False: an int3 or a step that is not ours. */
static bool at_trap(struct process *p, const char *file)
{
    unsigned long at = get(p, REGISTER(rip)) - 1;
    const struct point *b = point_at(p->step ? p->step : at);

    if (p->step) {
        struct point again = {0};

        p->step = 0;
        if (b)
            set_point(p->pid, &again, b->at);
        return true;
    }
    if (!run.counting && at == run.entry.at)
        at_entry(p, file);
    else if (b)
        at_allocation(p, b);
    else
        return false;
    return true;
}

static void release_held(void)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (run.process[i].held) {
            run.process[i].held = false;
            resume(&run.process[i], 0);
        }
}

static void at_exec(struct process *p)
{
    struct timespec now;

    if (!run.counting) { /* the program itself */
        set_point(p->pid, &run.entry, entry_of(p->pid));
        resume(p, 0);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(run.report, "started %lld\n",
            (long long)(now.tv_sec - run.entered.tv_sec) * 1000 +
                (now.tv_nsec - run.entered.tv_nsec) / 1000000);
    run.executed = true;
    ptrace(PTRACE_DETACH, p->pid, 0, 0);
    if (p->pid != run.program)
        p->pid = 0;
    release_held();
}

static void at_fork(struct process *p)
{
    unsigned long pid = 0;
    struct process *child;

    ptrace(PTRACE_GETEVENTMSG, p->pid, 0, &pid);
    child = find_or_add((pid_t)pid);
    snprintf(child->path, sizeof(child->path), "%.50s.%u", p->path, ++p->children);
    if (child->unknown) {
        child->unknown = false;
        resume(child, 0);
    }
    resume(p, 0);
}

/* PTRACE_EVENT_STOP: a new process, or a group stop, in which it is to stay. */
static void at_stop(struct process *p, int number)
{
    if (!p->path[0])
        p->unknown = true;
    else if (number == SIGTRAP)
        resume(p, 0);
    else
        ptrace(PTRACE_LISTEN, p->pid, 0, 0);
}

static void at_signal(struct process *p, int number, const char *file)
{
    if (number == (SIGTRAP | 0x80))
        at_call(p);
    else if (number != SIGTRAP || !at_trap(p, file)) {
        resume(p, number);
        return;
    }
    if (!p->held)
        resume(p, 0);
}

static void took(pid_t pid, int status, const char *file)
{
    struct process *p;

    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (pid == run.program) {
            run.ended = true;
            run.status = status;
        }
        if ((p = find(pid)))
            p->pid = 0;
        if (pid == run.program)
            release_held();
        return;
    }
    p = find_or_add(pid);
    switch (status >> 16) {
    case 0:
        at_signal(p, WSTOPSIG(status), file);
        break;
    case PTRACE_EVENT_EXEC:
        at_exec(p);
        break;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        at_fork(p);
        break;
    default:
        at_stop(p, WSTOPSIG(status));
    }
}

/* ---- all of it ---- */

static void start(char **argv)
{
    int gate[2];
    char go = 0;

    if (pipe2(gate, O_CLOEXEC) < 0)
        die("pipe");
    run.program = fork();
    if (run.program < 0)
        die("fork");
    if (run.program == 0) {
        close(gate[1]);
        if (read(gate[0], &go, 1) != 1)
            _exit(124);
        execv(argv[0], argv);
        die(argv[0]);
    }
    close(gate[0]);
    if (ptrace(PTRACE_SEIZE, run.program, 0, TRACE_OPTIONS) < 0)
        die("trace");
    strcpy(find_or_add(run.program)->path, "0");
    if (write(gate[1], "", 1) != 1)
        die("start");
    close(gate[1]);
}

static int end(void)
{
    bool left = false;

    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (run.process[i].pid) {
            left = true;
            fprintf(run.report, "left %s %d\n", run.process[i].path, run.process[i].pid);
            kill(run.process[i].pid, SIGKILL);
        }
    fprintf(run.report, "status %d\n", run.status);
    if (fclose(run.report) == EOF)
        die(run.report_path);
    if (left)
        return 125;
    return WIFSIGNALED(run.status) ? 128 + WTERMSIG(run.status) : WEXITSTATUS(run.status);
}

static void watch(const char *file)
{
    const struct sigaction action = {.sa_handler = tick};
    const struct itimerval every = {{1, 0}, {1, 0}};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    while (is_any_left() && (unsigned)ticks < run.seconds) {
        int status;
        pid_t pid = waitpid(-1, &status, __WALL);

        if (pid > 0)
            took(pid, status, file);
        else if (errno != EINTR)
            break;
    }
}

static void read_options(int argc, char **argv)
{
    for (int c; (c = getopt(argc, argv, "+o:p:n:mfkse:r:d:")) != -1;) {
        switch (c) {
        case 'o':
            run.report_path = optarg;
            break;
        case 'p':
            run.path = optarg;
            break;
        case 'n':
            run.n = (unsigned)atoi(optarg);
            break;
        case 'e':
            run.code = atoi(optarg);
            break;
        case 'r':
            run.rotate = (unsigned)atoi(optarg);
            break;
        case 'd':
            run.seconds = (unsigned)atoi(optarg);
            break;
        default:
            run.allocations |= c == 'm';
            run.from_there |= c == 'f';
            run.kill |= c == 'k';
            run.hold |= c == 's';
        }
    }
    if (!run.report_path || optind >= argc || (run.n && !run.path)) {
        fprintf(stderr, "usage: helper_inject -o REPORT [-p PATH -n N] [-m] [-f] [-k|-s] [-e ERRNO] [-r R] "
                        "[-d SECONDS] PROGRAM [ARGUMENTS...]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    run.report = fopen(run.report_path, "we");
    if (!run.report)
        die(run.report_path);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    start(argv + optind);
    watch(argv[optind]);
    return end();
}
