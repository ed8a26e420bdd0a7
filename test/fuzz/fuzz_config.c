/*
 * fuzz_config.c - any bytes as a config file
 *
 * What is refused is refused with the file's name; what is taken is shown, and reads again as it was shown.
 */
#include "ringside/options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Parses the bytes as a file. A command is there, so that nothing else is missing. */
static int parse(struct options *o, const void *bytes, size_t n, struct err *e)
{
    static char name[] = "ringside", config[80], command[] = "c"; /* options borrow them */
    char *argv[] = {name, config, command, NULL};
    int fd = memfd_create("config", MFD_CLOEXEC), result;

    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0)
        abort();
    snprintf(config, sizeof(config), "--config=/proc/self/fd/%d", fd);
    result = options_parse(o, 3, argv, NULL, e);
    close(fd);
    return result;
}

/* The values, without where they came from. */
static char *shown(const struct options *o, size_t *n)
{
    char *text = NULL, *out, *end;
    FILE *to = open_memstream(&text, n);

    options_print_config(to, o);
    fclose(to);
    out = end = calloc(1, *n + 1);
    for (char *lines = text, *line; (line = strsep(&lines, "\n"));) {
        char *remark = strrchr(line, '#');

        /* Notes on what was given, secrets, URLs with a password: what is not to be read back. */
        if (line[0] == '#')
            continue;
        if (remark)
            *remark = '\0';
        end += sprintf(end, "%s\n", line);
    }
    free(text);
    *n = (size_t)(end - out);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct options o, again;
    char *first, *second;
    size_t first_n, second_n;
    struct err e;

    if (n > 4000)
        return 0;
    if (parse(&o, data, n, &e) < 0) {
        if (!strstr(e.text, "/proc/self/fd/") && !strstr(e.text, "contradict"))
            abort();
        return 0;
    }
    first = shown(&o, &first_n);
    options_release(&o);
    if (parse(&again, first, first_n, &e) < 0) {
        fprintf(stderr, "%s\n%s", e.text, first);
        abort();
    }
    second = shown(&again, &second_n);
    options_release(&again);
    if (strcmp(first, second) != 0) {
        fprintf(stderr, "%s\n%s", first, second);
        abort();
    }
    free(first);
    free(second);
    return 0;
}
