/*
 * base.h - what every other module stands on: errors, log, capped containers, hashes, clocks, files
 *
 * Knows nothing of profiling. Every container has a maximum given when it is made; reaching it is
 * reported to the caller, never ignored. Out of memory ends the process (see base_alloc).
 */
#ifndef RINGSIDE_BASE_H
#define RINGSIDE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rusage;

#define ARRAY_LEN(a)                 (sizeof(a) / sizeof((a)[0]))
/* Arguments may be evaluated twice: no calls that do something or may answer otherwise. */
#define MIN_OF(a, b)                 ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)                 ((a) > (b) ? (a) : (b))
#define PRINTF_LIKE(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))

#define NSEC_PER_SEC  1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

/* ---- errors: cold paths return 0 or -1 and fill a caller-owned struct err ---- */

struct err {
    int code;       /* errno of the system call that failed, or 0 */
    char text[400]; /* outermost context first: "profile pid 7: read maps: No such process" */
};

/* Fills *e with the formatted text and, when code is not 0, ": strerror(code)", for which a long text is cut.
 * Returns -1. e may be NULL. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Prefixes the text; returns -1. When it does not fit, the new context is dropped, never the cause. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Shows where in a text of the user's it is: adds a line with the text (the part around the place, when it is
 * long) and one that marks n bytes at offset `at` with ^~~~. Returns -1.
 */
int err_point(struct err *e, const char *text, size_t at, size_t n);

/* Number of inserted, left out, changed or swapped neighbouring letters between two words of at most
 * WORD_MAX - 1 letters (more are not looked at); capitals count as small letters. */
#define WORD_MAX 64
unsigned word_distance(const char *a, const char *b);

/*
 * Whether the cause is that the machine has not, just now, what it takes (memory, descriptors, room, a disk
 * that reads), and not that something else was asked for than there is.
 */
bool err_is_shortage(const struct err *e);

/* ---- log ---- */

enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };
enum log_mode { LOG_MODE_STDERR, LOG_MODE_STDOUT, LOG_MODE_SYSLOG, LOG_MODE_DISABLED, LOG_MODE_FILE };

struct log_config {
    enum level level;
    enum log_mode mode;
    const char *path; /* LOG_MODE_FILE only; opened for appending, created with 0644 */
};

/* Where messages go from now on. One call per process, before any thread. Returns -1 with *e when the file
 * cannot be opened. */
int log_open(const struct log_config *config, struct err *e);

/* For a process about to close all its descriptors: the one that messages are written to and it must keep, or
 * -1 (disabled; syslog, whose connection is let go here and made again by the next message). */
int log_keep_fd(void);

/* Parses error/warn/warning/notice/info/debug; -1 when it is none of them. */
int log_level_parse(const char *text);

bool log_enabled(enum level level);

/*
 * Where a message comes from: at most 10 lines a second leave one call site, and the next line that does
 * leave tells how many were hidden.
 */
