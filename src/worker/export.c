/*
 * export.c - the period's counts to a finished profile
 *
 * Only here do addresses get names: all addresses of one image at once, each image read once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/deliver.h"
#include "ringside/profile.h"
#include "ringside/sink.h"

#include "words.h"
#include "worker_private.h"

#define PAGE_MASK 4095ULL

struct export
{
    struct worker *w;
    struct profile profile;
    struct words distinct; /* frame words */
    uint64_t *word;        /* the same, sorted: grouped by image */
    uint32_t words;
    uint32_t *location; /* of each distinct word, by its number */
    uint32_t *shared;   /* by entry: how many outer frames it has in common with the entry before it */
    uint32_t *own;      /* numbers of the words of its other frames, outermost first; of all entries */
    uint32_t owns, owns_cap;
    uint32_t *label_set; /* owner -> label set + 1 */
    uint32_t *same;      /* owner -> the first with the same labels, whatever its event */
    struct export_line {
        uint32_t owner;
        int64_t values[PROFILE_TYPES_MAX];
    } * line; /* of the stack at hand */
    uint32_t lines, lines_cap;
    uint32_t *line_number; /* owner -> its line + 1 */
    uint32_t
        column[FEED_EVENTS_MAX]; /* of each event's values; the CPU event's counts are in the one before */
    uint32_t suspect;            /* image that is not read; 0: none */
    bool plain;                  /* no file is */
    double rounded[FEED_EVENTS_MAX]; /* what rounding has left of scaled values so far */
};

/* ---- distinct frames ---- */

/* The entries are sorted root first: how many outer frames a stack shares with the one before it. */
static uint32_t shared_with(const uint64_t *a, uint32_t a_n, const uint64_t *b, uint32_t b_n)
{
    uint32_t n = 0;

    while (n < a_n && n < b_n && a[a_n - 1 - n] == b[b_n - 1 - n])
        n++;
    return n;
}

/* The target's own binary first: readers take mapping 1 for the main one. */
static void put_main_image_first(struct export *x)
{
    uint32_t first = 0, end;
    uint64_t *copy;

    while (first < x->words && word_image(x->word[first]) != x->w->kept.main_image)
        first++;
    for (end = first; end < x->words && word_image(x->word[end]) == x->w->kept.main_image; end++)
        ;
    if (first == 0 || first == end)
        return;
    copy = base_alloc((end - first) * sizeof(*copy));
    memcpy(copy, x->word + first, (end - first) * sizeof(*copy));
    memmove(x->word + (end - first), x->word, first * sizeof(*copy));
    memcpy(x->word, copy, (end - first) * sizeof(*copy));
    free(copy);
}

static void collect_words(struct export *x)
{
    uint32_t entries = stacks_entry_count(x->w->stacks), n, before_n = 0;
    const uint64_t *frames, *before = NULL;

    x->shared = base_alloc(entries * sizeof(*x->shared));
    for (uint32_t i = 0; i < entries; i++) {
        frames = stacks_frames(x->w->stacks, stacks_entry_at(x->w->stacks, i)->stack, &n);
        x->shared[i] = shared_with(frames, n, before, before_n);
        if (x->owns + n > x->owns_cap) {
            x->owns_cap = (x->owns + n) * 2;
            x->own = base_realloc(x->own, x->owns_cap * sizeof(*x->own));
        }
        for (uint32_t k = n - x->shared[i]; k-- > 0;)
            x->own[x->owns++] = words_add(&x->distinct, frames[k]);
        before = frames;
        before_n = n;
    }
    x->words = x->distinct.count;
    x->word = words_sorted(&x->distinct);
    x->location = base_calloc(x->words, sizeof(*x->location));
    put_main_image_first(x);
}

/* ---- pseudo-frames ---- */

