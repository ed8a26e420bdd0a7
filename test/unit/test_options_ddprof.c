/*
 * test_options_ddprof.c - the flags and variables of ddprof: which mean the same here, and why others differ
 *
 * The list is that of its command reference (docs/Commands.md, what --help_extended adds, src/ddprof_cli.cc).
 * A row says how a line that is written for ddprof fares here. Its defaults differ in four places: the log
 * level (error), where the log goes (stdout), the timeline (on) and the service (myservice).
 */
#include "options_cases.h"

enum fares {
    SAME,    /* taken, and means what it means there */
    DIFFERS, /* taken, and means something else: the reason says what */
    NOTHING, /* taken with a warning, there is nothing to do */
    LATER,   /* refused: not in this build */
    REFUSED, /* refused for good */
};

struct line {
    const char *given; /* words before the command "c", or a variable */
    enum fares fares;
    const char *why; /* of all but SAME and LATER */
};

static const struct line flags[] = {
    {"--help", SAME, NULL},
    {"-h", SAME, NULL},
    {"--help_extended", SAME, NULL},
    {"--help-extended", SAME, NULL},
    {"--version", SAME, NULL},
    {"-v", SAME, NULL},
    {"--service|shop", SAME, NULL},
    {"-S|shop", SAME, NULL},
    {"--environment|prod", SAME, NULL},
    {"-E|prod", SAME, NULL},
    {"--service_version|1.2", SAME, NULL},
    {"--service-version|1.2", SAME, NULL},
    {"-V|1.2", SAME, NULL},
    {"--url|http://agent:8126", SAME, NULL},
    {"-U|unix:///run/apm.sock", SAME, NULL},
    {"--host|agent", SAME, NULL},
    {"-H|localhost", SAME, NULL}, /* the default */
    {"--port|9000", SAME, NULL},
    {"-P|8126", SAME, NULL}, /* the default */
    {"--tags|a:1,b:2", SAME, NULL},
    {"-T|a:1,b:2", SAME, NULL},
    {"--inlined_functions|true", LATER, NULL},
    {"--inlined-functions|false", SAME, NULL},
    {"-I|true", LATER, NULL},
    {"-I|0", SAME, NULL},
    {"-I|f", SAME, NULL},
    {"--inlined_functions|disable", SAME, NULL},
    {"--inlined_functions|y", LATER, NULL},
    {"--timeline", LATER, NULL},
    {"-t", LATER, NULL},
    {"--timeline=false", SAME, NULL},
    {"--upload_period|10", SAME, NULL},
    {"--upload-period|10", SAME, NULL},
    {"-u|10", SAME, NULL},
    {"--event|sCPU", SAME, NULL},
    {"--event|sCPU|--event|hCPU|-e|sPF;sCS", SAME, NULL},
    {"-e|sCPU,period=1000", REFUSED, "the kernel takes 10000 for anything shorter"},
    {"-e|sALLOC", LATER, NULL},
    {"-e|sCPU mode=a", REFUSED, "there it has no effect"},
    {"-e|sCPU period=1000000;hCPU", SAME, NULL},
    {"-e|help", SAME, NULL},
    {"--preset|cpu_only", SAME, NULL},
    {"--preset|default", DIFFERS, "CPU time, no allocations yet"},
    {"--preset|alloc_only", LATER, NULL},
    {"--preset|cpu_live_heap", LATER, NULL},
    {"--switch_user|nobody", SAME, NULL},
    {"--switch-user|nobody", SAME, NULL},
    {"--nice|5", SAME, NULL},
    {"--config|/dev/null", SAME, NULL},
    {"--log_level|debug", SAME, NULL},
    {"--log-level|debug", SAME, NULL},
    {"-l|informational", DIFFERS, "the same as notice"},
    {"-l|notice", SAME, NULL},
    {"-l|warn", SAME, NULL},
    {"-l|error", SAME, NULL},
    {"--log_mode|stdout", SAME, NULL},
    {"--log-mode|stdout", SAME, NULL},
    {"-o|stderr", SAME, NULL},
    {"-o|syslog", SAME, NULL},
    {"-o|disabled", SAME, NULL},
    {"-o|/tmp/log", SAME, NULL},
    {"--show_config", DIFFERS, "printed to standard error, not logged"},
    {"--show-config", DIFFERS, "printed to standard error, not logged"},
    {"--internal_stats|/run/statsd.sock", LATER, NULL},
    {"-b|/run/statsd.sock", LATER, NULL},
    {"--show_samples", SAME, NULL},
    {"--show-samples", SAME, NULL},
    {"--enable|false", SAME, NULL},
    {"--enable=1", SAME, NULL},
    {"--capture_config|/tmp/x.conf", DIFFERS, "the file is INI, which ddprof reads too when it is flat"},
    {"--capture-config|/tmp/x.conf", DIFFERS, "the file is INI, which ddprof reads too when it is flat"},
    {"--api_key|0123456789abcdef0123456789abcdef", REFUSED, "every process could read it"},
    {"--api-key|0123456789abcdef0123456789abcdef", REFUSED, "every process could read it"},
    {"--agentless|true", SAME, NULL},
    {"--runtime_id|0a-1b", SAME, NULL},
    {"--cpu_affinity|0xa4", SAME, NULL},
    {"--cpu_affinity|3", DIFFERS, "CPU 3; there it is a mask even without 0x"},
    {"--cpu_affinity|a4", REFUSED, "a mask begins with 0x"},
    {"--cpu-affinity|0xa4", SAME, NULL},
    {"--do_export|false", SAME, NULL},
    {"--debug_pprof_prefix|/tmp/profile_", DIFFERS, "the folder; names are Ringside's own"},
    {"--worker_period|2", SAME, NULL},
    {"--fault_info|false", NOTHING, "the supervisor tells in any case"},
    {"--socket|/tmp/socket", NOTHING, "there is no library"},
    {"--pipefd|3", REFUSED, "for its own library only"},
    {"--stack_sample_size|65528", SAME, NULL},
    {"--stack-sample-size|32768", SAME, NULL},
    {"--initial-loaded-libs-check-delay|1000", NOTHING, "there is no library"},
    {"--loaded_libs_check_interval|1000", NOTHING, "there is no library"},
    {"--remote_symbolization", LATER, NULL},
    {"--remote-symbolization=false", SAME, NULL},
    {"--disable-symbolization", LATER, NULL},
    {"--reorder-events", NOTHING, "always done"},
    {"--no-reorder-events", NOTHING, "always done"},
    {"--maximum-pids|-1", SAME, NULL},
    {"--maximum_pids|100", DIFFERS, "the others are profiled too, as one"},
};

