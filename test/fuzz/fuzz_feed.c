/*
 * fuzz_feed.c - any bytes as a recording: every record that comes out must lie inside the file
 */
#include "ringside/feed.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint64_t sink;

static void touch(const struct feed_record *r)
{
    uint64_t sum = r->time_ns + r->pid;

    if (r->kind == FEED_SAMPLE) {
        for (uint32_t i = 0; i < r->u.sample.stack_bytes; i++)
            sum += r->u.sample.stack[i];
        for (uint32_t i = 0; i < r->u.sample.kernel_frames; i++)
            sum += r->u.sample.kernel[i];
    } else if (r->kind == FEED_MMAP) {
        sum += strlen(r->u.mmap.path);
        for (uint32_t i = 0; i < r->u.mmap.build_id_bytes; i++)
            sum += r->u.mmap.build_id[i];
    } else if (r->kind == FEED_COMM) {
        sum += strlen(r->u.comm.name);
    }
    sink += sum;
}

static void replay(const char *path)
{
    struct feed_record r;
    struct err e = {0};
    struct feed *f = feed_file_open(path, &e);

    while (f && feed_next(f, &r))
        touch(&r);
    feed_close(f);
}

/* Even sizes get a valid header in front, or hardly any input would pass it. */
static void write_input(FILE *to, const uint8_t *data, size_t n)
{
    static const struct feed_info info = {.events = 2};

    if (n % 2 == 0)
        feed_file_write_header(to, &info, NULL);
    if (n)
        fwrite(data, n, 1, to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool quiet;
    int fd = memfd_create("feed", MFD_CLOEXEC);
    FILE *to = fdopen(fd, "w");
    char path[64];

    if (!quiet)
        quiet = log_open(&(struct log_config){.mode = LOG_MODE_DISABLED}, NULL) == 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    write_input(to, data, n);
    fflush(to);
    replay(path);
    fclose(to);
    return 0;
}
