/*
 * capabilities.c - two capabilities out of all five sets, and a look at whether they are
 *
 * Who runs as root gets the bounding set back at the next exec, so that set is what counts (capabilities(7)).
 * Taking from it needs CAP_SETPCAP; the other four may always be made smaller.
 */
#include "ringside/privilege.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ringside/base.h"

static const struct {
    cap_value_t value;
    const char *name;
} dropped[] = {{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, {CAP_PERFMON, "CAP_PERFMON"}};

static const cap_flag_t flags[] = {CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE};
static const char *const flag_names[] = {"effective", "permitted", "inheritable"};

/* A kernel that does not know a capability (CAP_PERFMON: before 5.8) answers both with -1. */
static bool is_bounding(cap_value_t value)
{
    return cap_get_bound(value) == CAP_SET;
}

static bool is_ambient(cap_value_t value)
{
    return cap_get_ambient(value) == CAP_SET;
}

static bool has_flag(cap_t sets, cap_value_t value, cap_flag_t flag)
{
    cap_flag_value_t is = CAP_CLEAR;

    return cap_get_flag(sets, value, flag, &is) == 0 && is == CAP_SET;
}

static bool exec_gives_bounding(void)
{
    int bits = prctl(PR_GET_SECUREBITS);

    return (getuid() == 0 || geteuid() == 0) && (bits < 0 || !(bits & SECBIT_NOROOT));
}

static bool is_held(cap_t sets, cap_value_t value)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (has_flag(sets, value, flags[i]))
            return true;
    return is_ambient(value) || (is_bounding(value) && exec_gives_bounding());
}

static bool is_any_held(cap_t sets)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (is_held(sets, dropped[i].value))
            return true;
    return false;
}

static int need_setpcap(cap_t sets, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (is_bounding(dropped[i].value) && !has_flag(sets, CAP_SETPCAP, CAP_PERMITTED))
            return err_set(
                e, 0,
                "without CAP_SETPCAP, %s stays in the bounding set: grant CAP_SETPCAP as well (it is "
                "used for this alone), or leave the option away",
                dropped[i].name);
    return 0;
}

int privilege_can_drop(struct err *e)
{
    cap_t now = cap_get_proc();
    int result = 0;

    if (!now)
        return err_set(e, errno, "read this process's capabilities");
    if (is_any_held(now))
        result = need_setpcap(now, e) < 0 ? -1 : 1;
    cap_free(now);
    return result;
}

/* CAP_SETPCAP may be permitted and asleep. */
static int wake_setpcap(cap_t sets, struct err *e)
{
    const cap_value_t value = CAP_SETPCAP;
    cap_t with;
    int result = 0;

    if (has_flag(sets, value, CAP_EFFECTIVE))
        return 0;
    with = cap_dup(sets);
    if (!with || cap_set_flag(with, CAP_EFFECTIVE, 1, &value, CAP_SET) < 0 || cap_set_proc(with) < 0)
        result = err_set(e, errno, "use CAP_SETPCAP");
    cap_free(with);
    return result;
}

static int leave_bounding(cap_t sets, struct err *e)
{
    if (!has_flag(sets, CAP_SETPCAP, CAP_PERMITTED))
        return is_any_held(sets) ? need_setpcap(sets, e) : 0;
    if (wake_setpcap(sets, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (is_bounding(dropped[i].value) && cap_drop_bound(dropped[i].value) < 0)
            return err_set(e, errno, "take %s out of the bounding set", dropped[i].name);
    return 0;
}

static int leave_ambient(struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        if (is_ambient(dropped[i].value) && cap_set_ambient(dropped[i].value, CAP_CLEAR) < 0)
            return err_set(e, errno, "take %s out of the ambient set", dropped[i].name);
    return 0;
}

/* sets: as they were, so this also puts CAP_SETPCAP to sleep again. */
static int leave_flags(cap_t sets, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        for (size_t f = 0; f < ARRAY_LEN(flags); f++)
            if (has_flag(sets, dropped[i].value, flags[f]) &&
                cap_set_flag(sets, flags[f], 1, &dropped[i].value, CAP_CLEAR) < 0)
                return err_set(e, errno, "take %s out of the %s set", dropped[i].name, flag_names[f]);
    return cap_set_proc(sets) < 0 ? err_set(e, errno, "give up capabilities") : 0;
}

static int still_there(size_t i, const char *set, struct err *e)
{
    return err_set(e, 0, "%s is still in the %s set", dropped[i].name, set);
}

static int check_gone(cap_t sets, bool bounding, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++) {
        for (size_t f = 0; f < ARRAY_LEN(flags); f++)
            if (has_flag(sets, dropped[i].value, flags[f]))
                return still_there(i, flag_names[f], e);
        if (is_ambient(dropped[i].value))
            return still_there(i, "ambient", e);
        if (bounding && is_bounding(dropped[i].value))
            return still_there(i, "bounding", e);
    }
    return 0;
}

static int read_back(bool bounding, struct err *e)
{
    cap_t now = cap_get_proc();
    int result;

    if (!now)
        return err_set(e, errno, "read this process's capabilities");
    result = check_gone(now, bounding, e);
    cap_free(now);
    return result;
}

int privilege_drop(struct err *e)
{
    cap_t before = cap_get_proc();
    bool bounding;
    int result;

    if (!before)
        return err_set(e, errno, "read this process's capabilities");
    bounding = is_any_held(before) || has_flag(before, CAP_SETPCAP, CAP_PERMITTED);
    result = leave_bounding(before, e) < 0 || leave_ambient(e) < 0 || leave_flags(before, e) < 0 ? -1 : 0;
    cap_free(before);
    return result < 0 ? -1 : read_back(bounding, e);
}

/* ---- what switching takes ---- */

int privilege_can_switch(bool signals, struct err *e)
{
    static const struct {
        cap_value_t value;
        const char *name, *what;
    } needed[] = {{CAP_SETUID, "CAP_SETUID", "becoming another user"},
                  {CAP_SETGID, "CAP_SETGID", "leaving one's groups"},
                  {CAP_KILL, "CAP_KILL", "passing signals on to another user's process"}};
    size_t count = ARRAY_LEN(needed) - !signals;
    cap_t now = cap_get_proc();
    int result = 0;

    if (!now)
        return err_set(e, errno, "read this process's capabilities");
    for (size_t i = 0; i < count && result == 0; i++)
        if (!has_flag(now, needed[i].value, CAP_EFFECTIVE))
            result = err_set(e, 0, "%s takes root, or %s: this process (user id %u) has it not",
                             needed[i].what, needed[i].name, (unsigned)geteuid());
    cap_free(now);
    return result;
}
