/*
 * store.h - what was given for each option and by whom, and the memory behind it
 *
 * Every layer notes texts here; values are made of them in the end, so a strong layer also hides what makes
 * no sense in a weak one.
 */
#ifndef RINGSIDE_OPTIONS_STORE_H
#define RINGSIDE_OPTIONS_STORE_H

#include "table.h"

/* A later one is stronger. */
enum option_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_SHARED, SOURCE_VARIABLE, SOURCE_FLAG };

struct option_origin {
    enum option_source source;
    unsigned order;   /* within SOURCE_SHARED: less is stronger */
    const char *name; /* of the variable or file; NULL: the command line */
    unsigned line;    /* of the file */
};

struct option_given {
    const char *text;
    struct option_origin origin;
    struct option_given *next;
};

struct option_setting {
    struct option_given *first; /* NULL: nobody gave it */
};

struct option_chunk;

struct option_store {
    struct option_setting at[OPTIONS_MAX]; /* by row */
    struct option_chunk *chunks;
    size_t left;             /* in the first chunk */
    const char *config_path; /* of the file that was read; NULL: there was none */
};

/* Memory that lives as long as the store; zeroed. */
void *option_take(struct option_store *s, size_t bytes);
char *option_take_text(struct option_store *s, const char *text, size_t n);
void option_store_release(struct option_store *s);

/* False when there are too many. */
#define OPTION_TEXTS_MAX 256
bool option_texts_add(struct option_store *s, struct option_texts *list, const char *text);

/* Text is borrowed for the life of the store. */
void option_give(struct option_store *s, const struct option_row *row, const char *text,
                 struct option_origin origin);

/* By somebody, not by default. */
static inline const struct option_given *option_given(const struct option_store *s,
                                                      const struct option_row *row)
{
    return s->at[option_index(row)].first;
}

/* "variable RINGSIDE_NICE", "ringside.conf:3", "option --nice". Returns out. */
const char *option_origin_name(const struct option_row *row, const struct option_origin *origin, char *out,
                               size_t bytes);

/* ---- values ---- */

/*
 * Makes the value of one text and puts it into *o (adds it, for options that repeat). -1 with *e: what is
 * wrong with the text, the option not yet named.
 */
int option_set(struct options *o, const struct option_row *row, const char *text, struct err *e);

/*
 * Value number i (0, and more for options that repeat) as config files spell it. False when there is none.
 * Secrets are written too: callers look at the type first.
 */
bool option_format(const struct options *o, const struct option_row *row, uint32_t i, struct buf *out);

/* The text that value i was in: one text can hold several tags. NULL: of none, or by default. */
const struct option_given *option_given_of_value(const struct options *o, const struct option_row *row,
                                                 uint32_t i);

/* In double quotes, with backslashes where needed. */
void option_quote(const char *text, struct buf *out);

#define OPTION_PID_DIVIDERS ", \t\n"

/* 1, 0, or -1 when the text is no word for on or off. */
int option_switch_word(const char *text);
/* 0 to 15, or -1. */
int option_hex_digit(char c);

extern const char *const option_log_modes[LOG_MODE_FILE];

/*
 * Takes the next tag out of "a:b, c:d", n bytes at *tag: blanks around and empty ones do not count. False at
 * the end.
 */
bool option_next_tag(const char **list, const char **tag, size_t *n);
/* One tag of n bytes. -1 with *e. */
int option_check_tag(const char *tag, size_t n, struct err *e);

/* ---- layers ---- */

struct option_words { /* the command line */
    char **argv;
    int argc, at; /* at: the next word; in the end the command's first */
};
int option_read_command_line(struct option_store *s, struct option_words *words, struct err *e);
/* Adds to o->notes what in the variables of other tools is left out. */
void option_read_environment(struct options *o, char **envp);
/* path: NULL for the places where a file is looked for, in this order. */
#define RINGSIDE_CONFIG_HERE   "ringside.conf"
#define RINGSIDE_CONFIG_SYSTEM RINGSIDE_SYSCONFDIR "/ringside.conf"
/* 1 with *e: the file that was found there cannot be read, and nobody named it. */
int option_read_config(struct option_store *s, const char *path, struct err *e);

#endif
