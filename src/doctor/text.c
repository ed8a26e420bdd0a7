/*
 * text.c - the report for people: the verdict, what to do, what is fine
 */
#include <stdio.h>
#include <string.h>

#include "report.h"

#define WIDTH       80
#define FINE_INDENT 4

/* Words in lines of WIDTH; the first one starts at column `at`, the others at `indent`. */
static void print_wrapped(FILE *to, const char *text, size_t at, size_t indent)
{
    bool first = true;

    while (*(text += strspn(text, " "))) {
        size_t n = strcspn(text, " ");

        if (!first && at + 1 + n > WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        at += (size_t)fprintf(to, "%s%.*s", first ? "" : " ", (int)n, text);
        first = false;
        text += n;
    }
    fputc('\n', to);
}

static void print_indented(FILE *to, const char *text, size_t indent)
{
    fprintf(to, "%*s", (int)indent, "");
    print_wrapped(to, text, indent, indent);
}

/* A line that is to be copied is not wrapped. */
static void print_remedies(const struct finding *f, FILE *to)
{
    for (size_t i = 0; i < f->remedies; i++) {
        fprintf(to, "  %s%s:\n      %s\n", i ? "or " : "", f->remedy[i].where, f->remedy[i].text);
        if (f->remedy[i].note) {
            char note[240];

            snprintf(note, sizeof(note), "(%s)", f->remedy[i].note);
            print_indented(to, note, 6);
        }
    }
}

static void print_problem(const struct finding *f, FILE *to)
{
    fprintf(to, "\n%s: %s\n", f->state == STATE_BLOCKING ? "BLOCKING" : "LIMITED", f->title);
    print_indented(to, f->found, 2);
    if (f->why)
        print_indented(to, f->why, 2);
    print_remedies(f, to);
}

static void print_problems(const struct report *r, enum state state, FILE *to)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->finding[i].state == state && r->finding[i].affects == AFFECTS_RUN)
            print_problem(&r->finding[i], to);
}

/* What this run does without. */
static void print_aside(const struct report *r, FILE *to)
{
    bool any = false;

    for (size_t i = 0; i < r->count; i++) {
        const struct finding *f = &r->finding[i];

        if (f->state == STATE_OK || f->affects == AFFECTS_RUN)
            continue;
        fprintf(to, "%s  %s\n", any ? "" : "\nNot for this run, but for others:\n", f->title);
        any = true;
        print_indented(to, f->found, 6);
        if (f->remedies) {
            fprintf(to, "      %s: ", f->remedy[0].where);
            fprintf(to, "%s\n", f->remedy[0].text);
        }
    }
}

static bool is_where(const struct finding *f)
{
    return strcmp(f->id, "kernel") == 0 || strcmp(f->id, "place") == 0;
}

static void print_where(const struct report *r, FILE *to)
{
    for (size_t i = 0; i < r->count; i++)
        if (is_where(&r->finding[i]))
            print_indented(to, r->finding[i].found, 2);
}

static void print_fine(const struct report *r, FILE *to)
{
    bool any = false;

    for (size_t i = 0; i < r->count; i++) {
        const struct finding *f = &r->finding[i];

        if (f->state != STATE_OK || is_where(f))
            continue;
        if (!any)
            fputs("\nFine, or good to know:\n", to);
        any = true;
        print_wrapped(to, f->found, (size_t)fprintf(to, "  %s: ", f->title), FINE_INDENT);
    }
}

void report_print_text(const struct report *r, FILE *to)
{
    char summary[400];

    report_summary(r, summary, sizeof(summary));
    print_wrapped(to, summary, 0, 0);
    print_where(r, to);
    print_problems(r, STATE_BLOCKING, to);
    print_problems(r, STATE_LIMITED, to);
    print_aside(r, to);
    print_fine(r, to);
}
