/*
 * fuzz_place.c - any bytes as the files of /proc, /sys and /run that tell what kind of place this is: parts
 * of the input, ended by NUL bytes, each the content of one
 *
 * Whatever they say, all texts end, names are there, and every need has its remedies.
 */
#include "ringside/place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const paths[] = {
    "/proc/self/status",
    "/proc/self/cgroup",
    "/proc/self/environ",
    "/proc/self/uid_map",
    "/proc/self/attr/current",
    "/proc/self/attr/apparmor/current",
    "/run/host/container-manager",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/perf_event_paranoid",
    "/proc/sys/kernel/yama/ptrace_scope",
    "/sys/kernel/security/lsm",
    "/sys/kernel/security/lockdown",
    "/sys/fs/selinux/enforce",
    "/run/systemd/container",
    "/run/.containerenv",
};

static char root[] = "/dev/shm/ringside-fuzz-XXXXXX"; /* files in memory */
static int fds[ARRAY_LEN(paths)];

static void leave(void)
{
    char command[sizeof(root) + 20];

    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    if (system(command) != 0)
        abort();
}

static void make_files(void)
{
    if (!mkdtemp(root))
        abort();
    atexit(leave);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char path[200];

        snprintf(path, sizeof(path), "%s%s", root, paths[i]);
        for (char *slash = path + strlen(root); (slash = strchr(slash + 1, '/'));) {
            *slash = '\0';
            mkdir(path, 0700);
            *slash = '/';
        }
        fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fds[i] < 0)
            abort();
    }
}

static void fill(int fd, const uint8_t *data, size_t n)
{
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, n, 0) != (ssize_t)n)
        abort();
}

static void check(const struct place *p)
{
    struct place_remedy remedy[PLACE_REMEDIES_MAX];

    if (!memchr(p->kernel, '\0', sizeof(p->kernel)) || !memchr(p->lsm, '\0', sizeof(p->lsm)) ||
        !memchr(p->label, '\0', sizeof(p->label)) || !memchr(p->lockdown, '\0', sizeof(p->lockdown)))
        abort();
    if (!*place_name(p) || !*place_runtime_word(p))
        abort();
    for (int need = 0; need < PLACE_NEEDS; need++) {
        size_t count = place_remedies(p, (enum place_need)need, remedy);

        if (count > PLACE_REMEDIES_MAX)
            abort();
        for (size_t i = 0; i < count; i++)
            if (!*remedy[i].where || !memchr(remedy[i].text, '\0', sizeof(remedy[i].text)))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool made;
    struct place p;

    if (!made)
        make_files();
    made = true;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        const uint8_t *end = n ? memchr(data, 0, n) : NULL;
        size_t part = end ? (size_t)(end - data) : n;

        fill(fds[i], data, part);
        data += part + (end != NULL);
        n -= part + (end != NULL);
    }
    place_look(root, &p);
    check(&p);
    return 0;
}
