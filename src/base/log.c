/*
 * log.c - messages for people: one line each, limited per call site
 *
 * The only writable globals of base live here: where messages go belongs to the process, not to an object.
 */
#include "ringside/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINES_PER_SECOND 10

static struct {
    enum level level;
    enum log_mode mode;
    int fd;
} sink = {.level = LEVEL_WARN, .mode = LOG_MODE_STDERR, .fd = STDERR_FILENO};

int log_open(const struct log_config *config, struct err *e)
{
    int fd = -1;

    if (config->mode == LOG_MODE_FILE) {
        fd = open(config->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (fd < 0)
            return err_set(e, errno, "open log file %s", config->path);
    } else if (config->mode == LOG_MODE_SYSLOG) {
        openlog("ringside", LOG_PID, LOG_DAEMON);
    } else if (config->mode != LOG_MODE_DISABLED) {
        fd = config->mode == LOG_MODE_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
    }
    sink.level = config->level;
    sink.mode = config->mode;
    sink.fd = fd;
    return 0;
}

int log_keep_fd(void)
{
    /* Or syslog(3) would go on with a number that soon is another file's, and close that. */
    if (sink.mode == LOG_MODE_SYSLOG)
        closelog();
    return sink.fd;
}

int log_level_parse(const char *text)
{
    static const struct {
        const char *name;
        enum level level;
    } names[] = {
        {"error", LEVEL_ERROR}, {"warn", LEVEL_WARN},   {"warning", LEVEL_WARN}, {"notice", LEVEL_INFO},
        {"info", LEVEL_INFO},   {"inform", LEVEL_INFO}, {"debug", LEVEL_DEBUG},
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(text, names[i].name) == 0)
            return (int)names[i].level;
    return -1;
}

bool log_enabled(enum level level)
{
    return sink.mode != LOG_MODE_DISABLED && level <= sink.level;
}

/* False when this call site has used up its second. */
static bool site_admit(struct log_site *site)
{
    uint64_t second = clock_mono_ns() / NSEC_PER_SEC + 1; /* never 0, the value of a fresh site */

    if (site->second != second) {
        site->second = second;
        site->shown = 0;
    }
    if (site->shown == LINES_PER_SECOND) {
        site->hidden++;
        return false;
    }
    site->shown++;
    return true;
}

static void put_line(enum level level, const char *line, size_t n)
{
    static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG};

    if (sink.mode == LOG_MODE_SYSLOG) {
        syslog(priority[level], "%.*s", (int)n - 1, line);
        return;
    }
    /* A message that cannot be written has nowhere else to go. */
    if (write(sink.fd, line, n) < 0)
        return;
}

void log_lines(const char *text, size_t n)
{
    const char *end = text + n, *newline;

    if (sink.mode == LOG_MODE_DISABLED)
        return;
    for (; sink.mode == LOG_MODE_SYSLOG && (newline = memchr(text, '\n', (size_t)(end - text)));
         text = newline + 1)
        put_line(LEVEL_INFO, text, (size_t)(newline + 1 - text));
    if (text < end)
        put_line(LEVEL_INFO, text, (size_t)(end - text));
}

void log_write(struct log_site *site, enum level level, const char *topic, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    int saved = errno;
    char line[1024];
    va_list args;
    size_t at;
    int n;

    if (!site_admit(site))
        return;
    if (level == LEVEL_DEBUG)
        n = snprintf(line, sizeof(line), "ringside[%d]: debug: %s: ", (int)getpid(), topic);
    else
        n = snprintf(line, sizeof(line), "ringside: %s: ", names[level]);
    at = (size_t)n;
    va_start(args, fmt);
    errno = saved; /* for %m */
    n = vsnprintf(line + at, sizeof(line) - at - 1, fmt, args);
    va_end(args);
    at = MIN_OF(at + (size_t)MAX_OF(n, 0), sizeof(line) - 2);
    if (site->hidden && at + 40 < sizeof(line)) {
        at += (size_t)snprintf(line + at, sizeof(line) - at, " (%u more like this hidden)", site->hidden);
        site->hidden = 0;
    }
    line[at++] = '\n';
    put_line(level, line, at);
    errno = saved;
}
