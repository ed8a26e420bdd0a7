/*
 * fuzz_probes.c - any bytes as a file to find a symbol in, and as a tracepoint's format file
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/perf/probes.h"
#include "../../src/perf/tracefs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void find_symbol(const uint8_t *data, size_t n)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);
    uint64_t offset;
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, n) == (ssize_t)n && probes_find_symbol(path, "f", &offset, NULL) == 0 && offset >= n)
        abort();
    close(fd);
}

static void find_field(const char *format, const char *field)
{
    struct perf_target t = {0};

    if (tracefs_parse_field(format, field, &t, NULL) == 0 &&
        (t.raw_size < 1 || t.raw_size > 8 || t.raw_offset + t.raw_size > UINT16_MAX))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);

    if (n)
        memcpy(text, data, n);
    text[n] = '\0';
    find_field(text, "x");
    find_field(text, "x[3]");
    free(text);
    find_symbol(data, n);
    return 0;
}
