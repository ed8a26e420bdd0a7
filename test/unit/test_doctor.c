/*
 * test_doctor.c - verdicts, causes and remedies on machines that are made up, as text and as JSON
 */
#include "doctor_world.h"

#include <signal.h>

static char text[64 << 10], json[64 << 10];
static struct event_list events;
static struct doctor_run run;

static void print(bool as_json, char *out, size_t max, enum doctor_verdict *verdict)
{
    FILE *to = fmemopen(out, max, "w");

    assert_non_null(to);
    *verdict = doctor_examine(&machine, &run, as_json, to);
    assert_true(ftell(to) < (long)max - 1);
    fclose(to);
}

static void ask_for(const char *spec)
{
    struct err e;

    memset(&events, 0, sizeof(events));
    assert_int_equal(event_list_add(&events, spec, &e), 0);
    run = (struct doctor_run){.version = "1.2.3", .events = &events};
}

static void check_width(void)
{
    const char *line = text;
    bool to_be_copied = false;

    for (; *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n");

        if (n > 80 && !to_be_copied && !memmem(line, n, "run: ", 5) && !memmem(line, n, "manifest: ", 10))
            fail_msg("too wide: %.*s", (int)n, line);
        to_be_copied = n && line[n - 1] == ':';
        assert_null(memchr(line, '\033', n));
    }
}

static void check_json(void);

/* Both forms of the default run, which must agree. */
static enum doctor_verdict examine(void)
{
    enum doctor_verdict verdict, again;

    if (!run.events)
        ask_for("sCPU");
    print(false, text, sizeof(text), &verdict);
    print(true, json, sizeof(json), &again);
    assert_int_equal(verdict, again);
    check_width();
    check_json();
    return verdict;
}

/* With blanks for line ends, as wrapped text is searched. */
static bool says(const char *what)
{
    static char flat[sizeof(text)];
    size_t n = 0;

    for (const char *c = text; *c; c++) {
        bool blank = *c == ' ' || *c == '\n';

        if (!blank || (n && flat[n - 1] != ' '))
            flat[n++] = blank ? ' ' : *c;
    }
    flat[n] = '\0';
    return strstr(flat, what) != NULL;
}

static bool json_says(const char *what)
{
    return strstr(json, what) != NULL;
}

static void begin(void)
{
    make_host();
    memset(&run, 0, sizeof(run));
}

/* ---- JSON is JSON ---- */

static const char *value(const char *at);

static const char *blanks(const char *at)
{
    return at + strspn(at, " \n\r\t");
}

static const char *string(const char *at)
{
    assert_int_equal(*at, '"');
    for (at++; *at != '"'; at++) {
        assert_true((unsigned char)*at >= 0x20);
        if (*at == '\\')
            assert_non_null(strchr("\"\\/bfnrtu", *++at));
    }
    return blanks(at + 1);
}

static const char *members(const char *at, char end)
{
    at = blanks(at + 1);
    while (*at != end) {
        if (end == '}') {
            at = string(at);
            assert_int_equal(*at, ':');
            at = blanks(at + 1);
        }
        at = value(at);
        if (*at != ',')
            break;
        at = blanks(at + 1);
        assert_true(*at != end);
    }
    assert_int_equal(*at, end);
    return blanks(at + 1);
}

static const char *value(const char *at)
{
    static const char *const words[] = {"true", "false", "null"};
    char *end;

    if (*at == '{')
        return members(at, '}');
    if (*at == '[')
        return members(at, ']');
    if (*at == '"')
        return string(at);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return blanks(at + strlen(words[i]));
    strtol(at, &end, 10);
    assert_true(end > at);
    return blanks(end);
}

static void check_json(void)
{
    const char *end = value(json);

    assert_int_equal(*end, '\0');
}

/* ---- whole machines ---- */

TEST(doctor__a_host_with_everything_is_usable)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    assert_int_equal(examine(), DOCTOR_USABLE);
    assert_true(says("Profiling works here. "));
    assert_null(strstr(text, "LIMITED"));
    assert_true(json_says("\"verdict\": \"usable\",\n  \"status\": 0,"));
    assert_true(json_says("\"ringside\": \"1.2.3\""));
    drop_host();
}

TEST(doctor__an_ordinary_user_lacks_kernel_frames)
{
    begin();
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("with limits: kernel frames."));
    assert_true(says("kernel.perf_event_paranoid is 2 and this process has no CAP_PERFMON"));
    assert_true(says("sysctl kernel.perf_event_paranoid=1"));
    assert_true(says("setcap cap_perfmon,cap_syslog+ep /usr/bin/ringside"));
    assert_true(json_says("\"id\": \"kernel-mode\", \"state\": \"limited\", \"affects\": \"run\""));
    assert_true(json_says("\"id\": \"whole-host\", \"state\": \"limited\", \"affects\": \"whole-host\""));
    drop_host();
}

