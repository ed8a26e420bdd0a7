/*
 * remedies.c - how each thing that may be lacking is granted in each kind of place
 *
 * One table. What runtimes' profiles let through: moby/moby#43987 (Docker 23), containerd/containerd#7301
 * (1.7), containers/container-libs#424 (Podman, late 2025).
 */
#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/place.h"

/* Which places a row is for. */
enum {
    HOST = 1 << 0,
    DOCKER = 1 << 1,
    PODMAN = 1 << 2,
    KUBERNETES = 1 << 3,
    NSPAWN = 1 << 4,
    LXC = 1 << 5,
    OTHER = 1 << 6, /* containers of a kind that is not known */
    CONTAINERS = DOCKER | PODMAN | KUBERNETES | NSPAWN | LXC | OTHER
};

/* When a row is of no use. */
enum {
    BY_CAPABILITY = 1 << 0, /* in a user namespace of its own: does not count there */
    BY_FILE = 1 << 1        /* nor where a program's file gives no privilege */
};

/* {cap} and {CAP} are perfmon and PERFMON, or before Linux 5.8 sys_admin; {program} is this one's path. */
struct row {
    enum place_need need;
    int places, useless;
    const char *where, *text, *note;
};

static const struct row rows[] = {
    {PLACE_NEED_CALL, DOCKER, BY_CAPABILITY, "docker run", "--cap-add {CAP}",
     "from Docker 23 on; before, --cap-add SYS_ADMIN and ringside's --drop-caps"},
    {PLACE_NEED_CALL, DOCKER, 0, "docker run", "--security-opt seccomp=FILE.json",
     "FILE.json: Docker's default profile with perf_event_open allowed"},
    {PLACE_NEED_CALL, PODMAN, BY_CAPABILITY, "podman run", "--cap-add {CAP},SYS_ADMIN",
     "PERFMON alone will do from late 2025 on; ringside's --drop-caps takes both back"},
    {PLACE_NEED_CALL, PODMAN, 0, "podman run", "--security-opt seccomp=FILE.json",
     "FILE.json: Podman's default profile with perf_event_open allowed"},
    {PLACE_NEED_CALL, KUBERNETES, BY_CAPABILITY, "container in the manifest",
     "securityContext: { capabilities: { add: [{CAP}] } }", "containerd 1.7, CRI-O 1.26 or later"},
    {PLACE_NEED_CALL, KUBERNETES, 0, "container in the manifest",
     "securityContext: { seccompProfile: { type: Localhost, localhostProfile: FILE.json } }",
     "FILE.json on the node: the default profile with perf_event_open allowed"},
    {PLACE_NEED_CALL, NSPAWN, 0, "systemd-nspawn", "--system-call-filter=perf_event_open", NULL},
    {PLACE_NEED_CALL, LXC, 0, "container's configuration", "lxc.seccomp.profile = FILE",
     "FILE: a profile that allows perf_event_open"},
    {PLACE_NEED_CALL, OTHER, 0, "container runtime",
     "allow perf_event_open in the seccomp profile, or add the capability {CAP}", NULL},
    {PLACE_NEED_CALL, HOST, 0, "systemd unit", "SystemCallFilter=perf_event_open",
     "or whatever else put this process under a seccomp filter"},

    {PLACE_NEED_EVENTS, HOST, 0, "as root", "sysctl kernel.perf_event_paranoid=2",
     "to keep it: a line in /etc/sysctl.d/ringside.conf"},
    {PLACE_NEED_EVENTS, HOST, BY_CAPABILITY | BY_FILE, "as root",
     "setcap cap_sys_admin,cap_setpcap+ep {program}",
     "these kernels ask for CAP_SYS_ADMIN, not CAP_PERFMON; use --drop-caps with it"},
    {PLACE_NEED_EVENTS, CONTAINERS, 0, "on the node, as root", "sysctl kernel.perf_event_paranoid=2",
     "it is one value for all containers"},
    {PLACE_NEED_EVENTS, DOCKER | PODMAN, BY_CAPABILITY, "docker or podman run", "--cap-add SYS_ADMIN",
     "as root in the container, with ringside's --drop-caps"},
    {PLACE_NEED_EVENTS, KUBERNETES, BY_CAPABILITY, "container in the manifest",
     "securityContext: { capabilities: { add: [SYS_ADMIN] } }",
     "as root in the container, with ringside's --drop-caps"},

    {PLACE_NEED_KERNEL, HOST, 0, "as root", "sysctl kernel.perf_event_paranoid=1",
     "to keep it: a line in /etc/sysctl.d/ringside.conf"},
    {PLACE_NEED_KERNEL, HOST, BY_CAPABILITY | BY_FILE, "as root", "setcap cap_{cap},cap_syslog+ep {program}",
     NULL},
    {PLACE_NEED_KERNEL, HOST, BY_CAPABILITY, "systemd unit", "AmbientCapabilities=CAP_{CAP} CAP_SYSLOG",
     NULL},
    {PLACE_NEED_KERNEL, CONTAINERS, 0, "on the node, as root", "sysctl kernel.perf_event_paranoid=1",
     "it is one value for all containers"},
    {PLACE_NEED_KERNEL, DOCKER | PODMAN, BY_CAPABILITY, "docker or podman run",
     "--cap-add {CAP} --cap-add SYSLOG", "counts for root in the container"},
    {PLACE_NEED_KERNEL, KUBERNETES, BY_CAPABILITY, "container in the manifest",
     "securityContext: { capabilities: { add: [{CAP}, SYSLOG] } }", "counts for root in the container"},

    {PLACE_NEED_HOST, HOST, 0, "as root", "run ringside -g as root", NULL},
    {PLACE_NEED_HOST, HOST, BY_CAPABILITY, "systemd unit",
     "AmbientCapabilities=CAP_{CAP} CAP_SYS_PTRACE CAP_SYSLOG", NULL},
    {PLACE_NEED_HOST, HOST | CONTAINERS, 0, "on the node, as root", "sysctl kernel.perf_event_paranoid=0",
     "lets every user look at all"},
    {PLACE_NEED_HOST, DOCKER | PODMAN, BY_CAPABILITY, "docker or podman run",
     "--pid=host --cap-add {CAP} --cap-add SYS_PTRACE --cap-add SYSLOG", NULL},
    {PLACE_NEED_HOST, KUBERNETES, BY_CAPABILITY, "pod and container in the manifest",
     "hostPID: true, securityContext: { capabilities: { add: [{CAP}, SYS_PTRACE, SYSLOG] } }", NULL},

    {PLACE_NEED_OTHERS, HOST | CONTAINERS, 0, "here",
     "run ringside -p as the user of the process, or as root", NULL},
    {PLACE_NEED_OTHERS, HOST, BY_CAPABILITY | BY_FILE, "as root",
     "setcap cap_{cap},cap_sys_ptrace+ep {program}", "for everybody who may run it"},
    {PLACE_NEED_OTHERS, HOST, BY_CAPABILITY, "systemd unit", "AmbientCapabilities=CAP_{CAP} CAP_SYS_PTRACE",
     NULL},
    {PLACE_NEED_OTHERS, DOCKER | PODMAN, BY_CAPABILITY, "docker or podman run",
     "--pid=container:NAME --cap-add {CAP} --cap-add SYS_PTRACE", "NAME: the container of the process"},
    {PLACE_NEED_OTHERS, KUBERNETES, BY_CAPABILITY, "pod and container in the manifest",
     "shareProcessNamespace: true, securityContext: { capabilities: { add: [{CAP}, SYS_PTRACE] } }", NULL},

    {PLACE_NEED_MEMORY, HOST, 0, "systemd unit", "LimitMEMLOCK=infinity", "in a shell: ulimit -l unlimited"},
    {PLACE_NEED_MEMORY, HOST, 0, "as root", "sysctl kernel.perf_event_mlock_kb=4100",
     "for each CPU and user"},
    {PLACE_NEED_MEMORY, DOCKER | PODMAN, 0, "docker or podman run", "--ulimit memlock=-1", NULL},
    {PLACE_NEED_MEMORY, KUBERNETES, BY_CAPABILITY, "container in the manifest",
     "securityContext: { capabilities: { add: [IPC_LOCK] } }",
     "counts for root in the container; Kubernetes sets no ulimits"},
    {PLACE_NEED_MEMORY, CONTAINERS, 0, "on the node, as root", "sysctl kernel.perf_event_mlock_kb=4100",
     "for each CPU and user"},
    {PLACE_NEED_MEMORY, NSPAWN, 0, "systemd-nspawn", "--rlimit=RLIMIT_MEMLOCK=infinity", NULL},

    {PLACE_NEED_FILES, HOST, 0, "systemd unit", "LimitNOFILE=65536", "in a shell: ulimit -Hn 65536"},
    {PLACE_NEED_FILES, DOCKER | PODMAN, 0, "docker or podman run", "--ulimit nofile=65536:65536", NULL},
    {PLACE_NEED_FILES, KUBERNETES | OTHER | LXC, 0, "on the node", "LimitNOFILE=65536 in the runtime's unit",
     NULL},
    {PLACE_NEED_FILES, NSPAWN, 0, "systemd-nspawn", "--rlimit=RLIMIT_NOFILE=65536", NULL},

    {PLACE_NEED_NAMES, HOST | CONTAINERS, 0, "on the host, as root", "sysctl kernel.kptr_restrict=0", NULL},
    {PLACE_NEED_NAMES, HOST, BY_CAPABILITY | BY_FILE, "as root", "setcap cap_{cap},cap_syslog+ep {program}",
     "with kernel.kptr_restrict at most 1"},
    {PLACE_NEED_NAMES, DOCKER | PODMAN, BY_CAPABILITY, "docker or podman run", "--cap-add SYSLOG",
     "with kernel.kptr_restrict at most 1"},
    {PLACE_NEED_NAMES, KUBERNETES, BY_CAPABILITY, "container in the manifest",
     "securityContext: { capabilities: { add: [SYSLOG] } }", "with kernel.kptr_restrict at most 1"},

    {PLACE_NEED_TRACEFS, HOST, 0, "as root", "mount -t tracefs tracefs /sys/kernel/tracing",
     "where it is mounted but not readable: run ringside as root"},
    {PLACE_NEED_TRACEFS, DOCKER | PODMAN, 0, "docker or podman run",
     "-v /sys/kernel/tracing:/sys/kernel/tracing", "and root in the container"},
    {PLACE_NEED_TRACEFS, KUBERNETES, 0, "pod in the manifest",
     "volumes: [{ name: tracing, hostPath: { path: /sys/kernel/tracing } }]",
     "with a volumeMount there, and root in the container"},

    {PLACE_NEED_LABEL, HOST, 0, "as root", "ausearch -m avc -c ringside | audit2allow -M ringside",
     "then semodule -i ringside.pp"},
    {PLACE_NEED_LABEL, DOCKER | PODMAN, 0, "docker or podman run", "--security-opt label=disable", NULL},
    {PLACE_NEED_LABEL, KUBERNETES, 0, "container in the manifest",
     "securityContext: { seLinuxOptions: { type: spc_t } }", NULL},
};

