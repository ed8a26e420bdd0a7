/*
 * otlp.c - OTLP/HTTP profiles (OpenTelemetry's v1development of release 1.11), binary
 *
 * CPU time goes as one Profile, samples/count with the sampling period in period and period_type, as
 * OpenTelemetry's own profiler does it: the one form that Pyroscope takes for CPU time
 * (pkg/ingester/otlp/convert.go), by multiplying value and period; cpu/nanoseconds becomes a type of its own
 * there that no view looks for. So the product has to be true, and value is not the number of samples but CPU
 * time in periods: the same where there are samples, and the time that could not be sampled is in it. What
 * rounding takes from one stack the next one gets, so the total is within half a period of the exact one. A
 * second Profile with the nanoseconds would make that half a period good, at twice the series and cost
 * wherever it is stored.
 *
 * Other events are Profiles of their own, whose period type is the event itself with a period of 1: Pyroscope
 * names them by it and refuses (400, with all that follows in the request) what has none. Only off_cpu goes
 * without, which is how it is told there.
 *
 * Of the labels only process_name goes along, under the name it has in pprof: threads and pids make a series
 * each in Pyroscope, and the container is said of the whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"
#include "ringside/profile.h"

#include "backend.h"
#include "otlp_reply.h"
#include "otlp_request.h"

#define DEFAULT_PATH  "/v1development/profiles"
#define OTLP_PATH_MAX 2060 /* what a URL has at most, and a slash */
#define HEADERS       "Content-Type: application/x-protobuf\nContent-Encoding: gzip\n"

/* Pyroscope's limits for what it makes of a Profile are 16000 samples and 4 MiB of pprof (max_profile_...);
 * room is left for one deep stack. Collectors take 20 MiB. */
#define SAMPLES_MAX       16000U
#define REQUEST_BYTES     (7U << 19)
#define PACKED_BYTES_MAX  (64U << 20)
#define SAMPLE_BYTES      32 /* of a sample beside stack and values */
#define VALUE_BYTES       16
#define FRAME_BYTES       3 /* an index: so many locations that it takes more are more than a request */
#define PROCESS_NAMES_MAX 64

#define OTHER_PROCESS UINT32_MAX

struct conversion {
    const struct target *t;
    const struct profile *p;
    uint64_t number;
    const struct target_emit *emit;
    char path[OTLP_PATH_MAX];
    struct otlp_column column[PROFILE_TYPES_MAX];
    uint32_t columns;
    uint32_t *process; /* of each label set: string id of the process's name, 0, or OTHER_PROCESS */
    bool many_processes;
    struct otlp_request request;
    uint64_t sample_bytes;
    uint32_t part;
    const char **comment;
    char part_note[64];
    uint8_t profile_id[PROFILE_TYPES_MAX][OTLP_PROFILE_ID_BYTES];
};

/* ---- columns ---- */

static bool is_type(const struct profile *p, const struct profile_type *t, const char *type, const char *unit)
{
    return strcmp(strtab_get(&p->strings, t->type), type) == 0 &&
           strcmp(strtab_get(&p->strings, t->unit), unit) == 0;
}

static bool is_cpu(const struct profile *p, const struct profile_type *t)
{
    return is_type(p, t, "cpu", "nanoseconds") && is_type(p, &p->period_type, "cpu", "nanoseconds") &&
           p->period > 0 && p->period <= INT64_MAX / 2;
}

/* Letters, digits and _: Pyroscope refuses "-" in types, and makes a metric's name of them. */
static const char *plain_name(const char *text, char out[OTLP_NAME_MAX], const char *otherwise)
{
    size_t n = 0;

    if (text[0] >= '0' && text[0] <= '9')
        out[n++] = '_';
    for (; *text && n + 1 < OTLP_NAME_MAX; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9');

        out[n++] = (char)(plain ? *text : '_');
    }
    out[n] = '\0';
    return n ? out : otherwise;
}

static void set_column(const struct profile *p, uint32_t from, struct otlp_column *c)
{
    const struct profile_type *t = &p->type[from];

    *c = (struct otlp_column){.from = from};
    if (is_cpu(p, t)) {
        c->type = "samples";
        c->unit = "count";
        c->period_type = "cpu";
        c->period_unit = "nanoseconds";
        c->period = c->divide = p->period;
        return;
    }
    c->unit = plain_name(strtab_get(&p->strings, t->unit), c->unit_name, "count");
    c->type = plain_name(strtab_get(&p->strings, t->type), c->type_name, "unknown");
    if (strcmp(c->type, "off_cpu") == 0) {
        c->period_type = c->period_unit = "";
        return;
    }
    c->period_type = c->type;
    c->period_unit = c->unit;
    c->period = 1;
}

