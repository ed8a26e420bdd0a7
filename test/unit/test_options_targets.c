/*
 * test_options_targets.c - which of all that is said about servers makes the servers of a run
 */
#include "options_cases.h"

#include <fcntl.h>

static void targets(const char *words, const char *variables, const char *expected)
{
    char got[1000] = "";

    parse_both(words, variables);
    for (uint32_t i = 0; i < options.targets.count; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", options.targets.at[i]);
    if (strcmp(got, expected) != 0)
        fail_msg("%s %s: \"%s\" instead of \"%s\"", words, variables, got, expected);
}

TEST(options_targets__urls_are_repeated_or_divided_by_blanks)
{
    targets("-U|http://a:1|--url=parca+http://b|c", "", "http://a:1 parca+http://b");
    targets("c", "RINGSIDE_URL= http://a:1  otlp+http://b ", "http://a:1 otlp+http://b");
    targets("-O|x|-U|/run/apm.sock|c", "", "/run/apm.sock");
    refuse("-U| |c", "", "--url", "empty");
}

TEST(options_targets__without_any_the_agent_here_unless_files_are_written)
{
    parse("c");
    assert_int_equal(options.targets.count, 1);
    targets("-O|x|c", "", "");
    targets("--no-do-export|c", "", "");
    targets("--no-do-export|-U|http://a|c", "", "");
    targets("c", "DD_PROFILING_DO_EXPORT=false", "");
}

TEST(options_targets__a_host_or_port_means_the_agent_there)
{
    targets("-H|agent|c", "", "datadog+http://agent:8126");
    targets("-P|9000|c", "", "datadog+http://localhost:9000");
    targets("-H|::1|-P|9000|-O|x|c", "", "datadog+http://[::1]:9000");
    targets("-H|agent|-U|http://b|c", "", "http://b");
    targets("c", "DD_AGENT_HOST=agent|DD_TRACE_AGENT_PORT=9126", "datadog+http://agent:9126");
}

TEST(options_targets__without_an_agent_the_intake_of_the_site)
{
    targets("--agentless|c", "", "datadog+https://intake.profile.datadoghq.com");
    targets("c", "DD_PROFILING_AGENTLESS=1|DD_SITE=datadoghq.eu",
            "datadog+https://intake.profile.datadoghq.eu");
    targets("--agentless|-U|https://relay|c", "", "https://relay");
    targets("c", "DD_PROFILING_AGENTLESS=1|DD_TRACE_AGENT_URL=http://agent:8126",
            "datadog+https://intake.profile.datadoghq.com");
    targets("c", "DD_PROFILING_AGENTLESS=1|PYROSCOPE_SERVER_ADDRESS=http://p", "pyroscope+http://p");
}

TEST(options_targets__of_other_tools_variables_one_counts_where_ringside_was_told_nothing)
{
    static const char all[] =
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://o:4318/|DD_TRACE_AGENT_URL=unix:///run/a.sock|"
        "PYROSCOPE_SERVER_ADDRESS=http://p:4040";

    targets("c", all, "pyroscope+http://p:4040");
    assert_true(options.targets_shared);
    targets("c", "OTEL_EXPORTER_OTLP_ENDPOINT=http://o:4318/|DD_TRACE_AGENT_URL=unix:///run/a.sock",
            "datadog+unix:///run/a.sock");
    targets("c", "OTEL_EXPORTER_OTLP_ENDPOINT=http://o:4318/", "otlp+http://o:4318/v1development/profiles");
    targets("c", "OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT=http://o:4318/x", "otlp+http://o:4318/x");
    targets("c", "DD_TRACE_AGENT_URL=http://a:8126|DD_AGENT_HOST=b", "datadog+http://a:8126");
    targets("c", "DD_TRACE_AGENT_URL=a:4040", "datadog+a:4040"); /* whatever listens there for others */
    targets("c", "DD_TRACE_AGENT_URL=/run/a.sock", "datadog+/run/a.sock");
    targets("-U|http://a|c", all, "http://a");
    assert_false(options.targets_shared);
    targets("-H|agent|c", all, "datadog+http://agent:8126");
    targets("-O|x|c", all, "");
    targets("c", "DD_PROFILING_PPROF_PREFIX=/tmp/p_|DD_AGENT_HOST=a", "datadog+http://a:8126");
    assert_string_equal(options.output, "/tmp/");
}

TEST(options_targets__what_pyroscopes_and_otels_variables_say_is_taken_over)
{
    parse_both(
        "c",
        "PYROSCOPE_APPLICATION_NAME=shop|PYROSCOPE_LABELS=region=eu,team=core|PYROSCOPE_UPLOAD_INTERVAL=2m|"
        "PYROSCOPE_BASIC_AUTH_USER=me|PYROSCOPE_BASIC_AUTH_PASSWORD=pw|PYROSCOPE_TENANT_ID=t|"
        "PARCA_BEARER_TOKEN=tok|OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20b,x=y|"
        "OTEL_EXPORTER_OTLP_TIMEOUT=2500");
    assert_int_equal(options.notes.count, 0);
    assert_string_equal(options.service, "shop");
    assert_int_equal(options.tags.count, 2);
    assert_string_equal(options.tags.at[1], "team:core");
    assert_int_equal(options.upload_period_s, 120);
    assert_string_equal(options.user, "pyroscope+me");
    assert_string_equal(options.password, "pyroscope+pw");
    assert_string_equal(options.tenant, "pyroscope+t");
    assert_string_equal(options.bearer_token, "parca+tok");
    assert_int_equal(options.headers.count, 2);
    assert_string_equal(options.headers.at[0], "otlp+api-key: a b");
    assert_string_equal(options.headers.at[1], "otlp+x: y");
    assert_int_equal(options.upload_timeout_ms, 2500);
    parse_both("c", "PYROSCOPE_UPLOAD_INTERVAL=fast");
    assert_int_equal(options.upload_period_s, 59);
    assert_int_equal(options.notes.count, 1);
}

TEST(options_targets__what_ringside_was_told_beats_all_other_tools_variables)
{
    static const char shared[] = "DD_TRACE_AGENT_URL=http://a:8126|DD_API_KEY=k";

    targets("--agentless|c", shared, "datadog+https://intake.profile.datadoghq.com");
    targets("c", "RINGSIDE_AGENTLESS=yes|PYROSCOPE_SERVER_ADDRESS=http://p:4040",
            "datadog+https://intake.profile.datadoghq.com");
    assert_false(options.agentless_shared);
    targets("-H|agent|c", "DD_PROFILING_AGENTLESS=1", "datadog+http://agent:8126");
    assert_true(options.agentless_shared);
    write_file("ringside.conf", "url = http://ours\noutput = out/\n");
    targets("c", shared, "http://ours");
    targets("c", "RINGSIDE_URL=http://theirs", "http://theirs");
    write_file("ringside.conf", "agentless = yes\n");
    targets("c", shared, "datadog+https://intake.profile.datadoghq.com");
    unlink("ringside.conf");
}

TEST(options_targets__files_of_otels_variables_are_for_its_servers)
{
    parse_both("c",
               "OTEL_EXPORTER_OTLP_CERTIFICATE=/a.pem|OTEL_EXPORTER_OTLP_PROFILES_CLIENT_CERTIFICATE=/b.pem|"
               "OTEL_EXPORTER_OTLP_CLIENT_KEY=/c.pem");
    assert_string_equal(options.ca_file, "otlp+/a.pem");
    assert_string_equal(options.client_cert, "otlp+/b.pem");
    assert_string_equal(options.client_key, "otlp+/c.pem");
    parse_both("--ca-file|/d.pem|c", "OTEL_EXPORTER_OTLP_CERTIFICATE=/a.pem");
    assert_string_equal(options.ca_file, "/d.pem");
}

TEST(options_targets__a_header_of_otel_stays_one)
{
    parse_both("c", "OTEL_EXPORTER_OTLP_HEADERS=a=b%0AAuthorization: c");
    assert_int_equal(options.headers.count, 1);
}

static void hidden(const char *words, const char *secret, const char *shown)
{
    FREE_PTR char *text = NULL;

    parse_both(words, "");
    text = config_text();
    if (strstr(text, secret) || !strstr(text, shown))
        fail_msg("%s: %s", words, text);
}

TEST(options_targets__a_password_that_is_not_escaped_is_not_shown_either)
{
    hidden("-U|http://me:pa/ss-1@b|c", "ss-1", "= http://***");
    hidden("-U|http://me:pa?ss-1@b|c", "ss-1", "= http://***");
    hidden("-U|http://me:pa@ss-1@b|c", "ss-1", "= http://***");
    hidden("-U|http://b/?sig=to@ken-1|c", "ken-1", "= http://***");
    hidden("-U|me:p://ss-1@b|c", "ss-1", "***");
    hidden("-H|me:ss-1@b|c", "ss-1", "***@b");
    hidden("--git-repository-url|https://ss-1@b/r.git|c", "ss-1", "= https://***@b/r.git");
    hidden("-U|unix:///run/@b|c", "***", "unix:///run/@b");
}

TEST(options_targets__what_a_url_hides_is_neither_shown_nor_captured)
{
    FREE_PTR char *shown = NULL;
    char captured[65536];

    parse_both("-U|https://me:pw-1@b/p?sig=tok-1|-U|http://plain|--capture-config=captured.conf|c",
               "RINGSIDE_HEADER=Authorization: tok-2|RINGSIDE_PASSWORD=pw-2");
    assert_string_equal(options.targets.at[0], "https://me:pw-1@b/p?sig=tok-1");
    shown = config_text();
    assert_non_null(strstr(shown, "https://***@b/p?***"));
    assert_non_null(strstr(shown, "http://plain"));
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_true(read_small_file(AT_FDCWD, "captured.conf", captured, sizeof(captured), &error) > 0);
    assert_non_null(strstr(captured, "# credentials are not written here: url = https://***@b/p?***"));
    for (size_t i = 0; i < 2; i++) {
        const char *text = i ? captured : shown;

        assert_null(strstr(text, "pw-"));
        assert_null(strstr(text, "tok-"));
    }
    parse("--config=captured.conf|c");
    assert_int_equal(options.urls.count, 1);
}

TEST(options_targets__each_value_knows_who_gave_it)
{
    char origin[300];

    parse_both("c", "RINGSIDE_URL=http://a http://b");
    assert_string_equal(options_origin(&options, "url", 1, origin, sizeof(origin)), "variable RINGSIDE_URL");
    parse("-U|http://a|c");
    assert_string_equal(options_origin(&options, "url", 0, origin, sizeof(origin)), "option --url");
    write_file("ringside.conf", "url = [\"http://a http://b\"]\nurl = http://c\n");
    parse("c");
    assert_string_equal(options_origin(&options, "url", 1, origin, sizeof(origin)), "ringside.conf:1: url");
    assert_string_equal(options_origin(&options, "url", 2, origin, sizeof(origin)), "ringside.conf:2: url");
    unlink("ringside.conf");
}
