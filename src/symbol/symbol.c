/*
 * symbol.c - names for the addresses of an image: from the cache, else from a pass over the file's symbols
 */
#include "ringside/symbol.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "debugfile.h"
#include "kernel.h"
#include "names.h"
#include "plt.h"
#include "readable.h"
#include "ringside/base.h"
#include "ringside/elfio.h"
#include "ringside/image.h"
#include "ringside/stats.h"
#include "table.h"

#define DEBUG_DIRS  "/usr/lib/debug"
#define TABLE_BYTES (16U << 20)

/* What hangs off an image (image->symbols). */
struct image_names {
    struct symbols *owner;
    struct image *image;
    struct image_names *next, **link; /* in owner->first */
    struct names names;
    struct kernel kernel; /* of the kernel's image */
    uint64_t asked_at;    /* symbols.exports when it was asked last */
    bool looked;          /* its file was looked at */
    bool have;            /* and has a table */
    bool no_debug;        /* it has no separate debug file */
};

struct symbols {
    struct symbols_config config;
    struct images *images;
    struct stats *stats;
    struct image_names *first;
    struct names_budget budget;
    uint64_t exports; /* finished so far */
};

/* ---- life ---- */

struct symbols *symbols_new(const struct symbols_config *config, struct images *images, struct stats *stats)
{
    struct symbols *s = base_calloc(1, sizeof(*s));

    s->config = *config;
    if (!s->config.debug_dirs)
        s->config.debug_dirs = DEBUG_DIRS;
    s->budget.max = config->table_bytes ? config->table_bytes : TABLE_BYTES;
    s->images = images;
    s->stats = stats;
    return s;
}

/* Called by the image when it goes, and by us. */
static void image_names_free(void *symbols)
{
    struct image_names *n = symbols;

    *n->link = n->next;
    if (n->next)
        n->next->link = n->link;
    n->image->symbols = NULL;
    n->image->symbols_free = NULL;
    names_release(&n->names);
    kernel_release(&n->kernel);
    free(n);
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    while (s->first)
        image_names_free(s->first);
    free(s);
}

static struct image_names *names_of(struct symbols *s, struct image *image)
{
    struct image_names *n = image->symbols;

    if (n)
        return n;
    n = base_calloc(1, sizeof(*n));
    *n = (struct image_names){.owner = s, .image = image, .next = s->first, .link = &s->first};
    names_init(&n->names, &s->budget);
    if (n->next)
        n->next->link = &n->next;
    s->first = n;
    image->symbols = n;
    image->symbols_free = image_names_free;
    return n;
}

/* ---- a batch's answers into the cache ---- */

/* Versions are the linker's business (memcpy@@GLIBC_2.14); a name that begins with '@' is not one of those.
 */
static void copy_linked(const struct batch_slot *slot, char out[READABLE_MAX])
{
    size_t n = strnlen(slot->name, READABLE_MAX - sizeof("@plt"));
    const char *at = memchr(slot->name + 1, '@', n ? n - 1 : 0);

    if (at)
        n = (size_t)(at - slot->name);
    memcpy(out, slot->name, n);
    out[n] = '\0';
}

static void add_plt(char text[READABLE_MAX])
{
    size_t n = strlen(text), room = READABLE_MAX - sizeof("@plt");

    if (n > room) {
        n = room;
        text[n] = '\0';
        utf8_clean(text); /* the cut may go through a character */
    }
    strcpy(text + n, "@plt");
}

static bool store(struct image_names *n, const struct batch_slot *slot)
{
    struct known range = {.from = slot->addr, .last = slot->addr};
    char shown[READABLE_MAX], linked[READABLE_MAX];

    if (slot->from <= slot->addr && slot->addr < slot->to) {
        range.from = slot->from;
        range.last = slot->to - 1;
    }
    if (!slot->name || !*slot->name)
        return names_add(&n->names, &range, NULL, NULL);
    copy_linked(slot, linked);
    utf8_clean(linked);
    if (!readable_name(linked, shown))
        strcpy(shown, linked);
    if (slot->plt) {
        add_plt(shown);
        add_plt(linked);
    }
    return names_add(&n->names, &range, shown, linked);
}

/* A file that names lie in, and what storing them touched of it. */
struct name_file {
    const struct elf_file *elf;
    struct elf_windows touched;
};

static void touch_name(struct name_file *files, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct elf_file *f = files[i].elf;

        if (f->data && (uintptr_t)name - (uintptr_t)f->data < f->bytes)
            elf_touch(&files[i].touched, f, name);
    }
}

/* Addresses are in order; their names lie anywhere in the files, if they are in files. */
static void store_all(struct image_names *n, const struct batch *b, struct name_file *files, uint32_t count)
{
    uint64_t known_to = 0;
    uint32_t stored = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        const struct batch_slot *slot = &b->slot[i];

        if (i > 0 && slot->addr < known_to)
            continue; /* in the interval of the one before */
        known_to = slot->to;
        if (slot->name)
            touch_name(files, count, slot->name);
        if (store(n, slot) && slot->name)
            stored++;
    }
    names_sort(&n->names);
    stats_add(n->owner->stats, STATS_SYMBOLS_LOADED, stored);
}

