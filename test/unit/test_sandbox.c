/*
 * test_sandbox.c - each test in a process of its own, as there is no way back
 */
#include "ringside/sandbox.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "unit.h"

#define OTHER_ID 54323

/* As src/sandbox/filter.c has it. */
#if defined(__SANITIZE_ADDRESS__)
#define WITHOUT_FILTER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITHOUT_FILTER true
#endif
#endif
#ifndef WITHOUT_FILTER
#define WITHOUT_FILTER false
#endif

/* In the child: says what is wrong and ends. */
#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            dprintf(STDERR_FILENO, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);         \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

static void in_child(void (*check)(void))
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        check();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void enter(bool network)
{
    struct sandbox_needs needs = {.network = network};
    struct err e = {0};

    EXPECT(sandbox_enter(&needs, &e) == 0);
}

static void become_ordinary(void)
{
    if (geteuid() == 0)
        EXPECT(setresgid(OTHER_ID, OTHER_ID, OTHER_ID) == 0 && setresuid(OTHER_ID, OTHER_ID, OTHER_ID) == 0);
}

/* ---- capabilities ---- */

static bool has_any_capability(void)
{
    cap_t now = cap_get_proc(), none = cap_init();
    bool any = cap_compare(now, none) != 0;

    cap_free(now);
    cap_free(none);
    return any;
}

static void check_nothing_is_left(void)
{
    bool took = sandbox_takes();

    enter(false);
    EXPECT(!has_any_capability() && !sandbox_takes());
    for (cap_value_t value = 0; took && cap_get_bound(value) >= 0; value++)
        EXPECT(cap_get_bound(value) == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(WITHOUT_FILTER || prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER);
    EXPECT(prctl(PR_GET_DUMPABLE) == !took);
}

TEST(sandbox__leaves_no_capability_in_any_set)
{
    in_child(check_nothing_is_left);
}

static void check_ordinary_user(void)
{
    become_ordinary();
    EXPECT(prctl(PR_SET_DUMPABLE, 1) == 0); /* as after an exec */
    EXPECT(!sandbox_takes());
    check_nothing_is_left();
}

TEST(sandbox__an_ordinary_user_may_look_at_its_own)
{
    in_child(check_ordinary_user);
}

static char folder[] = "/tmp/ringside-test-sandbox-XXXXXX";

static void check_closed_folder(void)
{
    cap_value_t kept = CAP_DAC_OVERRIDE;
    cap_t want = cap_init(), now;
    char inner[128];
    struct sandbox_place place[] = {{"/", W_OK | X_OK, 0}, {folder, W_OK | X_OK, 0}};
    struct sandbox_needs needs = {.place = place, .places = 2};
    struct err e = {0};

    cap_set_flag(want, CAP_EFFECTIVE, 1, &kept, CAP_SET);
    cap_set_flag(want, CAP_PERMITTED, 1, &kept, CAP_SET);
    EXPECT(sandbox_enter(&needs, &e) == 0);
    now = cap_get_proc();
    EXPECT(cap_compare(now, want) == 0);
    snprintf(inner, sizeof(inner), "%s/file", folder);
    EXPECT(open(inner, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) >= 0 && unlink(inner) == 0);
}

static void check_open_folder(void)
{
    struct sandbox_place place[] = {{"/", W_OK | X_OK, 0},
                                    {"/tmp/ringside-none/there", W_OK | X_OK, 0},
                                    {"/etc/passwd", R_OK, 0},
                                    {"/nowhere/to/be/found", W_OK, 0}};
    struct sandbox_needs needs = {.place = place, .places = ARRAY_LEN(place)};
    struct err e = {0};

    EXPECT(sandbox_enter(&needs, &e) == 0);
    EXPECT(!has_any_capability());
}

static void check_closed_file(void)
{
    cap_value_t kept = CAP_DAC_READ_SEARCH;
    cap_t want = cap_init(), now;
    struct sandbox_place place = {folder, R_OK, 0};
    struct sandbox_needs needs = {.place = &place, .places = 1};
    struct err e = {0};

    cap_set_flag(want, CAP_EFFECTIVE, 1, &kept, CAP_SET);
    cap_set_flag(want, CAP_PERMITTED, 1, &kept, CAP_SET);
    EXPECT(sandbox_enter(&needs, &e) == 0);
    now = cap_get_proc();
    EXPECT(cap_compare(now, want) == 0);
}

TEST(sandbox__keeps_one_capability_for_what_is_somebody_elses)
{
    if (geteuid() != 0)
        skip();
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chown(folder, OTHER_ID, OTHER_ID), 0);
    in_child(check_closed_folder);
    in_child(check_closed_file);
    assert_int_equal(rmdir(folder), 0);
    in_child(check_open_folder);
}

