/*
 * images.c - the table of images: found by identity, opened when new, forgotten when nothing shows them
 */
#include "ringside/image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_private.h"
#include "ringside/stats.h"

static const char deleted_suffix[] = " (deleted)"; /* fs/d_path.c */

/* ---- identity ---- */

static uint64_t key_of_build_id(const uint8_t *id, uint8_t n)
{
    return hash_bytes(id, n);
}

static uint64_t key_of_inode(uint64_t dev, uint64_t inode)
{
    return hash_u64(hash_u64(dev) ^ inode);
}

static size_t shown_bytes(const char *path)
{
    size_t n = strlen(path), suffix = sizeof(deleted_suffix) - 1;

    return n > suffix && strcmp(path + n - suffix, deleted_suffix) == 0 ? n - suffix : n;
}

static uint64_t key_of_path(const char *path)
{
    return ~hash_bytes(path, shown_bytes(path));
}

static bool same_path(const struct image *i, const char *path)
{
    size_t n = shown_bytes(path);

    return strlen(i->path) == n && memcmp(i->path, path, n) == 0;
}

static struct image *find_key(const struct images *t, uint64_t key)
{
    const uint64_t *id = map64_find(&t->index, key);

    return id ? t->image[*id] : NULL;
}

static void remove_key(struct images *t, uint64_t key, const struct image *i)
{
    if (find_key(t, key) == i)
        map64_remove(&t->index, key);
}

void images_index_build_id(struct images *t, const struct image *i)
{
    uint64_t key = key_of_build_id(i->build_id, i->build_id_bytes);

    if (i->build_id_bytes && !find_key(t, key))
        map64_put(&t->index, key, i->id);
}

void images_forget_inode(struct images *t, struct image *i)
{
    remove_key(t, key_of_inode(i->dev, i->inode), i);
    i->inode = 0;
    images_write_down(t, i);
}

/* A later image of the same path or inode takes the place of an earlier one. */
void images_index(struct images *t, const struct image *i)
{
    if (i->build_id_bytes)
        map64_put(&t->index, key_of_build_id(i->build_id, i->build_id_bytes), i->id);
    if (i->inode)
        map64_put(&t->index, key_of_inode(i->dev, i->inode), i->id);
    if (!i->build_id_bytes && !i->inode)
        map64_put(&t->index, key_of_path(i->path), i->id);
}

static void unindex_image(struct images *t, const struct image *i)
{
    remove_key(t, key_of_build_id(i->build_id, i->build_id_bytes), i);
    remove_key(t, key_of_inode(i->dev, i->inode), i);
    remove_key(t, key_of_path(i->path), i);
}

/* ---- life of one image ---- */

uint32_t images_next_id(struct images *t)
{
    if (t->ids == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->image = base_realloc(t->image, t->cap * sizeof(struct image *));
        t->free_id = base_realloc(t->free_id, t->cap * sizeof(*t->free_id));
    }
    return t->ids++;
}

static uint32_t take_id(struct images *t)
{
    return t->free_ids ? t->free_id[--t->free_ids] : images_next_id(t);
}

static struct image *add_image(struct images *t, enum image_kind kind, const char *path, size_t path_bytes)
{
    struct image *i = base_calloc(1, sizeof(*i));

    i->id = take_id(t);
    i->kind = kind;
    i->fd = -1;
    i->path = base_alloc(path_bytes + 1);
    memcpy(i->path, path, path_bytes);
    i->path[path_bytes] = 0;
    t->image[i->id] = i;
    return i;
}

static struct image *add_fixed(struct images *t, enum image_kind kind, const char *path)
{
    return add_image(t, kind, path, strlen(path));
}

/* Its id may come to mean another image, which must not be closed in this one's turn. */
static void leave_open_ring(struct images *t, const struct image *i)
{
    for (uint32_t k = 0; k < t->limits.open_files; k++)
        if (t->open_id[k] == i->id)
            t->open_id[k] = IMAGE_ID_NONE;
}

static void free_image(struct images *t, struct image *i)
{
    images_strike_out(t, i);
    leave_open_ring(t, i);
    images_forget_copy(t, i);
    if (i->symbols_free && i->symbols)
        i->symbols_free(i->symbols);
    cfi_free(i->cfi);
    elf_release(&i->elf);
    if (i->fd >= 0)
        close(i->fd);
    t->image[i->id] = NULL;
    free(i->path);
    free(i);
}

struct images *images_new(const struct image_limits *limits, struct stats *stats)
{
    struct images *t = base_calloc(1, sizeof(*t));

