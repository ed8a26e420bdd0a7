/*
 * test_privilege.c - users by name and number, and giving up for good, in processes of their own
 */
#include "unit.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/privilege.h"

#define BIT(cap)  (1ULL << (cap))
#define BOTH      (BIT(CAP_SYS_ADMIN) | BIT(CAP_PERFMON))
#define SOME_UID  54321
#define SOME_GID  54322
#define FAILED_AT (__LINE__ % 251 + 1) /* as an exit status */

/* As the kernel tells them, not the library. */
struct sets {
    unsigned long long inheritable, permitted, effective, bounding, ambient;
};

static bool read_sets(struct sets *s)
{
    char text[8192];
    const char *at;

    if (read_small_file(-1, "/proc/self/status", text, sizeof(text), NULL) < 0 ||
        !(at = strstr(text, "CapInh:")))
        return false;
    return sscanf(at, "CapInh: %llx CapPrm: %llx CapEff: %llx CapBnd: %llx CapAmb: %llx", &s->inheritable,
                  &s->permitted, &s->effective, &s->bounding, &s->ambient) == 5;
}

static unsigned long long any_of(const struct sets *s)
{
    return s->inheritable | s->permitted | s->effective | s->bounding | s->ambient;
}

/* Exit status of a function in a process of its own. */
static int in_child(int (*run)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(run());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void need_root_with_capabilities(void)
{
    struct sets s;

    if (geteuid() != 0 || !read_sets(&s) || (s.effective & s.bounding & BOTH) != BOTH ||
        !(s.effective & BIT(CAP_SETPCAP)))
        skip();
}

static bool set_flag(cap_flag_t flag, cap_value_t value, cap_flag_value_t to)
{
    cap_t sets = cap_get_proc();
    bool ok = sets && cap_set_flag(sets, flag, 1, &value, to) == 0 && cap_set_proc(sets) == 0;

    cap_free(sets);
    return ok;
}

/* From now on a system call does nothing and returns -code, or 0. */
static bool deny(unsigned call, unsigned code)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                 &(struct sock_fprog){.len = ARRAY_LEN(filter), .filter = filter}) == 0;
}

/* ---- capabilities ---- */

static int drop_all_sets(void)
{
    struct sets before, after;
    struct err e;

    if (!set_flag(CAP_INHERITABLE, CAP_SYS_ADMIN, CAP_SET) ||
        !set_flag(CAP_INHERITABLE, CAP_PERFMON, CAP_SET) || cap_set_ambient(CAP_SYS_ADMIN, CAP_SET) < 0 ||
        cap_set_ambient(CAP_PERFMON, CAP_SET) < 0 || !read_sets(&before) ||
        (before.inheritable & before.ambient & BOTH) != BOTH)
        return FAILED_AT;
    if (privilege_can_drop(&e) != 1 || privilege_drop(&e) < 0 || !read_sets(&after))
        return FAILED_AT;
    if (any_of(&after) & BOTH)
        return FAILED_AT;
    if (after.effective != (before.effective & ~BOTH) || after.permitted != (before.permitted & ~BOTH) ||
        after.bounding != (before.bounding & ~BOTH))
        return FAILED_AT;
    return privilege_can_drop(&e) == 0 && privilege_drop(&e) == 0 ? 0 : FAILED_AT;
}

TEST(privilege__drops_both_from_all_five_sets_and_nothing_else)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_all_sets), 0);
}

static int drop_with_setpcap_asleep(void)
{
    struct sets s;
    struct err e;

    if (!set_flag(CAP_EFFECTIVE, CAP_SETPCAP, CAP_CLEAR) || privilege_drop(&e) < 0 || !read_sets(&s))
        return FAILED_AT;
    if (any_of(&s) & BOTH || s.effective & BIT(CAP_SETPCAP) || !(s.permitted & BIT(CAP_SETPCAP)))
        return FAILED_AT;
    return 0;
}