/* The default one first: readers show the first. The number of samples is in CPU time. */
static void plan_columns(struct conversion *c)
{
    const struct profile *p = c->p;
    bool cpu = false;

    for (uint32_t i = 0; i < p->type_count; i++)
        cpu |= is_cpu(p, &p->type[i]);
    for (int of_default = 1; of_default >= 0; of_default--)
        for (uint32_t i = 0; i < p->type_count; i++)
            if ((p->type[i].type == p->default_type) == of_default &&
                !(cpu && is_type(p, &p->type[i], "samples", "count")))
                set_column(p, i, &c->column[c->columns++]);
}

/* ---- labels ---- */

static uint32_t process_name(const struct profile *p, const struct profile_label_set *set)
{
    for (uint32_t i = 0; i < set->labels; i++)
        if (strcmp(strtab_get(&p->strings, set->label[i].key), "process_name") == 0)
            return set->label[i].text;
    return 0;
}

static void find_processes(struct conversion *c)
{
    const struct profile *p = c->p;
    struct map64 names;

    map64_init(&names);
    c->process = base_calloc(p->label_set_count + 1, sizeof(*c->process));
    for (uint32_t i = 0; i < p->label_set_count; i++) {
        uint32_t name = process_name(p, &p->label_set[i]);

        if (name && !map64_find(&names, name) && names.used == PROCESS_NAMES_MAX) {
            c->many_processes = true;
            name = OTHER_PROCESS;
        } else if (name) {
            map64_put(&names, name, 1);
        }
        c->process[i] = name;
    }
    map64_release(&names);
}

static uint32_t attribute_of(struct conversion *c, uint32_t label_set)
{
    struct otlp_dictionary *d = &c->request.dictionary;
    uint32_t name = label_set < c->p->label_set_count ? c->process[label_set] : 0;

    if (name == 0)
        return 0;
    return otlp_text_attribute(d, "process_name",
                               name == OTHER_PROCESS ? "[other]" : strtab_get(&c->p->strings, name));
}

/* ---- parts ---- */

/*
 * The same profile has the same ids whenever it is converted, and no other one has them: the run's UUID, the
 * time (numbers begin anew when the profiler is restarted) and the place in the profile go into them.
 */
static void make_profile_ids(struct conversion *c)
{
    for (uint32_t i = 0; i < c->columns; i++)
        for (uint32_t half = 0; half < 2; half++) {
            char text[256];
            int n = snprintf(text, sizeof(text), "%u %u %u %llu %llu %s", half, i, c->part,
                             (unsigned long long)c->number, (unsigned long long)c->p->time_wall_ns,
                             c->request.who->runtime_id);
            uint64_t hash = hash_bytes(text, MIN_OF((size_t)n, sizeof(text) - 1));

            memcpy(&c->profile_id[i][half * sizeof(hash)], &hash, sizeof(hash));
        }
}

static void make_comments(struct conversion *c)
{
    struct otlp_request *r = &c->request;
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->p->comment_count; i++)
        c->comment[n++] = strtab_get(&c->p->strings, c->p->comment[i]);
    for (uint32_t i = 0; i < c->columns; i++)
        if (c->column[i].divide)
            c->comment[n++] = "samples/count: CPU time in sampling periods, with what could not be sampled";
    if (c->many_processes)
        c->comment[n++] = "process_name: names beyond the first 64 are [other]";
    if (c->part) {
        snprintf(c->part_note, sizeof(c->part_note), "part %u: too large for one request", c->part + 1);
        c->comment[n++] = c->part_note;
    }
    r->comment = c->comment;
    r->comments = n;
}

/* Parts begin a millisecond apart: what is stored by series and time would take equal times for one profile.
 */
static void begin_part(struct conversion *c)
{
    struct otlp_request *r = &c->request;
    uint64_t duration = MAX_OF(c->p->duration_ns, 1ULL);
    uint64_t shift = MIN_OF(c->part * NSEC_PER_MSEC, duration - 1);

    otlp_dictionary_init(&r->dictionary, c->p);
    map64_init(&r->index);
    r->samples = 0;
    r->time_ns = c->p->time_wall_ns + shift;
    r->duration_ns = duration - shift;
    c->sample_bytes = 0;
    make_profile_ids(c);
    make_comments(c);
}

