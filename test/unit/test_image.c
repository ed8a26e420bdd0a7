/*
 * test_image.c - identity of mapped files, through deletion, replacement and the limits
 */
#include "open_elf.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/image/image_private.h"
#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/image.h"
#include "ringside/stats.h"

static const struct image_limits usual = {
    .images = 100, .open_files = 8, .cfi = {.rows = 1000, .rules = 1000}};

struct fixture {
    struct stats *stats;
    struct images *images;
    struct elf_file own; /* this program */
    char dir[64];
    char path[2][96];
};

static void set_up(struct fixture *x, const struct image_limits *limits)
{
    x->stats = stats_new();
    x->images = images_new(limits, x->stats);
    open_elf("/proc/self/exe", &x->own);
    snprintf(x->dir, sizeof(x->dir), "/tmp/ringside-image-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    for (int i = 0; i < 2; i++)
        snprintf(x->path[i], sizeof(x->path[i]), "%s/file%d", x->dir, i);
}

static void tear_down(struct fixture *x)
{
    images_free(x->images);
    stats_free(x->stats);
    elf_release(&x->own);
    for (int i = 0; i < 2; i++)
        unlink(x->path[i]);
    assert_int_equal(rmdir(x->dir), 0);
}

/* A copy of this program, with extra bytes at its end to tell copies apart. */
static void copy_self(const char *path, size_t extra)
{
    CLOSE_FD int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CLOSE_FD int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    char bytes[65536];
    ssize_t n;

    assert_true(from >= 0 && to >= 0);
    while ((n = read(from, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(to, bytes, (size_t)n), n);
    for (; extra; extra--)
        assert_int_equal(write(to, "", 1), 1);
}

static struct image_ref ref_to(const char *path)
{
    struct image_ref ref = {.path = path, .pid = (uint32_t)getpid()};
    struct stat st;

    if (stat(path, &st) == 0) {
        ref.dev = st.st_dev;
        ref.inode = st.st_ino;
    }
    return ref;
}

static struct image *map(struct fixture *x, const char *path)
{
    struct image_ref ref = ref_to(path);

    return images_map(x->images, &ref);
}

/* A copy of this program under path[0], mapped. */
static struct image *map_copy(struct fixture *x)
{
    copy_self(x->path[0], 0);
    return map(x, x->path[0]);
}

static struct image *map_build_id(struct fixture *x, const char *path, const void *id, uint8_t n)
{
    struct image_ref ref = {.path = path, .pid = (uint32_t)getpid(), .build_id = id, .build_id_bytes = n};

    return images_map(x->images, &ref);
}

/* Writes a small ELF file with a build id of three bytes. */
static void write_small_file(const char *path)
{
    static const uint8_t note[] = {4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xaa, 0xbb, 0xcc, 0};
    static struct forge forged;
    struct forge_section s = {
        .name = ".note.gnu.build-id", .type = SHT_NOTE, .bytes = note, .n = sizeof(note)};
    CLOSE_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    forge_elf(&forged, &s, false, 0);
    assert_int_equal(write(fd, forged.file, forged.used), forged.used);
}

static void *map_page(const char *path, int protection)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = mmap(NULL, 4096, protection, MAP_PRIVATE, fd, 0);

    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

TEST(image__finds_a_known_build_id_without_a_file)
{
    struct fixture x;
    struct image *first, *second;

    set_up(&x, &usual);
    copy_self(x.path[0], 0);
    first = map_build_id(&x, x.path[0], x.own.build_id, x.own.build_id_bytes);
    second = map_build_id(&x, "/no/such/file", x.own.build_id, x.own.build_id_bytes);
    assert_true(first == second);
    assert_int_equal(first->mappings, 2);
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_OPENED), 1);
    assert_string_equal(first->path, x.path[0]);
    assert_non_null(image_elf(x.images, first));
    tear_down(&x);
}

TEST(image__knows_files_by_device_and_inode)
{
    struct fixture x;
    struct image *first;

    set_up(&x, &usual);
    first = map_copy(&x);
    assert_int_equal(rename(x.path[0], x.path[1]), 0);
    assert_true(map(&x, x.path[1]) == first);
    assert_true(map_copy(&x) != first);
    tear_down(&x);
}

TEST(image__sees_a_file_overwritten_while_nobody_had_it_mapped)
{
    struct fixture x;
    struct image *first;

    set_up(&x, &usual);
    first = map_copy(&x);
    image_unmapped(first);
    assert_true(map(&x, x.path[0]) == first);
    image_unmapped(first);
    copy_self(x.path[0], 1); /* the same inode */
    assert_true(map(&x, x.path[0]) != first);
    tear_down(&x);
}

TEST(image__learns_the_build_id_when_it_reads_the_file)
{
    struct fixture x;
    struct image *i;

    set_up(&x, &usual);
    i = map_copy(&x);
    assert_int_equal(i->build_id_bytes, 0);
    assert_non_null(image_elf(x.images, i));
    assert_int_equal(i->build_id_bytes, x.own.build_id_bytes);
    assert_true(map_build_id(&x, "/elsewhere", x.own.build_id, x.own.build_id_bytes) == i);
    tear_down(&x);
}

TEST(image__reads_a_file_deleted_after_it_was_mapped)
{
    struct fixture x;
    struct image *i;

    set_up(&x, &usual);
    i = map_copy(&x);
    assert_int_equal(unlink(x.path[0]), 0);
    assert_non_null(image_elf(x.images, i));
    assert_true(i->fd < 0); /* the mapping holds it now */
    tear_down(&x);
}

TEST(image__finds_its_own_program_deleted_or_not)
{
    struct fixture x;
    struct image *i;

    set_up(&x, &usual);
    i = map_build_id(&x, "/gone/program (deleted)", x.own.build_id,
                     x.own.build_id_bytes); /* by /proc/PID/exe */
    assert_string_equal(i->path, "/gone/program");
    assert_non_null(image_elf(x.images, i));
    tear_down(&x);
}

TEST(image__finds_a_deleted_file_by_its_mapping)
{
    struct fixture x;
    struct image_ref ref;
    struct image *i;
    void *at;

    set_up(&x, &usual);
    copy_self(x.path[0], 0);
    at = map_page(x.path[0], PROT_READ | PROT_EXEC);
    ref = ref_to(x.path[0]);
    ref.start = (uint64_t)(uintptr_t)at;
    ref.end = ref.start + 4096;
    assert_int_equal(unlink(x.path[0]), 0);
    i = images_map(x.images, &ref);
    assert_non_null(image_elf(x.images, i));
    munmap(at, 4096);
    tear_down(&x);
}

/* The mapping's end is not given right, so that /proc/PID/map_files leads nowhere, as for other users'
 * processes.
 */
TEST(image__copies_from_memory_what_no_path_leads_to)
{
    struct fixture x;
    struct image_ref ref = {.pid = (uint32_t)getpid(), .build_id = (const uint8_t *)"\xaa\xbb\xcc"};
    void *at, *unreadable;
    struct image *i;

    set_up(&x, &usual);
    write_small_file(x.path[0]);
    at = map_page(x.path[0], PROT_READ | PROT_EXEC);
    unreadable = map_page(x.path[0], PROT_NONE);
    assert_int_equal(unlink(x.path[0]), 0);
    ref.build_id_bytes = 3;
    ref.path = x.path[0];
    ref.start = (uint64_t)(uintptr_t)at;
    ref.end = ref.start + 8192;
    x.images->copied_bytes = COPIED_BYTES_MAX;
    i = images_map(x.images, &ref);
    assert_null(image_elf(x.images, i));
    x.images->copied_bytes = 0;
    assert_true(images_map(x.images, &ref) == i);
    assert_non_null(image_elf(x.images, i));
    assert_int_equal(x.images->copied_bytes, 4096);
    image_unmapped(i);
    image_unmapped(i);
    assert_int_equal(images_trim(x.images, 0, 0), 1);
    assert_int_equal(x.images->copied_bytes, 0);
    munmap(at, 4096);
    munmap(unreadable, 4096);
    tear_down(&x);
}

TEST(image__takes_nothing_from_memory_that_shows_another_file_by_now)
{
    struct fixture x;
    struct image_ref ref;
    void *at;

    set_up(&x, &usual);
    write_small_file(x.path[0]);
    at = map_page(x.path[0], PROT_READ | PROT_EXEC);
    ref = ref_to(x.path[0]);
    ref.inode++;
    ref.start = (uint64_t)(uintptr_t)at;
    ref.end = ref.start + 4096;
    assert_null(image_elf(x.images, images_map(x.images, &ref)));
    munmap(at, 4096);
    tear_down(&x);
}

TEST(image__refuses_a_file_that_is_not_the_one_mapped)
{
    struct fixture x;
    struct image *i;

    set_up(&x, &usual);
    copy_self(x.path[0], 0);
    i = map_build_id(&x, x.path[0], "01234567890123456789", 20);
    assert_null(image_elf(x.images, i));
    assert_null(image_elf(x.images, i));
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_FAILED), 1);
    assert_int_equal(image_rule(x.images, i, 0x1000)->cfa, CFI_NONE);
    tear_down(&x);
}

