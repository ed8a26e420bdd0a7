/*
 * user.c - becoming somebody else: who that is, and the switch without a way back
 */
#include "ringside/privilege.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"

#define NAME_MAX_BYTES 256

/* ---- who ---- */

/* What the pages of getpwnam(3) and getgrnam(3) list for "there is none". */
static bool means_unknown(int code)
{
    return code == 0 || code == ENOENT || code == ESRCH || code == EBADF || code == EPERM;
}

/* False for what is no id; the largest number means "leave it" to the kernel (setresuid(2)). */
static bool parse_id(const char *text, uint32_t *id)
{
    unsigned long long number;

    if (!text[0] || strlen(text) > 10 || text[strspn(text, "0123456789")])
        return false;
    number = strtoull(text, NULL, 10);
    *id = (uint32_t)number;
    return number < UINT32_MAX;
}

static int unknown(const char *what, const char *name, int code, struct err *e)
{
    if (means_unknown(code))
        return err_set(e, 0, "there is no %s \"%s\"", what, name);
    return err_set(e, code, "look up %s \"%s\"", what, name);
}

static int find_group(const char *name, gid_t *gid, struct err *e)
{
    const struct group *entry;
    int code;

    errno = 0;
    entry = getgrnam(name);
    code = errno;
    if (!entry && !parse_id(name, gid))
        return unknown("group", name, code, e);
    if (entry)
        *gid = entry->gr_gid;
    return 0;
}

/* A name wins over a number, as with chown (POSIX, XCU chown). *entry: NULL for a number that nobody has. */
static int find_entry(const char *name, uid_t *uid, const struct passwd **entry, struct err *e)
{
    int code;

    errno = 0;
    *entry = getpwnam(name);
    code = errno;
    if (!*entry) {
        if (!parse_id(name, uid))
            return unknown("user", name, code, e);
        *entry = getpwuid(*uid);
    }
    if (*entry)
        *uid = (*entry)->pw_uid;
    return 0;
}

static int compare_gids(const void *a, const void *b)
{
    gid_t left = *(const gid_t *)a, right = *(const gid_t *)b;

    return (left > right) - (left < right);
}

static int take_login_groups(const struct passwd *entry, struct privilege_user *out, struct err *e)
{
    int room = 64, count = room;

    out->gid = entry->pw_gid;
    out->groups = base_alloc((size_t)room * sizeof(gid_t));
    while (getgrouplist(entry->pw_name, entry->pw_gid, out->groups, &count) < 0) {
        if (room >= PRIVILEGE_GROUPS_MAX)
            return err_set(e, 0, "user \"%s\" is in more groups than a process can be", entry->pw_name);
        room = count = MIN_OF(MAX_OF(count, 2 * room), PRIVILEGE_GROUPS_MAX);
        out->groups = base_realloc(out->groups, (size_t)room * sizeof(gid_t));
    }
    out->group_count = count;
    qsort(out->groups, (size_t)count, sizeof(gid_t), compare_gids);
    return 0;
}

static int take_one_group(const char *name, struct privilege_user *out, struct err *e)
{
    if (find_group(name, &out->gid, e) < 0)
        return -1;
    out->groups = base_alloc(sizeof(gid_t));
    out->groups[0] = out->gid;
    out->group_count = 1;
    return 0;
}

static int find_user(const char *user, const char *group, struct privilege_user *out, struct err *e)
{
    const struct passwd *entry;

    if (find_entry(user, &out->uid, &entry, e) < 0)
        return -1;
    if (group)
        return take_one_group(group, out, e);
    if (!entry)
        return err_set(e, 0, "user id %s has no entry that tells its group: say which, %s:GROUP", user, user);
    return take_login_groups(entry, out, e);
}

int privilege_find_user(const char *text, struct privilege_user *out, struct err *e)
{
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    char user[NAME_MAX_BYTES];

    *out = (struct privilege_user){0};
    if (n == 0 || (colon && !colon[1]))
        return err_set(e, 0, "\"%.100s\" is neither USER nor USER:GROUP", text);
    if (n >= sizeof(user) || (colon && strlen(colon + 1) >= NAME_MAX_BYTES))
        return err_set(e, 0, "\"%.100s...\" is too long for a name", text);
    memcpy(user, text, n);
    user[n] = '\0';
    if (find_user(user, colon ? colon + 1 : NULL, out, e) == 0)
        return 0;
    privilege_user_release(out);
    return -1;
}

void privilege_user_release(struct privilege_user *u)
{
    free(u->groups);
    *u = (struct privilege_user){0};
}

/* ---- becoming it ---- */

/* The kernel keeps them sorted (kernel/groups.c, groups_sort). */
static bool has_groups(const struct privilege_user *u)
{
    int count = getgroups(0, NULL);
    FREE_PTR gid_t *now = NULL;

    if (count != u->group_count)
        return false;
    if (count == 0)
        return true;
    now = base_alloc((size_t)count * sizeof(gid_t));
    return getgroups(count, now) == count && memcmp(now, u->groups, (size_t)count * sizeof(gid_t)) == 0;
}

static bool has_ids(const struct privilege_user *u)
{
    uid_t uid[3];
    gid_t gid[3];

    if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uid[i] != u->uid || gid[i] != u->gid)
            return false;
    return true;
}

/* Where securebits keep capabilities over a change of user (capabilities(7), SECBIT_NO_SETUID_FIXUP). */
static bool is_way_back(const struct privilege_user *u)
{
    return u->uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0;
}

int privilege_switch(const struct privilege_user *u, struct err *e)
{
    if (setgroups((size_t)u->group_count, u->groups) < 0)
        return err_set(e, errno, "take the groups of user id %u", (unsigned)u->uid);
    if (setresgid(u->gid, u->gid, u->gid) < 0)
        return err_set(e, errno, "become group id %u", (unsigned)u->gid);
    if (setresuid(u->uid, u->uid, u->uid) < 0)
        return err_set(e, errno, "become user id %u", (unsigned)u->uid);
    if (!has_ids(u) || !has_groups(u))
        return err_set(e, 0, "the kernel did not make this process user id %u with its groups",
                       (unsigned)u->uid);
    if (is_way_back(u))
        return err_set(e, 0, "as user id %u this process could still become root again (securebits)",
                       (unsigned)u->uid);
    return 0;
}
