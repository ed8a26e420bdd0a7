/*
 * test_options.c - command line and environment: what is taken, what is refused and how
 */
#include "options_cases.h"

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
    assert_int_equal(parse_with("c", "RINGSIDE_FREQUENCY=|RINGSIDE_HELP=1|RINGSIDE_VERSION=1.2.3|OTHER=1|"
                                     "RINGSIDE_SERVICE= |DD_SERVICE=\t"),
                     0);
    assert_int_equal(options.frequency_hz, 99);
    assert_false(options.help || options.version);
    assert_string_equal(options.service, "c");
    assert_int_equal(options.notes.count, 0);
    options_release(&options);
    assert_int_equal(options_parse(&options, given.argc, given.argv, NULL, &error), 0);
}

TEST(options__switches_take_words_in_the_environment)
{
    static const char *const yes[] = {"1", "true", "YES", "on", "Enable", "t", "y"}, *const no[] = {
                                                                                         "0",       "False",
                                                                                         "no",      "OFF",
                                                                                         "disable", "f",
                                                                                         "N"};
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
    refuse("-S| |c", "", "--service", "empty");
    refuse("--output=|c", "", "--output", "empty");
    refuse("--no-wait=1|c", "", "--no-wait=1", "takes no argument");
    refuse("--help=1|c", "", "--help=1", "takes no argument");
}