static int place_bit(const struct place *p)
{
    static const int bits[] = {
        [PLACE_HOST] = HOST,  [PLACE_DOCKER] = DOCKER, [PLACE_PODMAN] = PODMAN, [PLACE_CONTAINERD] = OTHER,
        [PLACE_CRIO] = OTHER, [PLACE_LXC] = LXC,       [PLACE_NSPAWN] = NSPAWN, [PLACE_CONTAINER] = OTHER,
        [PLACE_WSL] = HOST,   [PLACE_GVISOR] = OTHER,
    };

    return p->kubernetes ? KUBERNETES : bits[p->runtime];
}

static bool is_useless(const struct place *p, const struct row *r)
{
    if ((r->useless & BY_FILE) && p->no_new_privs)
        return true;
    return (r->useless & BY_CAPABILITY) && p->user_namespace;
}

static const char *value_of(const struct place *p, const char *name, size_t n)
{
    bool old = p->kernel_version && p->kernel_version < PLACE_KERNEL(5, 8);

    if (n == 3 && strncmp(name, "cap", n) == 0)
        return old ? "sys_admin" : "perfmon";
    if (n == 3 && strncmp(name, "CAP", n) == 0)
        return old ? "SYS_ADMIN" : "PERFMON";
    if (n == 7 && strncmp(name, "program", n) == 0)
        return p->program[0] ? p->program : "$(command -v ringside)";
    return NULL;
}

