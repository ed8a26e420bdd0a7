/*
 * test_event_refused.c - texts that are no events: what is said, and where it points
 */
#include "ringside/event.h"

#include <stdio.h>
#include <string.h>

#include "ringside/base.h"
#include "unit.h"

static struct event_list list;
static struct err error;

/* Refused with words that hold `says`, and with `marked` underlined (NULL: nothing is). */
static void refuse(const char *text, const char *says, const char *marked)
{
    uint32_t had = list.count;
    char *shown, *marks;
    size_t at;

    error = (struct err){0};
    if (event_list_add(&list, text, &error) == 0)
        fail_msg("taken: %s", text);
    assert_int_equal(list.count, had);
    if (!strstr(error.text, says))
        fail_msg("\"%s\" does not say \"%s\"", error.text, says);
    shown = strchr(error.text, '\n');
    if (!marked) {
        assert_null(shown);
        return;
    }
    assert_non_null(shown);
    marks = strchr(++shown, '\n');
    assert_non_null(marks);
    *marks++ = '\0';
    at = strspn(marks, " ");
    assert_int_equal(marks[at], '^');
    if (strlen(marks + at) != MAX_OF(strlen(marked), (size_t)1) ||
        strncmp(shown + at, marked, strlen(marked)) != 0)
        fail_msg("marked is\n%s\n%s\nnot %s", shown, marks, marked);
}

static void start(void)
{
    memset(&list, 0, sizeof(list));
}

TEST(event__unknown_names_bring_the_nearest_one)
{
    start();
    refuse("sCPUU freq=199", "unknown event \"sCPUU\"; did you mean sCPU?", "sCPUU");
    refuse("scpu", "did you mean sCPU?", "scpu");
    refuse("sPF; hINSTR f=1", "did you mean hINST?", "hINSTR");
    refuse("hCPU1", "did you mean hCPU?", "hCPU1");
    refuse("invalidEvent", "unknown event \"invalidEvent\" (-e help", "invalidEvent");
    refuse("e=invalidEvent", "unknown event", "e=invalidEvent");
    refuse("rxyz", "unknown event", "rxyz");
    refuse("r01234567890123456", "unknown event", "r01234567890123456");
    refuse("help", "unknown event", "help");
}

TEST(event__unknown_keys_bring_the_nearest_one)
{
    start();
    refuse("sCPU freqency=1", "unknown key \"freqency\"; did you mean frequency?", "freqency");
    refuse("sCPU stack=1", "did you mean stack_sample_size?", "stack");
    refuse("sCPU =1", "unknown key \"\"", "");
    refuse("sCPU zzzzz=1", "unknown key \"zzzzz\"", "zzzzz");
    refuse("frequency:199 sCPU", "a value follows '=', not ':'", "frequency:199");
}

TEST(event__numbers_out_of_bounds_name_the_bounds)
{
    start();
    refuse("sCPU freq=0", "frequency 0 is not within 1 and 100000", "0");
    refuse("sCPU freq=100001", "frequency 100001 is not within 1 and 100000", "100001");
    refuse("sCPU freq=-5", "frequency -5 is not within 1 and 100000", "-5");
    refuse("sPF p=0x8000000000000000", "is not within 1 and 9223372036854775807", "0x8000000000000000");
    refuse("sCPU period=9999", "period 9999 of sCPU is not within 10000 and", "period=9999");
    refuse("sCPU st=1023", "stack_sample_size 1023 is not within 1024 and 65528", "1023");
    refuse("sCPU st=65529", "within 1024 and 65528", "65529");
    refuse("sCPU n=0", "parameter 0 is not within 1 and 6", "0");
    refuse("sCPU n=7", "parameter 7 is not within 1 and 6", "7");
    refuse("sCPU r=20", "register 20 is not within 0 and 19", "20");
    refuse("a:b o=8192", "raw_offset 8192 is not within 0 and 8191", "8192");
    refuse("id=0", "id 0 is not within 1 and 4294967295", "0");
    refuse("sCPU s=0", "scale 0 is not within", "0");
    refuse("sCPU s=-1", "scale -1 is not within", "-1");
    refuse("sCPU s=1e13", "is not within", "1e13");
    refuse("a:b o=0 z=3", "raw_size \"3\" is not 1, 2, 4 or 8", "3");
    refuse("sCPU m=0", "mode 0 is not within 1 (sum) and 3", "0");
}

