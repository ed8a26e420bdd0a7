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

static bool see_symbol(void *ctx, const struct procfs_ksym *s, uint64_t *skip_to)
{
    (void)ctx;
    if (!*s->text || *s->text == '\t')
        abort();
    sink += s->addr + (uint64_t)s->type + strlen(s->text);
    if (s->type == 'S')
        *skip_to = s->addr + 0x100;
    return true;
}

static void parse_symbols(const uint8_t *data, size_t n)
{
    int fd = memfd_create("kallsyms", MFD_CLOEXEC);
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, n) == (ssize_t)n)
        procfs_kallsyms(&(struct procfs_kallsyms_file){.path = path}, see_symbol, NULL, NULL);
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
