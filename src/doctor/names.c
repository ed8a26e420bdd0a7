/*
 * names.c - what gives events and frames their names: kallsyms, tracefs, the processor's counters
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* Where addresses are hidden, all are 0 (kernel/kallsyms.c, kallsyms_show_value). */
static void examine_kallsyms(struct report *r)
{
    struct finding *f;
    char text[64];
    bool there, shown;

    if (!r->kernel)
        return;
    f = finding_add(r, "kernel-names", "names of kernel functions", AFFECTS_RUN);
    there = report_read(r, "/proc/kallsyms", text, sizeof(text));
    shown = there && strtoull(text, NULL, 16) != 0;
    finding_number(f, "kptr_restrict", r->place.kptr_restrict);
    finding_flag(f, "readable", there);
    finding_flag(f, "shown", shown);
    if (shown) {
        finding_say(f, "/proc/kallsyms shows them");
        return;
    }
    if (!there)
        finding_say(f, "/proc/kallsyms cannot be read");
    else if (r->place.kptr_restrict != PLACE_UNKNOWN)
        finding_say(f, "/proc/kallsyms hides addresses: kernel.kptr_restrict is %ld%s",
                    r->place.kptr_restrict,
                    r->place.kptr_restrict < 2 ? " and this process has no CAP_SYSLOG" : "");
    else
        finding_say(f, "/proc/kallsyms hides addresses");
    finding_set(f, STATE_LIMITED, "Kernel frames are shown, but as addresses.");
    finding_remedy(r, f, PLACE_NEED_NAMES);
}

static void examine_tracefs(struct report *r)
{
    const struct perf_machine *m = r->machine->perf;
    struct finding *f = finding_add(r, "tracefs", "tracepoints by name", AFFECTS_EVENTS);
    char path[PATH_MAX];
    int code = ENOENT;

    for (size_t i = 0; i < ARRAY_LEN(m->tracefs); i++) {
        snprintf(path, sizeof(path), "%s/events/header_page", m->tracefs[i]);
        if (access(path, R_OK) == 0) {
            finding_say(f, "readable at %s", m->tracefs[i]);
            finding_text(f, "mounted", m->tracefs[i]);
            return;
        }
        if (errno == EACCES || errno == EPERM)
            code = errno;
    }
    if (code == ENOENT)
        finding_say(f, "tracefs is not mounted");
    else if (strcmp(r->place.lockdown, "confidentiality") == 0)
        finding_say(f, "tracefs is closed (%s): the kernel is locked down to confidentiality",
                    strerror(code));
    else
        finding_say(f, "tracefs is for root only (%s)", strerror(code));
    finding_number(f, "errno", code);
    finding_set(f, STATE_LIMITED, "Tracepoints and probes are looked up there; -e with a number needs none.");
    if (strcmp(r->place.lockdown, "confidentiality") != 0)
        finding_remedy(r, f, PLACE_NEED_TRACEFS);
}

/* "cpu", "cpu_core" and "cpu_atom" on x86, "armv8_pmuv3_0" and so on. */
static bool is_processor(const char *device)
{
    return strncmp(device, "cpu", 3) == 0 || strncmp(device, "armv8", 5) == 0;
}

static bool is_virtual(const struct report *r)
{
    char text[4096];

    return report_read(r, "/proc/cpuinfo", text, sizeof(text)) && strstr(text, " hypervisor") != NULL;
}

static void examine_counters(struct report *r)
{
    struct finding *f = finding_add(r, "hardware-counters", "the processor's counters", AFFECTS_EVENTS);
    DIR *dir = opendir(r->machine->perf->devices);
    char name[64] = "";

    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry && !name[0]; entry = readdir(dir))
        if (is_processor(entry->d_name))
            snprintf(name, sizeof(name), "%.63s", entry->d_name);
    if (dir)
        closedir(dir);
    finding_text(f, "device", name);
    finding_flag(f, "virtual_machine", is_virtual(r));
    if (name[0]) {
        finding_say(f, "there (%s)", name);
        return;
    }
    finding_say(f, "%s", is_virtual(r) ? "none: the virtual machine does not pass them on" : "none");
    finding_set(f, STATE_LIMITED, "hCPU, hINST and the like are refused; sCPU, the default, needs none.");
}

void examine_names(struct report *r)
{
    if (r->cause != PERF_CAUSE_NONE)
        return;
    examine_kallsyms(r);
    examine_tracefs(r);
    examine_counters(r);
}
