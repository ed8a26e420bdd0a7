/*
 * test_symbol_image.c - names of whole images: this program, stripped ones with debug files elsewhere, the
 * kernel
 */
#include "unit.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/symbol/batch.h"
#include "../fixtures/forge_symbols.h"
#include "ringside/base.h"
#include "ringside/image.h"
#include "ringside/stats.h"
#include "ringside/symbol.h"

struct bench {
    struct stats *stats;
    struct images *images;
    struct symbols *symbols;
};

static void bench_make(struct bench *b, const struct symbols_config *config)
{
    static const struct image_limits limits = {
        .images = 100, .open_files = 10, .cfi = {.rows = 10000, .rules = 1000}};

    b->stats = stats_new();
    b->images = images_new(&limits, b->stats);
    b->symbols = symbols_new(config, b->images, b->stats);
}

static void bench_release(struct bench *b)
{
    symbols_free(b->symbols);
    images_free(b->images);
    stats_free(b->stats);
}

static struct image *map_file(struct bench *b, const char *path)
{
    struct image_ref ref = {.path = path, .pid = (uint32_t)getpid()};
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    ref.dev = st.st_dev;
    ref.inode = st.st_ino;
    return images_map(b->images, &ref);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *base)
{
    (void)size;
    *(uint64_t *)base = info->dlpi_addr; /* the program itself comes first */
    return 1;
}

/* What an address of this program is in its file. */
static uint64_t file_addr(const void *at)
{
    uint64_t base = 0;

    dl_iterate_phdr(find_base, &base);
    return (uint64_t)(uintptr_t)at - base;
}

__attribute__((noinline)) static int a_static_function_of_this_program(int x)
{
    __asm__ volatile("" : "+r"(x));
    return x + 1;
}

TEST(symbol__names_a_static_function_of_this_program_and_remembers_it)
{
    struct symbols_config config = {0};
    struct symbol_ref names[3];
    uint64_t at = file_addr((const void *)a_static_function_of_this_program), addrs[3] = {at, at, at + 1};
    struct image *image;
    struct bench b;

    bench_make(&b, &config);
    image = map_file(&b, "/proc/self/exe");
    assert_false(symbols_have(b.symbols, image));
    for (int turn = 0; turn < 3; turn++) {
        symbols_resolve(b.symbols, image, addrs, 3, names);
        for (int i = 0; i < 3; i++) {
            assert_string_equal(names[i].name, "a_static_function_of_this_program");
            assert_ptr_equal(names[i].system_name, names[i].name);
        }
        assert_true(symbols_have(b.symbols, image));
        assert_int_equal(stats_get(b.stats, STATS_SYMBOLS_LOADED), 1);
        symbols_trim(b.symbols);
    }
    bench_release(&b);
}

TEST(symbol__gives_more_addresses_than_one_batch_the_names_each_has_alone)
{
    enum { MANY = BATCH_MAX * 2 + 100 };
    struct symbols_config config = {0};
    struct symbol_ref *names = base_calloc(MANY, sizeof(*names)), one;
    uint64_t *addrs = base_calloc(MANY, sizeof(*addrs));
    uint64_t at = file_addr((const void *)a_static_function_of_this_program) & ~0xfffULL;
    struct image *image;
    struct bench b, alone;

    for (uint32_t i = 0; i < MANY; i++)
        addrs[i] = at + i * 2;
    bench_make(&b, &config);
    image = map_file(&b, "/proc/self/exe");
    symbols_resolve(b.symbols, image, addrs, MANY, names);
    bench_make(&alone, &config);
    image = map_file(&alone, "/proc/self/exe");
    for (uint32_t i = 0; i < MANY; i += 97) {
        symbols_resolve(alone.symbols, image, &addrs[i], 1, &one);
        assert_int_equal(names[i].name == NULL, one.name == NULL);
        if (one.name)
            assert_string_equal(names[i].name, one.name);
    }
    bench_release(&alone);
    bench_release(&b);
    free(names);
    free(addrs);
}

TEST(symbol__leaves_addresses_unnamed_when_the_cap_is_reached)
{
    struct symbols_config config = {.table_bytes = 2000};
    struct symbol_ref names[400];
    uint64_t addrs[400], own = file_addr((const void *)a_static_function_of_this_program);
    uint32_t named = 0;
    struct image *image;
    struct bench b;

    for (uint32_t i = 0; i < ARRAY_LEN(addrs); i++)
        addrs[i] = (own & ~0xfffULL) + i * 16;
    bench_make(&b, &config);
    image = map_file(&b, "/proc/self/exe");
    symbols_resolve(b.symbols, image, addrs, ARRAY_LEN(addrs), names);
    for (uint32_t i = 0; i < ARRAY_LEN(addrs); i++)
        named += names[i].name != NULL;
    assert_in_range(named, 1, ARRAY_LEN(addrs) - 1);
    symbols_trim(b.symbols); /* full: makes room */
    symbols_resolve(b.symbols, image, &own, 1, names);
    assert_string_equal(names[0].name, "a_static_function_of_this_program");
    bench_release(&b);
}

