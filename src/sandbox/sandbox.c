/*
 * sandbox.c - capabilities out of all sets, then the filter
 */
#include "ringside/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "filter.h"
#include "landlock.h"
#include "ringside/base.h"

#define PROBE_STACK (64U << 10)

static bool has(cap_t sets, cap_value_t value, cap_flag_t flag)
{
    cap_flag_value_t is = CAP_CLEAR;

    return cap_get_flag(sets, value, flag, &is) == 0 && is == CAP_SET;
}

bool sandbox_takes(void)
{
    cap_t now = cap_get_proc();
    bool any = false;

    for (cap_value_t value = 0; now && value < cap_max_bits(); value++)
        any |= has(now, value, CAP_PERMITTED);
    cap_free(now);
    return any;
}

/* ---- places that take a capability ---- */

struct probe {
    const struct sandbox_needs *needs;
    const struct sandbox_place *unreadable, *unwritable; /* one such place; NULL: there is none */
};

static bool is_closed(const struct sandbox_place *place)
{
    int result = place->folder_fd ? faccessat(place->folder_fd, ".", place->mode, AT_EACCESS)
                                  : faccessat(AT_FDCWD, place->path, place->mode, AT_EACCESS);

    return result < 0 && errno == EACCES;
}

/*
 * Capabilities are a thread's own, so this one can try what it is to have none. Asking as the process will be
 * is the only way to be right about access lists and folders above.
 */
static void *look_without(void *probe)
{
    struct probe *p = probe;
    cap_t none = cap_init();
    bool gone = none && cap_set_proc(none) == 0;

    cap_free(none);
    for (uint32_t i = 0; i < p->needs->places && gone; i++) {
        const struct sandbox_place *place = &p->needs->place[i];

        if (is_closed(place))
            *(place->mode & W_OK ? &p->unwritable : &p->unreadable) = place;
    }
    return NULL;
}

static void look(struct probe *p)
{
    pthread_attr_t attr;
    pthread_t thread;

    if (!p->needs->places || pthread_attr_init(&attr) != 0)
        return;
    pthread_attr_setstacksize(&attr, PROBE_STACK);
    if (pthread_create(&thread, &attr, look_without, p) == 0)
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}

/* ---- capabilities ---- */

static void tell_kept(const struct sandbox_place *place, const char *what, const char *capability)
{
    log_info(sandbox, "%s can be %s by right of %s alone, which therefore is kept: give it to user %u",
             place->path, what, capability, (unsigned)geteuid());
}

/* What stays; -1: nothing. CAP_DAC_OVERRIDE is good for both. */
static cap_value_t choose_kept(const struct sandbox_needs *needs, cap_t now)
{
    bool writes = has(now, CAP_DAC_OVERRIDE, CAP_EFFECTIVE);
    bool reads = has(now, CAP_DAC_READ_SEARCH, CAP_EFFECTIVE);
    struct probe p = {.needs = needs};

    if (!writes && !reads)
        return -1;
    look(&p);
    if (writes && p.unwritable) {
        tell_kept(p.unwritable, "written to", "CAP_DAC_OVERRIDE");
        return CAP_DAC_OVERRIDE;
    }
    if (!p.unreadable)
        return -1;
    tell_kept(p.unreadable, "read", reads ? "CAP_DAC_READ_SEARCH" : "CAP_DAC_OVERRIDE");
    return reads ? CAP_DAC_READ_SEARCH : CAP_DAC_OVERRIDE;
}

/* Only who has CAP_SETPCAP may; nothing but exec draws from this set, and there will be none. */
static void leave_bounding(cap_t now)
{
    const cap_value_t setpcap = CAP_SETPCAP;

    if (!has(now, setpcap, CAP_PERMITTED))
        return;
    if (cap_set_flag(now, CAP_EFFECTIVE, 1, &setpcap, CAP_SET) < 0 || cap_set_proc(now) < 0)
        return;
    for (cap_value_t value = 0; cap_get_bound(value) >= 0; value++)
        cap_drop_bound(value);
}

static int set_only(cap_value_t kept, struct err *e)
{
    cap_t sets = cap_init();
    int result = 0;

    if (!sets ||
        (kept >= 0 && (cap_set_flag(sets, CAP_PERMITTED, 1, &kept, CAP_SET) < 0 ||
                       cap_set_flag(sets, CAP_EFFECTIVE, 1, &kept, CAP_SET) < 0)) ||
        cap_set_proc(sets) < 0)
        result = err_set(e, errno, "give up capabilities");
    cap_free(sets);
    return result;
}

static bool has_in_any(cap_t sets, cap_value_t value)
{
    return has(sets, value, CAP_PERMITTED) || has(sets, value, CAP_EFFECTIVE) ||
           has(sets, value, CAP_INHERITABLE) || cap_get_ambient(value) == CAP_SET;
}

static int read_back(cap_value_t kept, struct err *e)
{
    cap_t now = cap_get_proc();
    int result = now ? 0 : err_set(e, errno, "read this process's capabilities");

    for (cap_value_t value = 0; result == 0 && value < cap_max_bits(); value++)
        if (has_in_any(now, value) && value != kept)
            result = err_set(e, 0, "capability %d was given up and is still there", (int)value);
    cap_free(now);
    return result;
}

static int give_up(const struct sandbox_needs *needs, struct err *e)
{
    cap_t now = cap_get_proc();
    cap_value_t kept;

    if (!now)
        return err_set(e, errno, "read this process's capabilities");
    kept = choose_kept(needs, now);
    leave_bounding(now);
    cap_free(now);
    cap_reset_ambient();
    return set_only(kept, e) < 0 ? -1 : read_back(kept, e);
}

/* Where there were capabilities, so that somebody else has them. */
static int shut_off(const struct sandbox_needs *needs, struct err *e)
{
    /*
     * Others of the same user who have no capabilities either could now look into this process (ptrace(2)),
     * and have the supervisor open files for them. Without capabilities to begin with there is nothing to
     * gain, and its user may want to look.
     */
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_set(e, errno, "keep others out");
    return landlock_confine(needs, e);
}

/* Local services trust user 0 for what it is, with or without capabilities. */
static enum filter_servers servers_of(const struct sandbox_needs *needs, bool took)
{
    if (!needs->network)
        return FILTER_NO_SERVERS;
    return took && !needs->local_servers ? FILTER_REMOTE_SERVERS : FILTER_LOCAL_SERVERS;
}

int sandbox_enter(const struct sandbox_needs *needs, struct err *e)
{
    bool took = sandbox_takes();
    struct err each[4];
    int result[] = {give_up(needs, &each[0]), 0, 0, 0};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        result[1] = err_set(&each[1], errno, "no_new_privs");
    if (took)
        result[2] = shut_off(needs, &each[2]);
    result[3] = filter_install(servers_of(needs, took), &each[3]);
    for (size_t i = 0; i < ARRAY_LEN(result); i++) {
        if (result[i] < 0) {
            *e = each[i];
            return -1;
        }
    }
    return 0;
}
