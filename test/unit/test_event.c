/*
 * test_event.c - specs from texts: what is taken, what it means, and texts from specs
 */
#include "ringside/event.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#include "ringside/arch.h"
#include "ringside/base.h"
#include "unit.h"

static struct event_list list;

static void parse(const char *text)
{
    struct err e = {0};

    memset(&list, 0, sizeof(list));
    if (event_list_add(&list, text, &e) < 0)
        fail_msg("%s: %s", text, e.text);
}

static const struct event_spec *parse_one(const char *text)
{
    parse(text);
    if (list.count != 1)
        fail_msg("%s: %u events", text, list.count);
    return &list.spec[0];
}

TEST(event__cpu_samples_the_task_clock_with_a_period_in_nanoseconds)
{
    struct event_spec e = event_cpu(99, 32768);

    assert_string_equal(e.name, "sCPU");
    assert_int_equal(e.perf_type, PERF_TYPE_SOFTWARE);
    assert_int_equal(e.perf_config, PERF_COUNT_SW_TASK_CLOCK);
    assert_int_equal(e.period, 10101010);
    assert_int_equal(e.stack_bytes, 32768);
}

TEST(event__stack_bytes_are_rounded_down_to_words_the_kernel_accepts)
{
    assert_int_equal(event_cpu(1, 1025).stack_bytes, 1024);
    assert_int_equal(event_cpu(1, 70000).stack_bytes, EVENT_STACK_MAX);
    assert_int_equal(parse_one("sCPU st=1031")->stack_bytes, 1024);
}

TEST(event__frequency_zero_is_taken_as_one)
{
    assert_int_equal(event_cpu(0, 0).period, 1000000000);
}

/* The default of the command line and the text that says the same are one spec. */
TEST(event__cpu_spec_is_what_its_text_gives)
{
    struct event_spec cpu = event_cpu(199, 2048);

    assert_memory_equal(&cpu, parse_one("sCPU freq=199 stack_sample_size=2048"), sizeof(cpu));
}

TEST(event__every_name_of_the_table_is_taken_with_its_numbers)
{
    for (size_t i = 0; i < event_table_rows; i++) {
        const struct event_row *row = &event_table[i];
        const struct event_spec *s;

        if (row->refused)
            continue;
        s = parse_one(row->name);
        assert_string_equal(s->name, row->name);
        assert_int_equal(s->kind, row->kind);
        assert_int_equal(s->perf_type, row->perf_type);
        assert_int_equal(s->perf_config, row->perf_config);
        assert_string_equal(event_sample_type(s), row->type);
        assert_string_equal(event_sample_unit(s), row->unit);
        assert_true(s->period || s->frequency_hz);
        assert_false(s->rate_given);
        assert_int_equal(event_needs_kernel(s), row->needs_kernel);
    }
}

TEST(event__table_is_sound)
{
    for (size_t i = 0; i < event_table_rows; i++) {
        const struct event_row *row = &event_table[i];

        assert_true(strlen(row->what) > 0 && strlen(row->what) < 70);
        assert_true((row->period == 0) != (row->frequency_hz == 0));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(row->name, event_table[j].name);
            assert_string_not_equal(row->type, event_table[j].type);
        }
    }
}

/* Keys, their short forms and separators are those of ddprof's grammar. */
TEST(event__keys_have_their_short_forms)
{
    static const char *const same[][4] = {
        {"sCPU frequency=7", "sCPU freq=7", "sCPU,f=7", "f=0x7  ,\tevent=sCPU"},
        {"sPF period=9", "sPF per=9", "ev=sPF p=9", "e=sPF,p=+9"},
        {"sPF parameter=2", "eventname=sPF arg_num=2", "sPF argno=2", "sPF n=2"},
        {"sPF register=rdi", "sPF regno=5", "sPF r=RDI", "sPF reg=0x5"},
        {"sPF label=x mode=s", "sPF l=x m=S", "sPF l=x m=ss", "sPF,l=x,m=1"},
        {"sPF scale=2.5", "sPF s=2.5", "sPF value_scale=+2.50f", "sPF s=25e-1"},
        {"a:b raw_offset=16 raw_size=4", "a:b rawoff=16 argsz=4", "a:b argoff=16 rawsz=4",
         "o=0x10,z=4,e=b,g=a"},
        {"a:b", "event=a:b", "e=b g=a", "group=a:b"},
        {"a:b raw_field=len", "a:b field=len", "eventname=b groupname=a field=len",
         "ev=b gr=a raw_field=len"},
        {"sPF stack_sample_size=4096", "sPF stcksz=4096", "sPF st=4096", "sPF st=4100"},
    };

    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct event_spec first = *parse_one(same[i][0]);

        for (size_t j = 1; j < 4; j++)
            if (memcmp(&first, parse_one(same[i][j]), sizeof(first)) != 0)
                fail_msg("%s is not %s", same[i][j], same[i][0]);
    }
}

