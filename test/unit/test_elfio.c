/*
 * test_elfio.c - ELF headers read from real files, forged ones, and ones cut short
 */
#include "open_elf.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fixtures/forge_elf.h"
#include "ringside/base.h"
#include "ringside/elfio.h"

struct own_notes {
    uint8_t id[64];
    size_t bytes;
};

/* The build id as the dynamic linker's notes have it in memory. */
static int take_own_build_id(struct dl_phdr_info *info, __attribute__((unused)) size_t size, void *ctx)
{
    struct own_notes *out = ctx;

    for (int i = 0; i < info->dlpi_phnum && !out->bytes; i++) {
        const uint8_t *at = (const uint8_t *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        const uint8_t *end = at + info->dlpi_phdr[i].p_memsz;

        if (info->dlpi_phdr[i].p_type != PT_NOTE || info->dlpi_phdr[i].p_align != 4)
            continue;
        while (at < end) {
            const ElfW(Nhdr) *n = (const ElfW(Nhdr) *)at;

            if (n->n_type == NT_GNU_BUILD_ID) {
                out->bytes = n->n_descsz;
                memcpy(out->id, at + sizeof(*n) + 4, n->n_descsz);
                return 1;
            }
            at += sizeof(*n) + ((n->n_namesz + 3) & ~3U) + ((n->n_descsz + 3) & ~3U);
        }
    }
    return 1; /* the program itself comes first */
}

TEST(elfio__reads_the_build_id_the_loader_sees)
{
    struct elf_file f;
    struct own_notes own = {0};

    dl_iterate_phdr(take_own_build_id, &own);
    open_elf("/proc/self/exe", &f);
    assert_int_equal(f.build_id_bytes, own.bytes);
    assert_memory_equal(f.build_id, own.id, own.bytes);
    assert_true(f.segments >= 2);
    assert_true(f.eh_frame_hdr_bytes > 12);
    elf_release(&f);
    elf_release(&f);
}

TEST(elfio__finds_sections_by_name_and_skips_those_without_contents)
{
    struct elf_section s;
    struct elf_file f;
    uint64_t vaddr;

    open_elf("/proc/self/exe", &f);
    assert_true(elf_section_find(&f, ".text", &s));
    assert_true(f.entry >= s.vaddr && f.entry < s.vaddr + s.bytes);
    assert_true(elf_offset_to_vaddr(&f, s.offset, &vaddr));
    assert_int_equal(vaddr, s.vaddr);
    assert_false(elf_section_find(&f, ".bss", &s));
    assert_false(elf_section_find(&f, ".no such section", &s));
    assert_false(elf_section_at(&f, f.sections, &s));
    elf_release(&f);
}

TEST(elfio__counts_the_page_in_which_a_segment_begins_as_its_own)
{
    struct elf_file f = {.segments = 2};
    uint64_t out;

    f.segment[0] = (struct elf_segment){.offset = 0, .vaddr = 0, .file_bytes = 0x1234, .flags = PF_R};
    f.segment[1] =
        (struct elf_segment){.offset = 0x1240, .vaddr = 0x2240, .file_bytes = 0x1000, .flags = PF_R | PF_X};
    assert_true(elf_offset_to_vaddr(&f, 0x1000, &out)); /* where the executable mapping starts */
    assert_int_equal(out, 0x2000);
    assert_true(elf_offset_to_vaddr(&f, 0x1240, &out));
    assert_int_equal(out, 0x2240);
    assert_true(elf_offset_to_vaddr(&f, 0x10, &out));
    assert_int_equal(out, 0x10);
    assert_false(elf_offset_to_vaddr(&f, 0x2240, &out));
}

static struct forge forged;

static void forge_debuglink(const void *bytes, size_t n)
{
    struct forge_section s = {.name = ".gnu_debuglink", .type = SHT_PROGBITS, .bytes = bytes, .n = n};

    forge_elf(&forged, &s, false, 0);
}

TEST(elfio__reads_a_debug_link_and_refuses_one_cut_short)
{
    static const char link[] = "file.debug\0\0\x78\x56\x34\x12";
    struct elf_file f;
    const char *name;
    uint32_t crc;

    forge_debuglink(link, 16);
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, NULL), 0);
    assert_true(elf_debuglink(&f, &name, &crc));
    assert_string_equal(name, "file.debug");
    assert_int_equal(crc, 0x12345678);
    for (size_t n = 0; n < 16; n++) {
        forge_debuglink(link, n);
        assert_int_equal(elf_from_memory(&f, forged.file, forged.used, NULL), 0);
        assert_false(elf_debuglink(&f, &name, &crc));
    }
}