TEST(doctor__debian_with_paranoid_3)
{
    begin();
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    kernel.early = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("kernel.perf_event_paranoid is 3, where this kernel refuses ordinary users any event"));
    assert_true(says("sysctl kernel.perf_event_paranoid=2"));
    assert_true(json_says("\"cause\": \"paranoid\""));
    drop_host();
}

TEST(doctor__ubuntu_with_paranoid_4_though_with_cap_perfmon)
{
    begin();
    put("/proc/sys/kernel/perf_event_paranoid", "4\n");
    set_status(CAP(PERFMON), 0, 0);
    kernel.early = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("kernel.perf_event_paranoid is 4"));
    assert_true(says("setcap cap_sys_admin"));
    drop_host();
}

TEST(doctor__paranoid_3_that_the_kernel_does_not_know_is_fine)
{
    begin();
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    grant(CAP(SYS_ADMIN) | CAP(SYSLOG));
    assert_int_equal(examine(), DOCTOR_USABLE);
    drop_host();
}

TEST(doctor__docker_with_its_default_seccomp_profile)
{
    static const int codes[] = {EPERM, ENOSYS, EACCES, EINVAL, EFAULT, ENODEV};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        begin();
        put("/.dockerenv", "");
        set_status(0, 2, 0);
        kernel.filter = codes[i];
        assert_int_equal(examine(), DOCTOR_UNUSABLE);
        assert_true(says("a seccomp filter denies it (Docker's default profile does)"));
        assert_true(says("docker run: --cap-add PERFMON"));
        assert_true(says("--security-opt seccomp=FILE.json"));
        assert_true(json_says("\"cause\": \"seccomp\""));
        assert_true(json_says("\"runtime\": \"docker\""));
        drop_host();
    }
}

TEST(doctor__a_filter_is_not_blamed_where_the_kernel_itself_answers)
{
    begin();
    put("/.dockerenv", "");
    set_status(0, 2, 0);
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    kernel.early = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_false(says("seccomp filter denies"));
    assert_true(json_says("\"cause\": \"paranoid\""));
    assert_true(says("on the host, as root: sysctl kernel.perf_event_paranoid=2"));
    drop_host();
}

TEST(doctor__kubernetes_restricted)
{
    begin();
    put("/proc/self/cgroup", "0::/kubepods.slice/cri-containerd-12.scope\n");
    set_status(0, 2, 1);
    kernel.filter = EPERM;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("securityContext: { capabilities: { add: [PERFMON] } }"));
    assert_true(says("seccompProfile: { type: Localhost"));
    assert_true(says("Kubernetes (containerd)"));
    assert_true(says("no_new_privs"));
    drop_host();
}

TEST(doctor__without_proc_sys_the_cause_is_found_all_the_same)
{
    begin();
    forget("/proc/sys");
    kernel.early = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("kernel.perf_event_paranoid is above 2 (its value cannot be read here)"));
    assert_true(json_says("\"perf_event_paranoid\": null"));
    kernel.early = false;
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("kernel.perf_event_paranoid, which cannot be read here, is above 1"));
    assert_true(says("but not /proc/sys"));
    drop_host();
}

TEST(doctor__gvisor_is_no_linux)
{
    begin();
    put("/proc/version", "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016\n");
    kernel.filter = ENODEV;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("gVisor has no perf events"));
    assert_true(json_says("\"cause\": \"not-linux\""));
    put("/proc/version", "Something version 1\n");
    forget("/proc/sys/kernel/perf_event_paranoid");
    forget("/sys/bus");
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("what runs here in Linux's place has no perf events"));
    drop_host();
}

TEST(doctor__a_kernel_without_perf_events)
{
    begin();
    forget("/proc/sys/kernel/perf_event_paranoid");
    forget("/sys/bus");
    kernel.filter = ENOSYS;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("this kernel is built without perf events"));
    drop_host();
}