const char *pseudo_name(enum pseudo p)
{
    static const char *const names[PSEUDO_COUNT] = {
        [PSEUDO_NONE] = "[unknown]",
        [PSEUDO_TRUNCATED] = "[truncated]",
        [PSEUDO_INCOMPLETE] = "[incomplete]",
        [PSEUDO_UNMAPPED] = "[unmapped]",
        [PSEUDO_FOREIGN_ABI] = "[32-bit code: not unwound]",
        [PSEUDO_NO_USER_STATE] = "[no user state]",
        [PSEUDO_KERNEL_NOT_PERMITTED] = "[kernel: not permitted]",
        [PSEUDO_ENDED_WITHIN_PERIOD] = "[not sampled: ended within a period]",
        [PSEUDO_NOT_SAMPLED] = "[not sampled]",
        [PSEUDO_OUTSIDE_EVENTS] = "[not sampled: process start, end and switches]",
        [PSEUDO_UNWATCHED] = "[not profiled: other rights]",
        [PSEUDO_LOST] = "[samples lost]",
        [PSEUDO_RESTARTED] = "[lost: the profiler was restarted]",
        [PSEUDO_TOO_MANY_STACKS] = "[too many stacks]",
        [PSEUDO_TOO_MANY_PROCESSES] = "[too many processes]",
    };

    return p < PSEUDO_COUNT ? names[p] : names[PSEUDO_NONE];
}

static void put_location(struct export *x, uint64_t word, const struct profile_location *l)
{
    x->location[words_add(&x->distinct, word)] = profile_add_location(&x->profile, l);
}

static void export_name(struct export *x, uint64_t word, const char *name)
{
    put_location(x, word,
                 &(struct profile_location){.function = profile_add_function(&x->profile, name, name)});
}

static void export_pseudo(struct export *x, uint64_t word)
{
    export_name(x, word,
                word & WORD_TEXT_FLAG ? strtab_get(&x->w->strings, (uint32_t)word)
                                      : pseudo_name((enum pseudo)word_addr(word)));
}

/* ---- images ---- */

/* The mappings one image needs: one per executable segment, or one around all addresses when the file is
 * unreadable. */
struct image_mappings {
    const struct elf_file *elf; /* NULL: unreadable, or the kernel */
    struct profile_mapping whole;
    uint32_t id[ELF_SEGMENTS_MAX + 1]; /* 0: not needed so far; the last for `whole` */
};

/*
 * The file, but not where reading it or others has ended workers before: what this export dies of, the next
 * one leaves out.
 */
static const struct elf_file *export_elf(struct export *x, struct image *image)
{
    if (image->kind == IMAGE_KERNEL || image->id == x->suspect || x->plain)
        return NULL;
    return image_elf(x->w->images, image);
}

static void describe_mappings(struct export *x, struct image *image, const uint64_t *addrs, uint32_t n,
                              struct image_mappings *m)
{
    char hex[2 * BUILD_ID_MAX + 1] = "";

    memset(m, 0, sizeof(*m));
    m->elf = export_elf(x, image);
    if (m->elf && m->elf->build_id_bytes)
        hex_encode(m->elf->build_id, m->elf->build_id_bytes, hex);
    else
        hex_encode(image->build_id, image->build_id_bytes, hex);
    m->whole = (struct profile_mapping){
        .start = addrs[0] & ~PAGE_MASK,
        .limit = (addrs[n - 1] | PAGE_MASK) + 1,
        .filename = profile_string(&x->profile, image->path),
        .build_id = profile_string(&x->profile, hex),
        .has_functions = true, /* attempted: readers need not try again */
    };
    if (m->whole.limit < m->whole.start)
        m->whole.limit = UINT64_MAX;
}