TEST(event__lists_are_separated_by_semicolons_and_may_have_gaps)
{
    parse("; sCPU   ; sPF p=3 ;;;; ;;; sched:sched_switch;");
    assert_int_equal(list.count, 3);
    assert_string_equal(list.spec[0].name, "sCPU");
    assert_int_equal(list.spec[1].period, 3);
    assert_string_equal(list.spec[2].name, "sched:sched_switch");
}

TEST(event__tracepoint_keeps_group_name_and_number)
{
    const struct event_spec *s = parse_one("sched:sched_switch");

    assert_int_equal(s->kind, EVENT_TRACEPOINT);
    assert_int_equal(s->perf_type, PERF_TYPE_TRACEPOINT);
    assert_string_equal(s->group, "sched");
    assert_string_equal(s->target, "sched_switch");
    assert_int_equal(s->period, 1);
    assert_true(event_needs_kernel(s));
    assert_string_equal(event_sample_type(s), "sched:sched_switch");
    assert_string_equal(event_sample_unit(s), "count");

    s = parse_one("sched:sched_switch id=316");
    assert_int_equal(s->perf_config, 316);
    s = parse_one("i=316");
    assert_int_equal(s->perf_config, 316);
    assert_int_equal(s->kind, EVENT_TRACEPOINT);
    assert_string_equal(s->name, "tracepoint:316");
}

static void check_probe(const char *text, enum event_kind kind, const char *file, const char *symbol,
                        uint64_t offset)
{
    const struct event_spec *s = parse_one(text);

    assert_int_equal(s->kind, kind);
    assert_string_equal(s->group, file);
    assert_string_equal(s->target, symbol);
    assert_int_equal(s->offset, offset);
    assert_int_equal(s->period, 1);
    assert_int_equal(event_needs_kernel(s), kind == EVENT_KPROBE || kind == EVENT_KRETPROBE);
}

TEST(event__probes_name_a_symbol_or_a_place)
{
    check_probe("uprobe:/lib/libc.so.6:malloc", EVENT_UPROBE, "/lib/libc.so.6", "malloc", 0);
    check_probe("uprobe:/lib/libc.so.6:malloc+0x10", EVENT_UPROBE, "/lib/libc.so.6", "malloc", 16);
    check_probe("uretprobe:/a:b:f", EVENT_URETPROBE, "/a:b", "f", 0);
    check_probe("uprobe:/lib/libc.so.6:0x1234", EVENT_UPROBE, "/lib/libc.so.6", "", 0x1234);
    check_probe("kprobe:do_sys_openat2+12", EVENT_KPROBE, "", "do_sys_openat2", 12);
    check_probe("kretprobe:ext4:ext4_sync_file", EVENT_KRETPROBE, "", "ext4:ext4_sync_file", 0);
    check_probe("kprobe:0xffffffff81000000", EVENT_KPROBE, "", "", 0xffffffff81000000);
    check_probe("e=uprobe:/x:f l=f", EVENT_UPROBE, "/x", "f", 0);
}

TEST(event__probes_are_called_after_their_symbol)
{
    assert_string_equal(parse_one("uprobe:/lib/libc.so.6:malloc")->name, "uprobe:malloc");
    assert_string_equal(parse_one("uprobe:/lib/libc.so.6:16")->name, "uprobe:libc.so.6:0x10");
    assert_string_equal(parse_one("kprobe:f+1")->name, "kprobe:f+0x1");
}

