/*
 * test_options_ddprof.c - the flags and variables of ddprof: which mean the same here, and why others differ
 *
 * The list is that of its command reference (docs/Commands.md and what --help_extended adds). A row says how
 * a line that is written for ddprof fares here.
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
    {"--url|http://agent:8126", LATER, NULL},
    {"-U|unix:///run/apm.sock", LATER, NULL},
    {"--host|agent", LATER, NULL},
    {"-H|localhost", SAME, NULL}, /* the default */
    {"--port|9000", LATER, NULL},
    {"-P|8126", SAME, NULL}, /* the default */
    {"--tags|a:1,b:2", SAME, NULL},
    {"-T|a:1,b:2", SAME, NULL},
    {"--inlined_functions|true", LATER, NULL},
    {"--inlined-functions|false", SAME, NULL},
    {"-I|true", LATER, NULL},
    {"-I|0", SAME, NULL},
    {"--timeline", LATER, NULL},
    {"-t", LATER, NULL},
    {"--upload_period|10", SAME, NULL},
    {"--upload-period|10", SAME, NULL},
    {"-u|10", SAME, NULL},
    {"--event|sCPU", SAME, NULL},
    {"-e|sCPU period=1000000;hCPU", SAME, NULL},
    {"-e|help", SAME, NULL},
    {"--preset|cpu_only", SAME, NULL},
    {"--switch_user|nobody", LATER, NULL},
    {"--switch-user|nobody", LATER, NULL},
    {"--nice|5", SAME, NULL},
    {"--config|/dev/null", SAME, NULL},
    {"--log_level|debug", SAME, NULL},
    {"-l|informational", DIFFERS, "the same as notice"},
    {"-l|notice", SAME, NULL},
    {"-l|warn", SAME, NULL},
    {"-l|error", SAME, NULL},
    {"--log_mode|stdout", SAME, NULL},
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
    {"--agentless|true", LATER, NULL},
    {"--runtime_id|0a-1b", SAME, NULL},
    {"--cpu_affinity|0xa4", SAME, NULL},
    {"--cpu-affinity|0xa4", SAME, NULL},
    {"--do_export|false", NOTHING, "nothing is sent"},
    {"--debug_pprof_prefix|/tmp/profile_", DIFFERS, "the folder; names are Ringside's own"},
    {"--worker_period|2", NOTHING, "memory is given back without starting anew"},
    {"--fault_info|false", NOTHING, "the supervisor tells in any case"},
    {"--socket|/tmp/socket", NOTHING, "there is no library"},
    {"--pipefd|3", REFUSED, "for its own library only"},
    {"--stack_sample_size|65528", SAME, NULL},
    {"--stack-sample-size|32768", SAME, NULL},
    {"--initial-loaded-libs-check-delay|1000", NOTHING, "there is no library"},
    {"--loaded_libs_check_interval|1000", NOTHING, "there is no library"},
    {"--remote_symbolization", LATER, NULL},
    {"--disable-symbolization", LATER, NULL},
    {"--reorder-events", NOTHING, "always done"},
    {"--no-reorder-events", NOTHING, "always done"},
    {"--maximum-pids|-1", SAME, NULL},
    {"--maximum_pids|100", SAME, NULL},
};

