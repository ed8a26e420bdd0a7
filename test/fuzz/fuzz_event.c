/*
 * fuzz_event.c - any text as events: what is taken prints to a text that is taken as the same; what is
 * refused leaves the list as it was
 */
#include "ringside/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_spec(const struct event_spec *s)
{
    static struct event_list again;
    char text[EVENT_TEXT_MAX];
    struct err e = {0};

    if (!s->name[0] || (!s->period && !s->frequency_hz) || !(s->scale > 0) || s->stack_bytes % 8 ||
        s->stack_bytes > EVENT_STACK_MAX || !event_sample_type(s)[0] || !event_sample_unit(s)[0])
        abort();
    if (event_spec_print(s, text, sizeof(text)) >= sizeof(text))
        abort();
    memset(&again, 0, sizeof(again));
    if (event_list_add(&again, text, &e) < 0 || again.count != 1 ||
        memcmp(&again.spec[0], s, sizeof(*s)) != 0) {
        fprintf(stderr, "%s: %s\n", text, e.text);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct event_list list;
    char *text = malloc(n + 1);
    struct err e = {0};

    if (n)
        memcpy(text, data, n);
    text[n] = '\0';
    memset(&list, 0, sizeof(list));
    if (event_list_add(&list, text, &e) == 0) {
        for (uint32_t i = 0; i < list.count; i++)
            check_spec(&list.spec[i]);
    } else if (list.count || !e.text[0] || !memchr(e.text, '\0', sizeof(e.text))) {
        abort();
    }
    event_preset_add(&list, text, &e);
    free(text);
    return 0;
}
