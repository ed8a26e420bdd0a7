/*
 * test_options_config.c - config files: where they are found, how lines are read, what is refused and where
 */
#include "options_cases.h"

TEST(options_config__a_flat_toml_file_reads)
{
    assert_int_equal(
        parse_config("# one of ddprof's\n"
                     "service=\"ddprof-bench\"\nenvironment='ci'\n"
                     "fault_info=1\nworker_period=2\nupload_period=3\n"
                     "log_level=\"informational\"\nlog_mode=\"stdout\"\nshow_config=1\nenable=1\n"
                     "sample_stack_user=65528\n"
                     "tags=[\"a:1\", 'b:2',c:3]  # all of them\n"),
        0);
    assert_string_equal(options.service, "ddprof-bench");
    assert_string_equal(options.environment, "ci");
    assert_int_equal(options.upload_period_s, 3);
    assert_int_equal(options.log_level, LEVEL_INFO);
    assert_int_equal(options.stack_bytes, 65528);
    assert_int_equal(options.tags.count, 3);
    assert_string_equal(options.tags.at[2], "c:3");
    assert_int_equal(options.worker_period, 2);
    assert_int_equal(options.notes.count, 1); /* fault_info */
}

TEST(options_config__quotes_keep_what_comments_are_made_of)
{
    assert_int_equal(parse_config("\xef\xbb\xbf[ringside]\n"
                                  "service = \"a # b ; c\" ; remark\n"
                                  "environment = 'back\\slash'\n"
                                  "service-version = a#b;c   # remark\n"
                                  "runtime-id = \"q\\\"\\\\ \\x41\\t\"\n"),
                     0);
    assert_string_equal(options.service, "a # b ; c");
    assert_string_equal(options.environment, "back\\slash");
    assert_string_equal(options.service_version, "a#b;c");
    assert_string_equal(options.runtime_id, "q\"\\ A\t");
}

TEST(options_config__what_is_wrong_is_told_with_file_and_line)
{
    refuse_config("\n\nfrequncy = 10\n", "ringside.conf:3: unknown option \"frequncy\"", "mean frequency?");
    refuse_config("#\nquux=1", "ringside.conf:2: unknown option \"quux\"", NULL);
    refuse_config("frequency = often", "ringside.conf:1: frequency: \"often\"", "not a number");
    refuse_config("frequency = 0", "ringside.conf:1: frequency:", "(1 to 10000)");
    refuse_config("nice = ", "ringside.conf:1: nice: \"\"", NULL);
    refuse_config("service = # nothing", "ringside.conf:1: service", "empty");
    refuse_config("url = 'http://a' tok-1", "ringside.conf:1: url", "\"more\"");
    refuse_config("wait\n", "ringside.conf:1", "neither");
    refuse_config("service = x\nwait\nfrequncy = 1", "ringside.conf:2", "neither");
    refuse_config("frequncy = 1\nwait\n", "ringside.conf:1", "frequncy");
    refuse_config("[other]\nwait = 1", "ringside.conf:2", "[other]");
    refuse_config("service = \"x", "ringside.conf:1: service", "not closed");
    refuse_config("service = \"x\" y", "ringside.conf:1: service", "\"y\"");
    refuse_config("service = \"\\q\"", "ringside.conf:1: service", "backslash");
    refuse_config("tags = [\"a:1\" \"b:2\"]", "ringside.conf:1: tags", "comma");
    refuse_config("tags = [\"a:1\",", "ringside.conf:1: tags", "not closed");
    refuse_config("nice = 1\nnice = 2", "ringside.conf:2: nice is on line 1", NULL);
    refuse_config("no-wait = 1", "unknown option", NULL);
    refuse_config("help = 1", "ringside.conf:1", "no sense");
    refuse_config("command_line=[\"x\"]", "ringside.conf:1", "command line");
}

TEST(options_config__a_semicolon_behind_a_blank_is_a_comment_but_among_events)
{
    assert_int_equal(parse_config("service = a ; b"), 0);
    assert_string_equal(options.service, "a");
    parse_config("event = sCPU ; nosuch"); /* refused for one reason or the other, not cut to sCPU */
    assert_true(strstr(error.text, "nosuch") || strstr(error.text, "not in this build"));
}

TEST(options_config__lines_and_files_have_a_limit)
{
    FREE_PTR char *text = base_alloc(70000);

    memset(text, 'x', 69999);
    memcpy(text, "service=", 8);
    text[8000] = '\0';
    assert_int_equal(parse_config(text), 0);
    assert_int_equal(strlen(options.service), 8000 - 8);
    text[8000] = 'x';
    text[9000] = '\0';
    refuse_config(text, "ringside.conf:1", "too long");
    text[9000] = 'x';
    for (size_t i = 0; i < 69999; i += 100)
        memcpy(text + i, "\n#", 2);
    text[69999] = '\0';
    refuse_config(text, "larger than", NULL);
}

TEST(options_config__a_nul_byte_is_refused)
{
    FILE *file = fopen("ringside.conf", "w");

    assert_non_null(file);
    fwrite("service = a\0b\n", 1, 14, file);
    fclose(file);
    refuse("c", "", "ringside.conf:1", "NUL");
    unlink("ringside.conf");
}

TEST(options_config__a_named_file_is_read_instead_and_must_be_there)
{
    write_file("ringside.conf", "nice = 1\n");
    write_file("captured.conf", "nice = 2\n");
    parse("c");
    assert_int_equal(options.nice, 1);
    parse("--config|captured.conf|c");
    assert_int_equal(options.nice, 2);
    parse_both("c", "DD_PROFILING_NATIVE_CONFIG=captured.conf");
    assert_int_equal(options.nice, 2);
    parse_both("--config=/dev/null|c", "RINGSIDE_CONFIG=captured.conf");
    assert_int_equal(options.nice, 0);
    unlink("ringside.conf");
    refuse("--config=missing.conf|c", "", "missing.conf", "No such file");
    refuse("--config=/|c", "", "directory", NULL);
    refuse("--config=|c", "", "empty", NULL);
}