/* Of shared variables, what is not in this build is noted only. */
static const struct line variables[] = {
    {"DD_SERVICE=shop", SAME, NULL},
    {"DD_ENV=prod", SAME, NULL},
    {"DD_VERSION=1.2", SAME, NULL},
    {"DD_TAGS=a:1,b:2", SAME, NULL},
    {"DD_TAGS=a:1 b:2", SAME, NULL},
    {"DD_TRACE_AGENT_URL=http://agent:8126", SAME, NULL},
    {"DD_AGENT_HOST=agent", SAME, NULL},
    {"DD_TRACE_AGENT_HOSTNAME=agent", SAME, NULL},
    {"DD_TRACE_AGENT_PORT=9126", SAME, NULL},
    {"DD_API_KEY=0123456789abcdef0123456789abcdef", SAME, NULL},
    {"DD_PROFILING_ENABLED=auto", SAME, NULL},
    {"DD_PROFILING_NATIVE_ENABLED=0", SAME, NULL},
    {"DD_PROFILING_UPLOAD_PERIOD=10", SAME, NULL},
    {"DD_PROFILING_AGENTLESS=true", SAME, NULL},
    {"DD_PROFILING_TIMELINE_ENABLE=1", NOTHING, "later"},
    {"DD_PROFILING_TIMELINE_ENABLED=false", SAME, NULL},
    {"DD_PROFILING_PPROF_PREFIX=/tmp/profile_", DIFFERS, "the folder; names are Ringside's own"},
    {"DD_PROFILING_DO_EXPORT=false", SAME, NULL},
    {"DD_PROFILING_RUNTIME_ID=0a-1b", SAME, NULL},
    {"DD_PROFILING_INLINED_FUNCTIONS=true", NOTHING, "later"},
    {"DD_PROFILING_NATIVE_EVENTS=sCPU", SAME, NULL},
    {"DD_PROFILING_NATIVE_EVENTS=sCPU;sALLOC", NOTHING, "later, and sCPU alone is the default"},
    {"DD_PROFILING_NATIVE_PRESET=cpu_only", SAME, NULL},
    {"DD_PROFILING_NATIVE_PRESET=cpu_live_heap", NOTHING, "later"},
    {"DD_PROFILING_NATIVE_STARTUP_WAIT_MS=100", NOTHING, "of its library"},
    {"DD_PROFILING_NATIVE_LOG_LEVEL=debug", SAME, NULL},
    {"DD_PROFILING_NATIVE_LOG_MODE=syslog", SAME, NULL},
    {"DD_PROFILING_NATIVE_CONFIG=/dev/null", SAME, NULL},
    {"DD_PROFILING_NATIVE_SOCKET=/tmp/socket", NOTHING, "there is no library"},
    {"DD_PROFILING_MAXIMUM_PIDS=100", SAME, NULL},
    {"DD_PROFILING_REMOTE_SYMBOLIZATION=true", NOTHING, "later"},
    {"DD_PROFILING_DISABLE_SYMBOLIZATION=true", NOTHING, "later"},
    {"DD_PROFILING_REORDER_EVENTS=true", NOTHING, "always done"},
    {"DD_PROFILING_WORKER_PERIOD=2", SAME, NULL},
    {"DD_PROFILING_SAMPLE_STACK_USER=65528", SAME, NULL},
    {"DD_PROFILING_CPU_AFFINITY=0xa4", SAME, NULL},
    {"DD_PROFILING_SWITCH_USER=nobody", SAME, NULL},
    {"DD_PROFILING_NICE=5", SAME, NULL},
    {"DD_PROFILING_SHOW_CONFIG=1", DIFFERS, "printed to standard error, not logged"},
    {"DD_PROFILING_SHOW_SAMPLES=1", SAME, NULL},
    {"DD_PROFILING_INTERNAL_STATS=/run/statsd.sock", NOTHING, "later"},
    {"DD_PROFILING_INITIAL_LOADED_LIBS_CHECK_DELAY=1000", NOTHING, "there is no library"},
    {"DD_PROFILING_LOADED_LIBS_CHECK_INTERVAL=1000", NOTHING, "there is no library"},
};

