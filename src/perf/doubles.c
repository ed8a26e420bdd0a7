/*
 * doubles.c - see doubles.h
 *
 * While processes are attached to (attach.c), a thread may start another that inherits its events and is then
 * found in /proc and given its own. Nothing tells beforehand; but what it inherited writes records under the
 * identifier of the thread it came from (kernel/events/core.c, primary_event_id). The first such record of a
 * late thread decides: its own events are put to sleep, and what is still in the rings of them is left out.
 * The record that decides is left out itself when the thread was heard under its own before: it has a twin.
 *
 * One that never says anything never decides; it has used less than a sampling period, or its end says so.
 */
#include "doubles.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "ringside/perf.h"

void doubles_init(struct doubles *d, const struct perf_attached *attached)
{
    *d = (struct doubles){0};
    map64_init(&d->by_tid);
    map64_init(&d->by_task);
    if (!attached || !attached->tasks)
        return;
    d->late = base_calloc(attached->tasks, sizeof(*d->late));
    for (uint32_t i = 0; i < attached->tasks; i++) {
        if (!attached->task[i].late)
            continue;
        d->late[d->count++] = (struct late_thread){.tid = (uint32_t)attached->task[i].tid, .task = i};
        map64_put(&d->by_tid, (uint32_t)attached->task[i].tid, d->count);
        map64_put(&d->by_task, i, d->count);
    }
}

void doubles_release(struct doubles *d)
{
    map64_release(&d->by_tid);
    map64_release(&d->by_task);
    free(d->late);
    *d = (struct doubles){0};
}

static struct late_thread *find(const struct doubles *d, const struct map64 *by, uint32_t key)
{
    const uint64_t *place = map64_find(by, key);

    return place ? &d->late[*place - 1] : NULL;
}

/* The thread that was running when the record was written: the parent, where a child is told of. */
static uint32_t writer_of(const void *record, size_t n, uint32_t *type)
{
    struct perf_event_header header;
    uint32_t tid;

    if (n < sizeof(header) + TRAILER_BYTES)
        return 0;
    memcpy(&header, record, sizeof(header));
    *type = header.type;
    memcpy(&tid,
           (const char *)record +
               (header.type == PERF_RECORD_SAMPLE ? SAMPLE_TID_OFFSET : n - TRAILER_TID_FROM_END),
           sizeof(tid));
    return tid;
}

struct doubles_answer doubles_look(struct doubles *d, const void *record, size_t n, uint32_t task)
{
    struct doubles_answer answer = {.sleep = DOUBLES_NOBODY};
    struct late_thread *owner = find(d, &d->by_task, task), *writer;
    uint32_t type = 0, tid = writer_of(record, n, &type);

    if (owner && owner->inherited) {
        answer.drop = true;
        return answer;
    }
    writer = find(d, &d->by_tid, tid);
    if (!writer || writer->inherited)
        return answer;
    if (writer == owner) {
        owner->heard = true;
        owner->ended |= type == PERF_RECORD_EXIT;
        return answer;
    }
    if (writer->ended && type != PERF_RECORD_EXIT) { /* the id is somebody else's now */
        map64_remove(&d->by_tid, tid);
        return answer;
    }
    writer->inherited = true;
    answer.sleep = writer->task;
    answer.drop = writer->heard;
    return answer;
}
