/*
 * value.c - values of keys: numbers and their bounds, words, registers
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_private.h"
#include "ringside/arch.h"

/* Bounds that hold for every event; those of the period that depend on it are in rules.c. */
static const struct {
    uint64_t min, max;
} bounds[EVENT_KEYS] = {
    [KEY_ID] = {1, UINT32_MAX},
    [KEY_PERIOD] = {1, EVENT_PERIOD_MAX},
    [KEY_FREQUENCY] = {1, EVENT_FREQUENCY_MAX},
    [KEY_STACK] = {STACK_BYTES_MIN, EVENT_STACK_MAX},
    [KEY_PARAMETER] = {1, ARCH_ARGUMENTS_MAX},
    [KEY_RAW_OFFSET] = {0, RAW_RECORD_MAX - 1},
};

/* Decimal, or hexadecimal after 0x. */
int event_parse_number(const char *text, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = text + (hex ? 2 : text[0] == '+');
    char *end;

    if (!isxdigit((unsigned char)digits[0]))
        return -1;
    errno = 0;
    *out = strtoull(digits, &end, hex ? 16 : 10);
    return errno || *end || end == digits ? -1 : 0;
}

static int store_number(struct event_draft *d, enum event_key_id key, const char *value, struct err *e)
{
    uint64_t number;
    bool negative = value[0] == '-' && event_parse_number(value + 1, &number) == 0;

    if (!negative && event_parse_number(value, &number) < 0)
        return err_set(e, 0, "%s: \"%.40s\" is not a number", event_keys[key].name, value);
    if (negative || number < bounds[key].min || number > bounds[key].max)
        return err_set(e, 0, "%s %.40s is not within %llu and %llu", event_keys[key].name, value,
                       (unsigned long long)bounds[key].min, (unsigned long long)bounds[key].max);
    d->number[key] = number;
    return 0;
}

static int store_raw_size(struct event_draft *d, const char *value, struct err *e)
{
    uint64_t n;

    if (event_parse_number(value, &n) < 0 || (n != 1 && n != 2 && n != 4 && n != 8))
        return err_set(e, 0, "raw_size \"%.40s\" is not 1, 2, 4 or 8", value);
    d->number[KEY_RAW_SIZE] = n;
    return 0;
}

/* Digits with a point or an exponent; no hexadecimal, no "inf". A C suffix may follow. */
static int store_scale(struct event_draft *d, const char *value, struct err *e)
{
    char *end = NULL;
    double scale = 0;
    bool plain = value[strspn(value, "+-0123456789.eEfFdD")] == '\0';

    if (plain)
        scale = strtod(value, &end);
    if (end && end != value && *end && strchr("fFdD", *end))
        end++;
    if (!plain || end == value || *end)
        return err_set(e, 0, "scale: \"%.40s\" is not a number", value);
    if (!(scale >= SCALE_MIN && scale <= SCALE_MAX))
        return err_set(e, 0, "scale %.40s is not within %g and %g", value, SCALE_MIN, SCALE_MAX);
    d->spec.scale = scale;
    return 0;
}

/* Letters, or the bits as a number. */
static int store_mode(struct event_draft *d, const char *value, struct err *e)
{
    uint64_t bits = 0;

    if (event_parse_number(value, &bits) < 0)
        for (const char *c = value; *c; c++) {
            if (!strchr("sSlLaA*", *c))
                return err_set(e, 0, "mode: '%c' is none of s (sum), l (live), a or * (both)", *c);
            if (!strchr("lL", *c))
                bits |= EVENT_MODE_SUM;
            if (!strchr("sS", *c))
                bits |= EVENT_MODE_LIVE;
        }
    if (bits < 1 || bits > (EVENT_MODE_SUM | EVENT_MODE_LIVE))
        return err_set(e, 0, "mode %.40s is not within 1 (sum) and 3 (sum and live)", value);
    d->spec.mode = (uint32_t)bits;
    return 0;
}

