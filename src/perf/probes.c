/*
 * probes.c - the kernel's dynamic PMUs, and where a symbol lies in a file
 *
 * kprobe and uprobe are PMUs whose events make a probe of their own, without tracefs, for as long as they are
 * open (since 4.17; perf_event_open(2), kprobe_func and uprobe_path). The kernel looks kernel symbols up
 * itself; of files it takes the offset.
 */
#include "probes.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/elfio.h"

long probes_pmu(const struct perf_machine *m, const char *pmu, struct err *e)
{
    char path[512];
    long type;

    snprintf(path, sizeof(path), "%s/%s/type", m->devices, pmu);
    type = read_number_file(path, -1);
    if (type < 0 && access(m->devices, X_OK) < 0)
        return err_set(e, errno, "%s, which tells of probes", m->devices);
    if (type < 0)
        return err_set(e, 0, "this kernel has no %ss (built without CONFIG_%s_EVENTS, or older than 4.17)",
                       pmu, pmu[0] == 'k' ? "KPROBE" : "UPROBE");
    return type;
}

/* The bit of config that asks for the probe at return: the file holds "config:0". */
static int return_bit(const struct perf_machine *m, const char *pmu, uint64_t *bit, struct err *e)
{
    char path[512], text[64];
    char *end;
    unsigned long number;

    snprintf(path, sizeof(path), "%s/%s/format/retprobe", m->devices, pmu);
    if (read_small_file(AT_FDCWD, path, text, sizeof(text), e) < 0)
        return -1;
    if (strncmp(text, "config:", 7) != 0)
        return err_set(e, 0, "%s is not understood: %.40s", path, text);
    number = strtoul(text + 7, &end, 10);
    if (end == text + 7 || number > 63)
        return err_set(e, 0, "%s is not understood: %.40s", path, text);
    *bit = 1ULL << number;
    return 0;
}

/* ---- symbols of files ---- */

struct search {
    const struct elf_file *file;
    const char *symbol;
    uint64_t vaddr;
    bool found, is_default; /* the version a linker would take */
    bool indirect;          /* that version is a function that chooses one when the program starts */
};

/* The table's section of versions lies beside it; bit 15 marks those that are not the default (gnu ABI, LSB
 * core "Symbol Version Table"). */
static bool is_hidden(const struct elf_file *f, const struct elf_section *versions, uint64_t index)
{
    const void *p = versions->bytes ? elf_at(f, versions->offset + index * 2, 2) : NULL;
    uint16_t version = 0;

    if (p)
        memcpy(&version, p, sizeof(version));
    return version & 0x8000;
}

static bool is_called(const char *names, uint64_t names_bytes, uint32_t at, const char *symbol)
{
    size_t n = strlen(symbol) + 1;

    return at < names_bytes && n <= names_bytes - at && memcmp(names + at, symbol, n) == 0;
}

static void consider(struct search *s, const Elf64_Sym *sym, bool hidden)
{
    unsigned type = ELF64_ST_TYPE(sym->st_info);

    if (type == STT_GNU_IFUNC && !hidden)
        s->indirect = true;
    if ((type != STT_FUNC && type != STT_NOTYPE) || sym->st_shndx == SHN_UNDEF || sym->st_shndx == SHN_ABS)
        return;
    if (s->found && (s->is_default || hidden))
        return;
    s->found = true;
    s->is_default = !hidden;
    s->vaddr = sym->st_value;
}

static void search_table(struct search *s, const struct elf_section *table)
{
    struct elf_section names, versions = {0};
    uint64_t count = table->bytes / sizeof(Elf64_Sym);
    const uint8_t *entries = elf_at(s->file, table->offset, count * sizeof(Elf64_Sym));
    const char *text;

    if (!entries || !elf_section_at(s->file, table->link, &names))
        return;
    text = elf_at(s->file, names.offset, names.bytes);
    if (!text)
        return;
    if (table->type == SHT_DYNSYM && !elf_section_find(s->file, ".gnu.version", &versions))
        versions.bytes = 0;
    for (uint64_t i = 1; i < count; i++) {
        Elf64_Sym sym;

        memcpy(&sym, entries + i * sizeof(sym), sizeof(sym));
        if (is_called(text, names.bytes, sym.st_name, s->symbol))
            consider(s, &sym, is_hidden(s->file, &versions, i));
    }
}

