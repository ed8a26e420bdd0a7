/*
 * libdwfl.c - the same samples through libdwfl: one Dwfl per process, callbacks for each sample's registers
 * and stack
 *
 * This is how ddprof walks (dwfl_getthread_frames per sample). Words outside the stack copy are read from the
 * mapped files. Files are reported once, as the process had them mapped at its last sample. The vDSO is not
 * reported, and separate debug files are not looked for.
 */
#include "bench.h"

#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/elfio.h"
#include "ringside/image.h"
#include "ringside/process.h"

struct libdwfl {
    Dwfl *dwfl;
    const struct recording *recording;
    struct ours *ours;
    struct process *process;
    uint32_t pid;
    const struct feed_sample *sample; /* being walked */
    uint64_t pc[UNWIND_MAX_FRAMES];
    uint32_t count;
    bool last_exact;
};

/* ---- callbacks ---- */

static int no_debug_file(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
                         const char *file, const char *link, GElf_Word crc, char **found)
{
    (void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)found;
    return -1;
}

static bool read_file_word(struct libdwfl *d, uint64_t addr, Dwarf_Word *out)
{
    struct mapping *m = process_find_mapping(d->process, addr);
    const struct elf_file *elf = m ? image_elf(ours_images(d->ours), m->image) : NULL;
    const void *at = elf ? elf_at(elf, m->file_offset + (addr - m->start), sizeof(uint64_t)) : NULL;
    uint64_t word;

    if (!at)
        return false;
    memcpy(&word, at, sizeof(word));
    *out = word;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *out, void *ctx)
{
    struct libdwfl *d = ctx;
    const struct feed_sample *s = d->sample;
    uint64_t from_start = addr - s->regs.r[ARCH_REG_SP], word;

    (void)dwfl;
    if (s->stack_bytes < sizeof(word) || from_start > s->stack_bytes - sizeof(word))
        return read_file_word(d, addr, out);
    memcpy(&word, s->stack + from_start, sizeof(word));
    *out = word;
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *ctx)
{
    struct libdwfl *d = ctx;
    Dwarf_Word word[ARCH_REG_COUNT];

    for (unsigned i = 0; i < ARCH_REG_COUNT; i++)
        word[i] = d->sample->regs.r[i];
    return dwfl_thread_state_registers(thread, 0, ARCH_REG_COUNT, word);
}

static pid_t next_thread(Dwfl *dwfl, void *ctx, void **thread_ctx)
{
    struct libdwfl *d = ctx;

    (void)dwfl;
    if (*thread_ctx)
        return 0;
    *thread_ctx = d;
    return (pid_t)d->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *ctx, void **thread_ctx)
{
    (void)dwfl, (void)tid;
    *thread_ctx = ctx;
    return true;
}

static int take_frame(Dwfl_Frame *frame, void *ctx)
{
    struct libdwfl *d = ctx;
    Dwarf_Addr pc;
    bool activation;

    if (!dwfl_frame_pc(frame, &pc, &activation) || d->count == UNWIND_MAX_FRAMES)
        return DWARF_CB_ABORT;
    d->pc[d->count++] = pc;
    d->last_exact = activation;
    return DWARF_CB_OK;
}

/* ---- set-up ---- */

/* A file may show in several executable pieces; libdwfl takes it once. */
static bool reported_before(const struct libdwfl *d, uint32_t index)
{
    const struct mapping *m = d->process->space->mapping;

    for (uint32_t i = 0; i < index; i++)
        if (m[i].image == m[index].image && m[i].bias == m[index].bias)
            return true;
    return false;
}

static void report_files(struct libdwfl *d)
{
    const struct address_space *space = d->process->space;

    dwfl_report_begin(d->dwfl);
    for (uint32_t i = 0; i < space->count; i++) {
        struct mapping *m = &space->mapping[i];

        mapping_to_elf(ours_images(d->ours), m, m->start); /* settles its bias */
        if (m->image->kind == IMAGE_FILE && !reported_before(d, i))
            dwfl_report_elf(d->dwfl, m->image->path, m->image->path, -1, m->bias, true);
    }
    dwfl_report_end(d->dwfl, NULL, NULL);
}

struct libdwfl *libdwfl_new(const struct recording *r, struct ours *ours, uint32_t pid, struct err *e)
{
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = no_debug_file,
        .section_address = dwfl_offline_section_address,
    };
    static const Dwfl_Thread_Callbacks thread_callbacks = {
        .next_thread = next_thread,
        .get_thread = get_thread,
        .memory_read = read_memory,
        .set_initial_registers = set_registers,
    };
    struct libdwfl *d = base_calloc(1, sizeof(*d));

    d->recording = r;
    d->ours = ours;
    d->pid = pid;
    d->process = ours_process(ours, pid);
    d->dwfl = dwfl_begin(&callbacks);
    if (d->dwfl) {
        report_files(d);
        if (dwfl_attach_state(d->dwfl, NULL, (pid_t)pid, &thread_callbacks, d))
            return d;
    }
    err_set(e, 0, "libdwfl: %s", dwfl_errmsg(-1));
    libdwfl_free(d);
    return NULL;
}

void libdwfl_free(struct libdwfl *d)
{
    if (!d)
        return;
    dwfl_end(d->dwfl);
    free(d);
}

/* ---- a pass ---- */

void libdwfl_pass(struct libdwfl *d, struct pass *out, struct walks *walks)
{
    const struct recording *r = d->recording;

    *out = (struct pass){0};
    for (uint32_t i = 0; i < r->count; i++) {
        uint64_t began;

        if (!recording_walks(&r->record[i], d->pid))
            continue;
        d->sample = &r->record[i].u.sample;
        d->count = 0;
        began = cpu_now_ns();
        dwfl_getthread_frames(d->dwfl, (pid_t)d->pid, take_frame, d);
        out->cpu_ns += cpu_now_ns() - began;
        out->samples++;
        out->frames += d->count;
        if (d->count)
            out->complete += ours_is_end(d->ours, d->process, d->pc[d->count - 1], d->last_exact);
        if (walks)
            walks_add(walks, d->pc, d->count);
    }
}