static uint32_t mapping_of(struct export *x, struct image_mappings *m, uint64_t addr)
{
    struct profile_mapping mapping = m->whole;
    uint32_t slot = ELF_SEGMENTS_MAX;

    for (uint32_t i = 0; m->elf && i < m->elf->segments; i++) {
        const struct elf_segment *s = &m->elf->segment[i];

        if (!(s->flags & PF_X) || addr < s->vaddr || addr - s->vaddr >= s->memory_bytes)
            continue;
        slot = i;
        mapping.start = s->vaddr & ~PAGE_MASK;
        mapping.limit = (s->vaddr + s->memory_bytes + PAGE_MASK) & ~PAGE_MASK;
        mapping.file_offset = s->offset & ~PAGE_MASK;
        break;
    }
    if (!m->id[slot])
        m->id[slot] = profile_add_mapping(&x->profile, &mapping);
    return m->id[slot];
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* The function found last: neighbouring addresses mostly lie in the same one. */
struct found {
    uint32_t id;
    uint64_t end; /* ELF address up to which it is known to reach; 0: not known */
    const struct symbol_ref *symbol;
};

/* Code without a symbol is told apart by function where call-frame information gives its bounds, else by
 * address. */
static void find_unnamed(struct export *x, struct image *image, uint64_t addr, struct found *f)
{
    const struct elf_file *elf = export_elf(x, image);
    uint64_t start = addr;
    char text[320];

    f->end = 0;
    if (elf)
        image_function(x->w->images, image, addr, &start, &f->end);
    /* A stripped program still says where it begins; all stacks then have the root people know. */
    if (elf && elf->entry && (elf->entry == start || is_entry(elf, addr)))
        snprintf(text, sizeof(text), "_start");
    else
        snprintf(text, sizeof(text), "%.256s+0x%llx", base_name(image->path), (unsigned long long)start);
    f->id = profile_add_function(&x->profile, text, text);
}

static void find_function(struct export *x, struct image *image, uint64_t addr, const struct symbol_ref *s,
                          struct found *f)
{
    if (s->name) {
        if (!f->symbol || f->symbol->name != s->name || f->symbol->system_name != s->system_name)
            f->id = profile_add_function(&x->profile, s->name, s->system_name);
        f->symbol = s;
        f->end = 0;
        return;
    }
    f->symbol = NULL;
    if (addr >= f->end)
        find_unnamed(x, image, addr, f);
}

static void export_image(struct export *x, struct image *image, const uint64_t *words, uint32_t n)
{
    uint64_t *addrs = base_alloc(n * sizeof(*addrs));
    struct symbol_ref *names = base_calloc(n, sizeof(*names));
    struct image_mappings mappings;
    struct found function = {0};

    for (uint32_t i = 0; i < n; i++)
        addrs[i] = word_addr(words[i]);
    if (image->id != x->suspect && (!x->plain || image->kind == IMAGE_KERNEL))
        symbols_resolve(x->w->symbols, image, addrs, n, names);
    describe_mappings(x, image, addrs, n, &mappings);
    for (uint32_t i = 0; i < n; i++) {
        find_function(x, image, addrs[i], &names[i], &function);
        put_location(x, words[i],
                     &(struct profile_location){.address = addrs[i],
                                                .mapping = mapping_of(x, &mappings, addrs[i]),
                                                .function = function.id});
    }
    free(names);
    free(addrs);
}

/* Readers take mapping 1 for the program itself, so it is there even when no sample fell into it. */
static void export_main_binary(struct export *x)
{
    struct image *image = images_get(x->w->images, x->w->kept.main_image);
    const struct elf_file *elf = image ? export_elf(x, image) : NULL;
    struct image_mappings m;

    if (!elf || (x->words && word_image(x->word[0]) == image->id))
        return;
    for (uint32_t i = 0; i < elf->segments; i++) {
        if (!(elf->segment[i].flags & PF_X))
            continue;
        describe_mappings(x, image, &elf->segment[i].vaddr, 1, &m);
        mapping_of(x, &m, elf->segment[i].vaddr);
        return;
    }
}

/* Whoever comes after a death knows over which image it happened. */
static void mark_image(struct export *x, uint32_t id)
{
    __atomic_store_n(&x->w->live->image_read, id, __ATOMIC_SEQ_CST);
}

static void export_locations(struct export *x)
{
    uint32_t end;

    for (uint32_t i = 0; i < x->words; i = end) {
        uint32_t id = word_image(x->word[i]);
        struct image *image = images_get(x->w->images, id);

        for (end = i; end < x->words && word_image(x->word[end]) == id; end++)
            if (id == IMAGE_ID_NONE)
                export_pseudo(x, x->word[end]);
            else if (!image)
                export_name(x, x->word[end], pseudo_name(PSEUDO_UNMAPPED));
            else if (image->kind == IMAGE_ANON)
                export_name(x, x->word[end], image->path);
        if (id == IMAGE_ID_NONE || !image || image->kind == IMAGE_ANON)
            continue;
        worker_alive(x->w, false);
        mark_image(x, id);
        export_image(x, image, x->word + i, end - i);
        mark_image(x, IMAGE_ID_NONE);
    }
}

/* ---- samples ---- */

static void number_text(char *out, size_t max, uint32_t n)
{
    if (n)
        snprintf(out, max, "%u", n);
    else
        out[0] = '\0';
}

static uint32_t label_set_of(struct export *x, uint32_t owner)
{
    const struct owner *o = &x->w->owner[owner];
    const char *texts[5];
    static const char *const keys[] = {"thread_id", "thread_name", "pid", "process_name", "container_id"};
    struct profile_label labels[ARRAY_LEN(keys)];
    char tid[16], pid[16];
    uint32_t n = 0;

    if (x->label_set[owner])
        return x->label_set[owner] - 1;
    number_text(tid, sizeof(tid), o->tid);
    number_text(pid, sizeof(pid), o->pid);
    texts[0] = tid;
    texts[1] = strtab_get(&x->w->strings, o->thread_name);
    texts[2] = pid;
    texts[3] = strtab_get(&x->w->strings, o->process_name);
    texts[4] = o->container ? strtab_get(&x->w->strings, o->container) : x->w->container;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (texts[i][0])
            labels[n++] = (struct profile_label){.key = profile_string(&x->profile, keys[i]),
                                                 .text = profile_string(&x->profile, texts[i])};
    x->label_set[owner] = profile_add_labels(&x->profile, labels, n) + 1;
    return x->label_set[owner] - 1;
}

/* Rounding errors go into the next value, so that the sum is right however small the values are; none goes
 * away. */
static int64_t scaled_value(struct export *x, uint32_t event, uint64_t value)
{
    double scale = x->w->live->counted[event].scale, exact;
    int64_t whole;

    value = MIN_OF(value, (uint64_t)INT64_MAX);
    if (scale >= 1 || value == 0)
        return (int64_t)value;
    exact = (double)value * scale + x->rounded[event];
    whole = MAX_OF((int64_t)exact, 1LL);
    x->rounded[event] = exact - (double)whole;
    return whole;
}

static void add_values(struct export *x, const struct stacks_entry *entry, int64_t *values)
{
    uint32_t event = x->w->owner[entry->owner].event, column = x->column[event];

    values[column] += scaled_value(x, event, entry->value);
    if (event == x->w->feed->info.cpu_event)
        values[column - 1] += (int64_t)entry->count;
}

/* Owners that differ in the event only have one line of values: finds the first of each. */
static void match_owners(struct export *x)
{
    struct map64 index;

    map64_init(&index);
    x->same = base_alloc(x->w->owners * sizeof(*x->same));
    for (uint32_t i = 0; i < x->w->owners; i++) {
        struct owner o = x->w->owner[i];
        uint64_t key, *first;

        o.event = 0;
        key = hash_bytes(&o, sizeof(o));
        first = map64_find(&index, key);
        x->same[i] = first ? (uint32_t)*first : i;
        if (!first)
            map64_put(&index, key, i);
    }
    map64_release(&index);
}

/* The line of values for an entry of the stack at hand. */
static int64_t *line_of(struct export *x, const struct stacks_entry *entry)
{
    uint32_t owner = x->same[entry->owner];

    if (!x->line_number[owner]) {
        if (x->lines == x->lines_cap) {
            x->lines_cap = x->lines_cap ? x->lines_cap * 2 : 64;
            x->line = base_realloc(x->line, x->lines_cap * sizeof(*x->line));
        }
        x->line[x->lines] = (struct export_line){.owner = owner};
        x->line_number[owner] = ++x->lines;
    }
    return x->line[x->line_number[owner] - 1].values;
}

static void export_lines(struct export *x, uint32_t frame)
{
    for (uint32_t i = 0; i < x->lines; i++) {
        const struct export_line *line = &x->line[i];

        profile_add_sample(&x->profile, frame, label_set_of(x, line->owner), line->values);
        x->line_number[line->owner] = 0;
    }
    x->lines = 0;
}

/* Entries of one stack follow each other. */
static void export_samples(struct export *x)
{
    uint32_t entries = stacks_entry_count(x->w->stacks), n;
    FREE_PTR uint32_t *frame = base_alloc((STACKS_FRAMES_MAX + 1) * sizeof(*frame)); /* outermost first */
    const uint32_t *own = x->own;

    x->label_set = base_calloc(x->w->owners, sizeof(*x->label_set));
    x->line_number = base_calloc(x->w->owners, sizeof(*x->line_number));
    match_owners(x);
    frame[0] = 0;
    for (uint32_t i = 0; i < entries; i++) {
        const struct stacks_entry *entry = stacks_entry_at(x->w->stacks, i);

        stacks_frames(x->w->stacks, entry->stack, &n);
        for (uint32_t k = x->shared[i]; k < n; k++)
            frame[k + 1] = profile_add_frame(&x->profile, frame[k], x->location[*own++]);
        add_values(x, entry, line_of(x, entry));
        if (i + 1 == entries || stacks_entry_at(x->w->stacks, i + 1)->stack != entry->stack)
            export_lines(x, frame[n]);
    }
}

static int fill(void *ctx, const struct byte_out *out, struct err *e)
{
    const struct export *x = ctx;

    return write_patiently(x->w, &x->profile, out, e);
}

static void describe(struct export *x)
{
    uint64_t end_wall_ns = x->w->kept.export.wall_ns, duration_ns = x->w->kept.export.duration_ns;
    struct profile *p = &x->profile;
    const struct feed_info *info = &x->w->feed->info;
    uint32_t main_event = info->cpu_event == FEED_NO_EVENT ? 0 : info->cpu_event;

    for (uint32_t i = 0; i < info->events; i++) {
        if (i == info->cpu_event)
            profile_add_type(p, "samples", "count");
        x->column[i] = p->type_count;
        profile_add_type(p, info->event[i].type, info->event[i].unit);
    }
    p->period_type = p->type[x->column[main_event]];
    p->default_type = p->period_type.type;
    p->period = MAX_OF(info->event[main_event].period, 1ULL); /* one that varies begins with each */
    p->duration_ns = MAX_OF(duration_ns, 1ULL);
    p->time_wall_ns = end_wall_ns - duration_ns;
}

static bool is_done(const struct export *x, uint32_t step)
{
    return x->w->kept.export.done & step;
}

static void mark_done(struct export *x, uint32_t step)
{
    x->w->kept.export.done |= step;
    kept_publish(x->w);
    worker_alive(x->w, false);
}

static int write_file(struct export *x)
{
    struct sink_profile finished = {.time_wall_ns = x->profile.time_wall_ns,
                                    .fill = fill,
                                    .ctx = x,
                                    .again = is_done(x, EXPORTED_FILE_BEGUN)};
    char path[SINK_PATH_MAX];
    struct err e;

    mark_done(x, EXPORTED_FILE_BEGUN);
    worker_alive(x->w, true);
    if (sink_put(x->w->config->sink, &finished, path, &e) < 0) {
        mark_done(x, EXPORTED_FILE);
        log_error(worker, "profile not written: %s", e.text);
        stats_add(x->w->stats, STATS_PROFILES_FAILED, 1);
        return -1;
    }
    mark_done(x, EXPORTED_FILE); /* first: who comes after a death looks for the file under the same number */
    stats_add(x->w->stats, STATS_PROFILES_WRITTEN, 1);
    log_info(worker, "profile written: %s", path);
    return 0;
}

/* Every place gets it, whatever happens at the others; and once, unless somebody dies between sending it and
 * marking that. */
static int hand_out(struct export *x)
{
    const struct worker_config *config = x->w->config;
    int result = 0;

    if (config->show_samples && !is_done(x, EXPORTED_SHOWN)) {
        worker_alive(x->w, true); /* whoever reads it */
        show_samples(&x->profile);
        mark_done(x, EXPORTED_SHOWN);
    }
    if (config->sink && !is_done(x, EXPORTED_FILE))
        result = write_file(x);
    if (config->deliver && !is_done(x, EXPORTED_SENT)) {
        worker_alive(x->w, true); /* the spool's disk */
        if (deliver_profile(config->deliver, &x->profile) < 0)
            result = -1;
        mark_done(x, EXPORTED_SENT);
    }
    return result;
}

/* What is different when workers died over this very export: see export_profile() in worker_private.h. */
static void be_careful(struct export *x)
{
    const struct export_mark *mark = &x->w->kept.export;

    if (mark->attempts <= 1)
        return;
    x->suspect = x->w->live->image_read;
    x->plain = mark->attempts > 2;
    if (x->plain)
        log_warn(worker, "exporting without names: two attempts ended in death");
    else if (x->suspect)
        log_warn(worker, "exporting without names of %s: the attempt before ended there",
                 images_get(x->w->images, x->suspect) ? images_get(x->w->images, x->suspect)->path : "?");
}

int export_profile(struct worker *w)
{
    struct export x = {.w = w};
    int result;

    be_careful(&x);
    profile_init(&x.profile);
    stacks_sort(w->stacks);
    collect_words(&x);
    describe(&x);
    export_main_binary(&x);
    export_locations(&x);
    worker_alive(w, false);
    export_samples(&x);
    worker_alive(w, false);
    add_comments(w, &x.profile, w->kept.export.duration_ns);
    result = hand_out(&x);
    profile_release(&x.profile);
    words_release(&x.distinct);
    free(x.word);
    free(x.location);
    free(x.shared);
    free(x.own);
    free(x.label_set);
    free(x.same);
    free(x.line);
    free(x.line_number);
    return result;
}