struct log_site {
    uint64_t second;
    uint32_t shown;
    uint32_t hidden;
};
void log_write(struct log_site *site, enum level level, const char *topic, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Arguments are not evaluated when the level is off. topic is a bare word, the module's name. */
#define LOG_AT(lv, topic, ...)                                                                               \
    do {                                                                                                     \
        static struct log_site log_site_;                                                                    \
        if (log_enabled(lv))                                                                                 \
            log_write(&log_site_, lv, #topic, __VA_ARGS__);                                                  \
    } while (0)
#define log_error(topic, ...) LOG_AT(LEVEL_ERROR, topic, __VA_ARGS__) /* something was lost or refused */
#define log_warn(topic, ...)  LOG_AT(LEVEL_WARN, topic, __VA_ARGS__)  /* degraded but going on */
#define log_info(topic, ...)  LOG_AT(LEVEL_INFO, topic, __VA_ARGS__)  /* once per change of state */
#define log_debug(topic, ...) LOG_AT(LEVEL_DEBUG, topic, __VA_ARGS__)

/*
 * Lines that were asked for, to where messages go: whatever their level, as they are, as many as there are.
 * text ends with a newline.
 */
void log_lines(const char *text, size_t n);

/* ---- memory and cleanup ---- */

/* malloc/calloc/realloc/strdup that end the process with a message when there is no memory. */
void *base_alloc(size_t bytes);
void *base_calloc(size_t count, size_t bytes);
void *base_realloc(void *p, size_t bytes);
char *base_strdup(const char *text);

/*
 * Does what they do without memory: writes the message and, before the process ends, calls the handler that
 * was set last (NULL: none), once. Whoever forks sets another in the child.
 */
_Noreturn void base_out_of_memory(void);
void base_set_last_resort(void (*handler)(void *ctx), void *ctx);

/* For the calling thread, which will allocate much: see malloc_conf in cmd/main.c. */
void base_use_thread_cache(void);

void close_fd_cleanup(int *fd);
void free_cleanup(void *p);
#ifndef __CPPCHECK__
#define CLOSE_FD __attribute__((cleanup(close_fd_cleanup)))
#define FREE_PTR __attribute__((cleanup(free_cleanup)))
#else /* it does not know the attribute, and asks nobody to clean up a static */
#define CLOSE_FD static
#define FREE_PTR static
#endif

/* Moves a descriptor out of a CLOSE_FD variable. */
static inline int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* ---- growing byte buffer with a maximum ---- */

struct buf {
    char *data; /* not NUL-terminated */
    size_t len, cap, max;
};
void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
/* False, and nothing added, when the maximum would be passed. */
bool buf_add(struct buf *b, const void *bytes, size_t n);
bool buf_add_text(struct buf *b, const char *text);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define JSON_TEXT_MAX 1024 /* bytes of a text that are written; the rest is cut off */
/* Adds text in quotes, whatever it holds: clean UTF-8 comes out. False when it does not fit. */
bool json_add_text(struct buf *b, const char *text);

/* ---- hashes ---- */

static inline uint64_t hash_u64(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    return x;
}
uint64_t hash_bytes(const void *bytes, size_t n);

/* ---- map from 64-bit keys to 64-bit values, open addressing ---- */

struct map64 {
    struct map64_slot *slots;
    uint32_t used, cap; /* cap: slots, a power of two */
};
void map64_init(struct map64 *m);
void map64_release(struct map64 *m);
void map64_clear(struct map64 *m);
/* Borrowed pointer to the value, or NULL; valid until the next put or remove. */
uint64_t *map64_find(const struct map64 *m, uint64_t key);
/* Adds or overwrites. */
void map64_put(struct map64 *m, uint64_t key, uint64_t value);
bool map64_remove(struct map64 *m, uint64_t key);

/* ---- interned strings: equal texts get equal ids; id 0 is "" ---- */

struct strtab {
    struct buf bytes;     /* NUL-terminated strings one after the other */
    uint32_t *offsets;    /* id -> offset in bytes */
    uint32_t count, cap;  /* of offsets */
    uint32_t *index;      /* hash index over ids; 0 is an empty slot */
    uint32_t index_slots; /* a power of two */
    bool borrowed;        /* the texts lie in the caller's memory */
};
/* max_bytes caps the text; ids beyond it come back as strtab_overflow's id, the text "[too many strings]". */
void strtab_init(struct strtab *t, size_t max_bytes);
/*
 * The texts lie in memory of the caller's, of which the first `used` bytes hold what another table had there:
 * it gets the ids it had. Ids follow the order of the texts, whatever these are.
 */
void strtab_init_in(struct strtab *t, char *memory, size_t bytes, size_t used);
void strtab_release(struct strtab *t);
uint32_t strtab_add(struct strtab *t, const char *text);
uint32_t strtab_add_n(struct strtab *t, const char *text, size_t n);
/* Borrowed until the next add. */
const char *strtab_get(const struct strtab *t, uint32_t id);

/* Replaces every byte that is not part of valid UTF-8 by '?'; control characters below 0x20 too. In place. */
void utf8_clean(char *text);
/* Nothing but printable ASCII, as nearly every text: utf8_clean() would leave it as it is. */
bool utf8_is_plain(const char *text, size_t n);

/* Lower-case hex of n bytes; out holds 2n+1. */
void hex_encode(const uint8_t *bytes, size_t n, char *out);

/* ---- clocks ---- */

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);
/* CPU time of process pid (all threads, living and ended); 0 when it is gone. Works for other users'
 * processes too (kernel/time/posix-cpu-timers.c, pid_for_clock). */
uint64_t clock_process_cpu_ns(int pid);
/* User and system time of what getrusage(2) or wait4(2) filled. */
uint64_t rusage_cpu_ns(const struct rusage *usage);

/* ---- where finished bytes go ---- */

struct byte_out {
    int (*write)(void *ctx, const void *bytes, size_t n, struct err *e); /* all n or -1 */
    void *ctx;
};

/*
 * A file that appears under its final name only when complete: written as ".NAME.tmp-PID" beside it, then
 * renamed. Not synced: after a power failure it may be empty.
 */
struct atomic_file {
    int fd;
    int dir_fd;
    char name[256];
    char temporary[300];
};
/* dir_fd is borrowed and must stay open until commit or abort; name is relative to it. */
int atomic_file_open(struct atomic_file *f, int dir_fd, const char *name, struct err *e);
/* For its owner alone: mode 0600, where others have 0644, less the umask. */
int atomic_file_open_private(struct atomic_file *f, int dir_fd, const char *name, struct err *e);
/* With a number instead of PID: what a process left that died while it wrote goes when another writes as the
 * same. */
int atomic_file_open_as(struct atomic_file *f, int dir_fd, const char *name, uint32_t writer, struct err *e);
/* Whether a process that wrote as that died before commit or abort. */
bool atomic_file_is_left(int dir_fd, const char *name, uint32_t writer);
int atomic_file_write(void *file, const void *bytes, size_t n, struct err *e); /* fits struct byte_out */
int atomic_file_commit(struct atomic_file *f, struct err *e);
void atomic_file_abort(struct atomic_file *f); /* safe after commit, and twice */

/* Reads at most max - 1 bytes (max at least 1) of a small file (procfs: sizes are not known before) and
 * NUL-terminates. Length, or -1 with *e. */
long read_small_file(int dir_fd, const char *path, char *out, size_t max, struct err *e);
/* A whole-file integer such as /proc/sys/kernel/perf_event_paranoid; fallback when it cannot be read. */
long read_number_file(const char *path, long fallback);

#endif
