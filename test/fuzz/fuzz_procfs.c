/*
 * fuzz_procfs.c - any bytes as lines of maps, as a cgroup file and as kernel symbols (through the line
 * reader)
 */
#include "ringside/procfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static volatile uint64_t sink;

static void parse_maps(char *text)
{
    struct procfs_map m;

    if (procfs_parse_map(text, &m)) {
        if (m.start >= m.end)
            abort();
        sink += strlen(m.path);
    }
}

static void parse_cgroup(const char *text)
{
    char id[80];

    if (procfs_parse_container_id(text, id, sizeof(id)) && strlen(id) < 28)
        abort(); /* shorter than any id */
}

static bool see_symbol(void *ctx, uint64_t addr, char type, const char *name, const char *module)
{
    (void)ctx;
    if (!*name)
        abort();
    sink += addr + (uint64_t)type + strlen(name) + strlen(module);
    return true;
}

static void parse_symbols(const uint8_t *data, size_t n)
{
    int fd = memfd_create("kallsyms", MFD_CLOEXEC);
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, n) == (ssize_t)n)
        procfs_kallsyms(path, see_symbol, NULL, NULL);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);

    if (n)
        memcpy(text, data, n);
    text[n] = '\0';
    parse_cgroup(text);
    parse_maps(text);
    free(text);
    parse_symbols(data, n);
    return 0;
}