TEST(event__quotes_and_backslashes_keep_a_word_together)
{
    check_probe("uprobe:\"/a b,c;d=e\":f p=1", EVENT_UPROBE, "/a b,c;d=e", "f", 0);
    check_probe("uprobe:/a\\ b\\\"\\\\:f", EVENT_UPROBE, "/a b\"\\", "f", 0);
    check_probe("event=\"uprobe:/a=b:f\"", EVENT_UPROBE, "/a=b", "f", 0);
}

TEST(event__raw_events_are_hexadecimal)
{
    const struct event_spec *s = parse_one("r01c2");

    assert_int_equal(s->kind, EVENT_RAW);
    assert_int_equal(s->perf_type, PERF_TYPE_RAW);
    assert_int_equal(s->perf_config, 0x1c2);
    assert_string_equal(s->name, "r1c2");
}

TEST(event__rate_is_a_period_or_a_frequency)
{
    const struct event_spec *s = parse_one("sPF p=10");

    assert_int_equal(s->period, 10);
    assert_int_equal(s->frequency_hz, 0);
    assert_true(s->rate_given);
    s = parse_one("sPF f=10");
    assert_int_equal(s->period, 0); /* the kernel finds it */
    assert_int_equal(s->frequency_hz, 10);
    s = parse_one("sCPU f=1000");
    assert_int_equal(s->period, 1000000); /* exact, so the kernel need not */
    assert_int_equal(s->frequency_hz, 1000);
    s = parse_one("sCPU p=10000");
    assert_int_equal(s->period, 10000);
    assert_int_equal(s->frequency_hz, 0);
}

TEST(event__default_rate_can_be_replaced)
{
    struct event_spec s = *parse_one("sCPU");

    assert_false(s.rate_given);
    event_set_frequency(&s, 50);
    assert_int_equal(s.period, 20000000);
    s = *parse_one("sPF");
    assert_int_equal(s.period, 101); /* whole periods: what a frequency adds up to is not exact */
    assert_int_equal(s.frequency_hz, 0);
    s = *parse_one("sPFMAJ");
    assert_int_equal(s.period, 1);
    event_set_frequency(&s, 50);
    assert_int_equal(s.period, 0);
    assert_int_equal(s.frequency_hz, 50);
}

TEST(event__arguments_lie_in_the_registers_of_the_call)
{
    assert_int_equal(event_weight_register(parse_one("sPF")), -1);
    assert_int_equal(event_weight_register(parse_one("uprobe:/c:malloc n=1")), ARCH_REG_RDI);
    assert_int_equal(event_weight_register(parse_one("uprobe:/c:f n=4")), ARCH_REG_RCX);
    /* the system call instruction overwrites rcx, so the fourth is passed in r10 */
    assert_int_equal(event_weight_register(parse_one("raw_syscalls:sys_enter n=4")), 10);
    assert_int_equal(event_weight_register(parse_one("syscalls:sys_enter_mmap n=3")), ARCH_REG_RDX);
    assert_int_equal(event_weight_register(parse_one("uretprobe:/c:malloc reg=rax")), ARCH_REG_RAX);
    assert_int_equal(event_weight_register(parse_one("uprobe:/c:f r=12")), ARCH_REG_R8);
}

TEST(event__weights_other_than_counts_say_so_in_the_unit)
{
    assert_string_equal(event_sample_unit(parse_one("uprobe:/c:malloc n=1")), "value");
    assert_string_equal(event_sample_unit(parse_one("uprobe:/c:malloc n=1 unit=bytes")), "bytes");
    assert_string_equal(event_sample_type(parse_one("uprobe:/c:malloc n=1 label=malloced")), "malloced");
}

TEST(event__raw_field_is_eight_bytes_unless_said)
{
    const struct event_spec *s = parse_one("a:b o=8");

    assert_int_equal(s->weight, EVENT_WEIGHT_RAW);
    assert_int_equal(s->raw_offset, 8);
    assert_int_equal(s->raw_size, 8);
    s = parse_one("a:b raw_field=bytes_req");
    assert_int_equal(s->weight, EVENT_WEIGHT_FIELD);
    assert_string_equal(s->raw_field, "bytes_req");
    assert_string_equal(parse_one("a:b raw_field=args[2]")->raw_field, "args[2]");
}

/* ---- printing ---- */