TEST(doctor__64_cpus_with_a_memory_lock_of_64_kib)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    machine.cpus_online = machine.cpus_allowed = 64;
    machine.locked_bytes = 64 << 10;
    kernel.mlock_kb = 128;
    put("/proc/sys/kernel/perf_event_mlock_kb", "128\n");
    assert_int_equal(examine(), DOCTOR_UNUSABLE); /* 64 x (128 + 4) KiB are 8448, allowed are 8256 */
    assert_true(says("not even the smallest rings could be mapped"));
    kernel.mlock_kb = 260;
    put("/proc/sys/kernel/perf_event_mlock_kb", "260\n");
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(json_says("\"task_counts\": true"));
    assert_true(says("64 x 256 KiB instead of 64 x 1 MiB; the limit is 260 KiB x 64 CPUs"));
    assert_true(says("64 KiB for each process beyond that"));
    assert_true(says("LimitMEMLOCK=infinity"));
    assert_true(json_says(
        "\"ring_kb_wanted\": 1024, \"ring_kb\": 256, \"task_counts\": true, \"perf_event_mlock_kb\": 260, "
        "\"memlock_kb\": 64, \"unlimited\": false"));
    kernel.mlock_kb = 516;
    put("/proc/sys/kernel/perf_event_mlock_kb", "516\n");
    assert_int_equal(examine(), DOCTOR_USABLE);
    kernel.counts_lost = true;
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("No room is left for the exact time of each task"));
    drop_host();
}

TEST(doctor__too_few_descriptors_for_the_cpus)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    machine.cpus_online = machine.cpus_allowed = 64;
    machine.descriptors = 100;
    machine.locked_bytes = UINT64_MAX;
    kernel.unlimited = true;
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("LimitNOFILE=65536"));
    machine.descriptors = 20;
    kernel.too_few = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(json_says("\"cause\": \"descriptors\""));
    drop_host();
}

TEST(doctor__selinux_enforcing)
{
    begin();
    put("/sys/fs/selinux/enforce", "1");
    put("/sys/kernel/security/lsm", "lockdown,capability,yama,selinux");
    put("/proc/self/attr/apparmor/current", "");
    put("/proc/self/attr/current", "system_u:system_r:container_t:s0:c1,c2");
    put("/run/.containerenv", "");
    kernel.module = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("SELinux is enforcing, this process is system_u:system_r:container_t:s0:c1,c2"));
    assert_true(says("podman run: --security-opt label=disable"));
    assert_true(json_says("\"cause\": \"security-module\""));
    kernel.module = false;
    kernel.early = true; /* 5.5 to 6.1 */
    examine();
    assert_true(json_says("\"cause\": \"security-module\""));
    drop_host();
}

TEST(doctor__locked_down_to_confidentiality)
{
    begin();
    grant(CAP(SYS_ADMIN) | CAP(SYSLOG));
    put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
    assert_int_equal(examine(), DOCTOR_USABLE);
    assert_true(says("lockdown: confidentiality"));
    assert_true(json_says("\"id\": \"security-modules\", \"state\": \"limited\", \"affects\": \"events\""));
    drop_host();
}

TEST(doctor__root_of_a_user_namespace_is_nobody)
{
    begin();
    put_link("/proc/self/ns/user", "user:[4026532200]");
    put("/run/.containerenv", "");
    set_status(0x1ffffffffff, 0, 0);
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("no CAP_PERFMON that counts: it is in a user namespace of its own"));
    assert_false(says("--cap-add"));
    assert_true(says("on the host, as root: sysctl kernel.perf_event_paranoid=1"));
    drop_host();
}

TEST(doctor__a_filter_that_kills_is_told)
{
    begin();
    kernel.signal = SIGSYS;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("ends the process with a signal: a seccomp filter does that"));
    assert_true(says("--no-enable"));
    kernel.signal = SIGALRM;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("it ended with signal 14"));
    assert_true(json_says("\"cause\": \"none\""));
    drop_host();
}

/* ---- the run that is asked about ---- */

TEST(doctor__an_event_that_is_refused_limits_and_a_lone_one_blocks)
{
    begin();
    ask_for("sCPU;sCS");
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(json_says("\"asked\": 2, \"refused\": 1"));
    ask_for("sCS");
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    drop_host();
}

TEST(doctor__the_whole_host_counts_only_when_it_is_asked_for)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    kernel.host_denied = true;
    assert_int_equal(examine(), DOCTOR_USABLE);
    run.whole_host = true;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    drop_host();
}

TEST(doctor__a_command_that_would_not_be_started_blocks)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    ask_for("sCPU");
    run.refused = "option --drop-caps: without CAP_SETPCAP, CAP_PERFMON stays in the bounding set";
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("without CAP_SETPCAP"));
    drop_host();
}

TEST(doctor__processes_to_attach_to)
{
    static const int pids[] = {7, 9};

    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    kernel.other_denied = true;
    assert_int_equal(examine(), DOCTOR_USABLE);
    run.pids = pids;
    run.pid_count = 2;
    assert_int_equal(examine(), DOCTOR_USABLE);
    kernel.unattached = 1;
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("1 of 2; process 9: it is user 0's"));
    kernel.unattached = 2;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(json_says("\"asked\": 2, \"attached\": 0"));
    drop_host();
}