/* ---- passes over the files ---- */

/* The symbols of a separate debug file; *debug stays open, as the names lie in it. */
static uint64_t offer_debug_file(struct image_names *n, const struct elf_file *elf, struct elf_file *debug,
                                 struct batch *b)
{
    const struct symbols_config *config = &n->owner->config;
    struct debugfile_places places = {.dirs = config->debug_dirs, .door = config->door};

    if (n->no_debug || n->image->kind != IMAGE_FILE)
        return 0;
    if (!debugfile_open(elf, n->image->path, &places, debug)) {
        n->no_debug = true;
        return 0;
    }
    return table_offer(debug, SHT_SYMTAB, b);
}

static void resolve_file(struct image_names *n, struct batch *b)
{
    const struct elf_file *elf = image_elf(n->owner->images, n->image);
    struct elf_file debug = {0};
    struct name_file files[] = {{.elf = elf}, {.elf = &debug}};
    uint64_t symbols;

    if (!elf)
        return;
    symbols = table_offer(elf, SHT_SYMTAB, b);
    if (!symbols)
        symbols = offer_debug_file(n, elf, &debug, b);
    batch_settle(b);
    n->have = symbols > 0;
    /* A whole .symtab holds all of .dynsym; a shorter one was thinned out. */
    if (batch_unnamed(b) && symbols < table_count(elf, SHT_DYNSYM)) {
        n->have = true;
        table_offer(elf, SHT_DYNSYM, b);
        batch_settle(b);
    }
    plt_resolve(elf, b);
    store_all(n, b, files, ARRAY_LEN(files));
    elf_release(&debug);
    elf_drop_pages(elf);
}

static void resolve_kernel(struct image_names *n, struct batch *b)
{
    const struct names_budget *budget = n->names.budget;
    size_t kept = n->kernel.table.bytes.cap;
    struct kernel_names *texts;

    texts = kernel_resolve(&n->kernel, &n->owner->config.kallsyms, (budget->max - budget->used) / 2, b);
    n->have = n->kernel.have;
    names_charge(&n->names, n->kernel.table.bytes.cap - kept);
    store_all(n, b, NULL, 0);
    free(texts);
}

static void resolve_unknown(struct image_names *n, const uint64_t *addrs, uint32_t count)
{
    struct batch b;

    batch_init(&b, addrs, count);
    if (n->image->kind == IMAGE_KERNEL)
        resolve_kernel(n, &b);
    else
        resolve_file(n, &b);
    n->looked = true;
    batch_release(&b);
}

/* ---- the public side ---- */

static void learn(struct image_names *n, const uint64_t *addrs, uint32_t count)
{
    FREE_PTR uint64_t *unknown = base_alloc(MIN_OF(count, BATCH_MAX) * sizeof(*unknown));
    uint32_t m = 0;

    for (uint32_t i = 0; i < count; i++) {
        if ((i > 0 && addrs[i] == addrs[i - 1]) || names_find(&n->names, addrs[i]))
            continue;
        unknown[m++] = addrs[i];
        if (m == BATCH_MAX) {
            resolve_unknown(n, unknown, m);
            m = 0;
        }
    }
    if (m)
        resolve_unknown(n, unknown, m);
}

void symbols_resolve(struct symbols *s, struct image *image, const uint64_t *addrs, uint32_t n,
                     struct symbol_ref *out)
{
    uint64_t refused = s->budget.refused;
    const struct known *known = NULL;
    struct image_names *names;

    for (uint32_t i = 0; i < n; i++)
        out[i] = (struct symbol_ref){0};
    if (image->kind == IMAGE_ANON || n == 0)
        return;
    names = names_of(s, image);
    names->asked_at = s->exports;
    if (!names->looked || names->have)
        learn(names, addrs, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!known || addrs[i] < known->from || addrs[i] > known->last)
            known = names_find(&names->names, addrs[i]);
        names_ref(known, &out[i]);
    }
    if (s->budget.refused != refused)
        log_warn(symbol, "%s: %llu names left out: the %zu bytes for names are used up", image->path,
                 (unsigned long long)(s->budget.refused - refused), s->budget.max);
}

bool symbols_have(const struct symbols *s, const struct image *image)
{
    const struct image_names *n = image->symbols;

    return n && n->owner == s && n->have;
}

/* Down to so many bytes: those that were last asked before so many exports were finished. */
static void forget_asked_before(struct symbols *s, uint64_t exports, size_t keep)
{
    struct image_names *next;

    for (struct image_names *n = s->first; n && s->budget.used > keep; n = next) {
        next = n->next;
        if (n->asked_at < exports)
            image_names_free(n);
    }
}

void symbols_trim(struct symbols *s)
{
    /* What was refused may be larger than a quarter: an image's intervals are one array, which doubles. */
    size_t keep = s->budget.refused ? 0 : s->budget.max / 4 * 3;

    forget_asked_before(s, s->exports, keep);
    s->exports++;
    forget_asked_before(s, s->exports, keep);
    s->budget.refused = 0;
}
