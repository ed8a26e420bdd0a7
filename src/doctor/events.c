/*
 * events.c - what the kernel lets this user watch, by asking it
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ringside/event.h"

#include "report.h"

#define USUAL_STACK 127 /* PERF_MAX_STACK_DEPTH */

static const char *const cause_words[] = {
    [PERF_CAUSE_NONE] = "none",         [PERF_CAUSE_ABSENT] = "kernel-without-perf",
    [PERF_CAUSE_SANDBOX] = "not-linux", [PERF_CAUSE_FILTER] = "seccomp",
    [PERF_CAUSE_PARANOID] = "paranoid", [PERF_CAUSE_MODULE] = "security-module",
    [PERF_CAUSE_FILES] = "descriptors", [PERF_CAUSE_UNKNOWN] = "unknown",
};

static struct perf_event_attr asleep(bool kernel)
{
    return (struct perf_event_attr){
        .size = sizeof(struct perf_event_attr),
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = NSEC_PER_SEC,
        .disabled = 1,
        .exclude_kernel = !kernel,
        .exclude_hv = 1,
    };
}

/* 0 or an errno. */
static int try_event(const struct report *r, bool kernel, int pid, int cpu)
{
    const struct perf_machine *m = r->machine->perf;
    struct perf_event_attr attr = asleep(kernel);
    int fd = m->call(m->ctx, &attr, pid, cpu, PERF_FLAG_FD_CLOEXEC);

    if (fd < 0)
        return -fd;
    close(fd);
    return 0;
}

static void need_of_cause(struct report *r, struct finding *f)
{
    switch (r->cause) {
    case PERF_CAUSE_FILTER:
        finding_remedy(r, f, PLACE_NEED_CALL);
        break;
    case PERF_CAUSE_PARANOID:
        finding_remedy(r, f, PLACE_NEED_EVENTS);
        break;
    case PERF_CAUSE_MODULE:
        if (r->place.selinux == 1)
            finding_remedy(r, f, PLACE_NEED_LABEL);
        break;
    case PERF_CAUSE_FILES:
        finding_remedy(r, f, PLACE_NEED_FILES);
        break;
    default:
        break;
    }
}

static void explain_refusal(struct report *r, struct finding *f)
{
    struct err e;

    perf_explain_cause(r->cause, &r->place, r->answers.own, &e);
    e.text[strcspn(e.text, ";")] = '\0'; /* remedies are said apart */
    finding_say(f, "%s", e.text);
    finding_set(f, STATE_BLOCKING, "Nothing can be sampled. Commands run as ever, without a profile.");
    need_of_cause(r, f);
}

static void examine_own(struct report *r)
{
    struct finding *f = finding_add(r, "user-mode", "events of one's own processes", AFFECTS_RUN);

    if (r->rehearsal.signal == SIGSYS) {
        r->cause = PERF_CAUSE_FILTER;
        finding_say(f, "perf_event_open ends the process with a signal: a seccomp filter does that");
        finding_set(f, STATE_BLOCKING,
                    "Ringside cannot even try: the command would not run. Use --no-enable.");
        finding_remedy(r, f, PLACE_NEED_CALL);
    } else {
        r->cause = perf_find_cause(r->machine->perf, &r->place, &r->answers);
        if (r->cause == PERF_CAUSE_NONE)
            finding_say(f, "perf_event_open works in user mode");
        else
            explain_refusal(r, f);
    }
    finding_text(f, "cause", cause_words[r->cause]);
    finding_number(f, "errno", r->answers.own);
    finding_number(f, "errno_bad_flags", r->answers.flags);
    finding_number(f, "errno_no_attributes", r->answers.attr);
    finding_number(f, "perf_event_paranoid", r->place.paranoid);
    finding_number(f, "seccomp_mode", r->place.seccomp < 0 ? PLACE_UNKNOWN : r->place.seccomp);
}

/* Why what takes more is refused, when events in general are not. */
static void say_more_refused(const struct report *r, struct finding *f, int code, long needed)
{
    const struct place *p = &r->place;
    bool entitled = place_is_perfmon_capable(p) || (p->paranoid != PLACE_UNKNOWN && p->paranoid <= needed);

    finding_say(f, "refused (%s): ", strerror(code));
    if (entitled)
        finding_say(f, "a security module denies it%s%s", p->lsm[0] ? ", of " : "", p->lsm);
    else if (p->paranoid == PLACE_UNKNOWN)
        finding_say(f, "kernel.perf_event_paranoid, which cannot be read here, is above %ld", needed);
    else
        finding_say(f, "kernel.perf_event_paranoid is %ld", p->paranoid);
    if (!entitled)
        finding_say(f, " and this process has no CAP_%s",
                    p->kernel_version && p->kernel_version < PLACE_KERNEL(5, 8) ? "SYS_ADMIN" : "PERFMON");
    if (!entitled && p->user_namespace)
        finding_say(f, " that counts: it is in a user namespace of its own");
}

