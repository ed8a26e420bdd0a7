/*
 * index.c - search tables over FDEs
 *
 * .eh_frame_hdr brings one sorted by address (LSB Core 5.0, 10.6.2). libdw can use it too, but not when
 * .eh_frame comes before .eh_frame_hdr (files linked by gold), not for .debug_frame, and it does not tell how
 * far a hole reaches.
 */
#include "index.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "inflate.h"
#include "ringside/base.h"
#include "ringside/elfio.h"

#define ENTRIES_MAX        (1U << 20)  /* of a table of ours: 8 MiB */
#define INFLATED_MAX       (64U << 20) /* of a compressed section */
#define TABLE_HEADER_BYTES 12          /* with the encodings every linker uses */

/* The PT_LOAD segment that holds an address, as far as the file has it. */
static bool segment_frames(const struct elf_file *file, uint64_t vaddr, struct frames *out)
{
    for (uint32_t i = 0; i < file->segments; i++) {
        const struct elf_segment *s = &file->segment[i];

        if (vaddr < s->vaddr || vaddr - s->vaddr >= s->file_bytes || s->offset >= file->bytes)
            continue;
        *out = (struct frames){.data = file->data + s->offset,
                               .bytes = (size_t)MIN_OF(s->file_bytes, file->bytes - s->offset),
                               .vaddr = s->vaddr};
        return true;
    }
    return false;
}

/*
 * Takes the table of PT_GNU_EH_FRAME. FDEs may lie anywhere in the segment .eh_frame is in, which need not be
 * the table's own (some linkers put .eh_frame among the writable data).
 */
static bool use_table(struct index *x, const struct elf_file *file)
{
    uint64_t at, vaddr = file->eh_frame_hdr_vaddr, bytes = file->eh_frame_hdr_bytes;
    struct frames holder;
    uint32_t count;
    int32_t frames;
    const uint8_t *h;

    if (bytes < TABLE_HEADER_BYTES || !segment_frames(file, vaddr, &holder))
        return false;
    at = vaddr - holder.vaddr;
    if (at > holder.bytes || bytes > holder.bytes - at)
        return false;
    h = holder.data + at;
    if (h[0] != 1 || h[1] != (DW_EH_PE_pcrel | DW_EH_PE_sdata4) || h[2] != DW_EH_PE_udata4 ||
        h[3] != (DW_EH_PE_datarel | DW_EH_PE_sdata4))
        return false;
    memcpy(&frames, h + 4, sizeof(frames));
    if (!segment_frames(file, vaddr + 4 + (uint64_t)(int64_t)frames, &x->frames))
        return false;
    memcpy(&count, h + 8, sizeof(count));
    x->count = MIN_OF(count, (bytes - TABLE_HEADER_BYTES) / 8);
    x->table = h + TABLE_HEADER_BYTES;
    x->table_vaddr = vaddr;
    return x->count > 0;
}

static uint64_t start_at(const struct index *x, size_t i)
{
    int32_t start;

    if (x->own)
        return x->base + x->own[i].start;
    memcpy(&start, x->table + 8 * i, sizeof(start));
    return x->table_vaddr + (uint64_t)(int64_t)start;
}

/*
 * Copies some of the starts. A search that begins with these touches fewer pages and cache lines of the
 * file's table, 190 thousand lines in a large program, than one over the table alone. (Interpolation would
 * not: over a whole file, functions are not spread evenly enough, and the first places a binary search reads
 * are always the same.)
 */
static void take_samples(struct index *x)
{
    size_t n = (x->count + INDEX_SAMPLE_EVERY - 1) / INDEX_SAMPLE_EVERY;

    x->sample = base_alloc(n * sizeof(*x->sample));
    for (size_t i = 0; i < n; i++)
        x->sample[i] = start_at(x, i * INDEX_SAMPLE_EVERY);
}

