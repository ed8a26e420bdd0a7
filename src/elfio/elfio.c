/*
 * elfio.c - map an ELF file, check its headers, translate between its offsets and addresses
 *
 * Nothing the file says is used as an offset or a length before it was compared with the file's size.
 * Structures are copied out, never pointed into: the file may be misaligned, and may change while it is
 * mapped.
 */
#include "ringside/elfio.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "elfio_private.h"
#include "ringside/base.h"

/* A mapping covers whole pages; every x86-64 linker lays segments out for 4096-byte pages or a multiple. */
#define PAGE_MASK 4095ULL

#define SEGMENTS_READ_MAX 256 /* program headers looked at; real files have about 15 */

/*
 * All of libLLVM's frames, or of libclang's names, are less than that. Finding a rule takes 0.8 us where
 * pages stay and 3.5 us where every second one has gone.
 */
#define WINDOWS_MAX  96
#define WINDOW_SHIFT 16 /* the kernel's fault_around_bytes */

const void *elf_at(const struct elf_file *f, uint64_t offset, uint64_t n)
{
    if (offset > f->bytes || n > f->bytes - offset)
        return NULL;
    return f->data + offset;
}

bool elf_read(const struct elf_file *f, uint64_t offset, void *out, size_t n)
{
    const void *at = elf_at(f, offset, n);

    if (!at)
        return false;
    memcpy(out, at, n);
    return true;
}

static int check_header(const struct elf_file *f, Elf64_Ehdr *h, struct err *e)
{
    if (!elf_read(f, 0, h, sizeof(*h)) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return err_set(e, 0, "not an ELF file");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB || h->e_machine != EM_X86_64)
        return err_set(e, 0, "an ELF file of another machine (class %u, machine %u)", h->e_ident[EI_CLASS],
                       h->e_machine);
    if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        return err_set(e, 0, "neither a program nor a shared object (ELF type %u)", h->e_type);
    if (h->e_phnum && h->e_phentsize != sizeof(Elf64_Phdr))
        return err_set(e, 0, "malformed: program headers of %u bytes", h->e_phentsize);
    return 0;
}

static int take_load(struct elf_file *f, const Elf64_Phdr *p, struct err *e)
{
    uint64_t end;

    if (f->segments == ELF_SEGMENTS_MAX)
        return err_set(e, 0, "more than %d segments to load", ELF_SEGMENTS_MAX);
    if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end) ||
        __builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || p->p_filesz > p->p_memsz)
        return err_set(e, 0, "malformed: a segment that wraps around");
    /* The bytes may lie outside: separate debug files keep the program headers of the file they belong to. */
    f->segment[f->segments++] = (struct elf_segment){.offset = p->p_offset,
                                                     .vaddr = p->p_vaddr,
                                                     .file_bytes = p->p_filesz,
                                                     .memory_bytes = p->p_memsz,
                                                     .flags = p->p_flags};
    return 0;
}

static int take_segments(struct elf_file *f, const Elf64_Ehdr *h, struct err *e)
{
    Elf64_Phdr p;

    if (h->e_phnum > SEGMENTS_READ_MAX)
        return err_set(e, 0, "%u program headers", h->e_phnum);
    for (uint32_t i = 0; i < h->e_phnum; i++) {
        if (h->e_phoff > f->bytes || !elf_read(f, h->e_phoff + i * sizeof(p), &p, sizeof(p)))
            return err_set(e, 0, "truncated: program headers lie outside the file");
        if (p.p_type == PT_LOAD && take_load(f, &p, e) < 0)
            return -1;
        if (p.p_type == PT_GNU_EH_FRAME) {
            f->eh_frame_hdr_vaddr = p.p_vaddr;
            f->eh_frame_hdr_bytes = p.p_filesz;
        }
        if (p.p_type == PT_NOTE && !f->build_id_bytes)
            elf_take_build_id(f, p.p_offset, p.p_filesz, p.p_align);
    }
    return 0;
}

static int parse(struct elf_file *f, struct err *e)
{
    Elf64_Ehdr h;

    if (check_header(f, &h, e) < 0 || take_segments(f, &h, e) < 0)
        return -1;
    f->type = h.e_type;
    f->entry = h.e_entry;
    elf_take_sections(f, &h);
    if (!f->build_id_bytes)
        elf_take_build_id_section(f);
    return 0;
}

int elf_open(struct elf_file *f, int fd, struct err *e)
{
    struct stat st;
    void *data;

    *f = (struct elf_file){0};
    if (fstat(fd, &st) < 0)
        return err_set(e, errno, "stat");
    if (!S_ISREG(st.st_mode))
        return err_set(e, 0, "not a regular file");
    if (st.st_size < (off_t)sizeof(Elf64_Ehdr))
        return err_set(e, 0, "not an ELF file: %lld bytes", (long long)st.st_size);
    data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return err_set(e, errno, "map %lld bytes", (long long)st.st_size);
    f->data = data;
    f->bytes = (size_t)st.st_size;
    f->mapped = true;
    if (parse(f, e) < 0) {
        elf_release(f);
        return -1;
    }
    return 0;
}

int elf_from_memory(struct elf_file *f, const void *data, size_t bytes, struct err *e)
{
    *f = (struct elf_file){.data = data, .bytes = bytes};
    if (parse(f, e) < 0) {
        elf_release(f);
        return -1;
    }
    return 0;
}

void elf_release(struct elf_file *f)
{
    if (f->mapped)
        munmap((void *)f->data, f->bytes);
    *f = (struct elf_file){0};
}

void elf_drop_pages(const struct elf_file *f)
{
    /* Clean pages of a private file mapping: the next touch brings them back from the page cache. */
    if (f->mapped)
        madvise((void *)f->data, f->bytes, MADV_DONTNEED);
}

void elf_touch(struct elf_windows *w, const struct elf_file *f, const void *at)
{
    uint32_t window = (uint32_t)((uint64_t)((const uint8_t *)at - f->data) >> WINDOW_SHIFT);

    if (w->seen[window % ELF_WINDOWS_SLOTS] == window + 1)
        return;
    if (w->count == WINDOWS_MAX) {
        elf_drop_pages(f);
        *w = (struct elf_windows){0};
    }
    w->seen[window % ELF_WINDOWS_SLOTS] = window + 1;
    w->count++;
}

/* First segment that holds the offset; in_page also takes the start of the page in which the segment begins.
 */
static const struct elf_segment *segment_of_offset(const struct elf_file *f, uint64_t offset, bool executable,
                                                   bool in_page)
{
    for (uint32_t i = 0; i < f->segments; i++) {
        const struct elf_segment *s = &f->segment[i];
        uint64_t from = in_page ? s->offset & ~PAGE_MASK : s->offset;

        if (executable && !(s->flags & PF_X))
            continue;
        if (offset >= from && offset < s->offset + s->file_bytes)
            return s;
    }
    return NULL;
}

bool elf_offset_to_vaddr(const struct elf_file *f, uint64_t offset, uint64_t *vaddr)
{
    const struct elf_segment *s = segment_of_offset(f, offset, true, false);

    if (!s)
        s = segment_of_offset(f, offset, true, true);
    if (!s)
        s = segment_of_offset(f, offset, false, false);
    if (!s)
        s = segment_of_offset(f, offset, false, true);
    if (!s)
        return false;
    *vaddr = s->vaddr + (offset - s->offset);
    return true;
}