TEST(image__remembers_failures_and_tries_again_for_later_processes)
{
    struct fixture x;
    struct image_ref ref = {.pid = (uint32_t)getpid(), .dev = 1};
    struct image *i;

    set_up(&x, &usual);
    copy_self(x.path[1], 0);
    ref.inode = ref_to(x.path[1]).inode;
    ref.path = x.path[0]; /* not there yet */
    i = images_map(x.images, &ref);
    assert_null(image_elf(x.images, i));
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_FAILED), 1);
    assert_int_equal(rename(x.path[1], x.path[0]), 0);
    assert_true(images_map(x.images, &ref) == i);
    assert_non_null(image_elf(x.images, i));
    tear_down(&x);
}

TEST(image__refuses_fifos_and_other_machines_without_hanging)
{
    struct fixture x;
    struct image *i;

    set_up(&x, &usual);
    assert_int_equal(mkfifo(x.path[0], 0600), 0);
    i = map(&x, x.path[0]);
    assert_null(image_elf(x.images, i));
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_OPENED), 0);
    i = map(&x, "/etc/passwd");
    assert_null(image_elf(x.images, i));
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_FAILED), 2);
    tear_down(&x);
}

TEST(image__shares_one_image_for_memory_without_a_name)
{
    static const char *const plain[] = {
        "", "//anon", "[heap]", "[stack]", "/dev/zero (deleted)", "/SYSV00000000 (deleted)"};
    struct fixture x;
    struct image *anon;

    set_up(&x, &usual);
    anon = map(&x, "");
    assert_int_equal(anon->kind, IMAGE_ANON);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        assert_true(map(&x, plain[i]) == anon);
    assert_string_equal(anon->path, "[anon]");
    assert_null(image_elf(x.images, anon));
    assert_int_equal(image_rule(x.images, anon, 0x1000)->cfa, CFI_NONE);
    tear_down(&x);
}