/* f(x, x, x, x), each x 1021 bytes: two more than have room in front of the "@plt", and the cut goes through
 * a character. */
TEST(symbol__cuts_the_longest_names_of_stubs_between_characters)
{
    static const uint8_t jump[32] = {[16] = 0xff, 0x25, 0xea, 0x2f}; /* jmp *0x2fea(%rip) */
    static struct forge_symbols forged;
    const Elf64_Rela relocation = {0x6000, ELF64_R_INFO(1, R_X86_64_JUMP_SLOT), 0};
    const Elf64_Sym symbol[2] = {[1] = {.st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)}};
    struct symbols_config config = {0};
    char linked[2048] = "", *at = linked + 1, path[] = "/tmp/ringside-test-plt-XXXXXX";
    uint64_t stub = FORGE_PLT + 16;
    struct symbol_ref name;
    struct bench b;
    size_t n;
    int fd = mkstemp(path);

    at += sprintf(at, "_Z1f1021x");
    for (int i = 0; i < 510; i++)
        at += sprintf(at, "\xc3\xa9");
    at += sprintf(at, "S_S_S_");
    forge_symbols(&forged, &(struct forge_parts){.table_type = SHT_DYNSYM,
                                                 .symbols = symbol,
                                                 .symbols_bytes = sizeof(symbol),
                                                 .strings = linked,
                                                 .strings_bytes = (size_t)(at + 1 - linked),
                                                 .plt = jump,
                                                 .plt_bytes = sizeof(jump),
                                                 .relocations = &relocation,
                                                 .relocations_bytes = sizeof(relocation)});
    assert_int_equal(write(fd, forged.file, forged.used), forged.used);
    close(fd);
    bench_make(&b, &config);
    symbols_resolve(b.symbols, map_file(&b, path), &stub, 1, &name);
    unlink(path);
    assert_non_null(name.name);
    n = strlen(name.name);
    assert_string_equal(name.name + n - 7, "\xc3\xa9?@plt");
    bench_release(&b);
}

TEST(symbol__may_be_freed_after_the_images)
{
    struct symbols_config config = {0};
    uint64_t at = file_addr((const void *)a_static_function_of_this_program);
    struct symbol_ref name;
    struct bench b;

    bench_make(&b, &config);
    symbols_resolve(b.symbols, map_file(&b, "/proc/self/exe"), &at, 1, &name);
    images_free(b.images);
    symbols_free(b.symbols);
    stats_free(b.stats);
}

TEST(symbol__has_no_names_for_files_that_are_no_elf)
{
    struct symbols_config config = {0};
    struct symbol_ref name = {.name = "left over"};
    uint64_t at = 0x1000;
    struct image *image;
    struct bench b;

    bench_make(&b, &config);
    image = map_file(&b, "/etc/passwd");
    symbols_resolve(b.symbols, image, &at, 1, &name);
    assert_null(name.name);
    assert_false(symbols_have(b.symbols, image));
    bench_release(&b);
}

/* ---- separate debug files ---- */

struct place {
    char dir[64];
    uint64_t hidden; /* address of the static function in the stripped program */
};

