/*
 * test_options_layers.c - every row of the table through every way to give it, and which way is stronger
 */
#include "options_cases.h"

#define FOR_EACH_ROW(f)                                                                                      \
    struct option_facts f;                                                                                   \
    for (size_t row_ = 0; options_describe(row_, &f); row_++)

/* What stands behind the options: these two go with no command. */
static const char *rest_of(const struct option_facts *f)
{
    return strcmp(f->name, "pid") == 0 || strcmp(f->name, "global") == 0 ? "--show-config" : "c";
}

/* How --show-config shows the sample, taken from the plainest way to give it. */
static void expected_value(const struct option_facts *f, const char *text, char *out, size_t bytes)
{
    char words[256];

    if (f->command_line_only || f->is_secret || f->is_later) {
        *out = '\0';
        return;
    }
    snprintf(words, sizeof(words), "--%s=%s|%s", f->name, text, rest_of(f));
    parse(words);
    snprintf(out, bytes, "%s", shown_value(f->name));
    if (!f->without_effect && !*out)
        fail_msg("%s: --show-config lacks it", words);
}

/* Given in this way, an option that works has the value; others are refused or noted. */
static void check_way(const struct option_facts *f, const char *words, const char *variables,
                      const char *expected)
{
    if (f->is_later)
        return refuse(words, variables, "not in this build", NULL);
    parse_both(words, variables);
    if (strcmp(shown_value(f->name), expected) != 0)
        fail_msg("%s %s: %s instead of %s", words, variables, shown_value(f->name), expected);
    if (f->without_effect != (options.notes.count == 1))
        fail_msg("%s %s: %u notes", words, variables, options.notes.count);
}

static void check_flags(const struct option_facts *f, const char *expected)
{
    char words[256], underscores[64];

    snprintf(underscores, sizeof(underscores), "%s", f->name);
    for (char *c = underscores; *c; c++)
        *c = *c == '-' ? '_' : *c;
    snprintf(words, sizeof(words), "--%s=%s|%s", f->name, f->sample, rest_of(f));
    check_way(f, words, "", expected);
    snprintf(words, sizeof(words), "--%s=%s|%s", underscores, f->sample, rest_of(f));
    check_way(f, words, "", expected);
    if (f->is_switch)
        snprintf(words, sizeof(words), "--%s%s|%s", strcmp(f->sample, "no") == 0 ? "no-" : "", f->name,
                 rest_of(f));
    else
        snprintf(words, sizeof(words), "--%s|%s|%s", f->name, f->sample, rest_of(f));
    check_way(f, words, "", expected);
    for (const char *const *also = f->also; *also; also++) {
        snprintf(words, sizeof(words), "--%s=%s|%s", *also, f->sample, rest_of(f));
        check_way(f, words, "", expected);
    }
    if (!f->letter || (f->is_switch && strcmp(f->sample, "no") == 0))
        return;
    snprintf(words, sizeof(words), "-%c%s%s|%s", f->letter, f->is_switch ? "" : "|",
             f->is_switch ? "" : f->sample, rest_of(f));
    check_way(f, words, "", expected);
    if (!f->is_switch) {
        snprintf(words, sizeof(words), "-%c%s|%s", f->letter, f->sample, rest_of(f));
        check_way(f, words, "", expected);
    }
}

TEST(options_layers__every_flag_takes_every_spelling)
{
    FOR_EACH_ROW(f)
    {
        char expected[256];

        if (!f.sample || f.is_secret)
            continue;
        expected_value(&f, f.sample, expected, sizeof(expected));
        if (!f.command_line_only)
            check_flags(&f, expected);
    }
}

TEST(options_layers__every_own_variable_says_the_same_as_the_flag)
{
    FOR_EACH_ROW(f)
    {
        char variables[256], expected[256];

        if (!f.sample || f.command_line_only)
            continue;
        expected_value(&f, f.sample, expected, sizeof(expected));
        snprintf(variables, sizeof(variables), "%s=%s", f.variable, f.sample);
        check_way(&f, rest_of(&f), variables, expected);
        if (*expected)
            assert_non_null(strstr(shown_origin(f.name), f.variable));
    }
}

