/*
 * options_cases.h - command lines, variables and config files of tests as texts, parsed in an empty folder
 */
#ifndef RINGSIDE_TEST_OPTIONS_CASES_H
#define RINGSIDE_TEST_OPTIONS_CASES_H

#include "ringside/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define ARGS_MAX 400

/* A command line and an environment, both written as words separated by '|'. */
static struct {
    char words[8192], variables[8192];
    char *argv[ARGS_MAX], *envp[ARGS_MAX];
    int argc;
} given;

static struct options options;
static struct err error;

/* Never removed while tests run: each program of tests has its own. */
__attribute__((constructor)) static void enter_empty_folder(void)
{
    static char folder[] = "/tmp/ringside-options-XXXXXX";

    if (!mkdtemp(folder) || chdir(folder) < 0)
        abort();
}

__attribute__((destructor)) static void leave_folder(void)
{
    char folder[256];

    options_release(&options);
    if (getcwd(folder, sizeof(folder)) && strncmp(folder, "/tmp/ringside-options-", 22) == 0) {
        unlink("ringside.conf");
        unlink("captured.conf");
        rmdir(folder);
    }
}

static inline int split(char *text, char **out)
{
    int n = 0;

    while (text && *text && n < ARGS_MAX - 1) {
        out[n++] = strsep(&text, "|");
        if (text && !*text) /* "a|" ends in an empty word */
            out[n++] = text;
    }
    out[n] = NULL;
    return n;
}

static inline int parse_with(const char *words, const char *variables)
{
    options_release(&options);
    snprintf(given.words, sizeof(given.words), "ringside%s%s", *words ? "|" : "", words);
    snprintf(given.variables, sizeof(given.variables), "%s", variables);
    given.argc = split(given.words, given.argv);
    split(given.variables, given.envp);
    memset(&options, 0xee, sizeof(options));
    error = (struct err){0};
    return options_parse(&options, given.argc, given.argv, given.envp, &error);
}

static inline void parse_both(const char *words, const char *variables)
{
    if (parse_with(words, variables) < 0)
        fail_msg("%s %s: %s", words, variables, error.text);
}

static inline void parse(const char *words)
{
    parse_both(words, "");
}

/* Refused, and the message holds both texts (b may be NULL). */
static inline void refuse(const char *words, const char *variables, const char *a, const char *b)
{
    if (parse_with(words, variables) == 0)
        fail_msg("taken: %s %s", words, variables);
    if (!strstr(error.text, a) || (b && !strstr(error.text, b)))
        fail_msg("%s %s: \"%s\" lacks \"%s\" or \"%s\"", words, variables, error.text, a, b ? b : "");
}

static inline void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* Parses words with this ringside.conf. */
static inline int parse_config_with(const char *words, const char *text)
{
    int result;

    write_file("ringside.conf", text);
    result = parse_with(words, "");
    unlink("ringside.conf");
    return result;
}

static inline int parse_config(const char *text)
{
    return parse_config_with("c", text);
}

static inline void refuse_config(const char *text, const char *a, const char *b)
{
    if (parse_config(text) == 0)
        fail_msg("taken: %s", text);
    if (!strstr(error.text, a) || (b && !strstr(error.text, b)))
        fail_msg("%s: \"%s\" lacks \"%s\" or \"%s\"", text, error.text, a, b ? b : "");
}

/* What options_print_config() says of the last options parsed. To be freed. */
static inline char *config_text(void)
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);

    options_print_config(to, &options);
    fclose(to);
    return text;
}

/* The values of one option as --show-config has them, origin left out, joined by '|'; "" when it has none. */
static inline const char *shown_value(const char *name)
{
    static char out[1024];
    char *text = config_text(), *lines = text, *line;
    size_t n = strlen(name), used = 0;

    out[0] = '\0';
    while ((line = strsep(&lines, "\n"))) {
        char *value = strchr(line, '='), *end = strstr(line, "  # ");

        if (strncmp(line, name, n) != 0 || line[n] != ' ' || !value)
            continue;
        if (!end) /* a long value leaves one blank */
            end = strstr(line, " # ");
        assert_non_null(end);
        while (end > value + 2 && end[-1] == ' ')
            end--;
        *end = '\0';
        used += (size_t)snprintf(out + used, sizeof(out) - used, "%s%s", used ? "|" : "", value + 2);
    }
    free(text);
    return out;
}

/* Where it came from. */
static inline const char *shown_origin(const char *name)
{
    static char out[256];
    char *text = config_text(), *lines = text, *line;
    size_t n = strlen(name);

    out[0] = '\0';
    while ((line = strsep(&lines, "\n"))) {
        const char *key = strncmp(line, "# ", 2) == 0 ? line + 2 : line;

        if (strncmp(key, name, n) == 0 && key[n] == ' ')
            snprintf(out, sizeof(out), "%s", strrchr(line, '#') + 2);
    }
    free(text);
    return out;
}

#endif