static void examine_kernel(struct report *r)
{
    struct finding *f = finding_add(r, "kernel-mode", "kernel frames", AFFECTS_RUN);
    int code = try_event(r, true, 0, -1);

    finding_number(f, "errno", code);
    finding_number(f, "perf_event_paranoid", r->place.paranoid);
    finding_number(f, "perf_event_max_stack", r->place.max_stack);
    r->kernel = code == 0;
    if (r->kernel) {
        finding_say(f, "the kernel is sampled, too");
        if (r->place.max_stack != PLACE_UNKNOWN && r->place.max_stack < USUAL_STACK)
            finding_say(f, ", %ld frames deep (kernel.perf_event_max_stack)", r->place.max_stack);
        return;
    }
    say_more_refused(r, f, code, 1);
    finding_set(f, STATE_LIMITED,
                "The time a program spends in the kernel is counted, but shown as one block without frames; "
                "events such as sCS and tracepoints are not to be had.");
    finding_remedy(r, f, PLACE_NEED_KERNEL);
}

static void examine_host(struct report *r)
{
    struct finding *f = finding_add(r, "whole-host", "the whole machine (-g)", AFFECTS_HOST);
    int code = try_event(r, r->kernel, -1, 0);

    finding_number(f, "errno", code);
    if (code == 0) {
        finding_say(f, "all processes may be watched, of all users");
        return;
    }
    say_more_refused(r, f, code, 0);
    finding_set(f, r->run->whole_host ? STATE_BLOCKING : STATE_LIMITED,
                "-g is not to be had; what one starts oneself is.");
    finding_remedy(r, f, PLACE_NEED_HOST);
}

static void examine_processes(struct report *r)
{
    struct finding *f = finding_add(r, "other-processes", "the processes to attach to (-p)", AFFECTS_ATTACH);
    uint32_t attached = r->rehearsal.attached, asked = r->run->pid_count;

    finding_number(f, "asked", asked);
    finding_number(f, "attached", attached);
    finding_say(f, "%u of %u", attached, asked);
    if (attached == asked)
        return;
    finding_say(f, "; %s", r->rehearsal.refused.text);
    finding_set(f, attached ? STATE_LIMITED : STATE_BLOCKING, "Those that are refused are left out.");
    finding_remedy(r, f, PLACE_NEED_OTHERS);
}

/* When nobody in particular was asked about. */
static void examine_others(struct report *r)
{
    struct finding *f;
    int code;

    if (!r->machine->other_pid)
        return;
    f = finding_add(r, "other-processes", "running processes (-p)", AFFECTS_ATTACH);
    code = try_event(r, false, r->machine->other_pid, -1);
    finding_number(f, "errno", code);
    finding_number(f, "pid", r->machine->other_pid);
    if (code == 0 || code == ESRCH) {
        finding_say(f, "those of this user and process %d", r->machine->other_pid);
        return;
    }
    finding_say(f, "those of this user only: process %d is refused (%s)", r->machine->other_pid,
                strerror(code));
    f->state = STATE_LIMITED;
    f->why = "Other users' processes take CAP_PERFMON (before Linux 5.9 CAP_SYS_PTRACE).";
    finding_remedy(r, f, PLACE_NEED_OTHERS);
}

/* The events that were asked for, one by one. */
static void examine_asked(struct report *r)
{
    struct finding *f = finding_add(r, "events", "the events of this run", AFFECTS_RUN);
    uint32_t refused = 0;

    for (uint32_t i = 0; i < r->run->events->count; i++) {
        const struct event_spec *s = &r->run->events->spec[i];
        struct err e = {0};

        if (perf_try(r->machine->perf, s, &e) != PERF_OFFER_REFUSED)
            continue;
        finding_say(f, "%s%s", refused++ ? "; " : "", e.text);
    }
    finding_number(f, "asked", r->run->events->count);
    finding_number(f, "refused", refused);
    if (!refused) {
        for (uint32_t i = 0; i < r->run->events->count; i++)
            finding_say(f, "%s%s", i ? ", " : "", r->run->events->spec[i].name);
        return;
    }
    finding_set(f, refused == r->run->events->count ? STATE_BLOCKING : STATE_LIMITED,
                "What is refused is left out; with nothing left there is no profile.");
}

static void examine_rehearsal(struct report *r)
{
    struct finding *f;

    if ((!r->rehearsal.armed.text[0] && !r->rehearsal.signal) || report_verdict(r) == DOCTOR_UNUSABLE)
        return; /* or it is said already */
    f = finding_add(r, "set-up", "setting up the events", AFFECTS_RUN);
    if (r->rehearsal.signal)
        finding_say(f, "it ended with signal %d", r->rehearsal.signal);
    else
        finding_say(f, "%s", r->rehearsal.armed.text);
    finding_number(f, "signal", r->rehearsal.signal);
    finding_set(f, STATE_BLOCKING, "Nothing can be sampled. Commands run as ever, without a profile.");
}

void examine_events(struct report *r)
{
    /* First, and in a process of its own: a filter may answer with a signal. */
    r->machine->rehearse(r->machine->ctx, r->run, &r->rehearsal);
    examine_own(r);
    if (r->cause != PERF_CAUSE_NONE)
        return;
    examine_kernel(r);
    examine_host(r);
    if (r->run->pid_count)
        examine_processes(r);
    else
        examine_others(r);
    examine_asked(r);
    examine_rehearsal(r);
}
