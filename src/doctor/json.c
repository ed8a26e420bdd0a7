/*
 * json.c - the report for programs; docs/doctor.md says what stays as it is
 */
#include <stdio.h>

#include "report.h"

#define SCHEMA     1
#define OUTPUT_MAX (256 << 10)

static const char *const states[] = {"ok", "limited", "blocking"};
static const char *const affected[] = {"run", "attach", "whole-host", "events"};

static void add(struct buf *b, const char *name, const char *text)
{
    json_add_text(b, name);
    buf_add_text(b, ": ");
    if (text)
        json_add_text(b, text);
    else
        buf_add_text(b, "null");
}

static void add_remedies(struct buf *b, const struct finding *f)
{
    buf_add_text(b, "\"remedies\": [");
    for (size_t i = 0; i < f->remedies; i++) {
        buf_add_text(b, i ? ", {" : "{");
        add(b, "where", f->remedy[i].where);
        buf_add_text(b, ", ");
        add(b, "do", f->remedy[i].text);
        buf_add_text(b, ", ");
        add(b, "note", f->remedy[i].note);
        buf_add_text(b, "}");
    }
    buf_add_text(b, "]");
}

static void add_finding(struct buf *b, const struct finding *f)
{
    buf_add_text(b, "    {");
    add(b, "id", f->id);
    buf_add_text(b, ", ");
    add(b, "state", states[f->state]);
    buf_add_text(b, ", ");
    add(b, "affects", affected[f->affects]);
    buf_add_text(b, ", ");
    add(b, "title", f->title);
    buf_add_text(b, ",\n     ");
    add(b, "found", f->found);
    buf_add_text(b, ",\n     ");
    add(b, "why", f->why);
    buf_add_text(b, ",\n     ");
    add_remedies(b, f);
    buf_add_text(b, ",\n     \"values\": {");
    buf_add(b, f->values.data, f->values.len);
    buf_add_text(b, "}}");
}

void report_print_json(const struct report *r, FILE *to)
{
    enum doctor_verdict verdict = report_verdict(r);
    char summary[400];
    struct buf b;

    buf_init(&b, OUTPUT_MAX);
    report_summary(r, summary, sizeof(summary));
    buf_printf(&b, "{\n  \"schema\": %d,\n  ", SCHEMA);
    add(&b, "ringside", r->run->version);
    buf_add_text(&b, ",\n  ");
    add(&b, "verdict",
        verdict == DOCTOR_USABLE ? "usable" : (verdict == DOCTOR_DEGRADED ? "degraded" : "unusable"));
    buf_printf(&b, ",\n  \"status\": %d,\n  ", verdict);
    add(&b, "summary", summary);
    buf_add_text(&b, ",\n  \"findings\": [\n");
    for (size_t i = 0; i < r->count; i++) {
        add_finding(&b, &r->finding[i]);
        buf_add_text(&b, i + 1 < r->count ? ",\n" : "\n");
    }
    buf_add_text(&b, "  ]\n}\n");
    fwrite(b.data, 1, b.len, to);
    buf_release(&b);
}
