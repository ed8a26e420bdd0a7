/*
 * test_options.c - command line and environment, what is refused and how, and the page made from the table
 */
#include "ringside/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define ARGS_MAX 16

/* A command line and an environment, both written as words separated by '|'. */
struct given {
    char words[512], variables[512];
    char *argv[ARGS_MAX], *envp[ARGS_MAX];
    int argc;
};

static int split(char *text, char **out)
{
    int n = 0;

    for (char *word = strtok(text, "|"); word && n < ARGS_MAX - 1; word = strtok(NULL, "|"))
        out[n++] = word;
    out[n] = NULL;
    return n;
}

static struct given given;
static struct options options;
static struct err error;

static int parse_with(const char *words, const char *variables)
{
    snprintf(given.words, sizeof(given.words), "ringside|%s", words);
    snprintf(given.variables, sizeof(given.variables), "%s", variables);
    given.argc = split(given.words, given.argv);
    split(given.variables, given.envp);
    memset(&options, 0xee, sizeof(options));
    error = (struct err){0};
    return options_parse(&options, given.argc, given.argv, given.envp, &error);
}

static void parse(const char *words)
{
    if (parse_with(words, "") < 0)
        fail_msg("%s: %s", words, error.text);
}

/* Refused, and the message holds all that follow up to NULL. */
static void refuse(const char *words, const char *variables, const char *a, const char *b)
{
    if (parse_with(words, variables) == 0)
        fail_msg("taken: %s %s", words, variables);
    if (!strstr(error.text, a) || (b && !strstr(error.text, b)))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error.text, a, b ? b : "");
}

TEST(options__the_table_holds_together)
{
    if (options_check_table(&error) < 0)
        fail_msg("%s", error.text);
}

TEST(options__defaults)
{
    parse("/usr/bin/server|--port|80");
    assert_string_equal(options.service, "server");
    assert_null(options.output);
    assert_false(options.wait);
    assert_false(options.wait_set);
    assert_int_equal(options.upload_period_s, 59);
    assert_int_equal(options.frequency_hz, 99);
    assert_int_equal(options.stack_bytes, 32768);
    assert_int_equal(options.start_timeout_ms, 2000);
    assert_int_equal(options.nice, 0);
    assert_int_equal(options.log_level, LEVEL_WARN);
    assert_int_equal(options.log_mode, LOG_MODE_STDERR);
    assert_null(options.log_path);
    assert_false(options.help || options.version);
    assert_ptr_equal(options.command, given.argv + 1);
}

TEST(options__every_spelling_of_an_option)
{
    static const char *const spellings[] = {
        "-S|shop|-u|7|cmd",
        "-Sshop|-u7|cmd",
        "--service|shop|--upload-period|7|cmd",
        "--service=shop|--upload-period=7|cmd",
        "--service=shop|--upload_period|7|cmd",
        "--service|x|--service|shop|--upload_period=8|--upload_period=7|cmd",
    };

    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        parse(spellings[i]);
        assert_string_equal(options.service, "shop");
        assert_int_equal(options.upload_period_s, 7);
        assert_string_equal(options.command[0], "cmd");
        assert_null(options.command[1]);
    }
}