    t->limits = *limits;
    t->limits.images = MIN_OF(t->limits.images, 1U << IMAGE_ID_BITS);
    t->limits.open_files = MAX_OF(t->limits.open_files, 1U);
    t->stats = stats;
    t->open_id = base_calloc(t->limits.open_files, sizeof(*t->open_id));
    map64_init(&t->index);
    take_id(t); /* IMAGE_ID_NONE */
    t->image[IMAGE_ID_NONE] = NULL;
    t->kernel = add_fixed(t, IMAGE_KERNEL, "[kernel.kallsyms]");
    t->anon = add_fixed(t, IMAGE_ANON, "[anon]");
    t->vdso = add_fixed(t, IMAGE_VDSO, "[vdso]");
    t->overflow = add_fixed(t, IMAGE_ANON, "[too many images]");
    return t;
}

void images_free(struct images *t)
{
    if (!t)
        return;
    t->record = NULL; /* they stay */
    for (uint32_t id = 0; id < t->ids; id++)
        if (t->image[id])
            free_image(t, t->image[id]);
    map64_release(&t->index);
    free(t->image);
    free(t->free_id);
    free(t->open_id);
    free(t);
}

/* ---- what a path says ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Memory without a file, one mapping like the other. Names: fs/proc/task_mmu.c, perf_event_mmap_event() in
 * kernel/events/core.c. */
static bool is_plain_memory(const char *path)
{
    static const char *const prefixes[] = {"//anon",    "[heap]", "[stack",
                                           "/dev/zero", "/SYSV",  "/anon_hugepage"};

    if (!*path)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (starts_with(path, prefixes[i]))
            return true;
    return false;
}

/*
 * Memory without a file that has a name worth showing: [anon:NAME] of prctl(2), memfd_create(2), devices. A
 * memfd with a build id holds a program that was started from memory.
 */
static bool is_named_memory(const struct image_ref *ref)
{
    const char *path = ref->path;

    if (starts_with(path, "/memfd:"))
        return ref->build_id_bytes == 0;
    if (starts_with(path, "//")) /* "//toolong", "//enomem" */
        return ref->build_id_bytes == 0 && ref->inode == 0;
    return path[0] != '/' || (starts_with(path, "/dev/") && !starts_with(path, "/dev/shm/"));
}

/* ---- opening ---- */

/* Holds a descriptor; at the limit, the one held longest goes. */
static void hold_open(struct images *t, struct image *i, int fd)
{
    struct image *oldest = images_get(t, t->open_id[t->open_at]);

    if (oldest && oldest->fd >= 0) {
        close(oldest->fd);
        oldest->fd = -1;
        images_forget_copy(t, oldest);
    }
    t->open_id[t->open_at] = i->id;
    t->open_at = (t->open_at + 1) % t->limits.open_files;
    i->fd = fd;
}

static void try_to_open(struct images *t, struct image *i, const struct image_ref *ref)
{
    struct wanted_file w = {
        .door = t->limits.door,
        .path = ref->path,
        .pid = ref->pid,
        .start = ref->start,
        .end = ref->end,
        .dev = ref->dev,
        .inode = ref->inode,
        .build_id = ref->build_id,
        .build_id_bytes = ref->build_id_bytes,
    };
    struct stat st;
    struct err e;
    int fd = wanted_open(&w, &st, &e);

    i->pid = ref->pid;
    if (fd < 0 && w.pid && w.end && t->copied_bytes < COPIED_BYTES_MAX) {
        fd = memory_file_open(&w, &st, NULL);
        i->copied_bytes = fd < 0 ? 0 : (uint64_t)st.st_blocks * 512;
        t->copied_bytes += i->copied_bytes;
    }
    if (fd < 0) {
        log_debug(image, "%s: %s", i->path, e.text);
        i->state = IMAGE_STATE_UNOPENED;
        return;
    }
    i->state = IMAGE_STATE_NEW;
    i->bytes = (uint64_t)st.st_size;
    i->mtime_ns = stat_mtime_ns(&st);
    if (!i->inode) { /* known from the record otherwise, which may call the device by another number */
        i->dev = st.st_dev;
        i->inode = st.st_ino;
    }
    stats_add(t->stats, STATS_IMAGES_OPENED, 1);
    hold_open(t, i, fd);
}

/* ---- looking up ---- */

/*
 * While we hold a file its inode cannot be given to another. But its contents may be overwritten: where
 * nobody had it mapped just now, it is looked at once more.
 */