TEST(options__doctor_knows_two_forms_and_needs_no_command)
{
    parse("--doctor");
    assert_true(options.doctor && !options.doctor_json);
    parse("--doctor=json|-e|sPF");
    assert_true(options.doctor && options.doctor_json);
    assert_int_equal(options.events.count, 1);
    refuse("--doctor=xml", "", "--doctor", "json");
    refuse("--no-doctor", "", "--no-doctor", NULL);
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

TEST(options__switches_take_words_as_ddprof_has_them)
{
    parse("--wait=off|c");
    assert_true(options.wait_set && !options.wait);
    parse("-I|false|--timeline=false|--enable|false|c");
    assert_false(options.enable);
    assert_string_equal(options.command[0], "c");
    parse("--enable|true"); /* true(1) */
    assert_string_equal(options.command[0], "true");
    parse("--wait|true|c"); /* wait is not ddprof's */
    assert_string_equal(options.command[0], "true");
    parse("-Ifalse|c");
    parse("--no-enable|no|c");
    assert_string_equal(options.command[0], "no");
    refuse("--timeline=maybe|c", "", "--timeline", "\"maybe\"");
}

TEST(options__tags_collect_within_a_layer)
{
    parse("-T|a:1, b:2,|--tags=c:x:y|c");
    assert_int_equal(options.tags.count, 3);
    assert_string_equal(options.tags.at[0], "a:1");
    assert_string_equal(options.tags.at[1], "b:2");
    assert_string_equal(options.tags.at[2], "c:x:y");
    parse_both("-T|a:1|c", "RINGSIDE_TAGS=b:2|DD_TAGS=c:3");
    assert_int_equal(options.tags.count, 1);
    parse_both("c", "DD_TAGS=a:1 b:2|DD_PROFILING_TAGS=c:3, d:4 5");
    assert_int_equal(options.tags.count, 4);
    assert_string_equal(options.tags.at[3], "d:4 5");
    refuse("-T|plain|c", "", "--tags", "\"plain\"");
    refuse("-T|:x|c", "", "not a tag", NULL);
    refuse("-T|x:|c", "", "not a tag", NULL);
    refuse("c", "RINGSIDE_TAGS=plain", "RINGSIDE_TAGS", "not a tag");
}

TEST(options__a_tag_nobody_takes_is_left_out_of_shared_variables_with_a_note)
{
    parse_both("c", "DD_TAGS=good:1,plain,also:2");
    assert_int_equal(options.tags.count, 2);
    assert_int_equal(options.notes.count, 1);
    assert_non_null(strstr(options.notes.at[0], "DD_TAGS"));
    assert_non_null(strstr(options.notes.at[0], "plain"));
}

TEST(options__tags_of_what_has_an_option_are_that_option_where_it_is_not_given)
{
    parse_both("c", "DD_TAGS=git.repository_url:https://me:x@example.com/a.git team:core "
                    "git.commit.sha:4f2a9c1 env:prod version:7 service:shop env:other");
    assert_int_equal(options.tags.count, 1);
    assert_string_equal(options.tags.at[0], "team:core");
    assert_string_equal(options.git_repository_url, "https://me:x@example.com/a.git");
    assert_string_equal(options.git_commit_sha, "4f2a9c1");
    assert_string_equal(options.environment, "prod");
    assert_string_equal(options.service_version, "7");
    assert_string_equal(options.service, "shop");
    parse_both("-S|mine|c", "DD_TAGS=service:shop,version:7|DD_VERSION=8");
    assert_string_equal(options.service, "mine");
    assert_string_equal(options.service_version, "8");
    assert_int_equal(options.tags.count, 0);
    parse("-T|environment:a|-T|git.branch:b|c"); /* other keys */
    assert_int_equal(options.tags.count, 2);
    assert_null(options.environment);
}

TEST(options__git_metadata_may_be_left_out)
{
    parse_both("c", "DD_GIT_COMMIT_SHA=4f2a9c1");
    assert_true(options.git_metadata);
    parse_both("c", "DD_GIT_COMMIT_SHA=4f2a9c1|DD_TRACE_GIT_METADATA_ENABLED=false");
    assert_false(options.git_metadata);
    parse_both("c", "DD_TAGS=git.commit.sha:4f2a9c1|DD_TRACE_GIT_METADATA_ENABLED=0");
    assert_false(options.git_metadata);
    assert_int_equal(options.tags.count, 0);
}

TEST(options__too_many_tags_are_refused)
{
    char words[8192] = "";

    for (int i = 0; i < 300; i++)
        strcat(words, i ? ",a:1" : "-T|a:1");
    strcat(words, "|c");
    refuse(words, "", "--tags", "more than 256");
}

TEST(options__resource_attributes_become_options_and_tags)
{
    parse_both("c", "OTEL_RESOURCE_ATTRIBUTES=service.name=shop%20front, service.version=1%2E2,"
                    "deployment.environment.name=prod,deployment.environment=old,host.name=h%3A1,k8s.pod=p,"
                    "bad,=x,long=%2C,%00=1,trail=%4");
    assert_string_equal(options.service, "shop front");
    assert_string_equal(options.service_version, "1.2");
    assert_string_equal(options.environment, "prod");
    assert_int_equal(options.tags.count, 4);
    assert_string_equal(options.tags.at[0], "host.name:h:1");
    assert_string_equal(options.tags.at[1], "k8s.pod:p");
    assert_string_equal(options.tags.at[2], "%00:1");
    assert_string_equal(options.tags.at[3], "trail:%4");
    assert_int_equal(options.notes.count, 3);
    parse_both("c", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=old");
    assert_string_equal(options.environment, "old");
}

TEST(options__a_prefix_of_files_is_the_folder_they_would_be_in)
{
    parse_both("c", "DD_PROFILING_PPROF_PREFIX=/tmp/profiles/shop_");
    assert_string_equal(options.output, "/tmp/profiles/");
    parse("--debug_pprof_prefix|shop_|c");
    assert_string_equal(options.output, "./");
    assert_int_equal(parse_config("debug_pprof_prefix=/tmp/profiles/shop_"), 0);
    assert_string_equal(options.output, "/tmp/profiles/");
}

TEST(options__cpus_are_a_mask_or_a_list)
{
    parse("--cpu-affinity|0xA4|c");
    assert_true(options.cpu_affinity_set);
    assert_int_equal(CPU_COUNT(&options.cpu_affinity), 3);
    assert_true(CPU_ISSET(2, &options.cpu_affinity) && CPU_ISSET(5, &options.cpu_affinity) &&
                CPU_ISSET(7, &options.cpu_affinity));
    parse("--cpu-affinity|0-2,1023|c");
    assert_int_equal(CPU_COUNT(&options.cpu_affinity), 4);
    assert_true(CPU_ISSET(1023, &options.cpu_affinity));
    parse("c");
    assert_false(options.cpu_affinity_set);
    static const char *const wrong[] = {"0x", "0x0",  "0xg",  "1-", "3-1", "1024",
                                        "-1", "1,,2", "1--2", "1,", "x"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char words[64];

        snprintf(words, sizeof(words), "--cpu-affinity=%s|c", wrong[i]);
        refuse(words, "", "--cpu-affinity", "no set of CPUs");
    }
}

TEST(options__a_limit_may_be_lifted)
{
    parse("--maximum-pids|-1|c");
    assert_int_equal(options.maximum_pids, -1);
    parse("--maximum_pids=100|c");
    assert_int_equal(options.maximum_pids, 100);
    refuse("--maximum-pids|0|c", "", "(1 to 1000000, or -1)", NULL);
    refuse("--maximum-pids|-2|c", "", "(1 to 1000000, or -1)", NULL);
}

TEST(options__contradictions_are_refused_by_name)
{
    refuse("-p|1|c", "", "--pid", "the command \"c\"");
    refuse("-g|c", "", "--global", "the command \"c\"");
    refuse("-g|-p|1", "", "--pid and option --global", NULL);
    refuse("c", "RINGSIDE_PID=1", "variable RINGSIDE_PID", "the command \"c\"");
    refuse("-g|--switch-user|nobody", "", "--global and option --switch-user", NULL);
    parse("--global=no|c");
}

TEST(options__processes_are_numbers_in_lists_given_once_or_more)
{
    parse("-p|12,34|--pid=5 6|-p|7");
    assert_int_equal(options.pids.count, 5);
    assert_string_equal(options.pids.at[1], "34");
    assert_string_equal(options.pids.at[4], "7");
    assert_null(options.service);
    refuse("-p|12,x", "", "--pid", "\"x\" is not a number (1 to 4194304)");
    refuse("-p|0", "", "--pid", "out of bounds");
    refuse("-p|4194305", "", "--pid", "out of bounds");
    refuse("-p| , ", "", "--pid", "the argument PID,... is empty");
}

TEST(options__a_span_of_time_is_in_seconds_or_has_a_unit)
{
    static const struct {
        const char *words;
        uint32_t seconds;
    } good[] = {{"--duration|30|c", 30},
                {"--duration=30s|c", 30},
                {"--duration=5m|c", 300},
                {"--duration=2h|-g", 7200},
                {"--duration=1000000|-p|1", 1000000}};
    static const char *const wrong[] = {"", "x", "5 m", "5d", "1.5", "500ms"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        parse(good[i].words);
        assert_int_equal(options.duration_s, good[i].seconds);
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char words[64];

        snprintf(words, sizeof(words), "--duration=%s|c", wrong[i]);
        refuse(words, "", "--duration", "is not a time");
    }
    refuse("--duration=0|c", "", "out of bounds (1 to 1000000 s)", NULL);
    refuse("--duration=-1|c", "", "out of bounds", NULL);
    refuse("--duration=1000001|c", "", "out of bounds", NULL);
    refuse("--duration=99999999999999999999h|c", "", "out of bounds", NULL);
}

TEST(options__what_is_not_in_this_build_is_refused_unless_it_is_the_default)
{
    refuse("--timeline|c", "", "--timeline", "not in this build");
    parse("--timeline=false|--remote-symbolization=no|--no-drop-caps|c");
    refuse("c", "RINGSIDE_TIMELINE=yes", "variable RINGSIDE_TIMELINE", "not in this build");
    parse_both("c", "DD_PROFILING_TIMELINE_ENABLE=1|DD_PROFILING_INLINED_FUNCTIONS=1");
    assert_false(options.timeline);
    assert_int_equal(options.notes.count, 2);
}

TEST(options__a_slip_in_a_variable_is_noted)
{
    parse_both("c", "RINGSIDE_FREQENCY=10|RINGSIDE_QUUX=1|RINGSIDE_no=1|RINGSIDE_NO_WAIT=1");
    assert_int_equal(options.notes.count, 4);
    assert_non_null(strstr(options.notes.at[0], "--frequency"));
    assert_int_equal(options.frequency_hz, 99);
}

TEST(options__some_things_need_no_command)
{
    parse("--show-config");
    assert_null(options.command[0]);
    assert_true(options.show_config);
    parse("--capture-config=captured.conf");
    parse("--help-extended");
    assert_true(options.help_all);
    parse("-e|help");
    assert_true(options.list_events);
}

TEST(options__the_place_of_a_mistake_is_marked)
{
    refuse("--frequncy=10|c", "", "\n  --frequncy\n  ^~~~~~~~~~", NULL);
    refuse("-hx|c", "", "\n  -hx\n    ^", NULL);
}

TEST(options__events_are_made_of_presets_texts_and_rates)
{
    parse("c");
    assert_int_equal(options.events.count, 1);
    assert_string_equal(options.events.spec[0].name, "sCPU");
    assert_int_equal(options.events.spec[0].frequency_hz, 99);
    assert_int_equal(options.events.spec[0].stack_bytes, 32768);
    parse("--frequency=7|--stack-sample-size=1024|c");
    assert_int_equal(options.events.spec[0].frequency_hz, 7);
    assert_int_equal(options.events.spec[0].stack_bytes, 1024);
}

TEST(options__an_option_is_no_argument_of_the_one_before)
{
    refuse("-S|--nice|5|c", "", "-S: the argument NAME is missing", "--service=--nice");
    refuse("--service|-O|cpu.pb.gz|c", "", "--service: the argument NAME is missing", "\"-O\"");
    refuse("-S|--|c", "", "NAME is missing", NULL);
    parse("--service=--nice|-V|-x|--nice|-5|c");
    assert_string_equal(options.service, "--nice");
    assert_string_equal(options.service_version, "-x");
    assert_int_equal(options.nice, -5);
}

TEST(options__a_letter_takes_no_equals_sign)
{
    refuse("-S=shop|c", "", "\"-S=shop\"", "-S shop or --service=shop");
    refuse("-I=true|c", "", "-I true or --inlined-functions=true", NULL);
    parse("-S|=shop|c");
    assert_string_equal(options.service, "=shop");
}

/* What the run goes by is shown where nobody gave it, and is not read back. */
TEST(options__what_follows_from_other_options_is_shown_as_a_comment)
{
    FREE_PTR char *text = NULL;

    parse_both("--preset=faults|/bin/shop", "RINGSIDE_SERVCE=x");
    text = config_text();
    assert_non_null(strstr(text, "# event                = \"sPF stack_sample_size=32768\""));
    assert_non_null(strstr(text, "# event                = \"sPFMAJ "));
    assert_non_null(strstr(text, "# service              = \"shop\""));
    assert_non_null(strstr(text, "# neither ringside.conf nor /"));
    assert_non_null(strstr(text, "# note: variable RINGSIDE_SERVCE: "));
    assert_int_equal(parse_config(text), 0);
    assert_string_equal(options.preset, "faults");
    assert_string_equal(options.service, "c");
    assert_string_equal(shown_origin("config"), "found there");
}

TEST(options__each_run_has_an_identity_that_is_not_captured)
{
    char first[64];

    parse("c");
    snprintf(first, sizeof(first), "%s", options.runtime_id);
    assert_int_equal(strlen(first), 36);
    assert_int_equal(strspn(first, "0123456789abcdef-"), 36);
    assert_true(first[14] == '4' && strchr("89ab", first[19]));
    parse("c");
    assert_string_not_equal(options.runtime_id, first);
    assert_string_equal(shown_value("runtime-id"), "");
    parse("--capture-config=captured.conf|c");
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_not_equal(system("grep -q runtime-id captured.conf"), 0);
}