TEST(privilege__uses_setpcap_that_is_permitted_and_puts_it_to_sleep_again)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_with_setpcap_asleep), 0);
}

static int drop_without_setpcap(void)
{
    struct sets before, after;
    struct err e;

    if (!set_flag(CAP_EFFECTIVE, CAP_SETPCAP, CAP_CLEAR) || !set_flag(CAP_PERMITTED, CAP_SETPCAP, CAP_CLEAR))
        return FAILED_AT;
    if (privilege_can_drop(&e) != -1 || !strstr(e.text, "CAP_SETPCAP") || !read_sets(&before))
        return FAILED_AT;
    if (privilege_drop(&e) != -1 || !read_sets(&after) || memcmp(&before, &after, sizeof(before)) != 0)
        return FAILED_AT;
    /* Nothing held is not enough: root gets the bounding set with the next exec. */
    if (!set_flag(CAP_EFFECTIVE, CAP_SYS_ADMIN, CAP_CLEAR) ||
        !set_flag(CAP_EFFECTIVE, CAP_PERFMON, CAP_CLEAR) ||
        !set_flag(CAP_PERMITTED, CAP_SYS_ADMIN, CAP_CLEAR) ||
        !set_flag(CAP_PERMITTED, CAP_PERFMON, CAP_CLEAR))
        return FAILED_AT;
    return privilege_can_drop(&e) == -1 && privilege_drop(&e) == -1 ? 0 : FAILED_AT;
}

TEST(privilege__refuses_to_drop_what_would_come_back)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_without_setpcap), 0);
}

static int drop_as_ordinary_user(void)
{
    struct err e;

    if (setresuid(SOME_UID, SOME_UID, SOME_UID) < 0)
        return FAILED_AT;
    return privilege_can_drop(&e) == 0 && privilege_drop(&e) == 0 ? 0 : FAILED_AT;
}

TEST(privilege__has_nothing_to_drop_as_an_ordinary_user)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_as_ordinary_user), 0);
}

/* One capability and nothing else: a program file's. */
static int drop_one_of_a_user(void)
{
    const cap_value_t only = CAP_PERFMON;
    cap_t one = cap_init();
    struct err e;

    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setresuid(SOME_UID, SOME_UID, SOME_UID) < 0 ||
        cap_set_flag(one, CAP_PERMITTED, 1, &only, CAP_SET) < 0 || cap_set_proc(one) < 0)
        return FAILED_AT;
    cap_free(one);
    return privilege_can_drop(&e) == -1 && strstr(e.text, "CAP_SETPCAP") && privilege_drop(&e) == -1
               ? 0
               : FAILED_AT;
}

TEST(privilege__tells_a_user_with_one_capability_which_is_missing)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_one_of_a_user), 0);
}

static int drop_half_way(void)
{
    struct err e;

    return deny(SYS_capset, EPERM) && privilege_drop(&e) == -1 && e.code == EPERM ? 0 : FAILED_AT;
}

static int drop_for_show(void)
{
    struct err e;

    return deny(SYS_capset, 0) && privilege_drop(&e) == -1 && strstr(e.text, "still") ? 0 : FAILED_AT;
}

TEST(privilege__does_not_take_the_kernel_s_word_for_a_drop)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(drop_half_way), 0);
    assert_int_equal(in_child(drop_for_show), 0);
}

/* ---- users ---- */

static void assert_unknown(const char *text, const char *quoted)
{
    struct privilege_user u;
    struct err e = {0};

    assert_int_equal(privilege_find_user(text, &u, &e), -1);
    if (!strstr(e.text, quoted))
        fail_msg("%s: %s", text, e.text);
    assert_null(u.groups);
    privilege_user_release(&u);
}

