/*
 * test_image_kept.c - images that a successor gives the ids they had
 */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/image/image_private.h"
#include "ringside/base.h"
#include "ringside/image.h"
#include "ringside/ledger.h"
#include "ringside/stats.h"

static const struct image_limits usual = {
    .images = 100, .open_files = 8, .cfi = {.rows = 1000, .rules = 1000}};

struct fixture {
    struct stats *stats;
    struct ledger *ledger;
    struct images *images;
    char path[64];
};

static uint32_t open_images(struct fixture *x)
{
    x->images = images_new(&usual, x->stats);
    return images_keep(x->images, x->ledger);
}

/* A copy of this program. */
static void write_copy(const char *path)
{
    CLOSE_FD int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CLOSE_FD int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    char bytes[65536];
    ssize_t n;

    assert_true(from >= 0 && to >= 0);
    while ((n = read(from, bytes, sizeof(bytes))) > 0)
        assert_int_equal(write(to, bytes, (size_t)n), n);
}

static void set_up(struct fixture *x)
{
    int fd;

    x->stats = stats_new();
    x->ledger = ledger_new(NULL);
    assert_non_null(x->ledger);
    snprintf(x->path, sizeof(x->path), "/tmp/ringside-kept-XXXXXX");
    fd = mkstemp(x->path);
    assert_true(fd >= 0);
    close(fd);
    write_copy(x->path);
    assert_int_equal(open_images(x), 0);
}

static void tear_down(struct fixture *x)
{
    images_free(x->images);
    ledger_free(x->ledger);
    stats_free(x->stats);
    unlink(x->path);
}

static uint32_t open_again(struct fixture *x)
{
    images_free(x->images);
    return open_images(x);
}

static struct image *map(struct fixture *x, const char *path)
{
    struct image_ref ref = {.path = path, .pid = (uint32_t)getpid()};
    struct stat st;

    if (stat(path, &st) == 0) {
        ref.dev = st.st_dev;
        ref.inode = st.st_ino;
    }
    return images_map(x->images, &ref);
}

TEST(image_kept__a_successor_knows_files_by_the_ids_they_had_and_reads_them)
{
    struct fixture x;
    uint32_t id, named;
    struct image *i;

    set_up(&x);
    named = map(&x, "/dev/nvidia0")->id;
    id = map(&x, x.path)->id;
    assert_int_equal(open_again(&x), 0);
    i = images_get(x.images, id);
    assert_non_null(i);
    assert_string_equal(i->path, x.path);
    assert_int_equal(i->mappings, 0);
    assert_non_null(image_elf(x.images, i)); /* nobody has mapped it since */
    assert_ptr_equal(map(&x, x.path), i);
    assert_int_equal(map(&x, "/dev/nvidia0")->id, named);
    assert_int_equal(images_get(x.images, named)->kind, IMAGE_ANON);
    tear_down(&x);
}

TEST(image_kept__another_file_under_the_path_is_not_taken_for_it)
{
    struct fixture x;
    struct image *i;
    uint32_t id;

    set_up(&x);
    id = map(&x, x.path)->id;
    unlink(x.path);
    write_copy(x.path);
    assert_int_equal(truncate(x.path, 5000), 0);
    assert_int_equal(open_again(&x), 0);
    i = images_get(x.images, id);
    assert_non_null(i);
    assert_null(image_elf(x.images, i));
    tear_down(&x);
}

TEST(image_kept__forgotten_images_do_not_come_back_and_their_ids_are_free)
{
    struct fixture x;
    struct image *i;
    uint32_t id;

    set_up(&x);
    i = map(&x, x.path);
    id = i->id;
    image_unmapped(i);
    assert_int_equal(images_trim(x.images, 0, 0), 1);
    assert_int_equal(open_again(&x), 0);
    assert_null(images_get(x.images, id));
    assert_int_equal(map(&x, x.path)->id, id);
    tear_down(&x);
}

TEST(image_kept__a_path_too_long_for_the_record_is_cut)
{
    struct fixture x;
    char path[1000] = "/dev/";
    struct image *i;
    uint32_t id;

    set_up(&x);
    memset(path + 5, 'x', sizeof(path) - 6);
    id = map(&x, path)->id;
    assert_int_equal(open_again(&x), 0);
    i = images_get(x.images, id);
    assert_non_null(i);
    assert_true(strlen(i->path) > 200 && strlen(i->path) < sizeof(path) - 1);
    tear_down(&x);
}

/* The child dies while it reads; twice it is tried. */
TEST(image_kept__who_died_reading_a_file_twice_does_not_read_it_a_third_time)
{
    struct fixture x;
    uint32_t id;

    set_up(&x);
    id = map(&x, x.path)->id;
    for (int deaths = 0; deaths < 2; deaths++) {
        assert_int_equal(open_again(&x), 0);
        assert_true(images_get(x.images, id)->state == IMAGE_STATE_NEW);
        images_reading(x.images, images_get(x.images, id), true);
    }
    assert_int_equal(open_again(&x), 0);
    assert_null(image_elf(x.images, images_get(x.images, id)));
    assert_int_equal(open_again(&x), 0);
    assert_null(image_elf(x.images, images_get(x.images, id)));
    tear_down(&x);
}

TEST(image_kept__records_written_over_do_no_harm)
{
    uint32_t wrong = 0;

    for (uint32_t round = 0; round < 300; round++) {
        struct fixture x;
        uint8_t *at;
        size_t bytes;

        set_up(&x);
        map(&x, x.path);
        map(&x, "/dev/nvidia0");
        images_free(x.images);
        at = ledger_at(x.ledger, LEDGER_IMAGES, &bytes);
        for (uint32_t i = 0; i < 8; i++) {
            uint64_t random = hash_u64((uint64_t)round << 8 | i);

            at[random % (round % 2 ? 3000 : 16)] = (uint8_t)(random >> 32);
        }
        wrong += open_images(&x);
        for (uint32_t id = 0; id < 100; id++) {
            struct image *i = images_get(x.images, id);

            assert_true(!i || (i->id == id && strlen(i->path) < 1000));
        }
        map(&x, x.path);
        tear_down(&x);
    }
    assert_true(wrong > 0);
}