static void search_tables(struct search *s, uint32_t type)
{
    struct elf_section section;

    for (uint32_t i = 1; i < s->file->sections && !s->found && !s->indirect; i++)
        if (elf_section_at(s->file, i, &section) && section.type == type)
            search_table(s, &section);
}

/* Where the file holds the code at an address; false for one it holds no code for. */
static bool code_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *offset)
{
    for (uint32_t i = 0; i < f->segments; i++) {
        const struct elf_segment *g = &f->segment[i];

        if (!(g->flags & PF_X) || vaddr < g->vaddr || vaddr - g->vaddr >= g->file_bytes)
            continue;
        *offset = g->offset + (vaddr - g->vaddr);
        return elf_at(f, *offset, 1) != NULL;
    }
    return false;
}

static int find_in_file(const struct elf_file *f, const char *path, const char *symbol, uint64_t *offset,
                        struct err *e)
{
    struct search s = {.file = f, .symbol = symbol};

    search_tables(&s, SHT_DYNSYM);
    search_tables(&s, SHT_SYMTAB);
    if (s.indirect && !s.is_default)
        return err_set(e, 0,
                       "%s in %s is chosen among several functions when the program starts; name one of them",
                       symbol, path);
    if (!s.found)
        return err_set(e, 0, "%s defines no function \"%s\" (nm -D %s lists them; FILE:0xOFFSET works, too)",
                       path, symbol, path);
    if (!code_offset(f, s.vaddr, offset))
        return err_set(e, 0, "%s in %s is not code", symbol, path);
    return 0;
}

int probes_find_symbol(const char *path, const char *symbol, uint64_t *offset, struct err *e)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct elf_file f;
    int result;

    if (fd < 0)
        return err_set(e, errno, "open %s", path);
    if (elf_open(&f, fd, e) < 0)
        return err_wrap(e, "%s", path);
    result = find_in_file(&f, path, symbol, offset, e);
    elf_release(&f);
    return result;
}

/* ---- what the kernel wants to be told ---- */

static int resolve_uprobe(const struct event_spec *s, struct perf_target *out, struct err *e)
{
    struct stat st;
    uint64_t offset = 0, place;

    if (s->target[0] && probes_find_symbol(s->group, s->target, &offset, e) < 0)
        return -1;
    if (stat(s->group, &st) < 0)
        return err_set(e, errno, "%s", s->group);
    if (!S_ISREG(st.st_mode))
        return err_set(e, 0, "%s is not a regular file", s->group);
    place = offset + s->offset;
    if (place < offset || place >= (uint64_t)st.st_size)
        return err_set(e, 0, "%s ends before offset 0x%llx", s->group, (unsigned long long)place);
    out->config1 = (uintptr_t)s->group;
    out->config2 = place;
    return 0;
}

int probes_resolve(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                   struct err *e)
{
    bool in_file = s->kind == EVENT_UPROBE || s->kind == EVENT_URETPROBE;
    bool at_return = s->kind == EVENT_KRETPROBE || s->kind == EVENT_URETPROBE;
    const char *pmu = in_file ? "uprobe" : "kprobe";
    long type = probes_pmu(m, pmu, e);

    if (type < 0)
        return -1;
    out->type = (uint32_t)type;
    if (at_return && return_bit(m, pmu, &out->config, e) < 0)
        return -1;
    if (in_file)
        return resolve_uprobe(s, out, e);
    out->config1 = s->target[0] ? (uintptr_t)s->target : 0; /* 0: config2 is an address */
    out->config2 = s->offset;
    return 0;
}