/* What is not in this build comes to a warning, since the variable is somebody else's. */
TEST(options_layers__every_shared_variable_says_the_same_or_is_noted)
{
    FOR_EACH_ROW(f)
    {
        for (const char *const *shared = f.shared; *shared; shared++) {
            char variables[256], expected[256];

            if (f.command_line_only)
                continue;
            expected_value(&f, f.sample, expected, sizeof(expected));
            snprintf(variables, sizeof(variables), "%s=%s", *shared, f.sample);
            if (!f.is_later) {
                check_way(&f, "c", variables, expected);
                continue;
            }
            parse_both("c", variables);
            if (options.notes.count != 1 || !strstr(options.notes.at[0], *shared))
                fail_msg("%s: no note", variables);
            if (f.fallback)
                assert_non_null(strstr(shown_value(f.name), f.fallback));
        }
    }
}

TEST(options_layers__every_line_of_a_file_says_the_same_as_the_flag)
{
    static const char *const spellings[] = {"%s = %s", "%s=\"%s\" # remark", "  %s : '%s' ; remark\r",
                                            "%s = %s # remark"};

    FOR_EACH_ROW(f)
    {
        for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
            char line[256], expected[256];

            if (!f.sample || (strcmp(f.name, "event") == 0 && strchr(spellings[i], ';')))
                continue; /* behind an event comes another */
            expected_value(&f, f.sample, expected, sizeof(expected));
            snprintf(line, sizeof(line), spellings[i], f.name, f.sample); // NOLINT: all of one form
            if (f.command_line_only || f.is_later) {
                if (parse_config_with(rest_of(&f), line) == 0)
                    fail_msg("taken: %s", line);
                assert_non_null(strstr(error.text, "ringside.conf:1"));
                assert_non_null(strstr(error.text, f.is_later ? "not in this build" : "no sense"));
                continue;
            }
            if (parse_config_with(rest_of(&f), line) < 0)
                fail_msg("%s: %s", line, error.text);
            if (strcmp(shown_value(f.name), expected) != 0)
                fail_msg("%s: %s instead of %s", line, shown_value(f.name), expected);
            if (*expected)
                assert_string_equal(shown_origin(f.name), "ringside.conf:1");
        }
    }
}

/* Each sample alone and all of them together: the captured file makes what was captured. */
TEST(options_layers__a_captured_config_makes_the_same_options)
{
    char all[4096] = "", words[4300];

    FOR_EACH_ROW(f)
    {
        char value[256];
        size_t used = strlen(all);

        if (!f.sample || f.is_secret || f.is_later || f.command_line_only || f.without_effect)
            continue;
        if (strcmp(rest_of(&f), "c") == 0)
            snprintf(all + used, sizeof(all) - used, "--%s=%s|", f.name, f.sample);
        snprintf(words, sizeof(words), "--%s=%s|--capture-config=captured.conf|%s", f.name, f.sample,
                 rest_of(&f));
        parse(words);
        snprintf(value, sizeof(value), "%s", shown_value(f.name));
        assert_int_equal(options_capture_config(&options, &error), 0);
        snprintf(words, sizeof(words), "--config=captured.conf|%s", rest_of(&f));
        parse(words);
        if (strcmp(f.name, "show-config") != 0 && strcmp(shown_value(f.name), value) != 0)
            fail_msg("%s: %s instead of %s", f.name, shown_value(f.name), value);
    }
    snprintf(words, sizeof(words), "%s--capture-config=captured.conf|c", all);
    parse(words);
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_equal(rename("captured.conf", "ringside.conf"), 0);
    parse("--capture-config=captured.conf|c");
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_equal(system("cmp ringside.conf captured.conf"), 0);
    unlink("ringside.conf");
}