/* The file of another user or one that anybody can write, in a folder like /tmp. */
TEST(options_config__a_file_of_others_in_the_working_folder_is_refused)
{
    write_file("ringside.conf", "nice = 1\n");
    assert_int_equal(chmod("ringside.conf", 0666), 0);
    refuse("c", "", "ringside.conf", "refused");
    parse("--config|ringside.conf|c");
    assert_int_equal(options.nice, 1);
    assert_int_equal(chmod("ringside.conf", 0644), 0);
    parse("c");
    if (geteuid() == 0) {
        assert_int_equal(chown("ringside.conf", 12345, 0), 0);
        refuse("c", "", "ringside.conf", "refused");
        unlink("ringside.conf");
        write_file("captured.conf", "nice = 1\n");
        assert_int_equal(symlink("captured.conf", "ringside.conf"), 0);
        parse("c");
        assert_int_equal(lchown("ringside.conf", 12345, 0), 0);
        refuse("c", "", "ringside.conf", "refused");
    }
    unlink("ringside.conf");
    assert_int_equal(mkfifo("ringside.conf", 0600), 0);
    refuse("c", "", "regular", NULL); /* and does not wait for a writer */
    unlink("ringside.conf");
}

TEST(options_config__capturing_replaces_the_file_at_once_or_not_at_all)
{
    parse("--capture-config=captured.conf|-S|a b|c");
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_equal(
        system("grep -q '^service = \"a b\"$' captured.conf && ! grep -q '^frequency' captured.conf"), 0);
    parse("--capture-config=missing/x.conf|c");
    assert_int_equal(options_capture_config(&options, &error), -1);
    assert_non_null(strstr(error.text, "missing/"));
}

/* "Save as UTF-8" of an editor on Windows. */
TEST(options_config__marks_and_line_ends_of_other_systems_do_not_matter)
{
    assert_int_equal(parse_config("\xef\xbb\xbfservice = shop\r\nnice = 5\r\n\r\n# end"), 0);
    assert_string_equal(options.service, "shop");
    assert_int_equal(options.nice, 5);
    assert_int_equal(parse_config("service = \"shop\""), 0);
    assert_string_equal(options.service, "shop");
}

TEST(options_config__what_stands_behind_a_quoted_event_is_not_lost)
{
    refuse_config("event = \"sCPU\";\"sPF\"\n", "ringside.conf:1: event", "behind the value");
    assert_int_equal(parse_config("event = \"sCPU;sPF\" # both\n"), 0);
    assert_int_equal(options.events.count, 2);
}

TEST(options_config__capturing_to_what_is_no_file_writes_and_replaces_nothing)
{
    struct stat there;

    unlink("captured.conf");
    assert_int_equal(symlink("/dev/null", "captured.conf"), 0);
    parse("--capture-config=captured.conf|c");
    assert_int_equal(options_capture_config(&options, &error), 0);
    assert_int_equal(lstat("captured.conf", &there), 0);
    assert_true(S_ISLNK(there.st_mode));
    unlink("captured.conf");
    parse("--capture-config=/tmp|c");
    assert_int_equal(options_capture_config(&options, &error), -1);
    assert_non_null(strstr(error.text, "Is a directory"));
}

/* Nobody named the file, so it must not keep the command from starting. */
TEST(options_config__the_usual_file_that_cannot_be_read_is_left_out)
{
    assert_int_equal(symlink("ringside.conf", "ringside.conf"), 0); /* ELOOP, for root as well */
    assert_int_equal(parse_with("-O|x.pb.gz|true", ""), 0);
    assert_int_equal(options.notes.count, 1);
    assert_non_null(strstr(options.notes.at[0], "config file ringside.conf"));
    assert_true(options.enable);
    assert_int_equal(parse_with("true", ""), 0);
    assert_int_equal(options.notes.count, 2);
    assert_false(options.enable); /* where profiles go may be what it says */
    refuse("--config|ringside.conf|-O|x.pb.gz|true", "", "config file ringside.conf", NULL);
    unlink("ringside.conf");
}

static const char *bare(const char *words, const char *variables)
{
    char **command;

    snprintf(given.words, sizeof(given.words), "%s", words);
    snprintf(given.variables, sizeof(given.variables), "%s", variables);
    given.argc = split(given.words, given.argv);
    split(given.variables, given.envp);
    command = options_bare_command(given.argc, given.argv, given.envp);
    return command ? command[0] : NULL;
}

TEST(options_config__without_memory_the_command_is_found_where_nothing_forbids_it)
{
    assert_string_equal(bare("ringside|-S|shop|--nice=5|-O|a/|run|--drop-caps", "RINGSIDE_NICE=1"), "run");
    assert_string_equal(bare("ringside|--|-run", ""), "-run");
    assert_null(bare("ringside|-S|shop", ""));
    assert_null(bare("ringside|--no-such-option|run", ""));
    assert_null(bare("ringside|--drop-caps|run", ""));
    assert_null(bare("ringside|--switch-user|shop|run", ""));
    assert_null(bare("ringside|--config=a.conf|run", ""));
    assert_null(bare("ringside|run", "RINGSIDE_DROP_CAPS=yes"));
    assert_null(bare("ringside|run", "A=b|DD_PROFILING_SWITCH_USER=shop"));
    assert_string_equal(bare("ringside|run", "DD_PROFILING_SWITCH_USER="), "run");
}