TEST(event__values_that_are_no_numbers_are_quoted)
{
    start();
    refuse("hCPU period=apples", "period: \"apples\" is not a number", "apples");
    refuse("hCPU period=123apples", "\"123apples\" is not a number", "123apples");
    refuse("hCPU p=1.0", "not a number", "1.0");
    refuse("hCPU p=0x", "not a number", "0x");
    refuse("hCPU p=18446744073709551616", "not a number", "18446744073709551616");
    refuse("hCPU p=", "period has no value", "");
    refuse("hCPU s=0x0f", "scale: \"0x0f\" is not a number", "0x0f");
    refuse("hCPU s=inf", "not a number", "inf");
    refuse("hCPU s=1e", "not a number", "1e");
    refuse("hCPU s=1ff", "not a number", "1ff");
    refuse("hCPU n=rax", "not a number", "rax");
}

TEST(event__words_of_the_wrong_kind_are_quoted)
{
    start();
    refuse("hCPU mode=magnanimous", "'m' is none of s (sum)", "magnanimous");
    refuse("hCPU label=14b31", "does not begin with a letter", "14b31");
    refuse("hCPU label=\"a b\"", "is not of letters", "\"a b\"");
    refuse("hCPU r=r100", "register \"r100\" is not known; did you mean r10?", "r100");
    refuse("hCPU r=10", "flags or a segment", "10");
    refuse("hCPU label=\"\"", "label has no value", "\"\"");
    refuse("a:b field=a[]", "is neither NAME nor NAME[INDEX]", "a[]");
    refuse("a:b field=a[x]", "is neither NAME nor NAME[INDEX]", "a[x]");
    refuse("a:b field=a[1]b", "is neither NAME nor NAME[INDEX]", "a[1]b");
    refuse("a:b field=1a", "is neither NAME nor NAME[INDEX]", "1a");
}

TEST(event__contradictions_are_refused_by_name)
{
    start();
    refuse("sCPU p=100000 f=1", "period and frequency exclude each other", "f=1");
    refuse("sPF n=1 r=rax", "parameter and register exclude each other", "r=rax");
    refuse("a:b o=1 field=x", "raw_offset and raw_field exclude each other", "field=x");
    refuse("sPF z=4", "raw_size without raw_offset", "z=4");
    refuse("sPF o=4", "only tracepoints have a record", "o=4");
    refuse("id=5 field=x", "needs the tracepoint's name", "field=x");
    refuse("uretprobe:/x:f n=1", "its result is register=rax", "n=1");
    refuse("sCPU g=sched", "sCPU is no tracepoint and has no group", "sCPU");
    refuse("sCPU id=4", "sCPU is no tracepoint and has no id", "id=4");
    refuse("sCPU freq=1 f=2", "frequency is given twice", "f=2");
    refuse("sCPU sPF", "\"sPF\" is a second event; events are separated by ';'", "sPF");
    refuse("sCPU event=sPF", "second event", "event=sPF");
    refuse("sCPU mode=l", "that is for allocations", "mode=l");
    refuse("sCPU mode=a", "that is for allocations", "mode=a");
    refuse("a:b m=3", "that is for allocations", "m=3");
}

TEST(event__an_event_must_be_named)
{
    start();
    refuse("", "no event is named", NULL);
    refuse(" ;; ", "no event is named", NULL);
    refuse("l=myLabel", "no event is named", NULL);
    refuse("g=sched", "group without an event", "g=sched");
}

TEST(event__targets_that_cannot_be_are_refused)
{
    start();
    refuse("sched:", "no tracepoint can be called", "sched:");
    refuse("../../x:y", "no tracepoint can be called", "../../x:y");
    refuse("a:b:c", "no tracepoint can be called", "a:b:c");
    refuse("a:b g=c", "the group is given twice", "a:b");
    refuse("kprobe:", "names no symbol", "kprobe:");
    refuse("kprobe:f+x", "\"x\" is not an offset", "kprobe:f+x");
    refuse("kprobe:f+1+2", "does not contain '+'", "kprobe:f+1+2");
    refuse("kprobe:12x", "no symbol begins with a digit", "kprobe:12x");
    refuse("kretprobe:f+1", "without an offset", "kretprobe:f+1");
    refuse("uprobe:malloc", "write uprobe:/PATH/TO/FILE:SYMBOL", "uprobe:malloc");
    refuse("uprobe:libc.so:malloc", "write uprobe:/PATH", "uprobe:libc.so:malloc");
    refuse("kprobe:f g=x", "a probe has no group", "kprobe:f");
    refuse("sALLOC", "not in this build", "sALLOC");
}

