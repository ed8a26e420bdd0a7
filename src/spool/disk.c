/*
 * disk.c - entries as files; the folder made anew when it went
 */
#include "spool_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringside/base.h"

/* ---- the folder ---- */

/* What lay in this run's folder, which is no more. What is taken is still with who took it. */
static void forget_own(struct spool *s)
{
    uint32_t gone = 0;

    for (uint32_t at = 0; at < s->entries;) {
        const struct spool_entry *entry = &s->entry[at];

        if (entry->run != SPOOL_RUN_OWN || entry->memory || entry->taken) {
            at++;
            continue;
        }
        spool_index_remove(s, at);
        gone++;
    }
    if (!gone)
        return;
    stats_add(s->stats, STATS_SPOOL_UNREADABLE, gone);
    log_error(spool, "%s/%s was removed, and with it %u profiles that were not delivered", s->folder,
              s->run[SPOOL_RUN_OWN].name, gone);
}

int spool_disk_open(struct spool *s, struct err *e)
{
    struct spool_run *own = &s->run[SPOOL_RUN_OWN];
    struct spool_run made;

    if (!s->folder)
        return err_set(e, 0, "there is no folder");
    if (s->folder_fd >= 0 && spool_run_is_there(s->folder_fd, own))
        return 0;
    if (own->fd >= 0) {
        forget_own(s);
        close(take_fd(&own->fd));
    }
    if (s->folder_fd < 0 || spool_run_make(s->folder_fd, &made, e) < 0) {
        if (s->folder_fd >= 0)
            close(take_fd(&s->folder_fd));
        s->folder_fd = spool_folder_open(s->folder, e);
        if (s->folder_fd < 0 || spool_run_make(s->folder_fd, &made, e) < 0)
            return -1;
    }
    made.mine = own->mine; /* of what is in memory, and taken */
    *own = made;
    return 0;
}

/* ---- files ---- */

int spool_disk_write(struct spool *s, const struct spool_entry_name *name, const struct spool_item *item,
                     struct err *e)
{
    int run_fd = s->run[SPOOL_RUN_OWN].fd;
    char text[SPOOL_ENTRY_NAME_BYTES];
    struct atomic_file f;

    spool_entry_print_name(name, text);
    if (atomic_file_open_private(&f, run_fd, text, e) < 0)
        return -1;
    if (spool_entry_encode(item, name->key, &(struct byte_out){atomic_file_write, &f}, e) < 0) {
        atomic_file_abort(&f);
        return -1;
    }
    /* EINVAL: a file system that has no such thing (fsync(2)). */
    if (fdatasync(f.fd) < 0 && errno != EINVAL) {
        err_set(e, errno, "sync %s", text);
        atomic_file_abort(&f);
        return -1;
    }
    if (atomic_file_commit(&f, e) < 0)
        return -1;
    /* The name, too, has to outlast a power failure. It is there already; no reason to take it back. */
    fsync(run_fd);
    return 0;
}

void spool_disk_unlink(struct spool *s, const struct spool_entry *entry)
{
    char text[SPOOL_ENTRY_NAME_BYTES];

    spool_entry_print_name(&entry->name, text);
    if (unlinkat(s->run[entry->run].fd, text, 0) == 0 || errno == ENOENT)
        return;
    s->run[entry->run].stuck = true;
    log_warn(spool, "cannot remove %s/%s/%s (%s): the next run will send it again", s->folder,
             s->run[entry->run].name, text, strerror(errno));
}

/* O_NONBLOCK: a pipe put there would hold us up for ever. */
static int entry_open(const struct spool *s, const struct spool_entry *entry)
{
    char text[SPOOL_ENTRY_NAME_BYTES];

    spool_entry_print_name(&entry->name, text);
    return openat(s->run[entry->run].fd, text, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* At most max bytes; how many, or -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t max)
{
    size_t have = 0;

    while (have < max) {
        ssize_t n = read(fd, out + have, max - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

int spool_disk_read(const struct spool *s, const struct spool_entry *entry, char **out, size_t *n,
                    struct err *e)
{
    CLOSE_FD int fd = entry_open(s, entry);
    FREE_PTR char *bytes = NULL;
    struct stat st;
    ssize_t have;

    if (fd < 0 || fstat(fd, &st) < 0)
        return err_set(e, errno, "open");
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)SPOOL_ENTRY_BYTES_MAX)
        return err_set(e, 0, "not an entry of a spool");
    bytes = base_alloc((size_t)st.st_size);
    have = read_all(fd, bytes, (size_t)st.st_size);
    if (have < 0)
        return err_set(e, errno, "read");
    *n = (size_t)have;
    *out = bytes;
    bytes = NULL;
    return 0;
}

void spool_disk_label(const struct spool *s, const struct spool_entry *entry, char *out, size_t max)
{
    char bytes[SPOOL_ENTRY_HEAD_BYTES + SPOOL_TEXT_MAX];
    struct spool_entry_head head;
    ssize_t n = MIN_OF(entry->bytes, sizeof(bytes));

    if (entry->memory) {
        memcpy(bytes, entry->memory, (size_t)n);
    } else {
        CLOSE_FD int fd = entry_open(s, entry);

        n = fd < 0 ? -1 : read_all(fd, bytes, sizeof(bytes));
    }
    if (n > 0 && spool_entry_parse_head(bytes, (size_t)n, &head, NULL) == 0 && head.text_bytes[0] &&
        head.at + head.text_bytes[0] <= (size_t)n) {
        snprintf(out, max, "%.*s", (int)head.text_bytes[0], bytes + head.at);
        utf8_clean(out);
        return;
    }
    spool_entry_print_name(&entry->name, bytes);
    snprintf(out, max, "%s/%s", s->run[entry->run].name, bytes);
}
