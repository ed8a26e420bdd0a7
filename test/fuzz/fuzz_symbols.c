/*
 * fuzz_symbols.c - symbol tables, PLT stubs, relocations and mangled names that lie, in files that lie
 *
 * The first byte chooses: the rest is a whole ELF file, or the parts of one that is sound but for them, or
 * one name, or kallsyms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/symbol/batch.h"
#include "../../src/symbol/kernel.h"
#include "../../src/symbol/plt.h"
#include "../../src/symbol/readable.h"
#include "../../src/symbol/table.h"
#include "../fixtures/forge_symbols.h"
#include "ringside/base.h"
#include "ringside/elfio.h"
#include "ringside/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->slot[i].name && strlen(b->slot[i].name) > FORGE_BYTES_MAX)
            abort();
}

static void resolve(const void *bytes, size_t n)
{
    static const uint64_t addrs[] = {0,      0x1000, 0x1001, 0x1080, 0x1fff,   0x2000,    0x2001,
                                     0x3000, 0x3008, 0x3010, 0x3023, 0x401000, UINT64_MAX};
    struct elf_file f;
    struct batch b;

    if (elf_from_memory(&f, bytes, n, NULL) < 0)
        return;
    batch_init(&b, addrs, ARRAY_LEN(addrs));
    table_offer(&f, SHT_SYMTAB, &b);
    batch_settle(&b);
    check(&b);
    table_offer(&f, SHT_DYNSYM, &b);
    batch_settle(&b);
    plt_resolve(&f, &b);
    check(&b);
    batch_release(&b);
    elf_release(&f);
}

/* Cut into parts at the lengths that lead. */
static void resolve_parts(const uint8_t *data, size_t n)
{
    static struct forge_symbols f;
    struct forge_parts p = {.table_type = data[0] & 1 ? SHT_SYMTAB : SHT_DYNSYM};
    size_t length[3], at = 4;

    for (int i = 0; i < 3; i++) {
        length[i] = MIN_OF((size_t)data[1 + i] * 8, n - at);
        at += length[i];
    }
    p.symbols = data + 4;
    p.symbols_bytes = length[0];
    p.plt = data + 4 + length[0];
    p.plt_bytes = length[1];
    p.relocations = data + 4 + length[0] + length[1];
    p.relocations_bytes = length[2];
    p.strings = data + at;
    p.strings_bytes = n - at;
    forge_symbols(&f, &p);
    resolve(f.file, f.used);
}

static void read_name(const uint8_t *data, size_t n)
{
    char *name = base_alloc(n + 1), out[READABLE_MAX];

    memcpy(name, data, n);
    name[n] = '\0';
    if (readable_name(name, out) && strlen(out) >= READABLE_MAX)
        abort();
    free(name);
}

/* Long names are cut, and then may be compared differently. */
static bool has_long_line(const uint8_t *data, size_t n)
{
    const uint8_t *newline;

    while ((newline = memchr(data, '\n', MIN_OF(n, (size_t)KTABLE_NAME))) != NULL) {
        n -= (size_t)(newline + 1 - data);
        data = newline + 1;
    }
    return n >= KTABLE_NAME;
}

/* The first pass reads lines, the second makes a table, which must answer the third as the first did. */
static void resolve_kernel(const char *path, uint64_t addr, bool compare)
{
    struct kernel k = {0};
    struct kernel_names *names[3];
    struct batch b[3];
    const char *by_lines, *by_table;

    for (int i = 0; i < 3; i++) {
        batch_init(&b[i], &addr, 1);
        names[i] = kernel_resolve(&k, &(struct procfs_kallsyms_file){.path = path}, 1 << 20, &b[i]);
    }
    by_lines = b[0].slot[0].name;
    by_table = b[2].slot[0].name;
    if (compare && ktable_covers(&k.table, addr, addr) &&
        (!by_lines != !by_table || (by_lines && strcmp(by_lines, by_table) != 0)))
        abort();
    for (int i = 0; i < 3; i++) {
        free(names[i]);
        batch_release(&b[i]);
    }
    kernel_release(&k);
}

static void read_kallsyms(const uint8_t *data, size_t n)
{
    static const uint64_t addrs[] = {1, 0x11, 0xff, 0x1000, 0xffffffff81000000};
    int fd = memfd_create("kallsyms", MFD_CLOEXEC);
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, n) == (ssize_t)n)
        for (size_t i = 0; i < ARRAY_LEN(addrs); i++)
            resolve_kernel(path, addrs[i], !has_long_line(data, n));
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 5 || n > FORGE_BYTES_MAX / 2)
        return 0;
    switch (data[0] % 4) {
    case 0:
        resolve(data + 1, n - 1);
        break;
    case 1:
        resolve_parts(data + 1, n - 1);
        break;
    case 2:
        read_kallsyms(data + 1, n - 1);
        break;
    default:
        read_name(data + 1, n - 1);
    }
    return 0;
}
