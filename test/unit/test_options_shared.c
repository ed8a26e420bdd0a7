/*
 * test_options_shared.c - variables that are set for somebody else: what is made of them must not keep a
 * service from starting
 */
#include "options_cases.h"

/* One note, which holds both texts and is one line. */
static void noted(const char *variables, const char *a, const char *b)
{
    parse_both("c", variables);
    assert_int_equal(options.notes.count, 1);
    if (!strstr(options.notes.at[0], a) || !strstr(options.notes.at[0], b) ||
        strchr(options.notes.at[0], '\n'))
        fail_msg("%s: %s", variables, options.notes.at[0]);
}

TEST(options_shared__what_makes_no_sense_is_left_out_with_a_note)
{
    noted("DD_PROFILING_UPLOAD_PERIOD=0", "DD_PROFILING_UPLOAD_PERIOD", "(1 to 86400)");
    assert_int_equal(options.upload_period_s, 59);
    noted("DD_PROFILING_ENABLED=manual", "DD_PROFILING_ENABLED", "\"manual\"");
    assert_true(options.enable);
    noted("DD_PROFILING_NATIVE_EVENTS=sCPU;sALLOC", "DD_PROFILING_NATIVE_EVENTS", "not in this build");
    assert_int_equal(options.event_texts.count, 0);
    assert_int_equal(options.events.count, 1);
    noted("DD_PROFILING_NATIVE_PRESET=cpu_live_heap", "DD_PROFILING_NATIVE_PRESET", "not in this build");
    assert_null(options.preset);
    noted("DD_TRACE_AGENT_PORT=tcp://10.0.0.1:8126", "DD_TRACE_AGENT_PORT", "not a number");
    assert_int_equal(options.port, 8126);
}

TEST(options_shared__what_is_left_out_leaves_its_place_to_weaker_layers)
{
    write_file("ringside.conf", "upload-period = 7\n");
    parse_both("c", "DD_PROFILING_UPLOAD_PERIOD=soon");
    assert_int_equal(options.upload_period_s, 7);
    assert_string_equal(shown_origin("upload-period"), "ringside.conf:1");
    unlink("ringside.conf");
    parse_both("c", "DD_PROFILING_NATIVE_ENABLED=perhaps|DD_PROFILING_ENABLED=false");
    assert_false(options.enable);
}

TEST(options_shared__nothing_is_said_of_what_is_hidden)
{
    parse_both("c", "DD_PROFILING_NICE=often|DD_TAGS=plain|OTEL_RESOURCE_ATTRIBUTES=x=a%2Cb|"
                    "RINGSIDE_NICE=3|RINGSIDE_TAGS=a:1");
    assert_int_equal(options.nice, 3);
    assert_int_equal(options.tags.count, 1);
    assert_int_equal(options.notes.count, 0);
    refuse("c", "RINGSIDE_NICE=often", "RINGSIDE_NICE", NULL);
}

TEST(options_shared__kubernetes_links_of_a_service_called_ringside_are_left_out)
{
    noted("RINGSIDE_PORT=tcp://10.0.0.1:80", "RINGSIDE_PORT", "Kubernetes");
    noted("RINGSIDE_SERVICE_HOST=10.0.0.1", "RINGSIDE_SERVICE_HOST", "no such option");
    assert_string_equal(options.service, "c");
    refuse("c", "RINGSIDE_PORT=eighty", "RINGSIDE_PORT", "not a number");
}

TEST(options_shared__variables_of_ddprof_alone_that_mean_nothing_are_noted)
{
    noted("DD_PROFILING_NATIVE_STARTUP_WAIT_MS=100", "STARTUP_WAIT_MS", "means nothing here");
    noted("DD_PROFILING_NATIVELOGMODE=stdout", "NATIVELOGMODE", "means nothing here");
    parse_both("c", "DD_TRACE_SAMPLE_RATE=1|DD_PROFILING_STACK_ENABLED=1|OTEL_TRACES_EXPORTER=otlp");
    assert_int_equal(options.notes.count, 0);
}

TEST(options_shared__a_comma_in_an_attribute_makes_no_two_tags_of_it)
{
    noted("OTEL_RESOURCE_ATTRIBUTES=x=a%2Cb:c,y=d%20%22e%22", "\"x:a,b:c\"", "no comma");
    assert_int_equal(options.tags.count, 1);
    assert_string_equal(options.tags.at[0], "y:d \"e\"");
    assert_string_equal(shown_value("tags"), "\"y:d \\\"e\\\"\"");
}

TEST(options_shared__tags_beyond_the_maximum_are_left_out)
{
    char variables[4096] = "DD_TAGS=a:1";

    for (int i = 0; i < 299; i++)
        strcat(variables, ",a:1");
    parse_both("c", variables);
    assert_int_equal(options.tags.count, 256);
    assert_int_equal(options.notes.count, 300 - 256);
    assert_non_null(strstr(options.notes.at[0], "more than 256"));
}

TEST(options_shared__tags_stand_in_the_order_of_the_variables_strength_each_with_its_own)
{
    FREE_PTR char *first = NULL, *second = NULL;

    parse_both("c", "OTEL_RESOURCE_ATTRIBUTES=z=1|DD_PROFILING_TAGS=y:1|DD_TAGS=b:1,a:1");
    first = config_text();
    assert_string_equal(shown_value("tags"), "\"b:1\"|\"a:1\"|\"y:1\"|\"z:1\"");
    assert_string_equal(shown_origin("tags"), "variable OTEL_RESOURCE_ATTRIBUTES");
    parse_both("c", "DD_TAGS=b:1,a:1|OTEL_RESOURCE_ATTRIBUTES=z=1|DD_PROFILING_TAGS=y:1");
    second = config_text();
    assert_string_equal(first, second);
}

/* As ddprof reads them: hexadecimal, whether 0x says so or not. */
TEST(options_shared__ddprofs_mask_of_cpus_needs_no_0x)
{
    parse_both("c", "DD_PROFILING_CPU_AFFINITY=3");
    assert_string_equal(shown_value("cpu-affinity"), "\"0-1\"");
    parse_both("c", "DD_PROFILING_CPU_AFFINITY=0X10");
    assert_string_equal(shown_value("cpu-affinity"), "\"4\"");
    parse("--cpu-affinity=3|c");
    assert_string_equal(shown_value("cpu-affinity"), "\"3\"");
}
