/*
 * sandbox.c - capabilities out of all sets, then the filter
 */
#include "ringside/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "filter.h"
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

/* ---- folders ---- */

struct probe {
    const struct sandbox_needs *needs;
    const char *closed; /* NULL: none is */
};

/* A folder that is not there yet is made in the one above it. */
static bool is_closed(const char *folder)
{
    char path[PATH_MAX];
    char *slash;

    if (strlen(folder) >= sizeof(path))
        return false;
    strcpy(path, folder);
    while (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0) {
        if (errno != ENOENT)
            return errno == EACCES;
        slash = strrchr(path, '/');
        if (!slash || !path[1])
            return false;
        slash[slash == path] = '\0';
    }
    return false;
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
    for (uint32_t i = 0; i < p->needs->folders && gone && !p->closed; i++)
        if (is_closed(p->needs->folder[i]))
            p->closed = p->needs->folder[i];
    return NULL;
}

static const char *find_closed_folder(const struct sandbox_needs *needs)
{
    struct probe p = {.needs = needs};
    pthread_attr_t attr;
    pthread_t thread;

    if (!needs->folders || pthread_attr_init(&attr) != 0)
        return NULL;
    pthread_attr_setstacksize(&attr, PROBE_STACK);
    if (pthread_create(&thread, &attr, look_without, &p) == 0)
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    return p.closed;
}

/* ---- capabilities ---- */

/* What stays: CAP_DAC_OVERRIDE, or nothing (-1). */
static cap_value_t choose_kept(const struct sandbox_needs *needs, cap_t now)
{
    const char *closed = has(now, CAP_DAC_OVERRIDE, CAP_EFFECTIVE) ? find_closed_folder(needs) : NULL;

    if (!closed)
        return -1;
    log_info(sandbox,
             "%s can be written to by right of CAP_DAC_OVERRIDE alone, which therefore is kept: give the "
             "folder to user %u",
             closed, (unsigned)geteuid());
    return CAP_DAC_OVERRIDE;
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

int sandbox_enter(const struct sandbox_needs *needs, struct err *e)
{
    bool took = sandbox_takes();
    struct err later;
    int result = give_up(needs, e);

    /*
     * Others of the same user who have no capabilities either could now look into this process (ptrace(2)),
     * and have the supervisor open files for them. Without capabilities to begin with there is nothing to
     * gain, and its user may want to look.
     */
    if (took && prctl(PR_SET_DUMPABLE, 0) < 0 && result == 0)
        result = err_set(e, errno, "keep others out");
    if (filter_install(needs->network, result == 0 ? e : &later) < 0)
        result = -1;
    return result;
}