/* Braces that hold none of our names are a manifest's own. */
static void fill_in(const struct place *p, const char *text, char *out, size_t max)
{
    size_t n = 0;

    while (*text && n < max - 1) {
        size_t length = *text == '{' ? strcspn(text + 1, "}") : 0;
        const char *value = length ? value_of(p, text + 1, length) : NULL;

        if (!value) {
            out[n++] = *text++;
            continue;
        }
        n += (size_t)snprintf(out + n, max - n, "%s", value);
        n = MIN_OF(n, max - 1);
        text += length + 2;
    }
    out[n] = '\0';
}

size_t place_remedies(const struct place *p, enum place_need need,
                      struct place_remedy out[PLACE_REMEDIES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows) && n < PLACE_REMEDIES_MAX; i++) {
        const struct row *r = &rows[i];

        if (r->need != need || !(r->places & place_bit(p)) || is_useless(p, r))
            continue;
        out[n].where = r->where;
        if (r->places == (DOCKER | PODMAN))
            out[n].where = p->runtime == PLACE_DOCKER ? "docker run" : "podman run";
        if (strncmp(r->where, "on the node", strlen("on the node")) == 0 && !p->kubernetes)
            out[n].where = "on the host, as root";
        fill_in(p, r->text, out[n].text, sizeof(out[n].text));
        out[n].note = r->note;
        n++;
    }
    return n;
}