TEST(privilege__finds_users_by_name_and_number)
{
    static const char *const same[] = {"root", "0", "root:root", "root:0", "0:root", "0:0"};
    struct privilege_user u;
    struct err e;

    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        if (privilege_find_user(same[i], &u, &e) < 0)
            fail_msg("%s: %s", same[i], e.text);
        assert_int_equal(u.uid, 0);
        assert_int_equal(u.gid, 0);
        assert_true(u.group_count >= 1);
        assert_int_equal(u.groups[0], 0);
        privilege_user_release(&u);
        privilege_user_release(&u);
    }
    assert_int_equal(privilege_find_user("4000000000:4294967294", &u, &e), 0);
    assert_int_equal(u.uid, 4000000000U);
    assert_int_equal(u.gid, 4294967294U);
    assert_int_equal(u.group_count, 1);
    assert_int_equal(u.groups[0], 4294967294U);
    privilege_user_release(&u);
}

TEST(privilege__refuses_users_that_are_none)
{
    char too_long[600];

    memset(too_long, 'a', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    assert_unknown("no such user", "no user \"no such user\"");
    assert_unknown("root:no such group", "no group \"no such group\"");
    assert_unknown("0:no such group", "no group");
    assert_unknown("", "USER:GROUP");
    assert_unknown(":root", "USER:GROUP");
    assert_unknown("root:", "USER:GROUP");
    assert_unknown("root:root:root", "root:root");
    assert_unknown("4294967295:0", "4294967295"); /* "leave it as it is" to the kernel */
    assert_unknown("4294967296:0", "4294967296");
    assert_unknown("0:4294967295", "4294967295");
    assert_unknown("-1:0", "-1");
    assert_unknown("+1:0", "+1");
    assert_unknown("0x10:0", "0x10");
    assert_unknown("4000000000", "4000000000:GROUP"); /* whose group nobody knows */
    assert_unknown(too_long, "too long");
    too_long[0] = '0';
    too_long[1] = ':';
    assert_unknown(too_long, "too long");
}

static int switch_for_good(void)
{
    struct privilege_user u;
    gid_t many[3] = {1, 2, 3}, now[4];
    uid_t uid[3];
    gid_t gid[3];
    struct err e;

    if (setgroups(3, many) < 0 || privilege_can_switch(true, &e) < 0)
        return FAILED_AT;
    if (privilege_find_user("54321:54322", &u, &e) < 0 || privilege_switch(&u, &e) < 0)
        return FAILED_AT;
    getresuid(&uid[0], &uid[1], &uid[2]);
    getresgid(&gid[0], &gid[1], &gid[2]);
    for (int i = 0; i < 3; i++)
        if (uid[i] != SOME_UID || gid[i] != SOME_GID)
            return FAILED_AT;
    if (getgroups(4, now) != 1 || now[0] != SOME_GID)
        return FAILED_AT;
    if (setuid(0) == 0 || setgid(0) == 0 || privilege_can_switch(false, &e) == 0 ||
        privilege_switch(&u, &e) == 0)
        return FAILED_AT;
    privilege_user_release(&u);
    return 0;
}

TEST(privilege__switches_without_a_way_back)
{
    need_root_with_capabilities();
    assert_int_equal(in_child(switch_for_good), 0);
}

static int switch_with_a_way_back(void)
{
    struct privilege_user u;
    struct err e;

    if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 ||
        privilege_find_user("54321:54322", &u, &e) < 0)
        return FAILED_AT;
    return privilege_switch(&u, &e) == -1 && strstr(e.text, "root again") ? 0 : FAILED_AT;
}

static unsigned denied_call;

static int switch_for_show(void)
{
    struct privilege_user u;
    struct err e;

    if (privilege_find_user("54321:54322", &u, &e) < 0 || !deny(denied_call, 0))
        return FAILED_AT;
    return privilege_switch(&u, &e) == -1 ? 0 : FAILED_AT;
}

TEST(privilege__does_not_take_the_kernel_s_word_for_a_switch)
{
    static const unsigned calls[] = {SYS_setgroups, SYS_setresgid, SYS_setresuid};

    need_root_with_capabilities();
    assert_int_equal(in_child(switch_with_a_way_back), 0);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        denied_call = calls[i];
        assert_int_equal(in_child(switch_for_show), 0);
    }
}
