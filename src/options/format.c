/*
 * format.c - from an option's value to a text that makes the same value, as config files spell it
 */
#include <string.h>

#include "store.h"

static const void *place(const struct options *o, const struct option_row *row)
{
    return (const char *)o + row->offset;
}

void option_quote(const char *text, struct buf *out)
{
    static const char special[] = "\"\\\n\r\t", name[] = "\"\\nrt";

    buf_add_text(out, "\"");
    for (const char *c = text; *c; c++) {
        const char *at = strchr(special, *c);

        if (at)
            buf_printf(out, "\\%c", name[at - special]);
        else if ((unsigned char)*c < 0x20)
            buf_printf(out, "\\x%02x", (unsigned char)*c);
        else
            buf_add(out, c, 1);
    }
    buf_add_text(out, "\"");
}

static bool format_text(const char *text, struct buf *out)
{
    if (text)
        option_quote(text, out);
    return text != NULL;
}

/* "0-3,8" */
static bool format_cpus(const cpu_set_t *cpus, struct buf *out)
{
    const char *comma = "";

    buf_add_text(out, "\"");
    for (size_t first = 0; first < CPU_SETSIZE; first++) {
        size_t last = first;

        if (!CPU_ISSET(first, cpus))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
            last++;
        if (last > first)
            buf_printf(out, "%s%zu-%zu", comma, first, last);
        else
            buf_printf(out, "%s%zu", comma, first);
        comma = ",";
        first = last;
    }
    return buf_add_text(out, "\"");
}

static bool format_level(enum level level, struct buf *out)
{
    static const char *const names[] = {
        [LEVEL_ERROR] = "error",
        [LEVEL_WARN] = "warn",
        [LEVEL_INFO] = "notice",
        [LEVEL_DEBUG] = "debug",
    };

    return format_text(names[level], out);
}

static bool format_first(const struct options *o, const struct option_row *row, struct buf *out)
{
    const void *value = place(o, row);

    switch (row->type) {
    case OPTION_SWITCH:
    case OPTION_ACTION:
        /* wait: there is no other switch that nobody sets by default */
        return (row->fallback || o->wait_set) && buf_add_text(out, *(const bool *)value ? "yes" : "no");
    case OPTION_COUNT:
        return buf_printf(out, "%u", *(const uint32_t *)value);
    case OPTION_INTEGER:
        return buf_printf(out, "%d", *(const int *)value);
    case OPTION_LIMIT:
        return buf_printf(out, "%d", *(const int *)value);
    case OPTION_MSEC:
        return buf_printf(out, "\"%ums\"", *(const uint32_t *)value);
    case OPTION_SPAN:
        return *(const uint32_t *)value && buf_printf(out, "\"%us\"", *(const uint32_t *)value);
    case OPTION_CPUS:
        return o->cpu_affinity_set && format_cpus(value, out);
    case OPTION_LEVEL:
        return format_level(*(const enum level *)value, out);
    case OPTION_LOG_MODE:
        return format_text(o->log_mode == LOG_MODE_FILE ? o->log_path : option_log_modes[o->log_mode], out);
    default:
        return format_text(*(const char *const *)value, out);
    }
}

bool option_format(const struct options *o, const struct option_row *row, uint32_t i, struct buf *out)
{
    if (option_repeats(row)) {
        const struct option_texts *texts = place(o, row);

        return i < texts->count && format_text(texts->at[i], out);
    }
    return i == 0 && format_first(o, row, out);
}