/* One row per option: the same value by flag and by variable. */
TEST(options__a_variable_says_the_same_as_the_flag)
{
    static const struct {
        const char *flag, *variable;
    } cases[] = {
        {"--service=shop|c", "RINGSIDE_SERVICE=shop"},
        {"--output=/tmp/x/|c", "RINGSIDE_OUTPUT=/tmp/x/"},
        {"--wait|c", "RINGSIDE_WAIT=yes"},
        {"--no-wait|c", "RINGSIDE_WAIT=off"},
        {"--upload-period=3|c", "RINGSIDE_UPLOAD_PERIOD=3"},
        {"--frequency=1000|c", "RINGSIDE_FREQUENCY=1000"},
        {"--stack-sample-size=65528|c", "RINGSIDE_STACK_SAMPLE_SIZE=65528"},
        {"--start-timeout=5s|c", "RINGSIDE_START_TIMEOUT=5s"},
        {"--nice=-5|c", "RINGSIDE_NICE=-5"},
        {"--log-level=debug|c", "RINGSIDE_LOG_LEVEL=debug"},
        {"--log-mode=/tmp/log|c", "RINGSIDE_LOG_MODE=/tmp/log"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct options by_flag;
        char path[32] = "";

        parse(cases[i].flag);
        by_flag = options;
        snprintf(path, sizeof(path), "%s", options.log_path ? options.log_path : "");
        if (parse_with("c", cases[i].variable) < 0)
            fail_msg("%s: %s", cases[i].variable, error.text);
        assert_int_equal(options.wait, by_flag.wait);
        assert_int_equal(options.wait_set, by_flag.wait_set);
        assert_int_equal(options.upload_period_s, by_flag.upload_period_s);
        assert_int_equal(options.frequency_hz, by_flag.frequency_hz);
        assert_int_equal(options.stack_bytes, by_flag.stack_bytes);
        assert_int_equal(options.start_timeout_ms, by_flag.start_timeout_ms);
        assert_int_equal(options.nice, by_flag.nice);
        assert_int_equal(options.log_level, by_flag.log_level);
        assert_int_equal(options.log_mode, by_flag.log_mode);
        assert_string_equal(options.log_path ? options.log_path : "", path);
    }
    parse_with("c", "RINGSIDE_SERVICE=shop|RINGSIDE_OUTPUT=/tmp/x/");
    assert_string_equal(options.service, "shop");
    assert_string_equal(options.output, "/tmp/x/");
}

TEST(options__a_flag_is_stronger_than_a_variable_even_one_that_makes_no_sense)
{
    assert_int_equal(parse_with("--frequency|10|c", "RINGSIDE_FREQUENCY=20"), 0);
    assert_int_equal(options.frequency_hz, 10);
    assert_int_equal(parse_with("--frequency|10|--no-wait|c", "RINGSIDE_FREQUENCY=often|RINGSIDE_WAIT=1"), 0);
    assert_int_equal(options.frequency_hz, 10);
    assert_false(options.wait);
    assert_true(options.wait_set);
}

TEST(options__an_empty_variable_and_one_for_help_count_as_not_set)
{
    assert_int_equal(parse_with("c", "RINGSIDE_FREQUENCY=|RINGSIDE_HELP=1|RINGSIDE_VERSION=1.2.3|OTHER=1"),
                     0);
    assert_int_equal(options.frequency_hz, 99);
    assert_false(options.help || options.version);
    assert_int_equal(options_parse(&options, given.argc, given.argv, NULL, &error), 0);
}

TEST(options__switches_take_words_in_the_environment)
{
    static const char *const yes[] = {"1", "true", "YES", "on"}, *const no[] = {"0", "False", "no", "OFF"};
    char variable[64];

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        snprintf(variable, sizeof(variable), "RINGSIDE_WAIT=%s", yes[i]);
        assert_int_equal(parse_with("c", variable), 0);
        assert_true(options.wait);
        snprintf(variable, sizeof(variable), "RINGSIDE_WAIT=%s", no[i]);
        assert_int_equal(parse_with("c", variable), 0);
        assert_false(options.wait);
        assert_true(options.wait_set);
    }
    refuse("c", "RINGSIDE_WAIT=maybe", "RINGSIDE_WAIT", "\"maybe\"");
}

TEST(options__the_command_begins_at_the_first_word_that_is_none)
{
    parse("--wait|cmd|--service|its-own|-h");
    assert_string_equal(options.service, "cmd");
    assert_string_equal(options.command[1], "--service");
    assert_false(options.help);
    parse("--wait|--|--odd-name|-x");
    assert_string_equal(options.command[0], "--odd-name");
    assert_string_equal(options.command[1], "-x");
    parse("-|x");
    assert_string_equal(options.command[0], "-");
    parse("/opt/dir/");
    assert_string_equal(options.service, "unnamed");
}

TEST(options__help_and_version_need_no_command_and_forgive_the_rest)
{
    assert_int_equal(parse_with("-h", "RINGSIDE_FREQUENCY=often"), 0);
    assert_true(options.help);
    parse("--version");
    assert_true(options.version);
    parse("-hv|--nice|99");
    assert_true(options.help && options.version);
}

TEST(options__numbers_are_whole_and_inside_their_bounds)
{
    refuse("--frequency|0|c", "", "--frequency", "(1 to 10000)");
    refuse("--frequency|10001|c", "", "\"10001\"", "(1 to 10000)");
    refuse("--frequency|99999999999999999999999|c", "", "out of bounds", "(1 to 10000)");
    refuse("--frequency|-1|c", "", "\"-1\"", "out of bounds");
    refuse("--frequency|ten|c", "", "\"ten\"", "not a number");
    refuse("--frequency|10x|c", "", "\"10x\"", "not a number");
    refuse("--frequency|0x10|c", "", "\"0x10\"", NULL);
    refuse("--frequency=|c", "", "\"\"", "not a number");
    refuse("--frequency| 10|c", "", "not a number", NULL);
    refuse("--nice|-21|c", "", "\"-21\"", "(-20 to 19)");
    refuse("-u|0|c", "", "--upload-period", "(1 to 86400)");
    refuse("-u|86401|c", "", "--upload-period", "(1 to 86400)");
    refuse("--stack-sample-size|65529|c", "", "(1024 to 65528)", NULL);
    refuse("c", "RINGSIDE_NICE=20", "variable RINGSIDE_NICE", "(-20 to 19)");
    parse("--nice|-20|c");
    assert_int_equal(options.nice, -20);
    parse("--stack-sample-size|1031|c");
    assert_int_equal(options.stack_bytes, 1024);
}

TEST(options__times_take_units)
{
    parse("--start-timeout|1500|c");
    assert_int_equal(options.start_timeout_ms, 1500);
    parse("--start-timeout|500ms|c");
    assert_int_equal(options.start_timeout_ms, 500);
    parse("--start-timeout|60s|c");
    assert_int_equal(options.start_timeout_ms, 60000);
    refuse("--start-timeout|61s|c", "", "\"61s\"", "(1 to 60000 ms)");
    refuse("--start-timeout|9223372036854775807s|c", "", "out of bounds", NULL);
    refuse("--start-timeout|0|c", "", "out of bounds", NULL);
    refuse("--start-timeout|2m|c", "", "\"2m\"", "not a time");
    refuse("--start-timeout|s|c", "", "\"s\"", "not a time");
}