/* What is taken is seen to come from there; not what asks for something instead of a run. */
static void check_origin(const struct line *line, const char *variable)
{
    FREE_PTR char *text = config_text();
    char origin[100] = "# flag";

    if (*variable)
        snprintf(origin, sizeof(origin), "# variable %.*s", (int)strcspn(variable, "="), variable);
    if (line->fares != NOTHING && !options.help && !options.help_all && !options.version &&
        !options.list_events && !strstr(text, origin))
        fail_msg("%s: %s is not in what --show-config says", line->given, origin);
}

static void check(const struct line *line, const char *words, const char *variable)
{
    int result = parse_with(words, variable);
    bool later = result < 0 && strstr(error.text, "not in this build");

    if (line->fares != SAME && line->fares != LATER)
        assert_non_null(line->why);
    switch (line->fares) {
    case LATER:
        if (!later)
            fail_msg("%s: not refused as later: %s", line->given, error.text);
        break;
    case REFUSED:
        if (result == 0 || later)
            fail_msg("%s: not refused", line->given);
        break;
    default:
        if (result < 0)
            fail_msg("%s: %s", line->given, error.text);
        if ((options.notes.count == 1) != (line->fares == NOTHING))
            fail_msg("%s: %u notes", line->given, options.notes.count);
        check_origin(line, variable);
    }
}

TEST(options_ddprof__every_flag_of_its_reference_fares_as_listed)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        char words[256];

        snprintf(words, sizeof(words), "%s|c", flags[i].given);
        check(&flags[i], words, "");
        if (flags[i].fares != LATER && flags[i].fares != REFUSED && !options.list_events)
            assert_string_equal(options.command[0], "c");
    }
}

/* "--a_b|x" as "--a-b|x", "--a_b=x" and "--a-b=x". */
static void spell(const char *line, bool dashes, bool equals, char *out, size_t bytes)
{
    char *value = snprintf(out, bytes, "%s", line) > 2 ? strpbrk(out, "|=") : NULL;

    for (char *c = out + 2; dashes && *c && c != value; c++)
        *c = *c == '_' ? '-' : *c;
    if (equals && value && !strchr(value + 1, '|'))
        *value = '=';
}

TEST(options_ddprof__every_flag_fares_the_same_in_each_spelling)
{
    for (size_t i = 0; i < 4 * ARRAY_LEN(flags); i++) {
        struct line line = flags[i / 4];
        char other[200], words[256];

        if (strncmp(line.given, "--", 2) != 0)
            continue;
        spell(line.given, i & 1, i & 2, other, sizeof(other));
        line.given = other;
        snprintf(words, sizeof(words), "%s|c", other);
        check(&line, words, "");
    }
}

TEST(options_ddprof__there_are_targets_other_than_a_command)
{
    assert_int_equal(parse_with("-p|1", ""), 0);
    assert_string_equal(options.pids.at[0], "1");
    assert_int_equal(parse_with("-g", ""), 0);
    assert_true(options.global);
}

TEST(options_ddprof__every_variable_fares_as_listed)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        check(&variables[i], "c", variables[i].given);
}

/* Those of its own tests, but for allocations and a period the kernel would lengthen. */
TEST(options_ddprof__its_config_files_read)
{
    assert_int_equal(
        parse_config("# A test configuration\nservice=\"ddprof-bench\"\nenvironment=\"ci\"\ndo_export=0\n"
                     "fault_info=1\nupload_period=3\nworker_period=2\nlog_level=\"informational\"\n"
                     "log_mode=\"stdout\"\nshow_config=1\nenable=1\nevent=\"sCPU,period=100000\"\n"
                     "event=\"sPF\"\n# command_line=[\"BadBoggleSolver_run\", 30]\n"),
        0);
    assert_int_equal(options.upload_period_s, 3);
    assert_int_equal(options.events.count, 2);
    assert_int_equal(options.worker_period, 2);
    assert_int_equal(options.notes.count, 1);
    assert_false(options.upload);
    assert_int_equal(parse_config("sample_stack_user=65528\nlog_level=\"notice\"\n"), 0);
    assert_int_equal(options.stack_bytes, 65528);
    assert_int_equal(parse_config("event=[\"sCPU\", \"sPF\"]\ntimeline=false\ntags=\"a:1,b:2\"\n"), 0);
    assert_int_equal(options.events.count, 2);
    refuse_config("service=\"x\"\nevent=\"sALLOC period=-524288;sCPU\"\n", "ringside.conf:2", NULL);
    refuse_config("command_line=[\"redis-server\"]\n", "only be given on the command line", NULL);
}
