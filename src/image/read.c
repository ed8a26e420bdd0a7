/*
 * read.c - what the file of an image says: headers, rules, code; read when first asked for
 */
#include "ringside/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "image_private.h"
#include "ringside/stats.h"

#define PAGE_BYTES     4096ULL
#define VDSO_BYTES_MAX (1ULL << 20)

static void fail(struct images *t, struct image *i, const struct err *e)
{
    i->state = IMAGE_STATE_FAILED;
    images_forget_copy(t, i);
    stats_add(t->stats, STATS_IMAGES_FAILED, 1);
    log_debug(image, "%s: %s", i->path, e->text);
}

/* The kernel maps the same vDSO into every process, ours included; it ends with its section headers. */
static int read_vdso(struct image *i, struct err *e)
{
    const void *start = (const void *)getauxval(AT_SYSINFO_EHDR);
    Elf64_Ehdr h;
    uint64_t bytes;

    if (!start)
        return err_set(e, 0, "this kernel maps none");
    memcpy(&h, start, sizeof(h));
    bytes = h.e_shoff + (uint64_t)h.e_shnum * h.e_shentsize;
    bytes = (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    if (bytes > VDSO_BYTES_MAX)
        return err_set(e, 0, "malformed");
    return elf_from_memory(&i->elf, start, bytes, e);
}

static struct wanted_file wanted_again(const struct images *t, const struct image *i)
{
    return (struct wanted_file){
        .door = t->limits.door,
        .path = i->path,
        .pid = i->pid,
        .build_id = i->build_id,
        .build_id_bytes = i->build_id_bytes,
        .check_build_id = i->build_id_bytes > 0,
    };
}

/* It was closed at the limit of open files: the same file again. */
static int reopen(const struct images *t, const struct image *i, struct err *e)
{
    struct wanted_file w = wanted_again(t, i);
    struct stat st;

    if (!w.build_id_bytes) {
        w.dev = i->dev;
        w.inode = i->inode;
        w.bytes = i->bytes;
        w.mtime_ns = i->mtime_ns;
    }
    return wanted_open(&w, &st, e);
}

static bool has_build_id(const struct image *i, const struct elf_file *f)
{
    return !i->build_id_bytes ||
           same_build_id(i->build_id, i->build_id_bytes, f->build_id, f->build_id_bytes);
}

/* What lay under the path when it was opened is another file than was mapped: it had been replaced in
 * between. */
static int read_elsewhere(struct images *t, struct image *i, struct err *e)
{
    struct wanted_file w = wanted_again(t, i);
    struct err ignored;
    struct stat st;
    CLOSE_FD int fd = wanted_open(&w, &st, &ignored);
    char hex[2 * BUILD_ID_MAX + 1];

    images_forget_inode(t, i);
    hex_encode(i->build_id, i->build_id_bytes, hex);
    if (fd < 0)
        return err_set(e, 0, "not the file that was mapped, whose build id is %s", hex);
    return elf_open(&i->elf, fd, e);
}

static int read_file(struct images *t, struct image *i, struct err *e)
{
    CLOSE_FD int fd = take_fd(&i->fd);

    if (fd < 0) {
        fd = reopen(t, i, e);
        if (fd < 0)
            return -1;
    }
    if (elf_open(&i->elf, fd, e) == 0 && has_build_id(i, &i->elf))
        return 0;
    elf_release(&i->elf);
    return i->build_id_bytes ? read_elsewhere(t, i, e) : -1;
}

const struct elf_file *image_elf(struct images *t, struct image *i)
{
    struct err e = {0};
    int result;

    if (i->state == IMAGE_STATE_READ)
        return &i->elf;
    if (i->state != IMAGE_STATE_NEW || (i->kind != IMAGE_FILE && i->kind != IMAGE_VDSO))
        return NULL;
    images_reading(t, i, true);
    result = i->kind == IMAGE_VDSO ? read_vdso(i, &e) : read_file(t, i, &e);
    images_reading(t, i, false);
    if (result < 0) {
        fail(t, i, &e);
        return NULL;
    }
    i->state = IMAGE_STATE_READ;
    if (!i->build_id_bytes && i->elf.build_id_bytes) {
        i->build_id_bytes = i->elf.build_id_bytes;
        memcpy(i->build_id, i->elf.build_id, i->build_id_bytes);
        images_index_build_id(t, i);
        images_write_down(t, i);
    }
    return &i->elf;
}

/* Makes i->cfi; NULL when the file cannot be read. */
static struct cfi *make_cfi(struct images *t, struct image *i)
{
    const struct elf_file *f = image_elf(t, i);
    struct err e = {0};

    if (!f)
        return NULL;
    images_reading(t, i, true);
    i->cfi = cfi_new(f, &t->limits.cfi, &e);
    images_reading(t, i, false);
    if (!i->cfi)
        log_debug(image, "%s: %s", i->path, e.text);
    return i->cfi;
}

static void count_rows(struct images *t, struct image *i)
{
    struct cfi_counts now;

    cfi_counts(i->cfi, &now);
    if (now.compiled == i->counted.compiled)
        return;
    stats_add(t->stats, STATS_ROWS_COMPILED, now.compiled - i->counted.compiled);
    stats_add(t->stats, STATS_ROWS_DROPPED, now.dropped - i->counted.dropped);
    i->counted = now;
}

const struct cfi_rule *image_rule(struct images *t, struct image *i, uint64_t elf_addr)
{
    static const struct cfi_rule none = {.cfa = CFI_NONE};
    const struct cfi_rule *rule;

    if (!i->cfi && !make_cfi(t, i))
        return &none;
    rule = cfi_find(i->cfi, elf_addr);
    count_rows(t, i);
    return rule;
}

bool image_function(struct images *t, struct image *i, uint64_t elf_addr, uint64_t *start, uint64_t *end)
{
    if (!i->cfi && !make_cfi(t, i))
        return false;
    return cfi_function(i->cfi, elf_addr, start, end);
}

bool image_offset_to_elf(struct images *t, struct image *i, uint64_t file_offset, uint64_t *elf_addr)
{
    const struct elf_file *f = image_elf(t, i);

    return f && elf_offset_to_vaddr(f, file_offset, elf_addr);
}

const uint8_t *image_code(struct images *t, struct image *i, uint64_t elf_addr, size_t want, size_t *have)
{
    const struct elf_file *f = image_elf(t, i);

    *have = 0;
    for (uint32_t k = 0; f && k < f->segments; k++) {
        const struct elf_segment *s = &f->segment[k];
        uint64_t in = elf_addr - s->vaddr, n;

        if (!(s->flags & PF_X) || elf_addr < s->vaddr || in >= s->file_bytes || s->offset + in >= f->bytes)
            continue;
        n = MIN_OF(MIN_OF(s->file_bytes - in, f->bytes - (s->offset + in)), want);
        *have = (size_t)n;
        return n ? elf_at(f, s->offset + in, n) : NULL;
    }
    return NULL;
}