TEST(image__keeps_names_of_memory_that_has_one)
{
    struct fixture x;
    struct image *jit;

    set_up(&x, &usual);
    jit = map(&x, "/memfd:doublemapper (deleted)");
    assert_int_equal(jit->kind, IMAGE_ANON);
    assert_string_equal(jit->path, "/memfd:doublemapper");
    assert_true(map(&x, "/memfd:doublemapper (deleted)") == jit);
    assert_true(map(&x, "[anon:v8]") != jit);
    assert_int_equal(map(&x, "/dev/null")->kind, IMAGE_ANON); /* never opened: devices may act on it */
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_OPENED), 0);
    tear_down(&x);
}

TEST(image__reads_the_vdso_from_memory)
{
    struct fixture x;
    const struct elf_file *f;
    uint64_t at, known = 0;
    struct image *i;

    set_up(&x, &usual);
    i = map(&x, "[vdso]");
    assert_int_equal(i->kind, IMAGE_VDSO);
    f = image_elf(x.images, i);
    assert_non_null(f);
    assert_true(image_offset_to_elf(x.images, i, 0, &at));
    for (uint64_t end = at + 8192; at < end; at += 16)
        known += image_rule(x.images, i, at)->cfa == CFI_REG_OFFSET;
    assert_true(known > 10);
    tear_down(&x);
}