TEST(event__printed_spec_reads_back_the_same)
{
    static const char *const texts[] = {
        "sCPU",
        "sCPU freq=199",
        "hCMISS period=1000003 label=llc unit=misses",
        "sched:sched_switch",
        "sched:sched_switch id=316 field=prev_state",
        "id=77",
        "kprobe:do_sys_openat2+0x10 n=2 s=0.1",
        "kretprobe:f r=rax s=1e-9",
        "kprobe:0xffffffff81000000",
        "uprobe:/usr/lib/x86_64-linux-gnu/libc.so.6:malloc arg_num=1 unit=bytes st=8192",
        "uprobe:\"/a b,c;d=e\\\"\\\\\":f s=3.141592653589793",
        "uretprobe:/x:0x10",
        "r01c2 mode=s",
        "raw_syscalls:sys_enter o=16 z=4 s=123456789012",
        "event=raw_offset:e f=7",
        "event=label:x id=3",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct event_spec s = *parse_one(texts[i]);
        char text[EVENT_TEXT_MAX];

        assert_in_range(event_spec_print(&s, text, sizeof(text)), 1, sizeof(text) - 1);
        if (memcmp(&s, parse_one(text), sizeof(s)) != 0)
            fail_msg("%s became %s", texts[i], text);
    }
}

TEST(event__print_writes_what_was_given_and_no_more)
{
    char text[EVENT_TEXT_MAX];

    event_spec_print(parse_one("s=0.1 f=0x10 e=sPF"), text, sizeof(text));
    assert_string_equal(text, "sPF frequency=16 scale=0.1");
    event_spec_print(parse_one("uprobe:/a\\ b:f"), text, sizeof(text));
    assert_string_equal(text, "\"uprobe:/a b:f\"");
}

TEST(event__print_is_cut_at_the_room_there_is)
{
    const struct event_spec *s = parse_one("sched:sched_switch period=5 label=x");
    char whole[EVENT_TEXT_MAX], part[EVENT_TEXT_MAX];
    size_t n = event_spec_print(s, whole, sizeof(whole));

    assert_int_equal(n, strlen(whole));
    for (size_t room = 1; room <= n; room++) {
        memset(part, 'x', sizeof(part));
        assert_int_equal(event_spec_print(s, part, room), n);
        assert_int_equal(strlen(part), room - 1);
        assert_memory_equal(part, whole, room - 1);
        assert_int_equal(part[room], 'x');
    }
}

/* ---- presets ---- */

TEST(event__presets_are_lists_of_events)
{
    for (size_t i = 0; i < event_preset_rows; i++) {
        struct err e = {0};

        memset(&list, 0, sizeof(list));
        if (event_presets[i].refused) {
            assert_int_equal(event_preset_add(&list, event_presets[i].name, &e), -1);
            assert_non_null(strstr(e.text, "not in this build"));
            continue;
        }
        if (event_preset_add(&list, event_presets[i].name, &e) < 0)
            fail_msg("%s: %s", event_presets[i].name, e.text);
        assert_true(list.count > 0);
        assert_true(strlen(event_presets[i].what) > 0 && strlen(event_presets[i].cost) > 0);
    }
}

TEST(event__default_preset_is_cpu_time)
{
    struct event_spec cpu = event_cpu(99, 0);

    memset(&list, 0, sizeof(list));
    assert_int_equal(event_preset_add(&list, "default", NULL), 0);
    assert_int_equal(list.count, 1);
    assert_true(event_same(&list.spec[0], &cpu));
    assert_int_equal(list.spec[0].period, cpu.period);
}

TEST(event__preset_leaves_events_alone_that_were_asked_for)
{
    parse("sCPU freq=7;sPF");
    assert_int_equal(event_preset_add(&list, "faults", NULL), 0);
    assert_int_equal(event_preset_add(&list, "cpu_only", NULL), 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.spec[0].frequency_hz, 7);
}

TEST(event__a_preset_that_does_not_go_with_events_says_so_in_one_line)
{
    struct err e;

    list.count = 0;
    assert_int_equal(event_list_add(&list, "sPF label=cpu", &e), 0);
    assert_int_equal(event_preset_add(&list, "default", &e), -1);
    assert_non_null(strstr(e.text, "preset default: two events would be called cpu"));
    assert_null(strchr(e.text, '\n'));
    assert_int_equal(list.count, 1);
}
