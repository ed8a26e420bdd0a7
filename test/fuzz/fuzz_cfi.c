/*
 * fuzz_cfi.c - call-frame information of any bytes: as a whole file, as the frames of a forged one, or as its
 * search table
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/cfi/index.h"
#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/cfi.h"
#include "ringside/elfio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_rule(const struct cfi_rule *rule)
{
    uint64_t sum = 0;

    if (rule->cfa > CFI_FULL || (rule->cfa == CFI_FULL) != (rule->full != NULL))
        abort();
    for (int i = 0; rule->full && i < ARCH_REG_COUNT; i++) {
        const struct cfi_place *p = &rule->full->reg[i];

        if (p->how > CFI_HOW_REG || p->reg >= ARCH_REG_COUNT)
            abort();
        for (int k = 0; k < p->ops; k++)
            sum += p->op[k].number;
    }
    if (sum == 0x123456789abcdef)
        abort();
}

static void look_around(const struct elf_file *f)
{
    static const struct cfi_limits limits = {.rows = 64, .rules = 16};
    struct cfi *c = cfi_new(f, &limits, NULL);
    const struct cfi_rule *rule, *again;

    if (!c)
        return;
    for (uint32_t i = 0; i < f->segments; i++)
        for (uint64_t at = 0; at < 256; at += 1 + at / 8) {
            rule = cfi_find(c, f->segment[i].vaddr + at);
            check_rule(rule);
            again = cfi_find(c, f->segment[i].vaddr + at);
            check_rule(again);
        }
    check_rule(cfi_find(c, f->entry));
    cfi_free(c);
}

/* A CIE in front, so that FDEs have one to name: the plainest there is. */
static void forge_input(struct forge *forged, uint8_t how, const uint8_t *data, size_t n)
{
    static const uint8_t cie[] = {20, 0,    0,    0, 0, 0,  0, 0, 1,    'z', 'R', 0,
                                  1,  0x78, 0x10, 1, 0, 12, 7, 8, 0x90, 1,   0,   0};
    static uint8_t frames[sizeof(cie) + 25 + 4096];
    struct forge_section s = {
        .name = how & 4 ? ".debug_frame" : ".eh_frame", .type = SHT_PROGBITS, .bytes = data};
    uint32_t length, distance = sizeof(cie) + 4;
    uint64_t start = FORGE_CODE, bytes = 200;

    s.n = MIN_OF(n, 4096U);
    if (how & 2) { /* the input is the instructions of one FDE */
        length = (uint32_t)(21 + s.n);
        memcpy(frames, cie, sizeof(cie));
        memcpy(frames + sizeof(cie), &length, 4);
        memcpy(frames + sizeof(cie) + 4, &distance, 4);
        memcpy(frames + sizeof(cie) + 8, &start, 8);
        memcpy(frames + sizeof(cie) + 16, &bytes, 8);
        frames[sizeof(cie) + 24] = 0;
        memcpy(frames + sizeof(cie) + 25, data, s.n);
        s.bytes = frames;
        s.n += sizeof(cie) + 25;
    }
    if (how & 8)
        s.flags = SHF_COMPRESSED;
    forge_elf(forged, &s, !(how & 16), sizeof(cie));
}

/* A file that is one search table, whose lines are the input. */
static void look_up_in_table(const uint8_t *data, size_t n)
{
    static const uint8_t head[12] = {1, 0x1b, 3, 0x3b, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0};
    size_t lines = n / 8, bytes = sizeof(head) + 8 * lines;
    uint8_t *table = base_alloc(bytes);
    struct elf_file f = {.data = table,
                         .bytes = bytes,
                         .segment = {{.vaddr = FORGE_CODE, .file_bytes = bytes, .memory_bytes = bytes}},
                         .segments = 1,
                         .eh_frame_hdr_vaddr = FORGE_CODE,
                         .eh_frame_hdr_bytes = bytes};
    struct index_hit hit;
    struct index index;

    memcpy(table, head, sizeof(head));
    memcpy(table + sizeof(head), data, 8 * lines);
    index_open_eh_frame(&index, &f);
    for (size_t i = 0; i <= n - 4; i += 4) {
        uint64_t addr = FORGE_CODE;
        int32_t distance;

        memcpy(&distance, data + i, sizeof(distance));
        addr += (uint64_t)(int64_t)distance;
        if (addr == UINT64_MAX) /* no range ends behind it */
            continue;
        index_find(&index, addr, &hit);
        if (!hit.covered && (hit.from > addr || hit.to <= addr))
            abort();
        if (hit.covered && (hit.fde.start > addr || hit.fde.end <= addr))
            abort();
    }
    index_release(&index);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct forge forged;
    struct elf_file f;
    const uint8_t *file = data + 1;
    uint8_t *copy;
    size_t bytes = n - 1;

    if (n < 1)
        return 0;
    if ((data[0] & 0x60) == 0x60 && n > 4) {
        look_up_in_table(data + 1, n - 1);
        return 0;
    }
    if (data[0] & 1) {
        forge_input(&forged, data[0], data + 1, n - 1);
        file = forged.file;
        bytes = forged.used;
    }
    copy = base_alloc(bytes); /* its own block: reading past it is noticed */
    memcpy(copy, file, bytes);
    if (elf_from_memory(&f, copy, bytes, NULL) == 0)
        look_around(&f);
    elf_release(&f);
    free(copy);
    return 0;
}