TEST(options_layers__what_show_config_prints_is_a_config_file_of_the_same_values)
{
    FREE_PTR char *text = NULL;

    parse_both("-S|shop|-u|7|--no-wait|--nice=3|-T|a:b|-T|c:d|--show-config", "DD_ENV=a \"b\" \\ c");
    text = config_text();
    if (parse_config(text) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(options.environment, "a \"b\" \\ c");
    assert_string_equal(options.service, "shop");
    assert_int_equal(options.upload_period_s, 7);
    assert_int_equal(options.tags.count, 2);
    assert_true(options.wait_set && !options.wait);
    assert_int_equal(options.nice, 3);
}

/* ---- against the table itself: what a row forgets, the tests above do not miss ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static void check_secrets(void)
{
    assert_string_equal(options.api_key, "0123456789abcdef0123456789abcdef");
    assert_string_equal(options.password, "secret");
    assert_string_equal(options.bearer_token, "token");
    assert_int_equal(options.headers.count, 1);
    assert_string_equal(options.headers.at[0], "X-Team: core");
}

static void check_server_fields(void)
{
    assert_false(options.upload);
    assert_int_equal(options.urls.count, 1);
    assert_string_equal(options.urls.at[0], "pyroscope+http://localhost:4040");
    assert_int_equal(options.targets.count, 0);
    assert_string_equal(options.host, "agent.internal");
    assert_int_equal(options.port, 9126);
    assert_true(options.agentless);
    assert_string_equal(options.site, "datadoghq.eu");
    assert_int_equal(options.upload_timeout_ms, 3000);
    assert_int_equal(options.flush_timeout_ms, 2000);
    assert_string_equal(options.spool, "/var/spool/ringside");
    assert_int_equal(options.spool_mb, 64);
    assert_int_equal(options.spool_hours, 2);
    assert_string_equal(options.user, "123456");
    assert_string_equal(options.bearer_token_file, "/run/secrets/token");
    assert_string_equal(options.tenant, "team-a");
    assert_string_equal(options.ca_file, "/etc/ssl/ours.pem");
    assert_string_equal(options.client_cert, "/etc/ssl/me.pem");
    assert_string_equal(options.client_key, "/etc/ssl/me.key");
    assert_false(options.proxy);
    assert_string_equal(options.git_repository_url, "https://example.com/shop.git");
    assert_string_equal(options.git_commit_sha, "4f2a9c1");
    assert_false(options.git_metadata);
}

static void check_all_fields(void)
{
    check_server_fields();
    assert_string_equal(options.output, "/var/profiles/");
    assert_int_equal(options.upload_period_s, 10);
    assert_string_equal(options.service, "shop");
    assert_string_equal(options.environment, "prod");
    assert_string_equal(options.service_version, "1.4.2");
    assert_int_equal(options.tags.count, 1);
    assert_string_equal(options.tags.at[0], "team:core");
    assert_string_equal(options.runtime_id, "5b2c4a7e-0f3d-4c0e-9d55-2a7e6f1b8c90");
    assert_int_equal(options.event_texts.count, 1);
    assert_string_equal(options.event_texts.at[0], "sCPU freq=199");
    assert_string_equal(options.preset, "cpu_only");
    assert_int_equal(options.frequency_hz, 199);
    assert_int_equal(options.stack_bytes, 65528);
    assert_int_equal(options.maximum_pids, 100);
    assert_false(options.enable);
    assert_true(options.wait && options.wait_set);
    assert_int_equal(options.start_timeout_ms, 500);
    assert_int_equal(options.nice, 10);
    assert_true(options.cpu_affinity_set && CPU_ISSET(2, &options.cpu_affinity));
    assert_int_equal(options.memory_limit_mb, 64);
    assert_int_equal(options.worker_period, 240);
    assert_string_equal(options.switch_user, "nobody");
    assert_true(options.drop_caps);
    assert_int_equal(options.duration_s, 30);
    assert_true(options.show_config);
    assert_int_equal(options.log_level, LEVEL_DEBUG);
    assert_int_equal(options.log_mode, LOG_MODE_SYSLOG);
    assert_true(options.show_samples);
}

/* What a profiler runs by is in the field that its reader looks at, from each layer; and there is no option
 * that this does not look at. */
TEST(options_layers__every_option_reaches_its_field_from_every_layer)
{
    static const char *const seen[] = {
        "url",
        "do-export",
        "host",
        "port",
        "agentless",
        "site",
        "upload-timeout",
        "flush-timeout",
        "spool",
        "spool-limit",
        "spool-age",
        "api-key",
        "user",
        "password",
        "bearer-token",
        "bearer-token-file",
        "tenant",
        "header",
        "ca-file",
        "client-cert",
        "client-key",
        "proxy",
        "git-repository-url",
        "git-commit-sha",
        "git-metadata",
        "output",
        "upload-period",
        "service",
        "environment",
        "service-version",
        "tags",
        "runtime-id",
        "event",
        "preset",
        "frequency",
        "maximum-pids",
        "enable",
        "wait",
        "start-timeout",
        "nice",
        "stack-sample-size",
        "show-config",
        "log-level",
        "log-mode",
        "show-samples",
        "cpu-affinity",
        "memory-limit",
        "worker-period",
        "switch-user",
        "drop-caps",
        "duration",
        NULL,
    };
    static const char *const on_the_command_line[] = {"config",   "capture-config", "doctor", "help",
                                                      "help-all", "version",        NULL};
    char flags[4096] = "", variables[4096] = "", file[4096] = "";

    FOR_EACH_ROW(f)
    {
        assert_int_equal(f.command_line_only, is_one_of(f.name, on_the_command_line));
        if (f.is_later || f.without_effect || f.command_line_only)
            continue;
        if (strcmp(rest_of(&f), "c") != 0) /* test_options.c has these two */
            continue;
        if (!is_one_of(f.name, seen))
            fail_msg("%s: whether it works is not looked at", f.name);
        if (!f.is_secret)
            snprintf(flags + strlen(flags), sizeof(flags) - strlen(flags), "--%s=%s|", f.name, f.sample);
        snprintf(variables + strlen(variables), sizeof(variables) - strlen(variables), "%s%s=%s",
                 *variables ? "|" : "", f.variable, f.sample);
        snprintf(file + strlen(file), sizeof(file) - strlen(file), "%s = %s\n", f.name, f.sample);
    }
    strcat(flags, "c");
    parse(flags);
    check_all_fields();
    parse_both("c", variables);
    check_all_fields();
    check_secrets();
    assert_int_equal(parse_config(file), 0);
    check_all_fields();
    check_secrets();
    strcpy(flags + strlen(flags) - 1, "--capture-config=captured.conf|c");
    parse(flags);
    assert_int_equal(options_capture_config(&options, &error), 0);
    parse("--config=captured.conf|--show-config|c"); /* which is not captured: one look is enough */
    check_all_fields();
}

/* ---- who is stronger ---- */

/* Another value than the sample. */
static const char *contrary(const struct option_facts *f)
{
    if (f->is_switch)
        return strcmp(f->sample, "no") == 0 ? "yes" : "no";
    if (f->fallback)
        return f->fallback;
    if (strcmp(f->name, "event") == 0)
        return "sPF freq=7";
    if (strcmp(f->name, "preset") == 0)
        return "faults";
    if (strcmp(f->name, "pid") == 0 || strcmp(f->name, "duration") == 0)
        return "77";
    return strcmp(f->name, "cpu-affinity") == 0 ? "0x2" : "other:1";
}

static void check_stronger(const struct option_facts *f, const char *words, const char *variables,
                           const char *expected)
{
    parse_both(words, variables);
    if (strcmp(shown_value(f->name), expected) != 0)
        fail_msg("%s, %s: %s instead of %s", words, variables, shown_value(f->name), expected);
}

TEST(options_layers__flag_before_own_before_shared_before_file_before_default)
{
    FOR_EACH_ROW(f)
    {
        char weak[256], words[256], own[256], shared[600], line[256];

        if (!f.sample || f.is_secret || f.is_later || f.command_line_only || f.without_effect)
            continue;
        expected_value(&f, contrary(&f), weak, sizeof(weak));
        snprintf(line, sizeof(line), "%s = \"%s\"\n", f.name, f.sample);
        write_file("ringside.conf", line);
        snprintf(own, sizeof(own), "%s=%s", f.variable, contrary(&f));
        check_stronger(&f, rest_of(&f), own, weak);
        if (f.shared[0]) {
            snprintf(shared, sizeof(shared), "%s=%s", f.shared[0], contrary(&f));
            check_stronger(&f, "c", shared, weak);
            snprintf(shared, sizeof(shared), "%s=%s|%s", f.shared[0], f.sample, own);
            check_stronger(&f, "c", shared, weak);
        }
        snprintf(words, sizeof(words), "--%s=%s|%s", f.name, contrary(&f), rest_of(&f));
        snprintf(own, sizeof(own), "%s=%s", f.variable, f.sample);
        check_stronger(&f, words, own, weak);
        unlink("ringside.conf");
    }
}

TEST(options_layers__of_shared_variables_the_first_of_the_row_counts)
{
    parse_both("c", "OTEL_SERVICE_NAME=otel|DD_SERVICE=dd|OTEL_RESOURCE_ATTRIBUTES=service.name=attribute");
    assert_string_equal(options.service, "dd");
    parse_both("c", "OTEL_RESOURCE_ATTRIBUTES=service.name=attribute|OTEL_SERVICE_NAME=otel");
    assert_string_equal(options.service, "otel");
    parse_both("c", "DD_PROFILING_ENABLED=true|DD_PROFILING_NATIVE_ENABLED=false");
    assert_false(options.enable);
    parse_both("c", "DD_PROFILING_ENABLED=auto");
    assert_true(options.enable);
}

TEST(options_layers__a_secret_is_never_shown_nor_taken_from_the_command_line)
{
    static const char secret[] = "0123456789abcdef0123456789abcdef";
    char text[200];
    FREE_PTR char *shown = NULL;

    snprintf(text, sizeof(text), "--api-key|%s|c", secret);
    refuse(text, "", "RINGSIDE_API_KEY", "every process");
    assert_null(strstr(error.text, secret));
    snprintf(text, sizeof(text), "--apikey=%s|c", secret);
    refuse(text, "", "RINGSIDE_API_KEY", "every process");
    assert_null(strstr(error.text, secret));
    snprintf(text, sizeof(text), "--api-kye=%s|c", secret);
    refuse(text, "", "--api-key?", NULL);
    assert_null(strstr(error.text, secret));
    snprintf(text, sizeof(text), "-A%s|c", secret);
    refuse(text, "", "\"-A\"", NULL);
    assert_null(strstr(error.text, secret));
    snprintf(text, sizeof(text), "api-key = \"%s\" %s", secret, secret);
    refuse_config(text, "ringside.conf:1", NULL);
    assert_null(strstr(error.text, secret));

    snprintf(text, sizeof(text), "DD_API_KEY=%s", secret);
    parse_both("--capture-config=captured.conf|c", text);
    assert_string_equal(options.api_key, secret);
    shown = config_text();
    assert_non_null(strstr(shown, "(set)"));
    assert_null(strstr(shown, secret));
    for (uint32_t i = 0; i < options.notes.count; i++)
        assert_null(strstr(options.notes.at[i], secret));
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_not_equal(system("grep -q 0123456789abcdef captured.conf"), 0);
    assert_int_equal(system("grep -q api-key captured.conf"), 0);
}

TEST(options_layers__the_password_of_a_repository_is_not_shown)
{
    FREE_PTR char *shown = NULL;

    parse("--git-repository-url=https://me:hunter2@example.com/shop.git|--capture-config=captured.conf|c");
    shown = config_text();
    assert_null(strstr(shown, "hunter2"));
    assert_non_null(strstr(shown, "example.com/shop.git"));
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_not_equal(system("grep -q hunter2 captured.conf"), 0);
}
