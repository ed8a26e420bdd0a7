/*
 * landlock.c - see landlock.h; landlock(7)
 *
 * Without capabilities user 0 still owns what the machine is made of: /etc, /proc/sys/kernel/core_pattern. So
 * nothing is written to, made or removed but in the folders that options named. What is open stays open.
 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/sandbox.h"

/* Of later versions than the headers we are built with. */
#define ACCESS_TRUNCATE  (1ULL << 14) /* 3, Linux 6.2 */
#define ACCESS_IOCTL_DEV (1ULL << 15) /* 5, Linux 6.10 */

#define ACCESS_PROFILES                                                                                      \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |        \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define ACCESS_ALL                                                                                           \
    (ACCESS_PROFILES | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                           \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |           \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

static uint64_t all_access(long version)
{
    return ACCESS_ALL | (version >= 3 ? ACCESS_TRUNCATE : 0) | (version >= 5 ? ACCESS_IOCTL_DEV : 0);
}

/* A folder that is not there needs no rule. */
static int allow(int ruleset, const struct sandbox_place *place, uint64_t access, struct err *e)
{
    CLOSE_FD int opened = -1;
    struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = place->folder_fd};

    if (!place->folder_fd)
        rule.parent_fd = opened = open(place->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rule.parent_fd >= 0 &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_set(e, errno, "landlock: %s", place->path);
    return 0;
}

static bool is_folder_to_write(const struct sandbox_place *place)
{
    return (place->mode & (W_OK | X_OK)) == (W_OK | X_OK);
}

int landlock_confine(const struct sandbox_needs *needs, struct err *e)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_ruleset_attr all = {.handled_access_fs = all_access(version)};
    CLOSE_FD int ruleset = -1;

    if (version > 0)
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
    if (ruleset < 0) {
        log_debug(sandbox, "no landlock: %s", strerror(errno));
        return 0;
    }
    for (uint32_t i = 0; i < needs->places; i++) {
        const struct sandbox_place *place = &needs->place[i];
        uint64_t access = ACCESS_PROFILES | (all.handled_access_fs & ACCESS_TRUNCATE);

        if (is_folder_to_write(place) && allow(ruleset, place, access, e) < 0)
            return -1;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return err_set(e, errno, "landlock");
    return 0;
}