TEST(image__gives_rules_and_code_of_the_running_program)
{
    struct fixture x;
    struct image *i;
    const struct elf_file *f;
    const uint8_t *code;
    uint64_t vaddr;
    size_t have;

    set_up(&x, &usual);
    i = map_copy(&x);
    f = image_elf(x.images, i);
    assert_int_equal(image_rule(x.images, i, f->entry)->cfa, CFI_END);
    assert_int_equal(image_rule(x.images, i, f->entry + 1)->cfa, CFI_END);
    assert_int_equal(stats_get(x.stats, STATS_ROWS_COMPILED), 1);
    code = image_code(x.images, i, f->entry, 16, &have);
    assert_int_equal(have, 16);
    assert_true(elf_offset_to_vaddr(f, (uint64_t)(code - f->data), &vaddr));
    assert_int_equal(vaddr, f->entry);
    assert_null(image_code(x.images, i, UINT64_MAX, 16, &have));
    assert_int_equal(have, 0);
    tear_down(&x);
}

TEST(image__says_so_when_there_are_too_many)
{
    struct image_limits few = {.images = 6, .open_files = 8};
    struct fixture x;
    struct image *one, *more;

    set_up(&x, &few); /* five are fixed */
    one = map(&x, "[one]");
    more = map(&x, "[two]");
    assert_string_equal(one->path, "[one]");
    assert_string_equal(more->path, "[too many images]");
    assert_true(map(&x, "[three]") == more);
    assert_true(map(&x, "[one]") == one);
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_DROPPED), 2);
    tear_down(&x);
}

TEST(image__closes_the_oldest_files_and_finds_them_again)
{
    struct image_limits one_open = {.images = 100, .open_files = 1};
    struct fixture x;
    struct image *first, *second;

    set_up(&x, &one_open);
    copy_self(x.path[0], 0);
    copy_self(x.path[1], 1);
    first = map(&x, x.path[0]);
    second = map(&x, x.path[1]);
    assert_int_equal(first->fd, -1);
    assert_true(second->fd >= 0);
    assert_non_null(image_elf(x.images, first));
    first = map(&x, "/proc/self/exe"); /* pushes the second out */
    assert_int_equal(unlink(x.path[1]), 0);
    copy_self(x.path[1], 2);
    assert_null(image_elf(x.images, second)); /* another file by now */
    assert_int_equal(stats_get(x.stats, STATS_IMAGES_FAILED), 1);
    tear_down(&x);
}

TEST(image__does_not_close_a_file_in_the_turn_of_a_forgotten_one)
{
    struct image_limits two_open = {.images = 100, .open_files = 2};
    struct fixture x;
    struct image *first, *second;

    set_up(&x, &two_open);
    copy_self(x.path[0], 0);
    copy_self(x.path[1], 1);
    image_unmapped(map(&x, x.path[0]));
    assert_int_equal(images_trim(x.images, 0, 0), 1);
    first = map(&x, x.path[0]); /* has the forgotten one's id */
    second = map(&x, x.path[1]);
    assert_true(first->fd >= 0);
    assert_true(second->fd >= 0);
    tear_down(&x);
}

static void free_symbols(void *symbols)
{
    ++*(int *)symbols;
}

TEST(image__forgets_what_nothing_shows_or_refers_to)
{
    struct fixture x;
    struct image *mapped, *spared, *old, *young;
    int freed = 0;
    uint32_t id;

    set_up(&x, &usual);
    mapped = map(&x, "[mapped]");
    spared = map(&x, "[spared]");
    old = map(&x, "[old]");
    young = map(&x, "[young]");
    old->symbols = &freed;
    old->symbols_free = free_symbols;
    id = old->id;
    image_unmapped(spared);
    image_unmapped(old);
    image_unmapped(young);
    assert_int_equal(images_trim(x.images, 4, spared->id), 0);
    assert_int_equal(images_trim(x.images, 3, spared->id), 1);
    assert_int_equal(freed, 1);
    assert_null(images_get(x.images, id));
    assert_true(images_get(x.images, young->id) == young);
    assert_int_equal(images_trim(x.images, 0, spared->id), 1);
    assert_true(images_get(x.images, mapped->id) == mapped);
    assert_true(images_get(x.images, spared->id) == spared);
    assert_true(map(&x, "[old]")->id <= id + 1); /* ids stay dense */
    assert_int_equal(images_trim(x.images, 0, 0), 1);
    assert_true(images_get(x.images, images_kernel(x.images)->id) == images_kernel(x.images));
    tear_down(&x);
}
