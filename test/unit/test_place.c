/*
 * test_place.c - what made-up files tell of a place, and the remedies there
 */
#include "doctor_world.h"

static struct place place;

static enum place_runtime runtime_now(void)
{
    place_look(root, &place);
    return place.runtime;
}

TEST(place__a_host_is_none_of_the_containers)
{
    make_host();
    assert_int_equal(runtime_now(), PLACE_HOST);
    assert_false(place.kubernetes || place.user_namespace || place.no_new_privs);
    assert_int_equal(place.kernel_version, PLACE_KERNEL(6, 8));
    assert_int_equal(place.paranoid, 2);
    assert_int_equal(place.max_stack, PLACE_UNKNOWN);
    assert_int_equal(place.selinux, -1);
    assert_string_equal(place.lockdown, "none");
    assert_string_equal(place.label, "unconfined");
    drop_host();
}

TEST(place__each_runtime_is_told_by_what_it_leaves)
{
    static const struct {
        const char *path, *text;
        enum place_runtime runtime;
        bool kubernetes;
    } signs[] = {
        {"/.dockerenv", "", PLACE_DOCKER, false},
        {"/run/.containerenv", "engine=\"podman-4.3\"\n", PLACE_PODMAN, false},
        {"/run/systemd/container", "systemd-nspawn\n", PLACE_NSPAWN, false},
        {"/run/host/container-manager", "lxc-libvirt\n", PLACE_LXC, false},
        {"/proc/self/cgroup", "0::/system.slice/docker-0123.scope\n", PLACE_DOCKER, false},
        {"/proc/self/cgroup", "12:cpu:/kubepods/pod1/crio-12.scope\n", PLACE_CRIO, true},
        {"/proc/self/cgroup", "0::/kubepods.slice/cri-containerd-12.scope\n", PLACE_CONTAINERD, true},
        {"/proc/self/cgroup", "0::/machine.slice/libpod-12.scope\n", PLACE_PODMAN, false},
        {"/proc/self/cgroup", "0::/lxc.payload.web\n", PLACE_LXC, false},
        {"/var/run/secrets/kubernetes.io/serviceaccount", "", PLACE_CONTAINER, true},
        {"/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n", PLACE_GVISOR, false},
        {"/proc/version", "Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016\n", PLACE_GVISOR,
         false},
        {"/proc/version", "Linux version 5.15.90.1-microsoft-standard-WSL2\n", PLACE_WSL, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        make_host();
        put(signs[i].path, signs[i].text);
        assert_int_equal(runtime_now(), signs[i].runtime);
        assert_int_equal(place.kubernetes, signs[i].kubernetes);
        drop_host();
    }
}

TEST(place__a_machine_made_of_an_image_is_no_container)
{
    make_host();
    put("/.dockerenv", "");
    put_link("/proc/self/ns/uts", "uts:[4026531838]");
    put_link("/proc/self/ns/ipc", "ipc:[4026531839]");
    assert_int_equal(runtime_now(), PLACE_HOST);
    put_link("/proc/self/ns/uts", "uts:[4026532201]"); /* docker run --pid=host --ipc=host */
    assert_int_equal(runtime_now(), PLACE_DOCKER);
    put_link("/proc/self/ns/uts", "uts:[4026531838]");
    put("/proc/self/cgroup", "0::/system.slice/docker-0123.scope\n");
    assert_int_equal(runtime_now(), PLACE_DOCKER);
    drop_host();
}

TEST(place__variables_tell_where_nothing_else_does)
{
    static const char kubernetes[] = "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0HOME=/";
    static const char podman[] = "container=podman\0PATH=/bin";

    make_host();
    put_bytes("/proc/self/environ", kubernetes, sizeof(kubernetes));
    assert_int_equal(runtime_now(), PLACE_CONTAINER);
    assert_true(place.kubernetes);
    put_bytes("/proc/self/environ", podman, sizeof(podman));
    assert_int_equal(runtime_now(), PLACE_PODMAN);
    put("/proc/self/environ", "NOTcontainer=podman");
    assert_int_equal(runtime_now(), PLACE_HOST);
    put_link("/proc/self/ns/pid", "pid:[4026532201]");
    assert_int_equal(runtime_now(), PLACE_CONTAINER);
    drop_host();
}

TEST(place__capabilities_of_a_user_namespace_do_not_count)
{
    make_host();
    grant(CAP(PERFMON) | CAP(SYS_ADMIN));
    place_look(root, &place);
    assert_true(place_is_perfmon_capable(&place));
    put_link("/proc/self/ns/user", "user:[4026532200]");
    place_look(root, &place);
    assert_true(place.user_namespace);
    assert_false(place_is_perfmon_capable(&place));
    forget("/proc/self/ns");
    put("/proc/self/uid_map", "         0       1000          1\n");
    place_look(root, &place);
    assert_true(place.user_namespace);
    put("/proc/self/uid_map", "         0          0 4294967295\n");
    place_look(root, &place);
    assert_false(place.user_namespace);
    drop_host();
}

TEST(place__an_empty_root_is_all_unknown)
{
    make_host();
    forget("/proc");
    forget("/sys");
    place_look(root, &place);
    assert_false(place.proc || place.proc_sys || place.perf || place.caps_known);
    assert_int_equal(place.seccomp, -1);
    assert_int_equal(place.paranoid, PLACE_UNKNOWN);
    assert_int_equal(place.kernel_version, 0);
    assert_string_equal(place.lockdown, "");
    drop_host();
}

TEST(place__files_of_nonsense_are_taken_as_text)
{
    char long_text[40000];

    make_host();
    memset(long_text, 'x', sizeof(long_text));
    put_bytes("/proc/self/cgroup", long_text, sizeof(long_text));
    put_bytes("/proc/self/environ", long_text, sizeof(long_text));
    put_bytes("/proc/self/status", long_text, sizeof(long_text));
    put_bytes("/sys/kernel/security/lsm", long_text, sizeof(long_text));
    put("/sys/kernel/security/lockdown", "]none[");
    put("/proc/sys/kernel/perf_event_paranoid", "many\n");
    put("/proc/self/attr/apparmor/current", "a\x1b[31m\xff\n");
    place_look(root, &place);
    assert_int_equal(place.paranoid, PLACE_UNKNOWN);
    assert_string_equal(place.label, "a?[31m?");
    assert_string_equal(place.lockdown, "");
    drop_host();
}

/* ---- remedies ---- */

static struct place_remedy remedy[PLACE_REMEDIES_MAX];

static bool is_offered(enum place_need need, const char *where, const char *text)
{
    size_t n;

    place_look(root, &place);
    n = place_remedies(&place, need, remedy);
    for (size_t i = 0; i < n; i++)
        if (strcmp(remedy[i].where, where) == 0 && strstr(remedy[i].text, text))
            return true;
    return false;
}

TEST(remedies__are_those_of_the_place)
{
    make_host();
    assert_true(is_offered(PLACE_NEED_EVENTS, "as root", "sysctl kernel.perf_event_paranoid=2"));
    assert_true(
        is_offered(PLACE_NEED_KERNEL, "as root", "setcap cap_perfmon,cap_syslog+ep /usr/bin/ringside"));
    assert_false(is_offered(PLACE_NEED_CALL, "docker run", ""));
    put("/.dockerenv", "");
    assert_true(is_offered(PLACE_NEED_CALL, "docker run", "--cap-add PERFMON"));
    assert_true(is_offered(PLACE_NEED_EVENTS, "on the host, as root", "perf_event_paranoid=2"));
    assert_true(is_offered(PLACE_NEED_MEMORY, "docker run", "--ulimit memlock=-1"));
    assert_false(is_offered(PLACE_NEED_KERNEL, "as root", "setcap"));
    put("/var/run/secrets/kubernetes.io/serviceaccount", "");
    assert_true(is_offered(PLACE_NEED_CALL, "container in the manifest",
                           "securityContext: { capabilities: { add: [PERFMON] } }"));
    assert_true(is_offered(PLACE_NEED_MEMORY, "container in the manifest", "IPC_LOCK"));
    assert_false(is_offered(PLACE_NEED_CALL, "docker run", ""));
    drop_host();
}

TEST(remedies__that_cannot_help_are_left_out)
{
    make_host();
    put("/proc/sys/kernel/osrelease", "5.4.0-1\n");
    assert_true(is_offered(PLACE_NEED_KERNEL, "as root", "setcap cap_sys_admin,"));
    set_status(0, 0, 1);
    assert_false(is_offered(PLACE_NEED_KERNEL, "as root", "setcap"));
    put("/run/.containerenv", "");
    assert_true(is_offered(PLACE_NEED_KERNEL, "podman run", "--cap-add"));
    put_link("/proc/self/ns/user", "user:[4026532200]");
    assert_false(is_offered(PLACE_NEED_KERNEL, "podman run", "--cap-add"));
    assert_true(is_offered(PLACE_NEED_KERNEL, "on the host, as root", "perf_event_paranoid=1"));
    drop_host();
}

TEST(remedies__there_is_one_for_each_need_on_a_host_in_docker_and_in_kubernetes)
{
    for (int where = 0; where < 3; where++) {
        make_host();
        if (where == 1)
            put("/.dockerenv", "");
        if (where == 2)
            put("/var/run/secrets/kubernetes.io/serviceaccount", "");
        place_look(root, &place);
        for (int need = 0; need < PLACE_NEEDS; need++)
            assert_true(place_remedies(&place, (enum place_need)need, remedy) > 0);
        drop_host();
    }
}