TEST(elfio__takes_the_build_id_from_a_section_where_program_headers_have_none)
{
    static const uint8_t note[] = {4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xaa, 0xbb, 0xcc, 0};
    struct forge_section s = {
        .name = ".note.gnu.build-id", .type = SHT_NOTE, .bytes = note, .n = sizeof(note)};
    struct elf_file f;

    forge_elf(&forged, &s, false, 0);
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, NULL), 0);
    assert_int_equal(f.build_id_bytes, 3);
    assert_memory_equal(f.build_id, "\xaa\xbb\xcc", 3);
}

TEST(elfio__refuses_other_machines_and_says_so)
{
    struct elf_file f;
    struct err e = {0};

    forge_debuglink("", 0);
    ((Elf64_Ehdr *)forged.file)->e_machine = EM_AARCH64;
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, &e), -1);
    assert_non_null(strstr(e.text, "another machine"));
    assert_null(f.data);
    ((Elf64_Ehdr *)forged.file)->e_machine = EM_X86_64;
    ((Elf64_Ehdr *)forged.file)->e_type = ET_REL;
    assert_int_equal(elf_from_memory(&f, forged.file, forged.used, &e), -1);
}

TEST(elfio__survives_a_file_cut_at_any_length)
{
    struct elf_file whole, f;
    struct elf_section s;
    const char *name;
    uint32_t crc;

    open_elf("/proc/self/exe", &whole);
    for (size_t n = 0; n < whole.bytes; n += n < 8192 ? 1 : 4093) {
        uint8_t *cut = base_alloc(n); /* of its own, so that a sanitizer sees the end */

        memcpy(cut, whole.data, n);
        if (elf_from_memory(&f, cut, n, NULL) == 0) {
            elf_section_find(&f, ".text", &s);
            elf_debuglink(&f, &name, &crc);
            assert_true(n >= sizeof(Elf64_Ehdr));
        }
        free(cut);
    }
    elf_release(&whole);
}

TEST(elfio__refuses_what_is_not_a_regular_file)
{
    CLOSE_FD int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct elf_file f;
    struct err e = {0};

    assert_int_equal(elf_open(&f, fd, &e), -1);
    assert_non_null(strstr(e.text, "regular"));
}

/* A copy of this program in a file without a name. */
static int copy_self(void)
{
    int fd = memfd_create("copy", MFD_CLOEXEC);
    struct elf_file self;

    open_elf("/proc/self/exe", &self);
    assert_int_equal(write(fd, self.data, self.bytes), self.bytes);
    elf_release(&self);
    return fd;
}

TEST(elfio__reads_zeros_where_a_mapped_file_shrank)
{
    CLOSE_FD int fd = copy_self();
    struct elf_file f;

    elf_guard_install();
    assert_int_equal(elf_open(&f, fd, NULL), 0);
    assert_true(f.bytes > 8192);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(*(const volatile uint8_t *)(f.data + 8000), 0);
    assert_int_equal(f.data[0], ELFMAG0);
    elf_release(&f);
}

TEST(elfio__reads_dropped_pages_again)
{
    struct elf_file f;
    uint64_t before, after;

    open_elf("/proc/self/exe", &f);
    before = hash_bytes(f.data, f.bytes);
    elf_drop_pages(&f);
    after = hash_bytes(f.data, f.bytes);
    assert_true(before == after);
    elf_release(&f);
}

/* Anonymous memory in a file's place: what is given back reads as zeros, which shows when that happens. */
TEST(elfio__gives_pages_back_only_when_many_windows_were_touched)
{
    const size_t window = 64 << 10, windows = 97;
    uint8_t *data = mmap(NULL, windows * window, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct elf_file f = {.data = data, .bytes = windows * window, .mapped = true};
    struct elf_windows touched = {0};

    assert_true(data != MAP_FAILED);
    data[0] = 1;
    for (int twice = 0; twice < 2; twice++)
        for (size_t i = 0; i < windows - 1; i++)
            elf_touch(&touched, &f, data + i * window + 100);
    assert_int_equal(data[0], 1);
    elf_touch(&touched, &f, data + (windows - 1) * window);
    assert_int_equal(data[0], 0);
    elf_release(&f);
}
