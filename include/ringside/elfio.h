/*
 * elfio.h - an ELF file mapped read-only, its headers checked against its size
 *
 * The file may be hostile and may change while it is mapped: every offset is checked, and elf_guard_install()
 * turns the SIGBUS of a file that shrank into zero bytes.
 */
#ifndef RINGSIDE_ELFIO_H
#define RINGSIDE_ELFIO_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ELF_SEGMENTS_MAX 16 /* PT_LOAD segments kept; files with more are refused */
#define BUILD_ID_MAX     20

/* As its program header says. vaddr + memory_bytes does not wrap; the bytes may lie outside the file. */
struct elf_segment {
    uint64_t offset, vaddr, file_bytes, memory_bytes;
    uint32_t flags; /* PF_X ... */
};

struct elf_file {
    const uint8_t *data; /* the whole file, MAP_PRIVATE; or memory of the caller's (elf_from_memory) */
    size_t bytes;
    bool mapped;   /* data is ours to unmap */
    uint16_t type; /* ET_EXEC, ET_DYN */
    uint64_t entry;
    struct elf_segment segment[ELF_SEGMENTS_MAX]; /* PT_LOAD only, in file order */
    uint32_t segments;
    uint64_t eh_frame_hdr_vaddr, eh_frame_hdr_bytes; /* PT_GNU_EH_FRAME; 0 bytes: none */
    uint8_t build_id[BUILD_ID_MAX];
    uint8_t build_id_bytes; /* 0: the file has none */
    /* private to src/elfio: where the section headers lie; sections == 0 when they lie outside the file */
    uint64_t section_headers;
    uint32_t sections, section_names;
};

struct elf_section {
    const char *name; /* borrowed from the file, NUL-terminated inside it */
    uint32_t type;
    uint64_t flags, vaddr, offset, bytes, entry_bytes;
    uint32_t link;
};

/* Maps and checks; fd is borrowed and not needed afterwards. -1 with *e, and *f empty, for anything that is
 * not a 64-bit ELF file of this machine. */
int elf_open(struct elf_file *f, int fd, struct err *e);
/* The same over memory that outlives *f (the vDSO, a fuzzer's bytes). */
int elf_from_memory(struct elf_file *f, const void *data, size_t bytes, struct err *e);
void elf_release(struct elf_file *f);

/*
 * Gives the touched pages of a mapped file back; data stays valid and is read again on the next touch. The
 * kernel maps 64 KiB around each touched page (fault-around; madvise does not stop it), so a few hundred
 * scattered reads of a large library would otherwise count as tens of megabytes of our resident memory.
 */
void elf_drop_pages(const struct elf_file *f);

#define ELF_WINDOWS_SLOTS 128

/* Which windows of 64 KiB of one file were touched since its pages were last given back; all zero at first.
 */
struct elf_windows {
    uint32_t count;                   /* distinct ones, about */
    uint32_t seen[ELF_WINDOWS_SLOTS]; /* window + 1, by its lower bits */
};

/*
 * For scattered reads: notes that `at`, a byte of the file, is read, and gives all pages back first when that
 * is one window too many (6 MiB). So small files keep their pages, and large ones stay within that.
 */
void elf_touch(struct elf_windows *w, const struct elf_file *f, const void *at);

/* n bytes at a file offset, or NULL when any of them lies outside the file. */
const void *elf_at(const struct elf_file *f, uint64_t offset, uint64_t n);

/*
 * Section by index, below f->sections; false past the end, or when its name lies outside the file. Its
 * contents may lie outside (elf_at says so).
 */
bool elf_section_at(const struct elf_file *f, uint32_t index, struct elf_section *out);
/* First section of that name whose contents lie inside the file (SHT_NOBITS: not found). */
bool elf_section_find(const struct elf_file *f, const char *name, struct elf_section *out);

/*
 * ELF virtual address of a file offset inside a PT_LOAD segment (executable ones first); false when there is
 * none. A mapping starts at a whole page, so an offset in the page in which a segment begins belongs to it as
 * well.
 */
bool elf_offset_to_vaddr(const struct elf_file *f, uint64_t offset, uint64_t *vaddr);

/*
 * .gnu_debuglink: file name (borrowed) and CRC-32 of the separate debug file; false when absent or malformed.
 */
bool elf_debuglink(const struct elf_file *f, const char **name, uint32_t *crc);

/* Once per process that maps files it does not own: a page that vanished under a mapping reads as zeros. */
void elf_guard_install(void);

#endif
