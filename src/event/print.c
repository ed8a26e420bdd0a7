/*
 * print.c - specs to the texts they could have been read from
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_private.h"
#include "ringside/arch.h"

struct printer {
    char *out;
    size_t bytes, n;
};

static void PRINTF_LIKE(2, 3) put(struct printer *p, const char *fmt, ...)
{
    size_t room = p->n < p->bytes ? p->bytes - p->n : 0;
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(room ? p->out + p->n : NULL, room, fmt, args);
    va_end(args);
    if (n > 0)
        p->n += (size_t)n;
}

static void put_target(struct printer *p, const struct event_spec *s)
{
    bool by_id = s->kind == EVENT_TRACEPOINT && s->perf_config;
    size_t room;

    if (s->kind == EVENT_TRACEPOINT && event_is_key(s->group, strlen(s->group)))
        put(p, "event="); /* or it would be taken for that key and a mistaken colon */
    room = p->n < p->bytes ? p->bytes - p->n : 0;
    if (!by_id || s->target[0])
        p->n += event_target_print(s, room ? p->out + p->n : NULL, room);
    if (by_id)
        put(p, "%sid=%llu", s->target[0] ? " " : "", (unsigned long long)s->perf_config);
}

static void put_rate(struct printer *p, const struct event_spec *s)
{
    if (!s->rate_given)
        return;
    if (s->frequency_hz)
        put(p, " frequency=%u", s->frequency_hz);
    else
        put(p, " period=%llu", (unsigned long long)s->period);
}

static void put_weight(struct printer *p, const struct event_spec *s)
{
    switch (s->weight) {
    case EVENT_WEIGHT_PERIOD:
        return;
    case EVENT_WEIGHT_ARGUMENT:
        put(p, " parameter=%u", s->argument);
        return;
    case EVENT_WEIGHT_REGISTER:
        put(p, " register=%s", arch_reg_name(s->reg));
        return;
    case EVENT_WEIGHT_RAW:
        put(p, " raw_offset=%u raw_size=%u", s->raw_offset, s->raw_size);
        return;
    case EVENT_WEIGHT_FIELD:
        put(p, " raw_field=%s", s->raw_field);
    }
}

/* With as few digits as read back to the same number. */
static void put_scale(struct printer *p, double scale)
{
    char text[40];
    int digits = 1;

    do
        snprintf(text, sizeof(text), "%.*g", digits, scale);
    while (strtod(text, NULL) != scale && digits++ < 17);
    put(p, " scale=%s", text);
}

size_t event_spec_print(const struct event_spec *s, char *out, size_t bytes)
{
    struct printer p = {out, bytes, 0};

    if (bytes)
        out[0] = '\0';
    put_target(&p, s);
    put_rate(&p, s);
    if (s->stack_bytes)
        put(&p, " stack_sample_size=%u", s->stack_bytes);
    put_weight(&p, s);
    if (s->scale != 1)
        put_scale(&p, s->scale);
    if (s->mode != EVENT_MODE_SUM)
        put(&p, " mode=%s", s->mode & EVENT_MODE_SUM ? "sl" : "l");
    if (s->label[0])
        put(&p, " label=%s", s->label);
    if (s->unit[0])
        put(&p, " unit=%s", s->unit);
    return p.n;
}
