/*
 * config_value.c - what stands behind "name =" in a config file
 */
#include "config_value.h"

#include <string.h>

struct value_reader {
    struct option_store *store;
    const char *at;
    const char *comments; /* what begins one behind a bare value */
    struct err *e;
};

static void skip_blanks(struct value_reader *r)
{
    r->at += strspn(r->at, " \t\r");
}

static bool at_end(struct value_reader *r)
{
    skip_blanks(r);
    return !*r->at || strchr(r->comments, *r->at);
}

/* Behind a backslash. 0 with *e when nothing is written so. */
static char take_escape(struct value_reader *r)
{
    static const char names[] = "\"\\nrt", chars[] = "\"\\\n\r\t";
    char name = *r->at;
    const char *found = name ? strchr(names, name) : NULL;
    int high, low;

    if (found) {
        r->at++;
        return chars[found - names];
    }
    high = name == 'x' ? option_hex_digit(r->at[1]) : -1;
    low = high >= 0 ? option_hex_digit(r->at[2]) : -1;
    if (low < 0 || (high == 0 && low == 0)) {
        err_set(r->e, 0, "a backslash in double quotes comes before \\, \", n, r, t or xNN");
        return 0;
    }
    r->at += 3;
    return (char)(high << 4 | low);
}

static const char *take_quoted(struct value_reader *r)
{
    char quote = *r->at++;
    char *out = option_take(r->store, strlen(r->at) + 1), *end = out;

    while (*r->at && *r->at != quote) {
        char c = *r->at++;

        if (c == '\\' && quote == '"' && !(c = take_escape(r)))
            return NULL;
        *end++ = c;
    }
    if (!*r->at) {
        err_set(r->e, 0, "the quote %c is not closed", quote);
        return NULL;
    }
    r->at++;
    return out;
}

static bool begins_comment(const struct value_reader *r, const char *from, size_t n)
{
    return n && strchr(r->comments, from[n]) && (from[n - 1] == ' ' || from[n - 1] == '\t');
}

/* Up to a comment behind a blank, or to one of the bytes of stop. */
static const char *take_bare(struct value_reader *r, const char *stop)
{
    const char *from = r->at;
    size_t n = 0;

    while (from[n] && !strchr(stop, from[n]) && !begins_comment(r, from, n))
        n++;
    r->at = from + n;
    while (n && strchr(" \t\r", from[n - 1]))
        n--;
    return option_take_text(r->store, from, n);
}

static const char *take_value(struct value_reader *r, const char *stop)
{
    return *r->at == '"' || *r->at == '\'' ? take_quoted(r) : take_bare(r, stop);
}

static int add(struct value_reader *r, struct option_texts *out, const char *text)
{
    if (!text)
        return -1;
    if (!option_texts_add(r->store, out, text))
        return err_set(r->e, 0, "more than %d values", OPTION_TEXTS_MAX);
    return 0;
}

/* ["sCPU", "hCPU"] */
static int take_array(struct value_reader *r, struct option_texts *out)
{
    r->at++;
    for (;;) {
        skip_blanks(r);
        if (*r->at == ']')
            break;
        if (!*r->at)
            return err_set(r->e, 0, "the bracket [ is not closed");
        if (add(r, out, take_value(r, ",]")) < 0)
            return -1;
        skip_blanks(r);
        if (*r->at == ',')
            r->at++;
        else if (*r->at != ']')
            return err_set(r->e, 0, "there must be a comma or ] behind each value");
    }
    r->at++;
    return 0;
}

int option_read_config_values(struct option_store *s, const struct option_row *row, const char *rest,
                              struct option_texts *out, struct err *e)
{
    struct value_reader r = {.store = s, .at = rest, .comments = "#;", .e = e};

    if (row->type == OPTION_EVENTS) /* where a semicolon divides events */
        r.comments = "#";
    skip_blanks(&r);
    if (*r.at == '[' && option_repeats(row)) {
        if (take_array(&r, out) < 0)
            return -1;
    } else if (add(&r, out, at_end(&r) ? "" : take_value(&r, "")) < 0) {
        return -1;
    }
    if (!at_end(&r))
        return err_set(e, 0, "there is \"%.40s\" behind the value",
                       option_is_secret(row) || row->is_address ? "more" : r.at);
    return 0;
}
