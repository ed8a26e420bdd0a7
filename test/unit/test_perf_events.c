/*
 * test_perf_events.c - event names to numbers on machines made of files, and one probe on the real one
 */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/perf.h"

#include "../../src/perf/probes.h"
#include "../../src/perf/tracefs.h"

/* ---- a machine of files ---- */

static char root[64];
static char places[3][96];
static struct perf_machine machine;
static struct err error;

/* How the made-up kernel answers: by type, with and without kernel mode. */
static struct {
    uint32_t refused_type;
    int code;
    bool kernel_mode_denied;
    unsigned opened;
    struct perf_event_attr last;
} kernel;

static int answer(void *ctx, const struct perf_event_attr *attr)
{
    (void)ctx;
    kernel.opened++;
    kernel.last = *attr;
    if (attr->type == kernel.refused_type)
        return -kernel.code;
    if (kernel.kernel_mode_denied && !attr->exclude_kernel)
        return -EACCES;
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void put_file(const char *path, const char *text)
{
    char whole[256];
    FILE *f;

    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0755);
        *slash = '/';
    }
    f = fopen(whole, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const char sys_enter_format[] = "name: sys_enter\nID: 443\nformat:\n"
                                       "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
                                       "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
                                       "\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n"
                                       "\tfield:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;\n"
                                       "\tfield:char comm[16];\toffset:64;\tsize:16;\tsigned:0;\n"
                                       "\tfield:__data_loc char[] name;\toffset:80;\tsize:4;\tsigned:0;\n"
                                       "\tfield:u128 wide;\toffset:96;\tsize:16;\tsigned:0;\n"
                                       "\nprint fmt: \"NR %ld field:x; offset:1; size:1;\", REC->id\n";

static void make_machine(void)
{
    memset(&kernel, 0, sizeof(kernel));
    memset(&error, 0, sizeof(error));
    kernel.refused_type = UINT32_MAX;
    snprintf(root, sizeof(root), "/tmp/ringside-events-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(places[0], sizeof(places[0]), "%s/tracing", root);
    snprintf(places[1], sizeof(places[1]), "%s/debug", root);
    snprintf(places[2], sizeof(places[2]), "%s/devices", root);
    machine = (struct perf_machine){.tracefs = {places[0], places[1]}, .devices = places[2], .open = answer};
    put_file("devices/uprobe/type", "9\n");
    put_file("devices/uprobe/format/retprobe", "config:0\n");
    put_file("devices/kprobe/type", "7\n");
    put_file("devices/kprobe/format/retprobe", "config:5\n");
}

static void mount_tracefs(const char *where)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/events/raw_syscalls/sys_enter/id", where);
    put_file(path, "443\n");
    snprintf(path, sizeof(path), "%s/events/raw_syscalls/sys_enter/format", where);
    put_file(path, sys_enter_format);
    snprintf(path, sizeof(path), "%s/events/sched/sched_switch/id", where);
    put_file(path, "372\n");
    snprintf(path, sizeof(path), "%s/events/header_page", where);
    put_file(path, "");
}

static void drop_machine(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

static struct event_list list;

static const struct event_spec *spec(const char *text)
{
    struct err e = {0};

    memset(&list, 0, sizeof(list));
    if (event_list_add(&list, text, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    return &list.spec[0];
}

static struct perf_target resolve(const char *text)
{
    struct perf_target t;

    if (perf_resolve(&machine, spec(text), &t, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    return t;
}

static void refuse(const char *text, const char *says)
{
    struct perf_target t;

    memset(&error, 0, sizeof(error));
    if (perf_resolve(&machine, spec(text), &t, &error) == 0)
        fail_msg("resolved: %s", text);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

/* ---- numbers ---- */

TEST(events__of_the_table_have_their_numbers_already)
{
    struct perf_target t;

    make_machine();
    t = resolve("sPF");
    assert_int_equal(t.type, PERF_TYPE_SOFTWARE);
    assert_int_equal(t.config, PERF_COUNT_SW_PAGE_FAULTS);
    t = resolve("r1c2");
    assert_int_equal(t.type, PERF_TYPE_RAW);
    assert_int_equal(t.config, 0x1c2);
    drop_machine();
}

TEST(events__tracepoints_are_looked_up_in_tracefs)
{
    make_machine();
    mount_tracefs("tracing");
    assert_int_equal(resolve("sched:sched_switch").type, PERF_TYPE_TRACEPOINT);
    assert_int_equal(resolve("sched:sched_switch").config, 372);
    assert_int_equal(resolve("sched:sched_switch id=5").config, 5); /* not looked up */
    drop_machine();
}

TEST(events__tracepoints_are_found_in_the_old_place)
{
    make_machine();
    mkdir(places[0], 0755);
    mount_tracefs("debug");
    assert_int_equal(resolve("sched:sched_switch").config, 372);
    drop_machine();
}

TEST(events__unknown_tracepoints_bring_the_nearest_one)
{
    make_machine();
    mount_tracefs("tracing");
    refuse("sched:sched_swich", "did you mean sched:sched_switch?");
    refuse("shed:sched_switch", "did you mean sched:sched_switch?");
    refuse("sched:zzzzzzzz", "the group sched has no tracepoint \"zzzzzzzz\"");
    refuse("zzzzzzz:x", "there is no group \"zzzzzzz\"");
    put_file("tracing/events/sched/odd/id", "no number\n");
    refuse("sched:odd", "holds no number");
    drop_machine();
}

TEST(events__a_tracefs_that_cannot_be_read_is_told_from_one_that_is_not_there)
{
    make_machine();
    refuse("sched:sched_switch", "this kernel has no tracepoints");
    mkdir(places[0], 0755);
    refuse("sched:sched_switch", "tracefs is not mounted: mount -t tracefs");
    if (geteuid() != 0) {
        chmod(places[0], 0);
        refuse("sched:sched_switch", "is not readable for this user");
        chmod(places[0], 0755);
    }
    assert_int_equal(resolve("sched:sched_switch id=5").config, 5); /* needs none */
    drop_machine();
}

/* ---- fields ---- */

TEST(events__fields_are_found_by_name_and_index)
{
    struct perf_target t;

    make_machine();
    mount_tracefs("tracing");
    t = resolve("raw_syscalls:sys_enter raw_field=id");
    assert_int_equal(t.config, 443);
    assert_int_equal(t.raw_offset, 8);
    assert_int_equal(t.raw_size, 8);
    assert_true(t.raw_signed);
    t = resolve("raw_syscalls:sys_enter raw_field=args[2]");
    assert_int_equal(t.raw_offset, 32);
    assert_int_equal(t.raw_size, 8);
    assert_false(t.raw_signed);
    t = resolve("raw_syscalls:sys_enter o=12 z=4");
    assert_int_equal(t.raw_offset, 12);
    assert_int_equal(t.raw_size, 4);
    drop_machine();
}

TEST(events__fields_that_are_no_numbers_are_refused)
{
    make_machine();
    mount_tracefs("tracing");
    refuse("raw_syscalls:sys_enter field=args", "is an array of 6; write args[INDEX]");
    refuse("raw_syscalls:sys_enter field=args[6]", "args has 6 elements");
    refuse("raw_syscalls:sys_enter field=id[0]", "the field id is no array");
    refuse("raw_syscalls:sys_enter field=name", "a text or list of any length");
    refuse("raw_syscalls:sys_enter field=wide", "it has 16 bytes");
    refuse("raw_syscalls:sys_enter field=x", "there is no field x; there are id, args, comm, name, wide");
    drop_machine();
}

TEST(events__broken_format_files_are_survived)
{
    static const char *const broken[] = {
        "",
        "field:",
        "field:;",
        "field:int x",
        "field:int x;",
        "field:int x;\toffset:",
        "\n\n\n",
        "field:int x[;\toffset:1;\tsize:4;",
        "field:int x[0];\toffset:1;\tsize:0;\tsigned:0;",
        "field:int x;\toffset:70000;\tsize:8;",
    };
    struct perf_target t;

    for (size_t i = 0; i < ARRAY_LEN(broken); i++)
        assert_int_equal(tracefs_parse_field(broken[i], "x", &t, &error), -1);
}

/* ---- probes ---- */

TEST(events__kprobes_are_left_to_the_kernel)
{
    struct perf_target t;

    make_machine();
    t = resolve("kprobe:do_sys_openat2+16");
    assert_int_equal(t.type, 7);
    assert_int_equal(t.config, 0);
    assert_string_equal((const char *)(uintptr_t)t.config1, "do_sys_openat2");
    assert_int_equal(t.config2, 16);
    t = resolve("kretprobe:f");
    assert_int_equal(t.config, 32);
    t = resolve("kprobe:0xffffffff81000000");
    assert_int_equal(t.config1, 0);
    assert_int_equal(t.config2, 0xffffffff81000000);
    drop_machine();
}

TEST(events__kernels_without_probes_say_so)
{
    make_machine();
    drop_machine();
    refuse("kprobe:f", root);
    make_machine();
    put_file("devices/uprobe/format/retprobe", "odd");
    refuse("uretprobe:/bin/sh:0x10", "is not understood");
    snprintf(places[2], sizeof(places[2]), "%s/devices/uprobe", root);
    refuse("kprobe:f", "this kernel has no kprobes (built without CONFIG_KPROBE_EVENTS");
    drop_machine();
}

/* Not static, so that it is in the symbol table whatever else is stripped. */
int events_probed(int x);
__attribute__((noinline)) int events_probed(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

/* Where the kernel says this code was mapped from: an answer that does not go through symbols. */
static uint64_t offset_by_maps(const void *code, char path[256])
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, end, offset, at = (unsigned long)code;
    char line[512];

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps))
        if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255s", &start, &end, &offset, path) == 4 && at >= start &&
            at < end) {
            fclose(maps);
            return at - start + offset;
        }
    fclose(maps);
    fail_msg("the code is not mapped");
    return 0;
}

/* A function of libc as others call it, and libc's path; not one that a sanitizer put in front. */
static void *from_libc(const char *name, char path[256])
{
    void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
    void *code = libc ? dlsym(libc, name) : NULL;

    if (!code) {
        print_message("skipped: not glibc\n");
        skip();
    }
    offset_by_maps(dlsym(libc, "gnu_get_libc_version"), path);
    dlclose(libc);
    return code;
}

TEST(events__symbols_of_files_lie_where_they_are_mapped_from)
{
    char path[256], again[256];
    uint64_t offset;
    void *code;

    assert_int_equal(probes_find_symbol("/proc/self/exe", "events_probed", &offset, &error), 0);
    assert_int_equal(offset, offset_by_maps((void *)(uintptr_t)events_probed, path));
    /* libc has two versions of it: the default one is meant. */
    code = from_libc("pthread_cond_wait", path);
    assert_int_equal(probes_find_symbol(path, "pthread_cond_wait", &offset, &error), 0);
    assert_int_equal(offset, offset_by_maps(code, again));
}

TEST(events__uprobes_are_offsets_in_their_file)
{
    char text[300], path[256];
    uint64_t at = offset_by_maps((void *)(uintptr_t)events_probed, path);
    struct perf_target t;

    make_machine();
    snprintf(text, sizeof(text), "uretprobe:%s:events_probed", path);
    t = resolve(text);
    assert_int_equal(t.type, 9);
    assert_int_equal(t.config, 1);
    assert_string_equal((const char *)(uintptr_t)t.config1, path);
    assert_int_equal(t.config2, at);
    snprintf(text, sizeof(text), "uprobe:%s:events_probed+4", path);
    assert_int_equal(resolve(text).config2, at + 4);
    snprintf(text, sizeof(text), "uprobe:%s:0x40", path);
    assert_int_equal(resolve(text).config2, 0x40);
    snprintf(text, sizeof(text), "uprobe:%s:no_such_function", path);
    refuse(text, "defines no function \"no_such_function\"");
    snprintf(text, sizeof(text), "uprobe:%s:0x7fffffffffffffff", path);
    refuse(text, "ends before offset");
    refuse("uprobe:/no/such/file:f", "open /no/such/file: No such file");
    refuse("uprobe:/etc/passwd:f", "/etc/passwd");
    refuse("uprobe:/etc:0x10", "is not a regular file");
    drop_machine();
}

/* memcpy is chosen by processor; its old version, which is a plain function, is not what anyone calls. */
TEST(events__functions_chosen_at_start_are_refused)
{
    uint64_t offset;
    char path[256];

    from_libc("memcpy", path);
    assert_int_equal(probes_find_symbol(path, "memcpy", &offset, &error), -1);
    assert_non_null(strstr(error.text, "chosen among several functions"));
}

/* ---- trying ---- */

TEST(events__kernel_mode_is_given_up_where_something_is_left)
{
    make_machine();
    assert_int_equal(perf_try(&machine, spec("sPF"), &error), PERF_OFFER_FULL);
    assert_int_equal(kernel.opened, 1);
    kernel.kernel_mode_denied = true;
    assert_int_equal(perf_try(&machine, spec("sPF"), &error), PERF_OFFER_USER_MODE);
    assert_int_equal(kernel.last.exclude_kernel, 1);
    assert_int_equal(perf_try(&machine, spec("sCS"), &error), PERF_OFFER_REFUSED);
    assert_int_equal(error.code, EACCES);
    assert_int_equal(strncmp(error.text, "sCS: ", 5), 0);
    drop_machine();
}

TEST(events__are_tried_as_they_will_be_sampled)
{
    make_machine();
    mount_tracefs("tracing");
    perf_try(&machine, spec("sPF f=77"), &error);
    assert_int_equal(kernel.last.freq, 1);
    assert_int_equal(kernel.last.sample_freq, 77);
    assert_int_equal(kernel.last.disabled, 1);
    perf_try(&machine, spec("sCPU"), &error);
    assert_int_equal(kernel.last.freq, 0);
    assert_int_equal(kernel.last.sample_period, 10101010);
    perf_try(&machine, spec("raw_syscalls:sys_enter field=id"), &error);
    assert_true(kernel.last.sample_type & PERF_SAMPLE_RAW);
    drop_machine();
}

static void check_explanation(const char *text, int code, const char *says)
{
    memset(&error, 0, sizeof(error));
    perf_explain_event(spec(text), code, &error);
    assert_int_equal(error.code, code);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
}

TEST(events__refusals_are_explained_by_kind)
{
    check_explanation("hCPU", ENOENT, "hCPU: the processor has no such counter");
    check_explanation("hBSTB", EOPNOTSUPP, "virtual machine");
    check_explanation("r1c2", EINVAL, "does not take these numbers");
    check_explanation("hCPU", EBUSY, "in use");
    check_explanation("uprobe:/x:f", EACCES, "probes take CAP_SYS_ADMIN");
    check_explanation("kprobe:f", EACCES, "probes take CAP_PERFMON");
    check_explanation("uprobe:/x:f", EINVAL, "not the start of an instruction");
    check_explanation("kprobe:nosuch", ENOENT, "the kernel has no function nosuch");
    check_explanation("kprobe:f", EINVAL, "blacklist");
    check_explanation("id=9999", EINVAL, "no such tracepoint");
    check_explanation("sCPU", EMFILE, "ulimit -n");
}

/* ---- probes on the kernel's list ---- */

static const char *file_text(const char *path)
{
    static char text[4096];
    char whole[256];

    snprintf(whole, sizeof(whole), "%s/%s", root, path);
    assert_true(read_small_file(AT_FDCWD, whole, text, sizeof(text), NULL) >= 0);
    return text;
}

TEST(events__a_definition_says_what_and_where)
{
    struct perf_target target = {.type = 9, .config2 = 0x1234};

    make_machine();
    mount_tracefs("tracing");
    put_file("tracing/uprobe_events", "");
    put_file("tracing/kprobe_events", "");
    /* a folder of files gives no number to what is defined */
    assert_int_equal(probes_define(&machine, spec("uretprobe:/bin/x:0x1234"), &target, &error), -1);
    assert_int_equal(strncmp(file_text("tracing/uprobe_events"), "r:ringside/of", 13), 0);
    assert_non_null(strstr(file_text("tracing/uprobe_events"), " /bin/x:0x1234\n"));
    assert_int_equal(probes_define(&machine, spec("kprobe:do_exit+8"), &target, &error), -1);
    assert_int_equal(strncmp(file_text("tracing/kprobe_events"), "p:ringside/of", 13), 0);
    assert_non_null(strstr(file_text("tracing/kprobe_events"), " do_exit+8\n"));
    assert_int_equal(target.type, 9);
    drop_machine();
}

TEST(events__a_definition_without_tracefs_is_refused_with_the_remedy)
{
    struct perf_target target = {.type = 9};

    make_machine();
    assert_int_equal(probes_define(&machine, spec("uprobe:/bin/x:0x10"), &target, &error), -1);
    assert_non_null(strstr(error.text, "mount -t tracefs"));
    mount_tracefs("debug");
    put_file("debug/uprobe_events", "");
    assert_int_equal(probes_define(&machine, spec("\"uprobe:/bin/a b:0x10\""), &target, &error), -1);
    assert_non_null(strstr(error.text, "blanks"));
    assert_string_equal(file_text("debug/uprobe_events"), "");
    drop_machine();
}

/* The list is a file here: it shows what was written to it. */
TEST(events__probes_of_this_run_and_of_dead_ones_are_removed)
{
    static const char others[] =
        "p:ringside/of1_aa /bin/x:0x10\np:probe/of4_bb /bin/x:0x10\np:ringside/mine /bin/x:0x10\n";
    char defined[512];
    const char *after;

    make_machine();
    snprintf(defined, sizeof(defined),
             "%sr:ringside/of%d_ccc /bin/x:0x10\np:ringside/of2147483646_d /bin/x:0x10 a=%%ax\n", others,
             (int)getpid());
    put_file("tracing/uprobe_events", defined);
    put_file("tracing/kprobe_events", "");
    perf_remove_probes(&machine, getpid(), false);
    after = file_text("tracing/uprobe_events") + strlen(defined);
    snprintf(defined, sizeof(defined), "-:ringside/of%d_ccc\n-:ringside/of2147483646_d\n", (int)getpid());
    assert_string_equal(after, defined);
    assert_string_equal(file_text("tracing/kprobe_events"), "");
    drop_machine();
}

/* ---- the list ---- */

TEST(events__list_names_everything_and_why_not)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);

    make_machine();
    mount_tracefs("tracing");
    kernel.refused_type = PERF_TYPE_HARDWARE;
    kernel.code = ENOENT;
    perf_list_events(&machine, to);
    fclose(to);
    for (size_t i = 0; i < event_table_rows; i++)
        assert_non_null(strstr(text, event_table[i].name));
    for (size_t i = 0; i < event_key_rows; i++)
        assert_non_null(strstr(text, event_keys[i].name));
    for (size_t i = 0; i < event_preset_rows; i++)
        assert_non_null(strstr(text, event_presets[i].name));
    assert_non_null(strstr(text, "no: the processor has no such counter"));
    assert_non_null(strstr(text, "no: allocations are not in this build"));
    assert_non_null(strstr(text, "2 in 2 groups"));
    assert_null(strstr(text, "no: probes take"));
    free(text);

    to = open_memstream(&text, &n);
    kernel.refused_type = 9;
    kernel.code = EACCES;
    perf_list_events(&machine, to);
    fclose(to);
    assert_non_null(strstr(text, "no: probes take CAP_SYS_ADMIN"));
    assert_null(strstr(text, "no such counter"));
    free(text);
    drop_machine();
}

/* ---- the real kernel ---- */

static void skip_or_fail(void)
{
    const char *require = getenv("REQUIRE");

    if (require && strstr(require, "probes"))
        fail_msg("%s (REQUIRE lists probes)", error.text);
    print_message("skipped: %s\n", error.text);
    skip();
}

/* A probe on a function of this program counts each call: the offset is what the kernel means by it. */
TEST(events__probe_counts_the_calls_of_its_function)
{
    struct perf_event_attr attr = {.size = sizeof(attr), .exclude_kernel = 1, .exclude_hv = 1};
    char text[300], path[256];
    struct perf_target t;
    uint64_t count;
    int fd;

    offset_by_maps((void *)(uintptr_t)events_probed, path);
    snprintf(text, sizeof(text), "uprobe:%s:events_probed", path);
    if (perf_resolve(perf_this_machine(), spec(text), &t, &error) < 0)
        skip_or_fail();
    attr.type = t.type;
    attr.config = t.config;
    attr.config1 = t.config1;
    attr.config2 = t.config2;
    fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) {
        perf_explain_event(&list.spec[0], errno, &error);
        skip_or_fail();
    }
    for (int i = 0; i < 7; i++)
        assert_int_equal(events_probed(i), i + 1);
    assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 7);
    close(fd);
}