TEST(doctor__folders_and_servers)
{
    char closed[128], spool[160];
    static const char *const servers[] = {"otlp+http://***@collector:4318", "quote\"and\\slash"};

    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    ask_for("sCPU");
    put("/closed/file", "");
    snprintf(closed, sizeof(closed), "%s/closed/profiles/", root);
    snprintf(spool, sizeof(spool), "%s/closed/spool", root);
    run.output = closed;
    assert_int_equal(examine(), DOCTOR_UNUSABLE);
    assert_true(says("BLOCKING: the folder for profiles"));
    run.servers = servers;
    run.server_count = 2;
    run.spool = spool;
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("otlp+http://***@collector:4318"));
    run.output = "/tmp/";
    run.spool = "/tmp/ringside/not/yet";
    assert_int_equal(examine(), DOCTOR_USABLE);
    drop_host();
}

TEST(doctor__texts_of_any_length_leave_json_whole)
{
    char path[4000];

    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    ask_for("sCPU");
    memset(path, '"', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    memcpy(path, "/tmp/", 5);
    run.output = path;
    print(true, json, sizeof(json), &(enum doctor_verdict){0});
    check_json();
    drop_host();
}

TEST(doctor__hidden_names_and_processes)
{
    begin();
    grant(CAP(PERFMON));
    put("/proc/self/mounts", "proc /proc proc rw,hidepid=invisible 0 0\n");
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("kernel.kptr_restrict is 1 and this process has no CAP_SYSLOG"));
    assert_true(json_says("\"hidepid\": true"));
    drop_host();
}

TEST(doctor__a_rate_above_the_maximum_and_a_small_cgroup)
{
    begin();
    grant(CAP(PERFMON) | CAP(SYSLOG));
    put("/proc/sys/kernel/perf_event_max_sample_rate", "50\n");
    put("/sys/fs/cgroup/memory.max", "33554432\n");
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("99 of at most 50"));
    assert_true(says("32 MiB for everything in this cgroup"));
    put("/sys/fs/cgroup/memory.max", "max\n");
    put("/sys/fs/cgroup/user.slice/session-1.scope/memory.max", "67108864\n");
    assert_int_equal(examine(), DOCTOR_DEGRADED);
    assert_true(says("64 MiB for everything in this cgroup"));
    put("/sys/fs/cgroup/user.slice/session-1.scope/memory.max", "max\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("/proc/sys/kernel/perf_event_max_sample_rate", "100000\n");
    assert_int_equal(examine(), DOCTOR_USABLE);
    drop_host();
}

/* ---- the one message of a run ---- */

static const char *message(enum perf_cause cause, int code)
{
    static struct err e;
    struct place p;

    place_look(root, &p);
    perf_explain_cause(cause, &p, code, &e);
    assert_int_equal(e.code, code);
    assert_null(strchr(e.text, '\n'));
    return e.text;
}

TEST(explain__cause_value_and_remedy_in_one_line)
{
    begin();
    assert_string_equal(
        message(PERF_CAUSE_NONE, EACCES),
        "perf_event_open: Permission denied: it takes more than kernel.perf_event_paranoid 2 permits "
        "without CAP_PERFMON; as root: sysctl kernel.perf_event_paranoid=1; or as root: setcap "
        "cap_perfmon,cap_syslog+ep /usr/bin/ringside");
    put("/proc/sys/kernel/perf_event_paranoid", "3\n");
    assert_non_null(strstr(message(PERF_CAUSE_PARANOID, EACCES), "is 3, where this kernel refuses"));
    assert_non_null(
        strstr(message(PERF_CAUSE_PARANOID, EACCES), "; as root: sysctl kernel.perf_event_paranoid=2"));
    assert_string_equal(message(PERF_CAUSE_FILTER, EPERM),
                        "perf_event_open: Operation not permitted: a seccomp filter denies it; systemd unit: "
                        "SystemCallFilter=perf_event_open");
    put("/.dockerenv", "");
    assert_non_null(
        strstr(message(PERF_CAUSE_FILTER, ENOSYS), "; docker run: --cap-add PERFMON; or docker run: "));
    drop_host();
}

TEST(explain__who_has_the_capability_is_refused_by_a_module)
{
    begin();
    grant(CAP(PERFMON));
    put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
    assert_non_null(strstr(message(PERF_CAUSE_NONE, EPERM), "the kernel is locked down to confidentiality"));
    drop_host();
}
