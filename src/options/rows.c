/*
 * rows.c - the option table
 *
 * What is true of an option is said here and nowhere else; the order is that of help and pages within a
 * group.
 */
#include "table.h"

#include "ringside/event.h"

#define AT(field) .offset = offsetof(struct options, field)
#define NAMED(text)                                                                                          \
    {                                                                                                        \
        .name = (text)                                                                                       \
    } /* the same under another name */

/* Rows of a few lines, not a line for each field. */
/* clang-format off */
const struct option_row option_table[] = {
    /* ---- where profiles go ---- */
    {.name = "output", .letter = 'O', .argument = "PATH", .type = OPTION_TEXT, .group = GROUP_OUTPUT,
     .also = {{"debug-pprof-prefix", SENSE_PREFIX}}, .variable = {{"DD_PROFILING_PPROF_PREFIX", SENSE_PREFIX}},
     .is_path = true, .example = "/var/profiles/", AT(output),
     .help = "file for one profile, or FOLDER/ for one per period",
     .more = "A path that is a folder or ends in `/` gets one file per period and one at the end, named "
             "`SERVICE-TIME-PIDpid-NUMBER.pb.gz` so that they sort by time. Any other path is the one file for "
             "the whole run, which appears when it is complete; ringside then stays the command's parent, as "
             "with `--wait`. Of a prefix of file names (`--debug-pprof-prefix`) the folder is taken."},
    {.name = "upload-period", .letter = 'u', .argument = "SECONDS", .type = OPTION_COUNT, .group = GROUP_OUTPUT,
     .variable = {NAMED("DD_PROFILING_UPLOAD_PERIOD"), {"PYROSCOPE_UPLOAD_INTERVAL", SENSE_SECONDS}}, .min = 1, .max = 86400, .fallback = "59", .example = "10",
     AT(upload_period_s), .help = "how much time one profile covers",
     .more = "With a single output file there is one profile for the whole run and this has no effect."},
    {.name = "url", .letter = 'U', .argument = "URL", .type = OPTION_URLS, .group = GROUP_OUTPUT,
     .variable = {{"OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT", SENSE_OTLP}, {"PYROSCOPE_SERVER_ADDRESS", SENSE_PYROSCOPE},
                  {"DD_TRACE_AGENT_URL", SENSE_DATADOG}, {"OTEL_EXPORTER_OTLP_ENDPOINT", SENSE_OTLP_BASE}},
     .note = "without --output, the Datadog agent here", .example = "pyroscope+http://localhost:4040", AT(urls), .is_address = true,
     .help = "server that profiles are sent to; may be repeated",
     .more = "The kind of server stands in front: `datadog+`, `pyroscope+`, `parca+`, `otlp+`, `put+` and `post+` "
             "before `http://` or `https://`. Without it, ports 4040, 7070 and 4318 mean Pyroscope, Parca and "
             "OpenTelemetry, and all others a Datadog agent, as do `unix:///PATH` and `HOST:PORT`. Several are "
             "divided by blanks. Without `--output` and any URL profiles go to the Datadog agent of this machine. "
             "Of the variables of other tools only the first that is set counts, and none when `--url` or "
             "`--output` is given. docs/targets.md has what each kind is sent."},
    {.name = "do-export", .type = OPTION_SWITCH, .group = GROUP_OUTPUT,
     .variable = {NAMED("DD_PROFILING_DO_EXPORT")}, .rare = true, .takes_word = true, .fallback = "yes", AT(upload),
     .help = "send profiles; --no-do-export: only write them"},
    {.name = "host", .letter = 'H', .argument = "HOST", .type = OPTION_TEXT, .group = GROUP_OUTPUT,
     .variable = {NAMED("DD_AGENT_HOST"), NAMED("DD_TRACE_AGENT_HOSTNAME")}, .fallback = "localhost",
     .example = "agent.internal", AT(host), .is_address = true, .help = "host of the Datadog agent, without --url"},
    {.name = "port", .letter = 'P', .argument = "PORT", .type = OPTION_COUNT, .group = GROUP_OUTPUT,
     .variable = {NAMED("DD_TRACE_AGENT_PORT")}, .min = 1, .max = 65535, .fallback = "8126", .example = "9126",
     AT(port), .help = "port of the Datadog agent, without --url"},
    {.name = "agentless", .type = OPTION_SWITCH, .group = GROUP_OUTPUT, .variable = {NAMED("DD_PROFILING_AGENTLESS")},
     .rare = true, .takes_word = true, .fallback = "no", AT(agentless),
     .help = "send to Datadog's intake itself; takes an API key"},
    {.name = "site", .argument = "NAME", .type = OPTION_TEXT, .group = GROUP_OUTPUT, .variable = {NAMED("DD_SITE")},
     .rare = true, .fallback = "datadoghq.com", .example = "datadoghq.eu", AT(site),
     .help = "Datadog site, with --agentless"},
    {.name = "upload-timeout", .argument = "TIME", .type = OPTION_MSEC, .group = GROUP_OUTPUT, .rare = true,
     .variable = {NAMED("OTEL_EXPORTER_OTLP_PROFILES_TIMEOUT"), NAMED("OTEL_EXPORTER_OTLP_TIMEOUT")}, .min = 1,
     .max = 600000, .fallback = "10000ms", .example = "3s", AT(upload_timeout_ms),
     .help = "how long a server may take for an answer"},
    {.name = "flush-timeout", .argument = "TIME", .type = OPTION_MSEC, .group = GROUP_OUTPUT, .rare = true, .min = 0,
     .max = 600000, .fallback = "5000ms", .example = "2s", AT(flush_timeout_ms),
     .help = "how long the end waits for profiles that are not sent yet",
     .more = "What is not sent by then waits in the spool for the next run that sends to the same server."},

    /* ---- where they wait ---- */
    {.name = "spool", .argument = "FOLDER", .type = OPTION_TEXT, .group = GROUP_OUTPUT, .rare = true, .is_path = true,
     .note = "/var/lib/ringside/spool, or under ~/.local/state", .example = "/var/spool/ringside", AT(spool),
     .help = "where profiles wait that are not delivered; memory: nowhere else",
     .more = "Root's is `/var/lib/ringside/spool`, that of others `$XDG_STATE_HOME/ringside/spool` (`~/.local/state` "
             "where that is not set). Several runs may share one. In a container, put it on a volume if profiles "
             "are to outlive the container."},
    {.name = "spool-limit", .argument = "MB", .type = OPTION_COUNT, .group = GROUP_OUTPUT, .rare = true, .min = 1,
     .max = 1048576, .fallback = "256", .example = "64", AT(spool_mb),
     .help = "how much may wait; the oldest go first"},
    {.name = "spool-age", .argument = "HOURS", .type = OPTION_COUNT, .group = GROUP_OUTPUT, .rare = true, .min = 1,
     .max = 8760, .fallback = "24", .example = "2", AT(spool_hours), .help = "how long a profile waits at most"},

    /* ---- who sends them ---- */
    {.name = "api-key", .argument = "KEY", .type = OPTION_SECRET, .group = GROUP_ACCESS, .also = {NAMED("apikey")},
     .variable = {NAMED("DD_API_KEY"), NAMED("DATADOG_API_KEY")}, .rare = true,
     .example = "0123456789abcdef0123456789abcdef", AT(api_key), .help = "Datadog's key, for --agentless",
     .more = "Never on the command line, where every process of the machine could read it."},
    {.name = "user", .argument = "NAME", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true,
     .variable = {{"PYROSCOPE_BASIC_AUTH_USER", SENSE_PYROSCOPE}}, .example = "123456", AT(user),
     .help = "user for basic authentication",
     .more = "This, `--password`, `--bearer-token`, `--tenant` and `--header` are for the one server there is; with a "
             "kind in front, as in `pyroscope+123456`, for servers of that kind, which they must have when there are "
             "several servers. A user and password in a URL are stronger."},
    {.name = "password", .argument = "TEXT", .type = OPTION_SECRET, .group = GROUP_ACCESS, .rare = true,
     .variable = {{"PYROSCOPE_BASIC_AUTH_PASSWORD", SENSE_PYROSCOPE}}, .example = "secret", AT(password),
     .help = "password for basic authentication", .more = "Never on the command line."},
    {.name = "bearer-token", .argument = "TOKEN", .type = OPTION_SECRET, .group = GROUP_ACCESS, .rare = true,
     .variable = {{"PARCA_BEARER_TOKEN", SENSE_PARCA}}, .example = "token", AT(bearer_token),
     .help = "token sent as Authorization: Bearer", .more = "Never on the command line."},
    {.name = "bearer-token-file", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true,
     .is_path = true, .example = "/run/secrets/token", AT(bearer_token_file), .help = "file that holds the token"},
    {.name = "tenant", .argument = "ID", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true,
     .variable = {{"PYROSCOPE_TENANT_ID", SENSE_PYROSCOPE}}, .example = "team-a", AT(tenant),
     .help = "tenant, sent to Pyroscope as X-Scope-OrgID"},
    {.name = "header", .argument = "NAME: VALUE", .type = OPTION_SECRETS, .group = GROUP_ACCESS, .rare = true,
     .variable = {{"OTEL_EXPORTER_OTLP_PROFILES_HEADERS", SENSE_OTLP_HEADERS},
                  {"OTEL_EXPORTER_OTLP_HEADERS", SENSE_OTLP_HEADERS}},
     .example = "X-Team: core", AT(headers), .help = "further header of every request; may be repeated",
     .more = "Never on the command line; several in one variable are divided by line ends."},
    {.name = "ca-file", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true, .is_path = true,
     .variable = {{"OTEL_EXPORTER_OTLP_PROFILES_CERTIFICATE", SENSE_OTLP}, {"OTEL_EXPORTER_OTLP_CERTIFICATE", SENSE_OTLP}},
     .note = "those the system trusts", .example = "/etc/ssl/ours.pem", AT(ca_file),
     .help = "certificates that may sign a server's (PEM)",
     .more = "This, `--client-cert` and `--client-key` are for all servers, or with a kind in front (`otlp+FILE`) for "
             "those of that kind. Certificates are always verified; there is no option to leave it."},
    {.name = "client-cert", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true, .is_path = true,
     .variable = {{"OTEL_EXPORTER_OTLP_PROFILES_CLIENT_CERTIFICATE", SENSE_OTLP}, {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", SENSE_OTLP}},
     .example = "/etc/ssl/me.pem", AT(client_cert), .help = "certificate to show to servers (PEM)"},
    {.name = "client-key", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_ACCESS, .rare = true, .is_path = true,
     .variable = {{"OTEL_EXPORTER_OTLP_PROFILES_CLIENT_KEY", SENSE_OTLP}, {"OTEL_EXPORTER_OTLP_CLIENT_KEY", SENSE_OTLP}},
     .example = "/etc/ssl/me.key", AT(client_key), .help = "and its key (PEM)"},
    {.name = "proxy", .type = OPTION_SWITCH, .group = GROUP_ACCESS, .rare = true, .fallback = "yes", AT(proxy),
     .help = "heed http_proxy, https_proxy, all_proxy and no_proxy"},

    /* ---- what they say of the service ---- */
    {.name = "service", .letter = 'S', .argument = "NAME", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_SERVICE"), NAMED("OTEL_SERVICE_NAME"), NAMED("PYROSCOPE_APPLICATION_NAME"),
                  {"service.name", SENSE_OTEL}},
     .note = "the command's name", .example = "shop", AT(service), .help = "name of the service"},
    {.name = "environment", .letter = 'E', .argument = "NAME", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_ENV"), {"deployment.environment.name", SENSE_OTEL}, {"deployment.environment", SENSE_OTEL}},
     .example = "prod", AT(environment), .help = "environment the service runs in"},
    {.name = "service-version", .letter = 'V', .argument = "TEXT", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_VERSION"), {"service.version", SENSE_OTEL}}, .example = "1.4.2", AT(service_version),
     .help = "version of the service"},
    {.name = "tags", .letter = 'T', .argument = "KEY:VALUE,...", .type = OPTION_TAGS, .group = GROUP_LABELS,
     .variable = {{"DD_TAGS", SENSE_TAG_LIST}, {"DD_PROFILING_TAGS", SENSE_TAG_LIST},
                  {"PYROSCOPE_LABELS", SENSE_LABELS}, {"", SENSE_OTEL}},
     .example = "team:core", AT(tags), .help = "further tags; may be repeated",
     .more = "A tag has at most 200 bytes. From `OTEL_RESOURCE_ATTRIBUTES` come the attributes that are not "
             "options of their own; tags of variables of other tools that are not well-formed are left out, "
             "with a warning. `service`, `env`, `version`, `git.repository_url` and `git.commit.sha` say what "
             "the options for them say, where these are not given."},
    {.name = "git-repository-url", .argument = "URL", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_GIT_REPOSITORY_URL"), {"vcs.repository.url.full", SENSE_OTEL}}, .rare = true,
     .example = "https://example.com/shop.git", AT(git_repository_url), .is_address = true,
     .help = "where the service's source is"},
    {.name = "git-commit-sha", .argument = "SHA", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_GIT_COMMIT_SHA"), {"vcs.ref.head.revision", SENSE_OTEL}}, .rare = true,
     .example = "4f2a9c1", AT(git_commit_sha), .help = "commit the service was built from"},
    {.name = "git-metadata", .type = OPTION_SWITCH, .group = GROUP_LABELS,
     .variable = {NAMED("DD_TRACE_GIT_METADATA_ENABLED")}, .rare = true, .takes_word = true, .fallback = "yes",
     AT(git_metadata), .help = "send these two; --no-git-metadata: neither, whoever gave them"},
    {.name = "runtime-id", .argument = "ID", .type = OPTION_TEXT, .group = GROUP_LABELS,
     .variable = {NAMED("DD_PROFILING_RUNTIME_ID")}, .rare = true, .default_varies = true, .note = "made up for each run",
     .example = "5b2c4a7e-0f3d-4c0e-9d55-2a7e6f1b8c90", AT(runtime_id), .help = "identity of this run"},

    /* ---- sampling ---- */
    {.name = "event", .letter = 'e', .argument = "EVENT", .type = OPTION_EVENTS, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_NATIVE_EVENTS")}, 
     .note = "those of --preset",
     .example = "sCPU freq=199", AT(event_texts), .help = "what to sample; may be repeated; -e help lists events",
     .more = "Several events in one text are divided by `;`."},
    {.name = "preset", .argument = "NAME", .type = OPTION_TEXT, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_NATIVE_PRESET")}, 
     .note = "default, without --event", .example = "cpu_only", AT(preset),
     .words = "default cpu_only faults sched io",
     .help = "a set of events that go together", .more = "Events given as well are sampled as well."},
    {.name = "frequency", .argument = "HZ", .type = OPTION_COUNT, .group = GROUP_SAMPLING, .min = 1, .max = 10000,
     .default_varies = true, .fallback = "99", .example = "199", AT(frequency_hz),
     .help = "samples per second of CPU time",
     .more = "For events that are sampled at a rate and name none of their own; not given, some events have another "
             "default. "
             "Each sample costs the target 10 to 20 us in a virtual machine and a fraction of that on bare metal."},
    {.name = "stack-sample-size", .argument = "BYTES", .type = OPTION_COUNT, .group = GROUP_SAMPLING,
     .also = {NAMED("sample-stack-user")}, .variable = {NAMED("DD_PROFILING_SAMPLE_STACK_USER")}, .min = 1024,
     .max = EVENT_STACK_MAX, .step = 8, .fallback = "32768", .example = "65528", AT(stack_bytes),
     .help = "how much of the stack is copied with each sample",
     .more = "Rounded down to a multiple of 8. Deeper stacks end in a frame `[truncated]`; compilers like clang "
             "need the maximum."},
    {.name = "inlined-functions", .letter = 'I', .type = OPTION_SWITCH, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_INLINED_FUNCTIONS")}, .takes_word = true,
     .later = "showing inlined functions", .fallback = "no", AT(inlined_functions),
     .help = "show inlined functions as frames, from debug information"},
    {.name = "timeline", .letter = 't', .type = OPTION_SWITCH, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_TIMELINE_ENABLE"), NAMED("DD_PROFILING_TIMELINE_ENABLED")},
     .later = "time stamps of samples", .fallback = "no", AT(timeline), .help = "keep when each sample was taken"},
    {.name = "maximum-pids", .argument = "NUMBER", .type = OPTION_LIMIT, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_MAXIMUM_PIDS")}, .rare = true, .min = 1, .max = 1000000, .fallback = "-1",
     .example = "100", AT(maximum_pids), .help = "most processes to tell apart; -1: as many as there is room for"},
    {.name = "remote-symbolization", .type = OPTION_SWITCH, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_REMOTE_SYMBOLIZATION")}, .rare = true,
     .later = "leaving names to the server", .fallback = "no", AT(remote_symbolization),
     .help = "leave names to the server"},
    {.name = "disable-symbolization", .type = OPTION_SWITCH, .group = GROUP_SAMPLING,
     .variable = {NAMED("DD_PROFILING_DISABLE_SYMBOLIZATION")}, .rare = true,
     .later = "profiles without names", .fallback = "no", AT(disable_symbolization),
     .help = "write addresses, no names"},

    /* ---- whom ---- */
    {.name = "pid", .letter = 'p', .argument = "PID,...", .type = OPTION_PIDS, .group = GROUP_TARGET, .min = 1,
     .max = 4194304, .example = "4242", AT(pids),
     .help = "profile running processes instead of a command; may be repeated",
     .more = "All their threads, and what they start from now on; not what they started before. Takes no privilege "
             "where they are one's own. Ends when they have, with `--duration`, or with Ctrl-C (SIGINT, SIGTERM); the "
             "profile is written in any case, and nothing is left behind. One that cannot be profiled is named with "
             "the reason, and the others are; the exit status is 1 when none can."},
    {.name = "global", .letter = 'g', .type = OPTION_SWITCH, .group = GROUP_TARGET, .fallback = "no", AT(global),
     .help = "profile all processes instead of a command",
     .more = "And the kernel. Takes root, CAP_PERFMON (with CAP_SYS_PTRACE and CAP_SYSLOG for names), or "
             "`kernel.perf_event_paranoid` of at most 0."},
    /* ---- how it runs ---- */
    {.name = "enable", .type = OPTION_SWITCH, .group = GROUP_RUNNING,
     .variable = {{"DD_PROFILING_NATIVE_ENABLED", SENSE_ENABLED}, {"DD_PROFILING_ENABLED", SENSE_ENABLED}},
     .takes_word = true, .fallback = "yes", AT(enable), .help = "profile; with --no-enable the command just runs"},
    {.name = "wait", .type = OPTION_SWITCH, .group = GROUP_RUNNING,
     .note = "no, or yes with a single output file", AT(wait),
     .help = "stay the command's parent until the last profile is written",
     .more = "Signals are forwarded and the exit status is the command's. Without it, ringside becomes the "
             "command, which keeps the process id, and a detached process does the profiling."},
    {.name = "duration", .argument = "TIME", .type = OPTION_SPAN, .group = GROUP_RUNNING, .min = 1, .max = 1000000,
     .note = "until the end", .example = "30s", AT(duration_s),
     .help = "stop profiling after this time",
     .more = "In seconds or with a unit: `30s`, `5m`, `2h`. A command goes on without being profiled."},
    {.name = "start-timeout", .argument = "TIME", .type = OPTION_MSEC, .group = GROUP_RUNNING, .rare = true,
     .min = 1, .max = 60000, .fallback = "2000ms", .example = "500ms", AT(start_timeout_ms),
     .help = "how long the command waits for the profiler at most",
     .more = "The command starts in any case. Times are in milliseconds or take a unit: `500ms`, `2s`."},
    {.name = "nice", .argument = "LEVEL", .type = OPTION_INTEGER, .group = GROUP_RUNNING,
     .variable = {NAMED("DD_PROFILING_NICE")}, .min = -20, .max = 19, .fallback = "0", .example = "10", AT(nice),
     .help = "scheduling priority of the profiler, not of the command", .more = "Below 0 takes privilege."},
    {.name = "cpu-affinity", .argument = "CPUS", .type = OPTION_CPUS, .group = GROUP_RUNNING,
     .variable = {{"DD_PROFILING_CPU_AFFINITY", SENSE_MASK}}, .rare = true, .note = "all", .example = "0x5", AT(cpu_affinity),
     .help = "CPUs the profiler may use: a mask (0xa4) or a list (0-3,8)",
     .more = "Not of the command."},
    {.name = "memory-limit", .argument = "MB", .type = OPTION_COUNT, .group = GROUP_RUNNING, .rare = true, .min = 0,
     .max = 1048576, .fallback = "512", .example = "64", AT(memory_limit_mb),
     .help = "most memory the profiler may use; 0: no limit",
     .more = "Beyond it the profiler starts anew, with what it has counted so far."},
    {.name = "worker-period", .argument = "PROFILES", .type = OPTION_COUNT, .group = GROUP_RUNNING,
     .variable = {NAMED("DD_PROFILING_WORKER_PERIOD")}, .rare = true, .min = 0, .max = 1000000, .fallback = "0",
     .example = "240", AT(worker_period), .help = "after how many profiles the profiler starts anew; 0: never"},
    {.name = "switch-user", .argument = "USER[:GROUP]", .type = OPTION_TEXT, .group = GROUP_RUNNING,
     .variable = {NAMED("DD_PROFILING_SWITCH_USER")}, .rare = true, .example = "nobody", AT(switch_user),
     .help = "run the command as another user",
     .more = "Names or numbers. Without GROUP the command has the user's own groups, with it that one alone. The "
             "profiler stays who it is, and so do the variables HOME, USER and LOGNAME. Takes root; a user that does "
             "not exist is refused before anything is started, wherever it was given."},
    {.name = "drop-caps", .type = OPTION_SWITCH, .group = GROUP_RUNNING, .rare = true,
     .fallback = "no", AT(drop_caps), .help = "give up CAP_SYS_ADMIN and CAP_PERFMON before the command runs",
     .more = "They are used for what takes them (samples of the kernel, tracepoints) and then leave all five sets, "
             "bounding set included, of the command and of the profiler. That takes CAP_SETPCAP. If it cannot be done "
             "altogether, the command is not run. docs/limits.md has more."},

    /* ---- configuration ---- */
    {.name = "config", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_CONFIGURATION,
     .variable = {NAMED("DD_PROFILING_NATIVE_CONFIG")}, .command_line_only = true, .is_path = true,
     .note = "ringside.conf here, else the system's", AT(config),
     .example = "/dev/null", .help = "file to read options from",
     .more = "Lines of `name = value`, the names those of the long options; values may be quoted; `#` and `;` "
             "begin comments. A `ringside.conf` in the working folder must belong to root or to the user and "
             "must not be writable by everybody."},
    {.name = "show-config", .type = OPTION_SWITCH, .group = GROUP_CONFIGURATION,
     .variable = {NAMED("DD_PROFILING_SHOW_CONFIG")}, .fallback = "no", AT(show_config),
     .help = "print every value and where it came from",
     .more = "Without a command that is all there is to do; with one, it goes to standard error."},
    {.name = "capture-config", .argument = "FILE", .type = OPTION_TEXT, .group = GROUP_CONFIGURATION,
     .command_line_only = true, .is_path = true, AT(capture_config), .example = "/tmp/ringside.conf",
     .help = "write the values to a file that --config reads", .more = "Secrets are left out."},

    /* ---- messages ---- */
    {.name = "log-level", .letter = 'l', .argument = "LEVEL", .type = OPTION_LEVEL, .group = GROUP_MESSAGES,
     .variable = {NAMED("DD_PROFILING_NATIVE_LOG_LEVEL")}, .fallback = "warn", .example = "debug", AT(log_level),
     .words = "error warn notice informational debug", .help = "error, warn, notice (or informational), debug"},
    {.name = "log-mode", .letter = 'o', .argument = "WHERE", .type = OPTION_LOG_MODE, .group = GROUP_MESSAGES,
     .variable = {NAMED("DD_PROFILING_NATIVE_LOG_MODE")}, .is_path = true, .fallback = "stderr", .example = "syslog",
     AT(log_mode), .words = "stdout stderr syslog disabled",
     .help = "stderr, stdout, syslog, disabled, or a file", .more = "A file is appended to."},
    {.name = "show-samples", .type = OPTION_SWITCH, .group = GROUP_MESSAGES,
     .variable = {NAMED("DD_PROFILING_SHOW_SAMPLES")}, .rare = true, 
     .fallback = "no", AT(show_samples), .help = "show the stack of each sample as text"},
    {.name = "internal-stats", .letter = 'b', .argument = "SOCKET", .type = OPTION_TEXT, .group = GROUP_MESSAGES,
     .variable = {NAMED("DD_PROFILING_INTERNAL_STATS")}, .rare = true, .is_path = true,
     .later = "sending counters to statsd", .example = "/run/statsd.sock", AT(internal_stats),
     .help = "statsd socket for the profiler's own counters"},

    /* ---- information ---- */
    {.name = "doctor", .type = OPTION_ACTION, .group = GROUP_INFORMATION, .command_line_only = true,
     .words = "json", AT(doctor), .help = "say how well profiling works here (exit: 0 fully, 3 limited, 4 not)",
     .more = "Tells causes and remedies. Asks the kernel and opens nothing for good; with other options, about the run they make. `--doctor=json` "
             "is for programs. The exit status is 0 where everything works, 3 where it works with limits, 4 where "
             "nothing can be profiled. docs/doctor.md has more."},
    {.name = "help", .letter = 'h', .type = OPTION_ACTION, .group = GROUP_INFORMATION, .command_line_only = true,
     AT(help), .help = "show this help"},
    {.name = "help-all", .type = OPTION_ACTION, .group = GROUP_INFORMATION, .also = {NAMED("help-extended")},
     .command_line_only = true, AT(help_all), .help = "show the rarely needed options too"},
    {.name = "version", .letter = 'v', .type = OPTION_ACTION, .group = GROUP_INFORMATION,
     .command_line_only = true, AT(version), .help = "show the version"},

    /* ---- ddprof has them, here they have no counterpart ---- */
    {.name = "fault-info", .type = OPTION_SWITCH, .group = GROUP_DDPROF, .rare = true, .takes_word = true,
     .fallback = "yes", .no_effect = "the supervisor always tells how the profiler ended",
     .help = "log where the profiler crashed"},
    {.name = "reorder-events", .type = OPTION_SWITCH, .group = GROUP_DDPROF,
     .variable = {NAMED("DD_PROFILING_REORDER_EVENTS")}, .rare = true, .fallback = "yes",
     .no_effect = "records are always taken in the order of time", .help = "take records in the order of time"},
    {.name = "initial-loaded-libs-check-delay", .argument = "MS", .type = OPTION_COUNT, .group = GROUP_DDPROF,
     .variable = {NAMED("DD_PROFILING_INITIAL_LOADED_LIBS_CHECK_DELAY")}, .rare = true, .min = 0, .max = 86400000,
     .fallback = "5000", .example = "1000", .no_effect = "no library is put into the command",
     .help = "when to look for loaded libraries first"},
    {.name = "loaded-libs-check-interval", .argument = "MS", .type = OPTION_COUNT, .group = GROUP_DDPROF,
     .variable = {NAMED("DD_PROFILING_LOADED_LIBS_CHECK_INTERVAL")}, .rare = true, .min = 0, .max = 86400000,
     .fallback = "59000", .example = "1000", .no_effect = "no library is put into the command",
     .help = "how often to look for loaded libraries"},
    {.name = "socket", .argument = "PATH", .type = OPTION_TEXT, .group = GROUP_DDPROF,
     .variable = {NAMED("DD_PROFILING_NATIVE_SOCKET")}, .rare = true, .is_path = true, .example = "/tmp/socket",
     .no_effect = "no library is put into the command", .help = "socket of the library in the command"},
};
/* clang-format on */
const size_t option_count = ARRAY_LEN(option_table);

const char *const option_group_title[OPTION_GROUPS] = {
    [GROUP_OUTPUT] = "Where profiles go",
    [GROUP_ACCESS] = "Access to servers",
    [GROUP_LABELS] = "What they say of the service",
    [GROUP_SAMPLING] = "Sampling",
    [GROUP_TARGET] = "Instead of a command",
    [GROUP_RUNNING] = "Running",
    [GROUP_CONFIGURATION] = "Configuration",
    [GROUP_MESSAGES] = "Messages",
    [GROUP_INFORMATION] = "Information",
    [GROUP_DDPROF] = "Taken from ddprof's command lines, without effect",
};
