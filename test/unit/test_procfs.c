/*
 * test_procfs.c - maps lines, cgroup texts, kernel symbols
 */
#include "ringside/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ringside/base.h"
#include "unit.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define UUID "2d3da189-6407-48e3-9ab6-78188d75e609"

static bool parse_map(const char *text, struct procfs_map *out)
{
    static char line[8192];

    snprintf(line, sizeof(line), "%s", text);
    return procfs_parse_map(line, out);
}

TEST(procfs__maps_line_of_a_file)
{
    struct procfs_map m;

    assert_true(parse_map("7f1e8a200000-7f1e8a395000 r-xp 00026000 fd:02 1835077                    "
                          "/usr/lib/x86_64-linux-gnu/libc.so.6\n",
                          &m));
    assert_int_equal(m.start, 0x7f1e8a200000);
    assert_int_equal(m.end, 0x7f1e8a395000);
    assert_int_equal(m.file_offset, 0x26000);
    assert_int_equal(m.dev_major, 0xfd);
    assert_int_equal(m.dev_minor, 2);
    assert_int_equal(m.inode, 1835077);
    assert_true(m.executable);
    assert_string_equal(m.path, "/usr/lib/x86_64-linux-gnu/libc.so.6");
}

TEST(procfs__maps_paths_may_be_absent_pseudo_or_hold_spaces)
{
    struct procfs_map m;

    assert_true(parse_map("1000-2000 rw-p 00000000 00:00 0 ", &m));
    assert_string_equal(m.path, "");
    assert_false(m.executable);
    assert_true(parse_map("1000-2000 r-xp 00000000 00:00 0", &m));
    assert_string_equal(m.path, "");
    assert_true(parse_map("7ffd6b1c5000-7ffd6b1c7000 r-xp 00000000 00:00 0          [vdso]", &m));
    assert_string_equal(m.path, "[vdso]");
    assert_true(parse_map("1000-2000 --xs 00001000 08:101 77  /a b/c (deleted)\n", &m));
    assert_string_equal(m.path, "/a b/c (deleted)");
    assert_int_equal(m.dev_minor, 0x101);
    assert_true(parse_map("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]", &m));
    assert_int_equal(m.start, 0xffffffffff600000);
}

TEST(procfs__malformed_maps_lines_are_refused)
{
    static const char *const bad[] = {
        "",
        "\n",
        "1000",
        "1000-",
        "1000-2000",
        "1000-2000 r-x",
        "1000-2000 r-xp",
        "1000-2000 r-xp ",
        "1000-2000 r-xp 0 ",
        "1000-2000 r-xp 0 8",
        "1000-2000 r-xp 0 8:1 ",
        "1000-2000 r-xp 0 8:1 x",
        "1000-2000 r-xp 0 8:1 5x /file",
        "2000-1000 r-xp 0 8:1 5",
        "1000-1000 r-xp 0 8:1 5",
        "1000-2000  r-xp 0 8:1 5",
        "12345678901234567-2000 r-xp 0 8:1 5",
        "1000-2000 r-xp 0 100000000:1 5",
    };
    struct procfs_map m;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (parse_map(bad[i], &m))
            fail_msg("taken: \"%s\"", bad[i]);
}

struct own_code {
    uint64_t addr;
    uint32_t executable, lines;
    bool found;
};

static bool see_map(void *ctx, const struct procfs_map *m)
{
    struct own_code *o = ctx;

    o->lines++;
    o->executable += m->executable;
    if (o->addr >= m->start && o->addr < m->end)
        o->found = m->executable && strstr(m->path, "test_procfs") && m->inode;
    return true;
}

static bool stop_at_once(void *ctx, const struct procfs_map *m)
{
    (void)m;
    ++*(int *)ctx;
    return false;
}

TEST(procfs__maps_of_the_test_itself_show_its_code)
{
    struct own_code o = {.addr = (uintptr_t)&see_map};
    struct err e = {0};
    int calls = 0;

    assert_int_equal(procfs_maps(NULL, getpid(), see_map, &o, &e), 0);
    assert_true(o.found);
    assert_true(o.executable >= 2 && o.executable < o.lines);
    assert_int_equal(procfs_maps(NULL, getpid(), stop_at_once, &calls, &e), 0);
    assert_int_equal(calls, 1);
}

TEST(procfs__maps_of_no_process_is_an_error_that_names_the_file)
{
    struct own_code o = {0};
    struct err e = {0};

    assert_int_equal(procfs_maps(NULL, 999999999, see_map, &o, &e), -1);
    assert_non_null(strstr(e.text, "/proc/999999999/maps"));
    assert_int_equal(o.lines, 0);
}