/* ---- the filter ---- */

static bool refuses(long number, long a, long b, long c)
{
    errno = 0;
    return syscall(number, a, b, c, 0L, 0L, 0L) == -1 && (errno == EPERM || errno == ENOSYS);
}

/* Arguments that would do no harm, and get another answer from a kernel without the filter. */
static void check_refused(void)
{
    static char *const no_words[] = {NULL};
    long parent = getppid();
    int no = 0;

    EXPECT(refuses(__NR_execve, (long)"/nowhere", (long)no_words, (long)no_words));
    EXPECT(refuses(__NR_execveat, -1, (long)"/nowhere", (long)no_words));
    EXPECT(refuses(__NR_fork, 0, 0, 0));
    EXPECT(refuses(__NR_vfork, 0, 0, 0));
    EXPECT(refuses(__NR_clone, SIGCHLD, 0, 0));
    EXPECT(refuses(__NR_clone, CLONE_NEWUSER | SIGCHLD, 0, 0));
    EXPECT(refuses(__NR_clone3, 0, 0, 0));
    EXPECT(refuses(__NR_ptrace, 0x4206, parent, 0)); /* PTRACE_SEIZE */
    EXPECT(refuses(__NR_process_vm_writev, parent, 0, 0));
    EXPECT(refuses(__NR_kill, parent, 0, 0) && refuses(__NR_kill, -1, 0, 0) && refuses(__NR_kill, 0, 0, 0));
    EXPECT(refuses(__NR_tkill, parent, 0, 0));
    EXPECT(refuses(__NR_tgkill, parent, parent, 0));
    EXPECT(refuses(__NR_rt_sigqueueinfo, parent, 0, 0));
    EXPECT(refuses(__NR_pidfd_open, parent, 0, 0));
    EXPECT(refuses(__NR_pidfd_getfd, -1, 0, 0));
    EXPECT(refuses(__NR_pidfd_send_signal, -1, 0, 0));
    EXPECT(refuses(__NR_setuid, getuid(), 0, 0));
    EXPECT(refuses(__NR_setresuid, -1, -1, -1));
    EXPECT(refuses(__NR_setgroups, 0, 0, 0));
    EXPECT(refuses(__NR_capset, 0, 0, 0));
    EXPECT(refuses(__NR_setns, -1, 0, 0));
    EXPECT(refuses(__NR_unshare, 0, 0, 0));
    EXPECT(refuses(__NR_mount, 0, 0, 0));
    EXPECT(refuses(__NR_umount2, 0, 0, 0));
    EXPECT(refuses(__NR_chroot, (long)"/", 0, 0));
    EXPECT(refuses(__NR_bpf, 0, 0, 0));
    EXPECT(refuses(__NR_perf_event_open, 0, 0, -1));
    EXPECT(refuses(__NR_keyctl, 0, 0, 0));
    EXPECT(refuses(__NR_add_key, 0, 0, 0));
    EXPECT(refuses(__NR_io_uring_setup, 1, 0, 0));
    EXPECT(refuses(__NR_userfaultfd, 1, 0, 0));
    EXPECT(refuses(__NR_init_module, 0, 0, 0));
    EXPECT(refuses(__NR_open_by_handle_at, -1, 0, 0));
    EXPECT(refuses(__NR_mknod, 0, 0, 0));
    EXPECT(refuses(__NR_prctl, PR_SET_SECUREBITS, 0, 0));
    EXPECT(refuses(__NR_prctl, PR_SET_DUMPABLE, 1, 0));
    EXPECT(refuses(__NR_prctl, PR_SET_PTRACER, parent, 0));
    EXPECT(refuses(__NR_prlimit64, parent, 0, 0));
    EXPECT(refuses(__NR_ioctl, STDERR_FILENO, TIOCSTI, (long)"x"));
    EXPECT(refuses(__NR_fcntl, STDERR_FILENO, F_SETOWN, parent));
    EXPECT(refuses(__NR_fcntl, STDERR_FILENO, F_SETFL, 0));
    EXPECT(refuses(__NR_ioctl, STDERR_FILENO, FIONBIO, (long)&no));
    EXPECT(refuses(__NR_socket, AF_PACKET, SOCK_DGRAM, 0));
    EXPECT(refuses(__NR_socket, AF_NETLINK, SOCK_RAW, 9)); /* NETLINK_AUDIT */
    EXPECT(refuses(__NR_socket, AF_ALG, SOCK_SEQPACKET, 0));
    EXPECT(refuses(__NR_listen, -1, 0, 0));
    EXPECT(refuses(__NR_accept, -1, 0, 0));
}