TEST(options__log_goes_to_a_word_or_a_file_but_not_to_a_slip)
{
    parse("-o|syslog|-l|notice|c");
    assert_int_equal(options.log_mode, LOG_MODE_SYSLOG);
    assert_int_equal(options.log_level, LEVEL_INFO);
    parse("-o|run.log|c");
    assert_int_equal(options.log_mode, LOG_MODE_FILE);
    assert_string_equal(options.log_path, "run.log");
    parse("-o|run.log|-o|stdout|c");
    assert_int_equal(options.log_mode, LOG_MODE_STDOUT);
    assert_null(options.log_path);
    refuse("-o|stder|c", "", "\"stder\"", "did you mean stderr?");
    refuse("-o||c", "", "option", NULL);
    refuse("-l|loud|c", "", "\"loud\"", "error, warn, notice, info, debug");
}

TEST(options__an_unknown_option_is_quoted_and_the_nearest_named)
{
    refuse("--frequncy|10|c", "", "\"--frequncy\"", "--frequency?");
    refuse("--freqeuncy=10|c", "", "\"--freqeuncy\"", "--frequency?");
    refuse("--upload|10|c", "", "\"--upload\"", "--upload-period?");
    refuse("--upload_perod=10|c", "", "\"--upload_perod\"", "--upload-period?");
    refuse("--no-wiat|c", "", "\"--no-wiat\"", "--no-wait?");
    refuse("-output|x|c", "", "\"-output\"", "--output?");
    refuse("-wait|c", "", "\"-wait\"", "--wait?");
    refuse("-helpp|c", "", "\"-helpp\"", "--help?");
    refuse("-x|c", "", "\"-x\"", "--help");
    refuse("--no-frequency|c", "", "\"--no-frequency\"", NULL);
    refuse("--quux|c", "", "\"--quux\"", "--help");
    assert_null(strstr(error.text, "did you mean"));
    refuse("--=5|c", "", "unknown option", NULL);
}

TEST(options__an_argument_is_missing_empty_or_too_much)
{
    refuse("--service", "", "--service", "NAME is missing");
    refuse("-S", "", "-S", "NAME is missing");
    refuse("--service=|c", "", "--service", "empty");
    refuse("--output=|c", "", "--output", "empty");
    refuse("--no-wait=1|c", "", "--no-wait=1", "takes no argument");
    refuse("--help=1|c", "", "--help=1", "takes no argument");
}

TEST(options__no_command_is_refused_with_the_usage)
{
    refuse("", "", "no command to run", "ringside [options] command");
    refuse("--wait", "", "no command to run", NULL);
    refuse("--wait|--", "", "no command to run", NULL);
    given.argv[0] = NULL;
    assert_int_equal(options_parse(&options, 0, given.argv, NULL, &error), -1);
}

TEST(options__endless_words_are_cut_in_messages_not_in_the_reason)
{
    char words[400] = "--frequency|";

    memset(words + strlen(words), 'x', 300);
    snprintf(words + 300, sizeof(words) - 300, "|c");
    refuse(words, "", "option --frequency", "is not a number");
}

/* ---- generated texts ---- */

static char *printed(void (*print)(FILE *to))
{
    char *text = NULL;
    size_t n;
    FILE *to = open_memstream(&text, &n);

    print(to);
    fclose(to);
    return text;
}

TEST(options__help_is_grouped_and_fits_a_terminal)
{
    FREE_PTR char *text = printed(options_print_help);

    assert_non_null(strstr(text, "Usage: ringside"));
    assert_non_null(strstr(text, "-S, --service NAME"));
    assert_non_null(strstr(text, "--[no-]wait"));
    assert_non_null(strstr(text, "(1 to 10000; default 99)"));
    assert_non_null(strstr(text, "Examples:"));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) > 100)
            fail_msg("%zu columns: %s", strlen(line), line);
}

/* docs/commands.md, from where this file lies. */
static void page_path(char *out, size_t max)
{
    snprintf(out, max, "%s", __FILE__);
    for (int up = 0; up < 3; up++)
        *strrchr(out, '/') = '\0';
    strncat(out, "/docs/commands.md", max - strlen(out) - 1);
}

TEST(options__the_page_of_all_options_is_up_to_date)
{
    FREE_PTR char *expected = printed(options_print_commands_page);
    FREE_PTR char *have = base_calloc(1, 1 << 18);
    char path[4096];
    FILE *file;

    page_path(path, sizeof(path));
    if (getenv("UPDATE_GENERATED")) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(expected, file);
        fclose(file);
    }
    file = fopen(path, "r");
    assert_non_null(file);
    have[fread(have, 1, (1 << 18) - 1, file)] = '\0';
    fclose(file);
    if (strcmp(have, expected) != 0)
        fail_msg("%s is stale: run this test with UPDATE_GENERATED=1", path);
}