static int compare_entries(const void *a, const void *b)
{
    const struct index_entry *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static uint64_t lowest_vaddr(const struct elf_file *file)
{
    uint64_t lowest = UINT64_MAX;

    for (uint32_t i = 0; i < file->segments; i++)
        lowest = MIN_OF(lowest, file->segment[i].vaddr);
    return lowest;
}

/* Makes a table by reading every entry once. */
static void scan(struct index *x, const struct elf_file *file)
{
    struct frames_fde fde;
    uint64_t offset = 0, next = 0;
    size_t cap = 0;
    enum frames_entry kind;

    x->base = lowest_vaddr(file);
    while ((kind = frames_read(&x->frames, offset, &fde, &next)) != FRAMES_END && x->count < ENTRIES_MAX) {
        if (kind == FRAMES_FDE && fde.start >= x->base && fde.start - x->base < UINT32_MAX &&
            offset <= UINT32_MAX) {
            if (x->count == cap) {
                cap = cap ? cap * 2 : 256;
                x->own = base_realloc(x->own, cap * sizeof(*x->own));
            }
            x->own[x->count++] =
                (struct index_entry){.start = (uint32_t)(fde.start - x->base), .offset = (uint32_t)offset};
        }
        offset = next;
    }
    if (!x->count)
        return;
    qsort(x->own, x->count, sizeof(*x->own), compare_entries);
    take_samples(x);
    elf_drop_pages(file); /* the whole section was touched */
}

void index_open_eh_frame(struct index *x, const struct elf_file *file)
{
    struct elf_section s;

    *x = (struct index){0};
    if (use_table(x, file)) {
        take_samples(x);
        return;
    }
    *x = (struct index){0};
    if (!elf_section_find(file, ".eh_frame", &s) || (s.flags & SHF_COMPRESSED))
        return;
    x->frames = (struct frames){.data = file->data + s.offset, .bytes = s.bytes, .vaddr = s.vaddr};
    scan(x, file);
}

void index_open_debug_frame(struct index *x, const struct elf_file *file)
{
    struct elf_section s;
    size_t bytes;

    *x = (struct index){0};
    if (elf_section_find(file, ".debug_frame", &s) && !(s.flags & SHF_COMPRESSED)) {
        x->frames = (struct frames){.data = file->data + s.offset, .bytes = s.bytes, .debug = true};
    } else {
        x->inflated = inflate_section(file, ".debug_frame", INFLATED_MAX, &bytes);
        if (!x->inflated)
            return;
        x->frames = (struct frames){.data = x->inflated, .bytes = bytes, .debug = true};
    }
    scan(x, file);
}

void index_release(struct index *x)
{
    free(x->own);
    free(x->sample);
    free(x->inflated);
    *x = (struct index){0};
}

static uint64_t offset_at(const struct index *x, size_t i)
{
    int32_t fde;

    if (x->own)
        return x->own[i].offset;
    memcpy(&fde, x->table + 8 * i + 4, sizeof(fde));
    return x->table_vaddr + (uint64_t)(int64_t)fde - x->frames.vaddr;
}

/* How many entries start at or below an address; any number up to count when the file's table is out of
 * order.
 */
static size_t count_upto(const struct index *x, uint64_t addr)
{
    size_t low = 0, high = x->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2, sample = middle / INDEX_SAMPLE_EVERY;
        uint64_t start;

        if (sample * INDEX_SAMPLE_EVERY >= low) {
            middle = sample * INDEX_SAMPLE_EVERY;
            start = x->sample[sample];
        } else {
            start = start_at(x, middle);
        }
        if (start <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void index_find(struct index *x, uint64_t addr, struct index_hit *out)
{
    size_t upto = count_upto(x, addr);
    uint64_t next;

    out->covered = false;
    out->from = 0;
    /* The bounds are for a table out of order, or written to since the samples were taken. */
    out->to = upto < x->count ? MAX_OF(start_at(x, upto), addr + 1) : UINT64_MAX;
    if (upto == 0)
        return;
    out->from = MIN_OF(start_at(x, upto - 1), addr);
    if (frames_read(&x->frames, offset_at(x, upto - 1), &out->fde, &next) != FRAMES_FDE ||
        out->fde.start > addr)
        return; /* an entry that cannot be read hides the addresses up to the next */
    if (addr >= out->fde.end) {
        out->from = out->fde.end;
        return;
    }
    out->covered = frames_check_to(&out->fde, addr);
    if (!out->covered)
        out->from = addr; /* what cannot be used here cannot be used further on */
}
