/*
 * word.c - the words of an event's text, with quotes
 */
#include <string.h>

#include "event_private.h"

static bool separates(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == ',';
}

bool event_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* What is taken as it is between double quotes, or behind a backslash, is no separator and no '='. */
struct quoting {
    bool quoted, escaped;
};

/* Adds one character of the text. False when the word is too long. */
static bool add(struct event_word *w, size_t *length, char c)
{
    if (*length + 1 >= sizeof(w->plain))
        return false;
    w->plain[(*length)++] = c;
    return true;
}

/* True when the character is part of the notation, not of the word. */
static bool notation(struct quoting *q, char c)
{
    if (q->escaped) {
        q->escaped = false;
        return false;
    }
    if (c == '\\')
        q->escaped = true;
    else if (c == '"')
        q->quoted = !q->quoted;
    return c == '\\' || c == '"';
}

static int check_end(const struct quoting *q, const char *text, const struct event_word *w, struct err *e)
{
    if (q->quoted) {
        err_set(e, 0, "a double quote is not closed");
        return err_point(e, text, w->at, w->n);
    }
    if (q->escaped) {
        err_set(e, 0, "nothing follows the backslash");
        return err_point(e, text, w->at + w->n - 1, 1);
    }
    return 1;
}

int event_word_next(const char *text, size_t *at, struct event_word *out, struct err *e)
{
    struct quoting q = {false, false};
    size_t length = 0, i;

    while (separates(text[*at]))
        (*at)++;
    if (!text[*at] || text[*at] == ';')
        return 0;
    *out = (struct event_word){.at = *at, .equals = EVENT_WORD_MAX};
    for (i = *at; text[i]; i++) {
        bool literal = q.quoted || q.escaped;

        if (!literal && (separates(text[i]) || text[i] == ';'))
            break;
        if (notation(&q, text[i]))
            continue;
        if (event_is_control(text[i])) {
            err_set(e, 0, "a control character (0x%02x)", (unsigned char)text[i]);
            return err_point(e, text, i, 1);
        }
        if (!literal && text[i] == '=' && out->equals == EVENT_WORD_MAX) {
            out->equals = length;
            out->value_at = i + 1;
        }
        if (!add(out, &length, text[i])) {
            err_set(e, 0, "a word of more than %d characters", EVENT_WORD_MAX - 1);
            return err_point(e, text, out->at, i - out->at);
        }
    }
    out->n = i - out->at;
    *at = i;
    return check_end(&q, text, out, e);
}

size_t event_word_quote(const char *word, char *out, size_t bytes)
{
    bool quote = !*word || strpbrk(word, " \t\n,;=\"\\");
    size_t n = 0;

#define PUT(c)                                                                                               \
    do {                                                                                                     \
        if (n + 1 < bytes)                                                                                   \
            out[n] = (c);                                                                                    \
        n++;                                                                                                 \
    } while (0)
    if (quote)
        PUT('"');
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            PUT('\\');
        PUT(*word);
    }
    if (quote)
        PUT('"');
#undef PUT
    if (bytes)
        out[MIN_OF(n, bytes - 1)] = '\0';
    return n;
}