static bool still_current(const struct images *t, const struct image *i, const struct image_ref *ref)
{
    struct wanted_file w = {.door = t->limits.door,
                            .path = ref->path,
                            .pid = ref->pid,
                            .inode = ref->inode,
                            .dev = ref->dev,
                            .bytes = i->bytes,
                            .mtime_ns = i->mtime_ns};
    struct wanted_file any = w;
    struct stat st;
    struct err e;
    int fd;

    if (i->mappings || !i->bytes)
        return true;
    fd = wanted_open(&w, &st, &e);
    if (fd < 0) {
        any.bytes = 0;
        fd = wanted_open(&any, &st, &e);
        if (fd < 0)
            return true; /* gone: what we hold is the best there is */
        close(fd);
        return false;
    }
    close(fd);
    return true;
}

static struct image *find_image(const struct images *t, const struct image_ref *ref)
{
    struct image *i;
    bool same;

    if (ref->build_id_bytes) {
        i = find_key(t, key_of_build_id(ref->build_id, ref->build_id_bytes));
        same = i && same_build_id(i->build_id, i->build_id_bytes, ref->build_id, ref->build_id_bytes);
        return same ? i : NULL;
    }
    if (ref->inode) {
        i = find_key(t, key_of_inode(ref->dev, ref->inode));
        return i && i->dev == ref->dev && i->inode == ref->inode && still_current(t, i, ref) ? i : NULL;
    }
    i = find_key(t, key_of_path(ref->path));
    return i && same_path(i, ref->path) ? i : NULL;
}

static struct image *add_file(struct images *t, const struct image_ref *ref, enum image_kind kind)
{
    struct image *i;

    if (t->ids - t->free_ids >= t->limits.images) {
        stats_add(t->stats, STATS_IMAGES_DROPPED, 1);
        return t->overflow;
    }
    i = add_image(t, kind, ref->path, shown_bytes(ref->path));
    t->files++;
    i->build_id_bytes = MIN_OF(ref->build_id_bytes, BUILD_ID_MAX);
    if (i->build_id_bytes)
        memcpy(i->build_id, ref->build_id, i->build_id_bytes);
    i->dev = ref->dev;
    i->inode = ref->inode;
    if (kind == IMAGE_FILE) {
        try_to_open(t, i, ref);
        if (i->state == IMAGE_STATE_UNOPENED)
            stats_add(t->stats, STATS_IMAGES_FAILED, 1);
    }
    images_index(t, i);
    images_write_down(t, i);
    return i;
}

static bool is_power_of_two(uint32_t n)
{
    return (n & (n - 1)) == 0;
}

static struct image *find_or_add(struct images *t, const struct image_ref *ref)
{
    bool named = is_named_memory(ref);
    struct image_ref by_name = {.path = ref->path};
    struct image *i;

    if (is_plain_memory(ref->path))
        return t->anon;
    if (strcmp(ref->path, t->vdso->path) == 0)
        return t->vdso;
    i = find_image(t, named ? &by_name : ref);
    if (!i)
        return add_file(t, named ? &by_name : ref, named ? IMAGE_ANON : IMAGE_FILE);
    /* Another process may reach what the first one could not; but not every one of thousands shall try. */
    if (i->state == IMAGE_STATE_UNOPENED && is_power_of_two(i->seen + 1)) {
        try_to_open(t, i, ref);
        images_write_down(t, i);
    }
    return i;
}

struct image *images_map(struct images *t, const struct image_ref *ref)
{
    struct image *i = find_or_add(t, ref);

    i->mappings++;
    i->seen++;
    i->last_use = ++t->clock;
    return i;
}

void image_unmapped(struct image *i)
{
    assert(i->mappings > 0);
    i->mappings--;
}

struct image *images_kernel(struct images *t)
{
    return t->kernel;
}

struct image *images_get(const struct images *t, uint32_t id)
{
    return id < t->ids ? t->image[id] : NULL;
}

/* ---- forgetting ---- */

static int compare_last_use(const void *a, const void *b)
{
    const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;

    return x->last_use < y->last_use ? -1 : x->last_use > y->last_use;
}

uint32_t images_trim(struct images *t, uint32_t keep, uint32_t spared)
{
    struct image **idle;
    uint32_t n = 0, forgotten = 0;

    if (t->files <= keep)
        return 0;
    idle = base_alloc(t->files * sizeof(struct image *));
    for (uint32_t id = t->overflow->id + 1; id < t->ids; id++)
        if (t->image[id] && !t->image[id]->mappings && id != spared)
            idle[n++] = t->image[id];
    if (n)
        qsort(idle, n, sizeof(struct image *), compare_last_use);
    for (; forgotten < n && t->files > keep; forgotten++) {
        uint32_t id = idle[forgotten]->id;

        unindex_image(t, idle[forgotten]);
        free_image(t, idle[forgotten]);
        t->free_id[t->free_ids++] = id;
        t->files--;
    }
    free(idle);
    return forgotten;
}