static void end_part(struct conversion *c)
{
    otlp_dictionary_release(&c->request.dictionary);
    map64_release(&c->request.index);
}

static int send_part(struct conversion *c, struct err *e)
{
    struct buf body;
    int result;

    buf_init(&body, PACKED_BYTES_MAX);
    result = otlp_request_pack(&c->request, &body, e);
    if (result == 0)
        result = c->emit->request(c->emit->ctx,
                                  &(struct target_request){.method = "POST",
                                                           .path = c->path,
                                                           .headers = HEADERS,
                                                           .body = body.data,
                                                           .body_bytes = body.len},
                                  e);
    buf_release(&body);
    c->part++;
    return result;
}

static bool part_is_full(const struct conversion *c)
{
    return c->request.samples >= SAMPLES_MAX ||
           c->request.dictionary.bytes + c->sample_bytes >= REQUEST_BYTES;
}

/* ---- samples ---- */

/* In whole periods; what is left over, from minus to plus half a period, goes on to the next value. */
static int64_t in_periods(struct otlp_column *c, int64_t value)
{
    int64_t period = (int64_t)c->divide, whole = value / period;

    c->rest += value % period;
    if (c->rest > period / 2) {
        c->rest -= period;
        whole++;
    }
    return whole;
}

/* False when there is nothing to send. Counts are never negative; what is would be refused. */
static bool take_values(struct conversion *c, const struct profile_sample *s, int64_t *values)
{
    bool any = false;

    for (uint32_t i = 0; i < c->columns; i++) {
        struct otlp_column *column = &c->column[i];
        int64_t value = MAX_OF(c->p->value[s->first_value + column->from], 0);

        values[i] = column->divide ? in_periods(column, value) : value;
        any |= values[i] != 0;
    }
    return any;
}

static int add_sample(struct conversion *c, const struct profile_sample *s, struct err *e)
{
    struct otlp_request *r = &c->request;
    int64_t values[PROFILE_TYPES_MAX];
    uint32_t before, frames, stack;

    if (!take_values(c, s, values))
        return 0;
    if (part_is_full(c)) {
        if (send_part(c, e) < 0)
            return -1;
        end_part(c);
        begin_part(c);
    }
    before = r->samples;
    stack = otlp_stack(&r->dictionary, s->frame, &frames);
    otlp_request_add(r, stack, attribute_of(c, s->label_set), values);
    if (r->samples > before)
        c->sample_bytes += SAMPLE_BYTES + (uint64_t)frames * FRAME_BYTES + (uint64_t)c->columns * VALUE_BYTES;
    return 0;
}

static int send_samples(struct conversion *c, struct err *e)
{
    for (uint32_t i = 0; i < c->p->sample_count; i++)
        if (add_sample(c, &c->p->sample[i], e) < 0)
            return -1;
    return c->request.samples ? send_part(c, e) : 0;
}

/* As it was given, with a slash at its end if it had one (OTLP exporter specification, "Endpoint URLs"). */
static void set_path(struct conversion *c)
{
    const char *path = c->t->path;

    snprintf(c->path, sizeof(c->path), "%s%s", path[0] ? path : DEFAULT_PATH,
             path[0] && c->t->folder ? "/" : "");
}

static int otlp_convert(const struct target *t, const struct target_job *job, const struct target_emit *emit,
                        struct err *e)
{
    struct conversion *c = base_calloc(1, sizeof(*c));
    int result;

    *c = (struct conversion){
        .t = t, .p = job->profile, .number = job->number, .emit = emit, .request = {.who = job->who}};
    set_path(c);
    plan_columns(c);
    find_processes(c);
    if (c->many_processes)
        log_info(target, "more than %u process names in a profile: the others go as [other]",
                 PROCESS_NAMES_MAX);
    c->comment = base_calloc((size_t)c->p->comment_count + 3, sizeof(*c->comment));
    c->request.column = c->column;
    c->request.columns = c->columns;
    c->request.profile_id = c->profile_id;
    begin_part(c);
    result = send_samples(c, e) < 0 ? -1 : (int)c->part;
    end_part(c);
    target_say_tags_left_out(t, job, c->request.tags_left_out);
    free(c->request.sample);
    free(c->request.value);
    free(c->comment);
    free(c->process);
    free(c);
    return result;
}

const struct backend backend_otlp = {
    .kind = "otlp",
    .port = 4318,
    .query = true,
    .convert = otlp_convert,
    .judge = otlp_judge,
};
