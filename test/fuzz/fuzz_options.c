/*
 * fuzz_options.c - any words as command line and environment: lines, a blank one between the two
 *
 * What is taken must be shown, and what is shown must be a config file that is taken.
 */
#include "ringside/options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define WORDS_MAX 100

/* The words up to a blank line; what follows it. */
static char *split_lines(char *text, char **out)
{
    size_t count = 0;

    while (text && *text && *text != '\n' && count < WORDS_MAX - 1)
        out[count++] = strsep(&text, "\n");
    out[count] = NULL;
    return text && *text == '\n' ? text + 1 : text;
}

/* Processes that run, or all, are profiled in a command's place. */
static void check_shown(const struct options *o)
{
    char name[] = "ringside", config[80], command[] = "c", *argv[] = {name, config, NULL, NULL};
    int fd = memfd_create("shown", MFD_CLOEXEC);
    FILE *to = fdopen(dup(fd), "w");
    struct options again;
    struct err e;

    options_print_config(to, o);
    if (fclose(to) != 0)
        abort();
    snprintf(config, sizeof(config), "--config=/proc/self/fd/%d", fd);
    argv[2] = o->global || o->pids.count ? NULL : command;
    if (options_parse(&again, argv[2] ? 3 : 2, argv, NULL, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        abort();
    }
    if (again.frequency_hz != o->frequency_hz || again.tags.count != o->tags.count ||
        !o->environment != !again.environment ||
        (o->environment && strcmp(o->environment, again.environment) != 0))
        abort();
    options_release(&again);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char text[2048], *argv[WORDS_MAX + 1] = {"ringside"}, *envp[WORDS_MAX], *rest;
    struct options o;
    struct err e;
    int argc = 1;

    if (n >= sizeof(text))
        return 0;
    memcpy(text, data, n);
    text[n] = '\0';
    if (strstr(text, "dev/") || strstr(text, "proc/") || strstr(text, "sys/")) /* files that block */
        return 0;
    rest = split_lines(text, argv + 1);
    while (argv[argc])
        argc++;
    split_lines(rest, envp);
    if (options_parse(&o, argc, argv, envp, &e) < 0) {
        if (!e.text[0])
            abort();
        return 0;
    }
    if (!o.help && !o.help_all && !o.version && !o.list_events)
        check_shown(&o);
    options_release(&o);
    return 0;
}
