/*
 * show.c - --show-samples: the stacks of a finished profile as text, one line each, outermost frame first
 *
 *     process/thread;main;work;read 12 120000000
 *
 * the form flame graph tools read, but for the values, of which there is one for each sample type.
 */
#include <string.h>

#include "ringside/profile.h"

#include "worker_private.h"

#define TEXT_BYTES_MAX (1U << 20) /* of one line; deeper stacks are cut */

static const char *text_of(const struct profile *p, uint32_t id)
{
    return strtab_get(&p->strings, id);
}

static const char *label_of(const struct profile *p, const struct profile_sample *s, const char *key)
{
    if (s->label_set == PROFILE_NO_LABELS)
        return "";
    for (uint32_t i = 0; i < p->label_set[s->label_set].labels; i++) {
        const struct profile_label *l = &p->label_set[s->label_set].label[i];

        if (strcmp(text_of(p, l->key), key) == 0)
            return text_of(p, l->text);
    }
    return "";
}

static void add_frames(struct buf *line, const struct profile *p, uint32_t frame)
{
    uint32_t ids[STACKS_FRAMES_MAX], n = 0;

    for (; frame && n < ARRAY_LEN(ids); frame = p->frame[frame - 1].caller)
        ids[n++] = frame;
    while (n-- > 0) {
        const struct profile_location *l = &p->location[p->frame[ids[n] - 1].location - 1];

        buf_printf(line, ";%s", text_of(p, p->function[l->function - 1].name));
    }
}

void show_samples(const struct profile *p)
{
    struct buf line;

    buf_init(&line, TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const struct profile_sample *s = &p->sample[i];

        line.len = 0;
        buf_printf(&line, "%s/%s", label_of(p, s, "process_name"), label_of(p, s, "thread_name"));
        add_frames(&line, p, s->frame);
        for (uint32_t k = 0; k < p->type_count; k++)
            buf_printf(&line, " %lld", (long long)p->value[s->first_value + k]);
        if (buf_add(&line, "\n", 1))
            log_lines(line.data, line.len);
    }
    buf_release(&line);
}