/* A name for people and other tools: no blanks, does not begin with a digit. */
static int store_name(char *out, size_t bytes, enum event_key_id key, const char *value, struct err *e)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-.:";

    if (strlen(value) >= bytes)
        return err_set(e, 0, "%s of more than %zu characters", event_keys[key].name, bytes - 1);
    if (!isalpha((unsigned char)value[0]) && value[0] != '_')
        return err_set(e, 0, "%s \"%.40s\" does not begin with a letter", event_keys[key].name, value);
    if (value[strspn(value, allowed)])
        return err_set(e, 0, "%s \"%.40s\" is not of letters, digits and _ - . :", event_keys[key].name,
                       value);
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

static int store_register(struct event_draft *d, const char *value, struct err *e)
{
    struct event_nearest nearest;
    uint64_t number;
    int reg;

    if (event_parse_number(value, &number) == 0) {
        reg = number < ARCH_REG_NUMBERS ? arch_reg_from_number((unsigned)number) : -1;
        if (number >= ARCH_REG_NUMBERS)
            return err_set(e, 0, "register %.40s is not within 0 and %d", value, ARCH_REG_NUMBERS - 1);
        if (reg < 0)
            return err_set(e, 0, "register %.40s is the flags or a segment, which are not recorded", value);
    } else {
        reg = arch_reg_find(value);
        event_nearest_init(&nearest, value);
        for (int i = 0; reg < 0 && i < ARCH_REG_COUNT; i++)
            event_nearest_offer(&nearest, arch_reg_name(i));
        if (reg < 0)
            return err_set(e, 0, "register \"%.40s\" is not known%s%s%s", value,
                           nearest.name ? "; did you mean " : "", nearest.name ? nearest.name : "",
                           nearest.name ? "?" : "");
    }
    d->spec.reg = (uint8_t)reg;
    return 0;
}

/* A name as in C, or an element of an array: args[2]. */
static int store_field(struct event_draft *d, const char *value, struct err *e)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    size_t n = strspn(value, letters);
    size_t index = value[n] == '[' ? strspn(value + n + 1, "0123456789") : 0;
    bool element = index > 0 && index < 5 && strcmp(value + n + 1 + index, "]") == 0;

    if (strlen(value) >= sizeof(d->spec.raw_field))
        return err_set(e, 0, "raw_field of more than %zu characters", sizeof(d->spec.raw_field) - 1);
    if (n == 0 || isdigit((unsigned char)value[0]) || (value[n] && !element))
        return err_set(e, 0, "raw_field \"%.40s\" is neither NAME nor NAME[INDEX]", value);
    memcpy(d->spec.raw_field, value, strlen(value) + 1);
    return 0;
}

static int store_word(char *out, size_t bytes, enum event_key_id key, const char *value, struct err *e)
{
    if (strlen(value) >= bytes)
        return err_set(e, 0, "%s of more than %zu characters", event_keys[key].name, bytes - 1);
    memcpy(out, value, strlen(value) + 1);
    return 0;
}

int event_value_store(struct event_draft *d, enum event_key_id key, const char *value, struct err *e)
{
    if (!*value)
        return err_set(e, 0, "%s has no value", event_keys[key].name);
    switch (key) {
    case KEY_EVENT:
        return store_word(d->event, sizeof(d->event), key, value, e);
    case KEY_GROUP:
        return store_word(d->group, sizeof(d->group), key, value, e);
    case KEY_LABEL:
        return store_name(d->spec.label, sizeof(d->spec.label), key, value, e);
    case KEY_UNIT:
        return store_name(d->spec.unit, sizeof(d->spec.unit), key, value, e);
    case KEY_RAW_FIELD:
        return store_field(d, value, e);
    case KEY_MODE:
        return store_mode(d, value, e);
    case KEY_REGISTER:
        return store_register(d, value, e);
    case KEY_RAW_SIZE:
        return store_raw_size(d, value, e);
    case KEY_SCALE:
        return store_scale(d, value, e);
    default:
        return store_number(d, key, value, e);
    }
}
