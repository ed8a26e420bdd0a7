/*
 * rules.c - what holds between the values of an event
 */
#include <string.h>

#include "event_private.h"
#include "ringside/arch.h"

static bool given(const struct event_draft *d, enum event_key_id key)
{
    return d->place[key].n > 0;
}

static int point_at(const struct event_draft *d, enum event_key_id key, struct err *e)
{
    return err_point(e, d->text, d->place[key].at, d->place[key].n);
}

/* Not more than one of these keys. */
static int check_one_of(const struct event_draft *d, const enum event_key_id *keys, size_t n, struct err *e)
{
    size_t first = n;

    for (size_t i = 0; i < n; i++) {
        if (!given(d, keys[i]))
            continue;
        if (first < n) {
            err_set(e, 0, "%s and %s exclude each other", event_keys[keys[first]].name,
                    event_keys[keys[i]].name);
            return point_at(d, keys[i], e);
        }
        first = i;
    }
    return 0;
}

/* ---- which event ---- */

static int find_target(struct event_draft *d, struct err *e)
{
    bool named = given(d, KEY_EVENT), grouped = given(d, KEY_GROUP);
    enum event_key_id key = named ? KEY_EVENT : KEY_GROUP;

    if (!named && !grouped) {
        if (!given(d, KEY_ID))
            return err_set(e, 0, "no event is named");
        event_target_by_id(&d->spec, d->number[KEY_ID]);
        return 0;
    }
    if (!named && !strchr(d->group, ':')) {
        err_set(e, 0, "group without an event");
        return point_at(d, KEY_GROUP, e);
    }
    if (event_target_parse(&d->spec, named ? d->event : d->group, named ? d->group : "", e) < 0)
        return point_at(d, key, e);
    if (!given(d, KEY_ID))
        return 0;
    if (d->spec.kind != EVENT_TRACEPOINT) {
        err_set(e, 0, "%s is no tracepoint and has no id", d->spec.name);
        return point_at(d, KEY_ID, e);
    }
    d->spec.perf_config = d->number[KEY_ID];
    return 0;
}

/* ---- how often ---- */

static int set_rate(struct event_draft *d, struct err *e)
{
    static const enum event_key_id rates[] = {KEY_PERIOD, KEY_FREQUENCY};
    uint64_t min = event_period_min(&d->spec);

    if (check_one_of(d, rates, ARRAY_LEN(rates), e) < 0)
        return -1;
    d->spec.rate_given = given(d, KEY_PERIOD) || given(d, KEY_FREQUENCY);
    if (given(d, KEY_FREQUENCY))
        event_set_frequency(&d->spec, (uint32_t)d->number[KEY_FREQUENCY]);
    if (!given(d, KEY_PERIOD))
        return 0;
    if (d->number[KEY_PERIOD] < min) {
        err_set(e, 0, "period %llu of %s is not within %llu and %llu (nanoseconds)",
                (unsigned long long)d->number[KEY_PERIOD], d->spec.name, (unsigned long long)min,
                (unsigned long long)EVENT_PERIOD_MAX);
        return point_at(d, KEY_PERIOD, e);
    }
    d->spec.period = d->number[KEY_PERIOD];
    d->spec.frequency_hz = 0;
    return 0;
}

/* ---- what a sample weighs ---- */

static int check_weight(const struct event_draft *d, struct err *e)
{
    bool at_return = d->spec.kind == EVENT_KRETPROBE || d->spec.kind == EVENT_URETPROBE;
    enum event_key_id raw = given(d, KEY_RAW_OFFSET) ? KEY_RAW_OFFSET : KEY_RAW_FIELD;

    if (given(d, KEY_RAW_SIZE) && !given(d, KEY_RAW_OFFSET)) {
        err_set(e, 0, "raw_size without raw_offset");
        return point_at(d, KEY_RAW_SIZE, e);
    }
    if (given(d, raw) && d->spec.kind != EVENT_TRACEPOINT) {
        err_set(e, 0, "%s: only tracepoints have a record with fields, %s does not", event_keys[raw].name,
                d->spec.name);
        return point_at(d, raw, e);
    }
    if (given(d, KEY_RAW_FIELD) && !d->spec.group[0]) {
        err_set(e, 0, "raw_field needs the tracepoint's name to look the field up");
        return point_at(d, KEY_RAW_FIELD, e);
    }
    if (given(d, KEY_PARAMETER) && at_return) {
        err_set(e, 0, "a function's arguments are gone when it returns; its result is register=%s",
                arch_reg_name(arch_reg_result()));
        return point_at(d, KEY_PARAMETER, e);
    }
    return 0;
}

static int set_weight(struct event_draft *d, struct err *e)
{
    static const enum event_key_id weights[] = {KEY_PARAMETER, KEY_REGISTER, KEY_RAW_OFFSET, KEY_RAW_FIELD};

    if (check_one_of(d, weights, ARRAY_LEN(weights), e) < 0 || check_weight(d, e) < 0)
        return -1;
    if (given(d, KEY_PARAMETER)) {
        d->spec.weight = EVENT_WEIGHT_ARGUMENT;
        d->spec.argument = (uint8_t)d->number[KEY_PARAMETER];
    } else if (given(d, KEY_REGISTER)) {
        d->spec.weight = EVENT_WEIGHT_REGISTER;
    } else if (given(d, KEY_RAW_FIELD)) {
        d->spec.weight = EVENT_WEIGHT_FIELD;
    } else if (given(d, KEY_RAW_OFFSET)) {
        d->spec.weight = EVENT_WEIGHT_RAW;
        d->spec.raw_offset = (uint16_t)d->number[KEY_RAW_OFFSET];
        d->spec.raw_size = given(d, KEY_RAW_SIZE) ? (uint8_t)d->number[KEY_RAW_SIZE] : 8;
    }
    return 0;
}

int event_draft_finish(struct event_draft *d, struct err *e)
{
    if (find_target(d, e) < 0 || set_rate(d, e) < 0 || set_weight(d, e) < 0)
        return -1;
    d->spec.stack_bytes = (uint32_t)d->number[KEY_STACK] & ~7U;
    if (d->spec.mode != EVENT_MODE_SUM) {
        err_set(e, 0, "mode: nothing of %s stays in use; that is for allocations", d->spec.name);
        return point_at(d, KEY_MODE, e);
    }
    return 0;
}
