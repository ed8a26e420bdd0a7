/*
 * resolve.c - what an event spec comes to on this machine, and what a refusal of it means
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "explain.h"
#include "probes.h"
#include "ringside/base.h"
#include "tracefs.h"

static int open_on_self(void *ctx, const struct perf_event_attr *attr)
{
    int fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

    (void)ctx;
    return fd < 0 ? -errno : fd;
}

static int call_kernel(void *ctx, const struct perf_event_attr *attr, pid_t pid, int cpu, unsigned long flags)
{
    int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, flags);

    (void)ctx;
    return fd < 0 ? -errno : fd;
}

const struct perf_machine *perf_this_machine(void)
{
    static const struct perf_machine machine = {
        .tracefs = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"},
        .devices = "/sys/bus/event_source/devices",
        .open = open_on_self,
        .call = call_kernel,
    };

    return &machine;
}

static int resolve_tracepoint(const struct perf_machine *m, const struct event_spec *s,
                              struct perf_target *out, struct err *e)
{
    out->type = PERF_TYPE_TRACEPOINT;
    out->config = s->perf_config;
    if (!s->perf_config) {
        long id = tracefs_id(m, s->group, s->target, e);

        if (id < 0)
            return -1;
        out->config = (uint64_t)id;
    }
    if (s->weight == EVENT_WEIGHT_FIELD)
        return tracefs_field(m, s, out, e);
    out->raw_offset = s->raw_offset;
    out->raw_size = s->raw_size;
    return 0;
}

static int resolve(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                   struct err *e)
{
    switch (s->kind) {
    case EVENT_TRACEPOINT:
        return resolve_tracepoint(m, s, out, e);
    case EVENT_KPROBE:
    case EVENT_KRETPROBE:
    case EVENT_UPROBE:
    case EVENT_URETPROBE:
        return probes_resolve(m, s, out, e);
    default:
        out->type = s->perf_type;
        out->config = s->perf_config;
        return 0;
    }
}

int perf_resolve(const struct perf_machine *m, const struct event_spec *s, struct perf_target *out,
                 struct err *e)
{
    *out = (struct perf_target){0};
    if (resolve(m, s, out, e) < 0)
        return err_wrap(e, "%s", s->name);
    return 0;
}

/* ---- what a refusal means ---- */

static bool is_denied(int code)
{
    return code == EACCES || code == EPERM;
}

static bool explain_counter(int code, struct err *e)
{
    switch (code) {
    case ENOENT:
    case EOPNOTSUPP:
    case ENODEV:
        err_set(
            e, 0,
            "the processor has no such counter, or the virtual machine does not pass it on; sCPU needs none");
        return true;
    case EINVAL:
        err_set(e, 0, "the processor does not take these numbers or cannot sample by this event");
        return true;
    case EBUSY:
        err_set(e, 0, "the counter is in use (the NMI watchdog, or another profiler)");
        return true;
    default:
        return false;
    }
}

/* perf_kprobe_event_init and perf_uprobe_event_init (kernel/events/core.c) ask for perfmon_capable(); for
 * uprobes newer kernels (6.18 does) ask for CAP_SYS_ADMIN. */
static bool explain_probe(const struct event_spec *s, int code, struct err *e)
{
    bool in_file = s->kind == EVENT_UPROBE || s->kind == EVENT_URETPROBE;

    if (is_denied(code)) {
        err_set(e, 0, "probes take %s, whatever kernel.perf_event_paranoid is (docker run --cap-add %s)",
                in_file ? "CAP_SYS_ADMIN (CAP_PERFMON on older kernels)" : "CAP_PERFMON",
                in_file ? "SYS_ADMIN" : "PERFMON");
        return true;
    }
    if (!in_file && (code == ENOENT || code == EADDRNOTAVAIL)) {
        err_set(e, 0, "the kernel has no function %s", s->target);
        return true;
    }
    if (code == EINVAL || code == EILSEQ) {
        err_set(
            e, 0, "%s",
            in_file
                ? "the kernel takes no probe there: not the start of an instruction, or none it can step over"
                : "the kernel takes no probe there (/sys/kernel/debug/kprobes/blacklist)");
        return true;
    }
    return false;
}

/* What only happens in kernel mode, and what its records tell, takes more than what a process does itself
 * (perf_allow_kernel and perf_allow_tracepoint). */
static bool explain_kernel_only(const struct event_spec *s, int code, struct err *e)
{
    bool raw = s->weight == EVENT_WEIGHT_RAW || s->weight == EVENT_WEIGHT_FIELD;
    long paranoid = read_number_file("/proc/sys/kernel/perf_event_paranoid", -2);
    long needed = raw ? -1 : 1;

    if (!is_denied(code) || !event_needs_kernel(s) || paranoid <= needed || paranoid > 2)
        return false;
    err_set(e, 0, "%s, and kernel.perf_event_paranoid is %ld; set it to %ld or grant CAP_PERFMON",
            raw ? "reading a tracepoint's fields is not permitted" : "it happens in kernel mode", paranoid,
            needed);
    return true;
}

/* What is particular to the kind of event. */
static bool explain_kind(const struct event_spec *s, int code, struct err *e)
{
    switch (s->kind) {
    case EVENT_HARDWARE:
    case EVENT_RAW:
        return explain_counter(code, e);
    case EVENT_SOFTWARE:
        return false;
    case EVENT_TRACEPOINT:
        if (code != EINVAL && code != ENOENT)
            return false;
        err_set(e, 0, "the kernel has no such tracepoint for perf (a wrong number?)");
        return true;
    default:
        return explain_probe(s, code, e);
    }
}

void perf_explain_event(const struct event_spec *s, int code, struct err *e)
{
    if (!explain_refusal_of_all(code, e) && !explain_kind(s, code, e) && !explain_kernel_only(s, code, e))
        perf_explain(code, e);
    err_wrap(e, "%s", s->name);
    if (e)
        e->code = code;
}

/* ---- trying ---- */

static void attr_for_trying(const struct event_spec *s, const struct perf_target *t,
                            struct perf_event_attr *attr)
{
    memset(attr, 0, sizeof(*attr));
    attr->size = sizeof(*attr);
    attr->type = t->type;
    attr->config = t->config;
    attr->config1 = t->config1;
    attr->config2 = t->config2;
    attr->freq = !s->period;
    attr->sample_period = s->period ? s->period : s->frequency_hz;
    attr->sample_type = PERF_SAMPLE_IP;
    if (s->weight == EVENT_WEIGHT_RAW || s->weight == EVENT_WEIGHT_FIELD)
        attr->sample_type |= PERF_SAMPLE_RAW;
    attr->disabled = 1;
    attr->exclude_hv = 1;
}

enum perf_offer perf_try(const struct perf_machine *m, const struct event_spec *s, struct err *e)
{
    struct perf_event_attr attr;
    struct perf_target target;
    int fd;

    if (perf_resolve(m, s, &target, e) < 0)
        return PERF_OFFER_REFUSED;
    attr_for_trying(s, &target, &attr);
    fd = m->open(m->ctx, &attr);
    if (is_denied(-fd) && !event_needs_kernel(s)) {
        attr.exclude_kernel = 1;
        fd = m->open(m->ctx, &attr);
    }
    if (fd < 0) {
        perf_explain_event(s, -fd, e);
        return PERF_OFFER_REFUSED;
    }
    close(fd);
    return attr.exclude_kernel ? PERF_OFFER_USER_MODE : PERF_OFFER_FULL;
}