TEST(event__quotes_must_be_closed)
{
    start();
    refuse("sPF l=\"x", "a double quote is not closed", "l=\"x");
    refuse("sPF l=x\\", "nothing follows the backslash", "\\");
    refuse("sPF l=\x01x", "a control character (0x01)", "?");
}

TEST(event__duplicates_are_refused)
{
    start();
    assert_int_equal(event_list_add(&list, "sCPU freq=50", NULL), 0);
    refuse("sCPU freq=60", "sCPU is given twice", "sCPU");
    refuse("sPF;sCPU", "sCPU is given twice", "sCPU");
    refuse("sPF;e=sPF", "sPF is given twice", "e=sPF");
    refuse("uprobe:/a:f;uprobe:/b:f", "would be called uprobe:f in the profile; give one a label",
           "uprobe:/b:f");
    refuse("sPF label=cpu", "would be called cpu", "sPF");
    assert_int_equal(event_list_add(&list, "uprobe:/a:f;uprobe:/b:f l=g;uprobe:/a:f n=1 l=h", NULL), 0);
    assert_int_equal(list.count, 4);
}

TEST(event__list_has_a_maximum)
{
    char text[32];

    start();
    for (int i = 0; i < EVENTS_MAX; i++) {
        snprintf(text, sizeof(text), "r%x", i + 1);
        assert_int_equal(event_list_add(&list, text, NULL), 0);
    }
    refuse("sCPU", "more than 16 events", "sCPU");
    assert_int_equal(event_preset_add(&list, "default", &error), -1);
}

TEST(event__words_and_targets_have_maximums)
{
    char text[2000], path[300];

    start();
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    snprintf(text, sizeof(text), "uprobe:/%s:f", path);
    error = (struct err){0};
    assert_int_equal(event_list_add(&list, text, &error), -1);
    assert_non_null(strstr(error.text, "a path of more than 255"));
    snprintf(text, sizeof(text), "kprobe:%s", path);
    assert_int_equal(event_list_add(&list, text, &error), -1);
    assert_non_null(strstr(error.text, "a symbol of more than 255"));
    snprintf(text, sizeof(text), "kprobe:%s%s%s", path, path, path);
    assert_int_equal(event_list_add(&list, text, &error), -1);
    assert_non_null(strstr(error.text, "a word of more than 639"));
    snprintf(text, sizeof(text), "sPF label=%s", path);
    assert_int_equal(event_list_add(&list, text, &error), -1);
    assert_non_null(strstr(error.text, "label of more than 63"));
}

/* Long texts are shown around the place; the mark stays under it. */
TEST(event__long_texts_are_shown_around_the_place)
{
    char text[600];

    start();
    snprintf(text, sizeof(text), "uprobe:/%0*d:f label=x freq=bad unit=%050d", 200, 0, 0);
    refuse(text, "\"bad\" is not a number", "bad");
    snprintf(text, sizeof(text), "freq=bad uprobe:/%0*d:f", 200, 0);
    refuse(text, "\"bad\" is not a number", "bad");
    snprintf(text, sizeof(text), "uprobe:/%0*d:f freq=bad", 200, 0);
    refuse(text, "\"bad\" is not a number", "bad");
}

TEST(event__unknown_presets_bring_the_nearest_one)
{
    start();
    assert_int_equal(event_preset_add(&list, "cpu-only", &error), -1);
    assert_non_null(strstr(error.text, "did you mean cpu_only?"));
    assert_int_equal(event_preset_add(&list, "zzz", &error), -1);
    assert_non_null(strstr(error.text, "unknown preset \"zzz\""));
    assert_int_equal(list.count, 0);
}