static void check_refused_without_network(void)
{
    enter(false);
    check_refused();
    EXPECT(refuses(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT(refuses(__NR_socket, AF_UNIX, SOCK_SEQPACKET, 0));
    EXPECT(refuses(__NR_socket, AF_INET, SOCK_STREAM, 0));
    EXPECT(refuses(__NR_socket, AF_INET6, SOCK_STREAM, 0));
    EXPECT(refuses(__NR_socket, AF_NETLINK, SOCK_RAW, 0));
    EXPECT(refuses(__NR_bind, -1, 0, 0));
}

static void check_refused_with_network(void)
{
    bool privileged = sandbox_takes();

    enter(true);
    check_refused();
    EXPECT(refuses(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) == privileged);
    EXPECT(refuses(__NR_socket, AF_UNIX, SOCK_SEQPACKET, 0) == privileged);
}

static void check_refused_to_ordinary_users_with_network(void)
{
    become_ordinary();
    check_refused_with_network();
}

static void check_refused_with_local_servers(void)
{
    struct sandbox_needs needs = {.network = true, .local_servers = true};
    struct err e = {0};

    EXPECT(sandbox_enter(&needs, &e) == 0);
    check_refused();
    EXPECT(!refuses(__NR_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

TEST(sandbox__refuses_what_leads_out)
{
    if (WITHOUT_FILTER)
        skip();
    in_child(check_refused_without_network);
    in_child(check_refused_with_network);
    in_child(check_refused_to_ordinary_users_with_network);
    in_child(check_refused_with_local_servers);
}

static bool maps(int fd, int protection)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
    void *at = mmap(NULL, 4096, protection, flags, fd, 0);

    if (at == MAP_FAILED)
        return false;
    munmap(at, 4096);
    return true;
}

static void check_code(bool network)
{
    void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    EXPECT(fd >= 0 && data != MAP_FAILED);
    EXPECT(maps(fd, PROT_READ | PROT_EXEC) && maps(-1, PROT_READ | PROT_WRITE | PROT_EXEC));
    enter(network);
    EXPECT(!maps(-1, PROT_READ | PROT_WRITE | PROT_EXEC) && !maps(-1, PROT_READ | PROT_EXEC));
    EXPECT(mprotect(data, 4096, PROT_READ | PROT_EXEC) < 0);
    EXPECT(mprotect(data, 4096, PROT_READ) == 0);
    EXPECT(!maps(fd, PROT_READ | PROT_WRITE | PROT_EXEC));
    EXPECT(maps(fd, PROT_READ | PROT_EXEC) == network);
    EXPECT(maps(fd, PROT_READ) && maps(-1, PROT_READ | PROT_WRITE));
}

static void check_code_without_network(void)
{
    check_code(false);
}

static void check_code_with_network(void)
{
    check_code(true);
}

TEST(sandbox__makes_no_code_of_data)
{
    if (WITHOUT_FILTER)
        skip();
    in_child(check_code_without_network);
    in_child(check_code_with_network);
}

static void *set(void *flag)
{
    *(bool *)flag = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    return NULL;
}

static void check_allowed(void)
{
    bool confined = false;
    pthread_t thread;

    signal(SIGUSR1, SIG_IGN);
    enter(false);
    EXPECT(pthread_create(&thread, NULL, set, &confined) == 0 && pthread_join(thread, NULL) == 0 && confined);
    EXPECT(raise(SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0);
    EXPECT(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0);
    EXPECT(memfd_create("copy", MFD_CLOEXEC) >= 0);
    EXPECT(access("/proc/self/maps", R_OK) == 0);
}

TEST(sandbox__allows_threads_and_signals_of_its_own)
{
    in_child(check_allowed);
}

/* Whatever this machine's name services are: looked up for the first time, they are loaded. */
static void check_names(void)
{
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

    enter(true);
    EXPECT(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
    freeaddrinfo(found);
    EXPECT(getaddrinfo("localhost", "http", NULL, &found) == 0);
    EXPECT(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
}

TEST(sandbox__looks_names_up)
{
    if (!WITHOUT_FILTER) /* sanitizers link the look-up in another way */
        in_child(check_names);
}

/* ---- files ---- */

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* And takes it away again. */
static bool makes(mode_t mode)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s/new", folder);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd >= 0 && close(fd) == 0 && unlink(path) == 0;
}

static void check_files(void)
{
    struct sandbox_place place = {.path = folder, .mode = W_OK | X_OK};
    struct sandbox_needs needs = {.place = &place, .places = 1};
    char here[160];
    struct err e = {0};

    snprintf(here, sizeof(here), "%s/file", folder);
    EXPECT(sandbox_enter(&needs, &e) == 0);
    EXPECT(opens(here, O_RDONLY) && opens("/proc/self/maps", O_RDONLY));
    EXPECT(!opens(here, O_WRONLY) && !opens(here, O_RDWR) && !opens(here, O_WRONLY | O_CREAT));
    EXPECT(!opens(here, O_WRONLY | O_TRUNC) && !opens(here, O_RDONLY | O_TRUNC));
    EXPECT(!opens("/proc/self/mem", O_RDWR) && !opens("/proc/self/comm", O_WRONLY));
    EXPECT(refuses(__NR_openat2, AT_FDCWD, (long)here, 0));
    EXPECT(!makes(0700) && !makes(0601) && !makes(04600) && !makes(02600) && makes(0644));
    EXPECT(refuses(__NR_fchmod, open(here, O_RDONLY | O_CLOEXEC), 0600, 0));
    EXPECT(chmod(here, 04755) < 0 && truncate(here, 0) < 0 && link(here, "/tmp/ringside-none") < 0);
}

TEST(sandbox__writes_to_no_file_that_is_there)
{
    char here[160];

    if (WITHOUT_FILTER)
        skip();
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(here, sizeof(here), "%s/file", folder);
    close(open(here, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    in_child(check_files);
    unlink(here);
    rmdir(folder);
}

static bool has_landlock(void)
{
    return syscall(__NR_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static void check_folders(void)
{
    struct sandbox_place place[] = {
        {folder, W_OK | X_OK, 0}, {"/nowhere/to/be/found", W_OK | X_OK, 0}, {"held", W_OK | X_OK, 0}};
    struct sandbox_needs needs = {.place = place, .places = ARRAY_LEN(place)};
    char a[160], b[160];
    struct err e = {0};

    snprintf(a, sizeof(a), "%s/a", folder);
    snprintf(b, sizeof(b), "%s/b", folder);
    place[2].folder_fd = open("/var/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
    EXPECT(sandbox_enter(&needs, &e) == 0);
    EXPECT(opens(a, O_WRONLY | O_CREAT | O_EXCL) && rename(a, b) == 0 && unlink(b) == 0);
    EXPECT(mkdir(a, 0700) == 0 && rmdir(a) == 0);
    EXPECT(!opens("/tmp/ringside-none", O_WRONLY | O_CREAT | O_EXCL) &&
           mkdir("/tmp/ringside-none", 0700) < 0);
    EXPECT(!opens("/etc/ringside-none", O_WRONLY | O_CREAT | O_EXCL));
    snprintf(a, sizeof(a), "/var/tmp/ringside-test-%d", (int)getpid());
    EXPECT(opens(a, O_WRONLY | O_CREAT | O_EXCL) && unlink(a) == 0);
    EXPECT(memfd_create("copy", MFD_CLOEXEC) >= 0);
}

TEST(sandbox__writes_to_no_folder_but_those_it_is_for)
{
    if (geteuid() != 0 || !sandbox_takes() || !has_landlock())
        skip();
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    in_child(check_folders);
    rmdir(folder);
}

/* ---- kernels without ---- */

static void check_without_seccomp(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_seccomp, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(filter), .filter = filter};
    struct sandbox_needs needs = {.network = false};
    struct err e = {0};

    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    EXPECT(sandbox_enter(&needs, &e) == -1 && e.code == EINVAL && strstr(e.text, "seccomp"));
    EXPECT(!has_any_capability());
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

TEST(sandbox__goes_on_where_the_kernel_has_no_filters)
{
    if (WITHOUT_FILTER)
        skip();
    in_child(check_without_seccomp);
}