static void run(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void run(const char *fmt, ...)
{
    char command[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

/* DIR/bin/prog, stripped, with its symbols in DIR/prog.debug. */
static void place_make(struct place *p, const char *build_id, const char *link)
{
    char command[128], line[64] = "";
    FILE *nm;

    strcpy(p->dir, "/tmp/ringside-test-symbol-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    run("cd %s && mkdir bin lib && echo '__attribute__((noinline)) static int hidden_function(int x) { "
        "return x * 3; }"
        "int main(int c, char **v) { (void)v; return hidden_function(c); }' > prog.c && "
        "cc -O0 -Wl,--build-id=%s -o bin/prog prog.c && objcopy --only-keep-debug bin/prog prog.debug",
        p->dir, build_id);
    snprintf(command, sizeof(command), "nm %s/bin/prog | grep ' hidden_function$'", p->dir);
    nm = popen(command, "r");
    assert_non_null(nm);
    assert_non_null(fgets(line, sizeof(line), nm));
    pclose(nm);
    p->hidden = strtoull(line, NULL, 16);
    run("cd %s && strip bin/prog && %s", p->dir,
        link ? "objcopy --add-gnu-debuglink=prog.debug bin/prog" : "true");
}

static void place_remove(struct place *p)
{
    run("rm -rf %s", p->dir);
}

/* Whether the stripped program's static function gets its name, with DIR/lib as the debug folder. */
static bool is_named(const struct place *p)
{
    struct symbols_config config = {0};
    char path[128], dirs[256];
    struct symbol_ref name;
    struct bench b;
    bool named;

    snprintf(path, sizeof(path), "%s/bin/prog", p->dir);
    snprintf(dirs, sizeof(dirs), "/nonexistent::%s/lib", p->dir);
    config.debug_dirs = dirs;
    bench_make(&b, &config);
    symbols_resolve(b.symbols, map_file(&b, path), &p->hidden, 1, &name);
    named = name.name != NULL;
    if (named)
        assert_string_equal(name.name, "hidden_function");
    bench_release(&b);
    return named;
}

TEST(symbol__finds_a_debug_file_by_build_id)
{
    struct place p;

    place_make(&p, "0x00ff42aabb", NULL);
    assert_false(is_named(&p));
    run("cd %s && mkdir -p lib/.build-id/00 && cp prog.debug lib/.build-id/00/ff42aabb.debug", p.dir);
    assert_true(is_named(&p));
    place_remove(&p);
}

TEST(symbol__refuses_a_debug_file_with_another_build_id)
{
    struct place p, other;

    place_make(&p, "0x00ff42aabb", "link");
    place_make(&other, "0x00ff42aabc", NULL);
    run("cd %s && mkdir -p lib/.build-id/00 && cp %s/prog.debug lib/.build-id/00/ff42aabb.debug", p.dir,
        other.dir);
    run("cp %s/prog.debug %s/bin/prog.debug", other.dir, p.dir);
    assert_false(is_named(&p));
    place_remove(&other);
    place_remove(&p);
}

TEST(symbol__finds_a_debug_file_by_link_in_each_place)
{
    static const char *const places[] = {"bin", "bin/.debug", "lib$PWD/bin"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct place p;

        place_make(&p, i == 0 ? "0x1234" : "none", "link");
        assert_false(is_named(&p));
        run("cd %s && mkdir -p %s && mv prog.debug %s/", p.dir, places[i], places[i]);
        assert_true(is_named(&p));
        place_remove(&p);
    }
}

TEST(symbol__refuses_a_debug_file_with_another_checksum)
{
    struct place p;

    place_make(&p, "none", "link");
    run("cd %s && cp prog.debug bin/ && printf x >> bin/prog.debug", p.dir);
    assert_false(is_named(&p));
    run("cd %s && cp prog.debug bin/", p.dir);
    assert_true(is_named(&p));
    place_remove(&p);
}

TEST(symbol__is_not_held_up_by_a_pipe_in_place_of_a_debug_file)
{
    struct place p;

    place_make(&p, "none", "link");
    run("cd %s && mkfifo bin/prog.debug", p.dir);
    assert_false(is_named(&p));
    place_remove(&p);
}

/* ---- the kernel ---- */

/* What mkstemp() makes of path then holds the text. */
static void write_temporary(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void kernel_names(const char *kallsyms, const uint64_t *addrs, const char *const *want, uint32_t n)
{
    char path[] = "/tmp/ringside-test-kallsyms-XXXXXX";
    struct symbols_config config = {.kallsyms.path = path};
    struct symbol_ref names[8];
    struct bench b;

    assert_true(n <= ARRAY_LEN(names));
    write_temporary(path, kallsyms);
    bench_make(&b, &config);
    for (int turn = 0; turn < 2; turn++) { /* the second time without the file */
        symbols_resolve(b.symbols, images_kernel(b.images), addrs, n, names);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(names[i].name == NULL, want[i] == NULL);
            if (want[i])
                assert_string_equal(names[i].name, want[i]);
        }
        unlink(path);
    }
    bench_release(&b);
}

TEST(symbol__names_kernel_functions_and_their_modules)
{
    static const uint64_t addrs[] = {0xffffffff80ffffff, 0xffffffff81000000, 0xffffffff810000ff,
                                     0xffffffff81000100, 0xffffffff81000250, 0xffffffffc0000010,
                                     0xffffffffc0001000};
    static const char *const want[] = {
        NULL, "_stext", "_stext", "do_one_initcall", "vfs_read", "ext4_readdir [ext4]", NULL};

    kernel_names("0000000000000000 A fixed_percpu_data\n"
                 "ffffffff81000000 T _stext\n"
                 "ffffffff81000200 T __vfs_read\n"
                 "ffffffff81000200 T vfs_read\n"
                 "ffffffff81000100 t do_one_initcall\n"
                 "ffffffffc0000000 t ext4_readdir\t[ext4]\n"
                 "ffffffffc0001000 d ext4_table\t[ext4]\n",
                 addrs, want, ARRAY_LEN(addrs));
}

TEST(symbol__names_kernel_functions_from_lines_in_order)
{
    static const uint64_t addrs[] = {0xffffffff81000000, 0xffffffff81000150, 0xffffffff810001ff};
    static const char *const want[] = {"_stext", "do_one_initcall", "do_one_initcall"};

    kernel_names("ffffffff81000000 T _stext\n"
                 "ffffffff81000100 t do_one_initcall\n"
                 "ffffffff81000200 T vfs_read\n"
                 "ffffffff81000300 T behind_all_that_is_asked\n",
                 addrs, want, ARRAY_LEN(addrs));
}

/* Asks for one address after the other; the file is gone before the one at `gone`. */
static void kernel_names_one_by_one(const char *kallsyms, const uint64_t *addrs, const char *const *want,
                                    uint32_t n, uint32_t gone)
{
    char path[] = "/tmp/ringside-test-kallsyms-XXXXXX";
    struct symbols_config config = {.kallsyms.path = path};
    struct symbol_ref name;
    struct bench b;

    write_temporary(path, kallsyms);
    bench_make(&b, &config);
    for (uint32_t i = 0; i < n; i++) {
        if (i == gone)
            unlink(path);
        symbols_resolve(b.symbols, images_kernel(b.images), &addrs[i], 1, &name);
        assert_int_equal(name.name == NULL, want[i] == NULL);
        if (want[i])
            assert_string_equal(name.name, want[i]);
    }
    unlink(path);
    bench_release(&b);
}

#define KERNEL_LINES                                                                                         \
    "0000000000000000 A fixed_percpu_data\n"                                                                 \
    "ffffffff81000000 T _stext\n"                                                                            \
    "ffffffff81000100 t first\n"                                                                             \
    "ffffffff810001f0 t __pfx_second\n"                                                                      \
    "ffffffff81000200 t second\n"                                                                            \
    "ffffffff810002f0 T __pfx_third\n"                                                                       \
    "ffffffff81000300 T __third\n"                                                                           \
    "ffffffff81000300 T third\n"                                                                             \
    "ffffffff81000400 D data\n"                                                                              \
    "ffffffff81000500 d more_data\n"                                                                         \
    "ffffffff81000600 T fourth\n"                                                                            \
    "ffffffff81000600 D same_place\n"                                                                        \
    "ffffffff81000700 D _edata\n"                                                                            \
    "ffffffff81000800 T fifth\n"                                                                             \
    "ffffffff81000900 T last\n"

TEST(symbol__reads_kallsyms_no_more_after_the_second_time)
{
    static const uint64_t addrs[] = {0xffffffff81000100, 0xffffffff81000650, 0xffffffff81000050,
                                     0xffffffff810001f8, 0xffffffff810002ef, 0xffffffff810002f0,
                                     0xffffffff81000377, 0xffffffff81000400, 0xffffffff81000555,
                                     0xffffffff81000750, 0xffffffff81000820};
    static const char *const want[] = {"first", "fourth", "_stext", "__pfx_second", "second", "__pfx_third",
                                       "third", NULL,     NULL,     NULL,           "fifth"};

    kernel_names_one_by_one(KERNEL_LINES "ffffffffc0000000 t read\t[ext4]\n", addrs, want, ARRAY_LEN(addrs),
                            2);
    kernel_names_one_by_one(KERNEL_LINES, addrs, want, ARRAY_LEN(addrs), 2);
}

TEST(symbol__reads_kallsyms_again_for_modules)
{
    static const uint64_t addrs[] = {0xffffffff81000100, 0xffffffff81000650, 0xffffffffc0000010,
                                     0xffffffff81000050, 0xffffffffc0000110};
    static const char *const want[] = {"first", "fourth", "read [ext4]", "_stext", "write [ext4]"};

    kernel_names_one_by_one(KERNEL_LINES "ffffffffc0000000 t read\t[ext4]\n"
                                         "ffffffffc0000100 t write\t[ext4]\n",
                            addrs, want, ARRAY_LEN(addrs), UINT32_MAX);
}

TEST(symbol__keeps_no_lines_that_are_in_disorder)
{
    static const uint64_t addrs[] = {0xffffffff81000100, 0xffffffff81000650, 0xffffffff81000050,
                                     0xffffffff81000310};
    static const char *const want[] = {"first", "fourth", "early", "third"};

    kernel_names_one_by_one("ffffffff81000050 t early\n" KERNEL_LINES, addrs, want, ARRAY_LEN(addrs),
                            UINT32_MAX);
}

TEST(symbol__names_no_kernel_function_when_addresses_are_hidden)
{
    static const uint64_t addrs[] = {0, 0xffffffff81000000};
    static const char *const want[] = {NULL, NULL};

    kernel_names("0000000000000000 T _stext\n0000000000000000 T vfs_read\n", addrs, want, 2);
    kernel_names("", addrs, want, 2);
}