/* expected NULL: none */
struct cgroup_case {
    const char *text, *expected;
};

static const struct cgroup_case cgroup_cases[] = {
    {"0::/system.slice/docker-" ID64 ".scope\n", ID64},
    {"12:cpu,cpuacct:/docker/" ID64 "\n11:memory:/docker/" ID64 "\n", ID64},
    {"1:name=systemd:/kubepods/besteffort/pod" UUID "/" ID64 "\n", ID64},
    {"0::/kubepods.slice/kubepods-burstable.slice/"
     "kubepods-burstable-pod2d3da189_6407_48e3_9ab6_78188d75e609.slice/cri-containerd-" ID64 ".scope\n",
     ID64},
    {"0::/kubepods.slice/kubepods-pod2d3da189_6407_48e3_9ab6_78188d75e609.slice/crio-" ID64
     ".scope/container\n",
     ID64},
    {"0::/machine.slice/libpod-" ID64 ".scope/container\n", ID64},
    {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID64 ".scope/container", ID64},
    {"0::/default/" ID64 "\n", ID64},
    {"1:name=systemd:/docker/" ID64 "/init.scope\n", ID64}, /* systemd inside of the container */
    {"1:name=systemd:/ecs/haissam-ecs-classic/5a0d5ceddf6c44c1928d367a815d890f/" ID64 "\n", ID64},
    {"1:name=systemd:/ecs/55091c13b8cf4801b5527f4601742204/55091c13b8cf4801b5527f4601742204-432624722\n",
     "55091c13b8cf4801b5527f4601742204-432624722"},
    {"1:name=systemd:/uuid/34dc0b5e-626f-2c5c-4c51-70e34b10e765\n", "34dc0b5e-626f-2c5c-4c51-70e34b10e765"},
    {"1:cpu:/garden/6f265890-5165-7fab-6b52-18d1\n", "6f265890-5165-7fab-6b52-18d1"},
    {"0::/kubepods/pod2d3da189-6407-48e3-9ab6-78188d75e609/" ID64 "  \n", ID64},
    {"3:cpu:/\n2:memory:/docker/" ID64 "\n", ID64},
    {"0::/\n", NULL},
    {"", NULL},
    {"\n\n", NULL},
    {"0::/user.slice/user-0.slice/session-3.scope\n", NULL},
    {"0::/system.slice/sshd.service\n", NULL},
    {"0::/kubepods.slice/kubepods-pod2d3da189_6407_48e3_9ab6_78188d75e609.slice\n", NULL},
    {"0::/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n", NULL}, /* 63 digits */
    {"0::/docker/" ID64 ".slice/x.service\n", NULL},
    {"docker/" ID64 "\n", NULL},
    {"::/docker/" ID64 "\n", NULL},
    {"0:/docker/" ID64 "\n", NULL},
    {"0::/ecs/55091c13b8cf4801b5527f4601742204-\n", NULL},
    {"0::/-1234\n", NULL},
};

TEST(procfs__container_ids_of_all_runtimes)
{
    for (size_t i = 0; i < ARRAY_LEN(cgroup_cases); i++) {
        const struct cgroup_case *c = &cgroup_cases[i];
        char id[128] = "";
        bool found = procfs_parse_container_id(c->text, id, sizeof(id));

        if (found != (c->expected != NULL) || (found && strcmp(id, c->expected) != 0))
            fail_msg("%s: found \"%s\"", c->text, id);
    }
}

TEST(procfs__a_container_id_that_does_not_fit_is_not_cut)
{
    char id[65];

    assert_true(procfs_parse_container_id("0::/docker/" ID64, id, 65));
    assert_false(procfs_parse_container_id("0::/docker/" ID64, id, 64));
}

struct seen_symbols {
    uint64_t skip_to;
    uint32_t count;
    uint64_t addr[8];
    char type[8], text[8][64];
};

static bool see_symbol(void *ctx, const struct procfs_ksym *k, uint64_t *skip_to)
{
    struct seen_symbols *s = ctx;
    uint32_t i = s->count++;

    *skip_to = s->skip_to;
    if (i >= ARRAY_LEN(s->addr))
        return true;
    s->addr[i] = k->addr;
    s->type[i] = k->type;
    snprintf(s->text[i], sizeof(s->text[i]), "%s", k->text);
    return true;
}

/* Through a path, but without a file left behind. */
static void read_symbols(const char *text, size_t n, struct seen_symbols *s)
{
    CLOSE_FD int fd = memfd_create("kallsyms", MFD_CLOEXEC);
    struct err e = {0};
    char path[64];

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert_int_equal(procfs_kallsyms(&(struct procfs_kallsyms_file){.path = path}, see_symbol, s, &e), 0);
}

