/*
 * runtime.c - which container runtime, if any
 *
 * There is no official way to know. Each runtime leaves a file, a variable or its name in the cgroup path;
 * where none of these is left, a PID namespace that is not the first tells that it is some container. Virtual
 * machines are made of containers' images, files included: who shares all namespaces with the kernel's own
 * processes is in none.
 */
#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/place.h"

#include "files.h"

/* include/linux/proc_ns.h: the first namespace of each kind has the same inode in every kernel. */
static const struct {
    const char *path, *first;
} namespaces[] = {
    {"/proc/self/ns/pid", "pid:[4026531836]"},
    {"/proc/self/ns/uts", "uts:[4026531838]"},
    {"/proc/self/ns/ipc", "ipc:[4026531839]"},
};

#define TEXT_MAX 32768

static const struct {
    const char *name, *word;
} runtimes[] = {
    [PLACE_HOST] = {"this machine", "host"},
    [PLACE_DOCKER] = {"Docker", "docker"},
    [PLACE_PODMAN] = {"Podman", "podman"},
    [PLACE_CONTAINERD] = {"containerd", "containerd"},
    [PLACE_CRIO] = {"CRI-O", "crio"},
    [PLACE_LXC] = {"LXC", "lxc"},
    [PLACE_NSPAWN] = {"systemd-nspawn", "systemd-nspawn"},
    [PLACE_CONTAINER] = {"a container", "container"},
    [PLACE_WSL] = {"Windows Subsystem for Linux", "wsl"},
    [PLACE_GVISOR] = {"gVisor", "gvisor"},
};

const char *place_name(const struct place *p)
{
    return p->kubernetes ? "Kubernetes" : runtimes[p->runtime].name;
}

const char *place_runtime_word(const struct place *p)
{
    return runtimes[p->runtime].word;
}

/* The value of a variable in text as /proc/PID/environ has it, n bytes; NULL. */
static const char *variable(const char *text, size_t n, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = text; at < text + n; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static enum place_runtime by_word(const char *word)
{
    static const struct {
        const char *word;
        enum place_runtime runtime;
    } known[] = {{"docker", PLACE_DOCKER},         {"podman", PLACE_PODMAN},
                 {"libpod", PLACE_PODMAN},         {"crio", PLACE_CRIO},
                 {"containerd", PLACE_CONTAINERD}, {"lxc", PLACE_LXC},
                 {"systemd-nspawn", PLACE_NSPAWN}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strstr(word, known[i].word))
            return known[i].runtime;
    return PLACE_HOST;
}

static enum place_runtime by_files(const struct place *p)
{
    char text[64];

    if (place_has(p->root, "/run/.containerenv"))
        return PLACE_PODMAN;
    if (place_has(p->root, "/.dockerenv"))
        return PLACE_DOCKER;
    if (place_read(p->root, "/run/systemd/container", text, sizeof(text)) > 0 ||
        place_read(p->root, "/run/host/container-manager", text, sizeof(text)) > 0)
        return by_word(text);
    return PLACE_HOST;
}

/* gVisor's kernel is a program that says it is some Linux of a certain day (pkg/sentry/syscalls/linux);
 * "4.4.0", later "4.19.0-gvisor". */
static bool is_gvisor(const char *version)
{
    return strstr(version, "gvisor") || strstr(version, "gVisor") ||
           strstr(version, "Sun Jan 10 15:06:54 PST 2016");
}

static bool shares_all_namespaces(const struct place *p)
{
    char text[64];

    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        if (!place_link(p->root, namespaces[i].path, text, sizeof(text)) ||
            strcmp(text, namespaces[i].first) != 0)
            return false;
    return true;
}

static bool has_pid_namespace(const struct place *p)
{
    char text[64];

    return place_link(p->root, namespaces[0].path, text, sizeof(text)) &&
           strcmp(text, namespaces[0].first) != 0;
}

static bool is_kubernetes(const struct place *p, const char *environment, size_t n)
{
    return variable(environment, n, "KUBERNETES_SERVICE_HOST") ||
           place_has(p->root, "/var/run/secrets/kubernetes.io/serviceaccount") ||
           place_has(p->root, "/run/secrets/kubernetes.io/serviceaccount");
}

/* What a container's image or its runtime left; files of an image may be of a machine that was made of it. */
static void look_at_signs(struct place *p)
{
    char text[TEXT_MAX];
    const char *word;
    long n;

    if (p->runtime == PLACE_HOST)
        p->runtime = by_files(p);
    n = place_read(p->root, "/proc/self/environ", text, sizeof(text) - 1);
    word = variable(text, n < 0 ? 0 : (size_t)n, "container");
    if (p->runtime == PLACE_HOST && word)
        p->runtime = by_word(word);
    p->kubernetes |= is_kubernetes(p, text, n < 0 ? 0 : (size_t)n);
    if (p->runtime == PLACE_HOST && (p->kubernetes || has_pid_namespace(p)))
        p->runtime = PLACE_CONTAINER;
}

void place_look_at_runtime(struct place *p)
{
    char text[TEXT_MAX];

    place_read(p->root, "/proc/self/cgroup", text, sizeof(text));
    p->runtime = by_word(text);
    p->kubernetes = strstr(text, "kubepods") != NULL;
    if (!shares_all_namespaces(p))
        look_at_signs(p);
    place_read(p->root, "/proc/version", text, sizeof(text));
    if (is_gvisor(text))
        p->runtime = PLACE_GVISOR;
    else if (p->runtime == PLACE_HOST && (strstr(text, "microsoft") || strstr(text, "Microsoft")))
        p->runtime = PLACE_WSL;
}