/* Of shared variables, what is not in this build is noted only. */
static const struct line variables[] = {
    {"DD_SERVICE=shop", SAME, NULL},
    {"DD_ENV=prod", SAME, NULL},
    {"DD_VERSION=1.2", SAME, NULL},
    {"DD_TAGS=a:1,b:2", SAME, NULL},
    {"DD_TAGS=a:1 b:2", SAME, NULL},
    {"DD_TRACE_AGENT_URL=http://agent:8126", NOTHING, "later"},
    {"DD_AGENT_HOST=agent", NOTHING, "later"},
    {"DD_TRACE_AGENT_HOSTNAME=agent", NOTHING, "later"},
    {"DD_TRACE_AGENT_PORT=9126", NOTHING, "later"},
    {"DD_API_KEY=0123456789abcdef0123456789abcdef", NOTHING, "later"},
    {"DD_PROFILING_ENABLED=auto", SAME, NULL},
    {"DD_PROFILING_NATIVE_ENABLED=0", SAME, NULL},
    {"DD_PROFILING_UPLOAD_PERIOD=10", SAME, NULL},
    {"DD_PROFILING_AGENTLESS=true", NOTHING, "later"},
    {"DD_PROFILING_TIMELINE_ENABLE=1", NOTHING, "later"},
    {"DD_PROFILING_TIMELINE_ENABLED=false", SAME, NULL},
    {"DD_PROFILING_PPROF_PREFIX=/tmp/profile_", DIFFERS, "the folder; names are Ringside's own"},
    {"DD_PROFILING_DO_EXPORT=false", NOTHING, "nothing is sent"},
    {"DD_PROFILING_RUNTIME_ID=0a-1b", SAME, NULL},
    {"DD_PROFILING_INLINED_FUNCTIONS=true", NOTHING, "later"},
    {"DD_PROFILING_NATIVE_EVENTS=sCPU", SAME, NULL},
    {"DD_PROFILING_NATIVE_PRESET=cpu_only", SAME, NULL},
    {"DD_PROFILING_NATIVE_LOG_LEVEL=debug", SAME, NULL},
    {"DD_PROFILING_NATIVE_LOG_MODE=syslog", SAME, NULL},
    {"DD_PROFILING_NATIVE_CONFIG=/dev/null", SAME, NULL},
    {"DD_PROFILING_NATIVE_SOCKET=/tmp/socket", NOTHING, "there is no library"},
    {"DD_PROFILING_MAXIMUM_PIDS=100", SAME, NULL},
    {"DD_PROFILING_REMOTE_SYMBOLIZATION=true", NOTHING, "later"},
    {"DD_PROFILING_DISABLE_SYMBOLIZATION=true", NOTHING, "later"},
    {"DD_PROFILING_REORDER_EVENTS=true", NOTHING, "always done"},
    {"DD_PROFILING_WORKER_PERIOD=2", NOTHING, "memory is given back without starting anew"},
    {"DD_PROFILING_SAMPLE_STACK_USER=65528", SAME, NULL},
    {"DD_PROFILING_CPU_AFFINITY=0xa4", SAME, NULL},
    {"DD_PROFILING_SWITCH_USER=nobody", NOTHING, "later"},
    {"DD_PROFILING_NICE=5", SAME, NULL},
    {"DD_PROFILING_SHOW_CONFIG=1", DIFFERS, "printed to standard error, not logged"},
    {"DD_PROFILING_SHOW_SAMPLES=1", SAME, NULL},
    {"DD_PROFILING_INTERNAL_STATS=/run/statsd.sock", NOTHING, "later"},
    {"DD_PROFILING_INITIAL_LOADED_LIBS_CHECK_DELAY=1000", NOTHING, "there is no library"},
    {"DD_PROFILING_LOADED_LIBS_CHECK_INTERVAL=1000", NOTHING, "there is no library"},
};

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
    parse_with("-p|1", "");
    assert_non_null(strstr(error.text, "not in this build"));
    parse_with("-g", "");
    assert_non_null(strstr(error.text, "not in this build"));
}

TEST(options_ddprof__every_variable_fares_as_listed)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        check(&variables[i], "c", variables[i].given);
}

TEST(options_ddprof__its_config_files_read)
{
    assert_int_equal(
        parse_config("service=\"bench\"\ndo_export=0\nfault_info=1\nworker_period=2\nupload_period=3\n"
                     "log_level=\"informational\"\nlog_mode=\"stdout\"\nshow_config=1\nenable=1\n"),
        0);
    assert_int_equal(options.upload_period_s, 3);
    assert_int_equal(options.notes.count, 3);
}
