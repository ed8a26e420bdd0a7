/*
 * test_options_pages.c - help, and the files made from the table: are they up to date?
 */
#include "options_cases.h"

static char *printed(void (*print)(FILE *to))
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);

    print(to);
    fclose(to);
    return text;
}

static void print_help(FILE *to)
{
    options_print_help(to, false);
}

static void print_all_help(FILE *to)
{
    options_print_help(to, true);
}

static void check_width(void (*print)(FILE *to))
{
    FREE_PTR char *text = printed(print);

    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 80)
            fail_msg("%zu columns: %s", strlen(line), line);
}

TEST(options_pages__help_is_grouped_and_fits_a_terminal)
{
    FREE_PTR char *text = printed(print_help);

    assert_non_null(strstr(text, "Usage: ringside"));
    assert_non_null(strstr(text, "-S, --service NAME"));
    assert_non_null(strstr(text, "--[no-]wait"));
    assert_non_null(strstr(text, "(1 to 10000; default 99)"));
    assert_non_null(strstr(text, "Examples:"));
    assert_null(strstr(text, "--start-timeout"));
    assert_null(strstr(text, "not in this build"));
    check_width(print_help);
    check_width(print_all_help);
}

TEST(options_pages__all_help_names_every_option)
{
    FREE_PTR char *text = printed(print_all_help);
    struct option_facts f;

    for (size_t i = 0; options_describe(i, &f); i++)
        if (!strstr(text, f.name))
            fail_msg("--help-all lacks %s", f.name);
}

/* NAME below docs/, from where this file lies. */
static void page_path(const char *name, char *out, size_t max)
{
    snprintf(out, max, "%s", __FILE__);
    for (int up = 0; up < 3; up++)
        *strrchr(out, '/') = '\0';
    strncat(out, "/docs/", max - strlen(out) - 1);
    strncat(out, name, max - strlen(out) - 1);
}

static void check_page(const char *name, void (*print)(FILE *to))
{
    FREE_PTR char *expected = printed(print);
    FREE_PTR char *have = base_calloc(1, 1 << 18);
    char path[4096];
    FILE *file;

    page_path(name, path, sizeof(path));
    if (getenv("UPDATE_GENERATED"))
        write_file(path, expected);
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing: run this test with UPDATE_GENERATED=1", path);
    have[fread(have, 1, (1 << 18) - 1, file)] = '\0';
    fclose(file);
    if (strcmp(have, expected) != 0)
        fail_msg("%s is stale: run this test with UPDATE_GENERATED=1", path);
}

TEST(options_pages__the_page_of_all_options_is_up_to_date)
{
    check_page("commands.md", options_print_commands_page);
}

TEST(options_pages__the_manual_page_is_up_to_date)
{
    check_page("ringside.1", options_print_man_page);
}

TEST(options_pages__the_example_of_a_config_file_is_up_to_date)
{
    check_page("ringside.conf.example", options_print_example_config);
}

TEST(options_pages__the_completions_are_up_to_date)
{
    check_page("completion/ringside.bash", options_print_bash_completion);
    check_page("completion/_ringside", options_print_zsh_completion);
}

/* With its lines in force: a file that shows wrong lines would be worse than none. */
TEST(options_pages__the_example_of_a_config_file_is_one)
{
    FREE_PTR char *text = printed(options_print_example_config);

    for (char *c = text; (c = strstr(c, "\n#")); c++)
        if (c[2] != ' ' && strncmp(c + 2, "pid ", 4) != 0) /* which goes with no command */
            c[1] = ' ';
    if (parse_config(text) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(options.service, "shop");
}