static void assert_addresses(const struct seen_symbols *s, const uint64_t *want, uint32_t n)
{
    assert_int_equal(s->count, n);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(s->addr[i], want[i]);
}

TEST(procfs__kernel_symbols_with_and_without_module)
{
    static const char text[] = "ffffffff81000000 T _stext\n"
                               "ffffffffc0001000 t helper.isra.0\t[kvm_intel]\n"
                               "garbage\n"
                               "ffffffff81000040\n"
                               "ffffffff81000040 T\n"
                               "ffffffff81000040 T \n"
                               "ffffffff81000040 T \t[nameless]\n"
                               "ffffffffc0002000 t bpf_prog_1\t[bpf]\n"
                               "0000000000000000 A last";
    struct seen_symbols s = {0};

    read_symbols(text, sizeof(text) - 1, &s);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.addr[0], 0xffffffff81000000);
    assert_int_equal(s.type[0], 'T');
    assert_string_equal(s.text[0], "_stext");
    assert_string_equal(s.text[1], "helper.isra.0\t[kvm_intel]");
    assert_string_equal(s.text[2], "bpf_prog_1\t[bpf]");
    assert_string_equal(s.text[3], "last");
    assert_int_equal(s.addr[3], 0);
}

TEST(procfs__kernel_addresses_of_any_digits_and_nothing_else)
{
    static const char text[] = "0123456789abcdef T all\n"
                               "fedcba9876543210 T backwards\n"
                               "ff T short\n"
                               "ffffffff8100004: T behind_9\n"
                               "ffffffff8100004` T before_a\n"
                               "ffffffff8100004g T behind_f\n"
                               "FFFFFFFF81000040 T upper_case\n"
                               "ffffffff8100/040 T before_0\n"
                               "ffffffff8100\xb1"
                               "040 T high_bit\n"
                               "fffffff81000040 T fifteen\n"
                               "1ffffffff81000040 T seventeen\n";
    static const uint64_t want[] = {0x0123456789abcdef, 0xfedcba9876543210, 0xff, 0xfffffff81000040};
    struct seen_symbols s = {0};

    read_symbols(text, sizeof(text) - 1, &s);
    assert_addresses(&s, want, ARRAY_LEN(want));
}

TEST(procfs__kernel_symbols_may_be_left_out_where_order_tells_that_they_do_not_matter)
{
    static const char text[] = "0000000000001000 T first\n"
                               "0000000000001010 T left_out\n"
                               "0000000000001020 T left_out\n"
                               "0000000000001030 T last_before\n"
                               "0000000000001030 T its_alias\n"
                               "0000000000001050 T behind\n"
                               "0000000000001060 T behind_too\n"
                               "0000000000001008 T in_disorder\n"
                               "0000000000001009 T left_out\n"
                               "000000000000100a T last\n";
    static const uint64_t want[] = {0x1000, 0x1030, 0x1030, 0x1050, 0x1060, 0x1008, 0x100a};
    struct seen_symbols s = {.skip_to = 0x1040};

    read_symbols(text, sizeof(text) - 1, &s);
    assert_addresses(&s, want, ARRAY_LEN(want));
    assert_string_equal(s.text[1], "last_before");
    assert_string_equal(s.text[2], "its_alias");
}

TEST(procfs__lines_across_buffers_are_whole_and_endless_ones_left_out)
{
    const uint32_t lines = 20000, longest = 200000;
    struct buf text;
    struct seen_symbols s = {0};

    buf_init(&text, 4 << 20);
    for (uint32_t i = 0; i < lines; i++) {
        buf_printf(&text, "%016x t function_number_%u\n", i, i);
        if (i == lines / 2)
            for (uint32_t k = 0; k < longest; k++)
                buf_add(&text, "a", 1);
        if (i == lines / 2)
            buf_add_text(&text, "\n");
    }
    read_symbols(text.data, text.len, &s);
    assert_int_equal(s.count, lines);
    assert_string_equal(s.text[3], "function_number_3");
    buf_release(&text);
}

TEST(procfs__kernel_symbols_of_no_file_is_an_error)
{
    struct seen_symbols s = {0};
    struct err e = {0};

    assert_int_equal(
        procfs_kallsyms(&(struct procfs_kallsyms_file){.path = "/nowhere/kallsyms"}, see_symbol, &s, &e), -1);
    assert_non_null(strstr(e.text, "/nowhere/kallsyms"));
}
