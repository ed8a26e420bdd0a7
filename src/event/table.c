/*
 * table.c - named events, presets, keys
 *
 * Default rates. The aim is a cost that is bounded and the same everywhere, without asking about the machine:
 * - 99 a second for what counts time or cycles: not in step with anything that runs 100 times a second.
 * - A fixed period for what the kernel counts itself and a program makes happen in bursts of any size: long
 *   enough that even a storm is slowed by a few percent only (a sample costs 2 to 3 us, a page fault 0.5 to
 *   1.5, a switch 1 to 2). A frequency would bound the cost, too, but what its samples add up to is wrong by
 *   up to a third where tasks are short or switch often (counts.c), while whole periods and the kernel's
 *   exact counts make a total that is true.
 * - 999 a second for what the processor counts: how often that happens is anybody's guess.
 * - Every single one of what is rare by nature and dear in itself (major faults, migrations, emulated
 *   instructions).
 */
#include <linux/perf_event.h>

#include "event_private.h"

#define HARDWARE(number) .kind = EVENT_HARDWARE, .perf_type = PERF_TYPE_HARDWARE, .perf_config = (number)
#define SOFTWARE(number) .kind = EVENT_SOFTWARE, .perf_type = PERF_TYPE_SOFTWARE, .perf_config = (number)

/* Prime, so that they keep step with nothing a program does. */
#define FAULTS_PERIOD   101
#define SWITCHES_PERIOD 29

/* Named as ddprof names them. */
const struct event_row event_table[] = {
    {"sCPU", "CPU time of the task", "nanoseconds", "cpu", SOFTWARE(PERF_COUNT_SW_TASK_CLOCK),
     .frequency_hz = 99},
    {"sPF", "page faults", "count", "page_faults", SOFTWARE(PERF_COUNT_SW_PAGE_FAULTS),
     .period = FAULTS_PERIOD},
    {"sPFMAJ", "page faults that waited for a device", "count", "major_faults",
     SOFTWARE(PERF_COUNT_SW_PAGE_FAULTS_MAJ), .period = 1},
    {"sPFMIN", "page faults that did not", "count", "minor_faults", SOFTWARE(PERF_COUNT_SW_PAGE_FAULTS_MIN),
     .period = FAULTS_PERIOD},
    {"sCS", "context switches away from the task", "count", "context_switches",
     SOFTWARE(PERF_COUNT_SW_CONTEXT_SWITCHES), .period = SWITCHES_PERIOD, .needs_kernel = true},
    {"sMig", "moves of the task to another CPU", "count", "cpu_migrations",
     SOFTWARE(PERF_COUNT_SW_CPU_MIGRATIONS), .period = 1, .needs_kernel = true},
    {"sALGN", "memory accesses whose alignment the kernel mended", "count", "alignment_faults",
     SOFTWARE(PERF_COUNT_SW_ALIGNMENT_FAULTS), .period = 1},
    {"sEMU", "instructions the kernel emulated", "count", "emulation_faults",
     SOFTWARE(PERF_COUNT_SW_EMULATION_FAULTS), .period = 1},
    {"sDUM", "nothing: keeps track of processes without sampling", "count", "dummy",
     SOFTWARE(PERF_COUNT_SW_DUMMY), .period = 1},
    {"hCPU", "CPU cycles, as fast as the clock runs", "count", "cpu_cycles",
     HARDWARE(PERF_COUNT_HW_CPU_CYCLES), .frequency_hz = 99},
    {"hREF", "CPU cycles at the nominal clock", "count", "reference_cycles",
     HARDWARE(PERF_COUNT_HW_REF_CPU_CYCLES), .frequency_hz = 999},
    {"hINST", "instructions done", "count", "instructions", HARDWARE(PERF_COUNT_HW_INSTRUCTIONS),
     .frequency_hz = 999},
    {"hCREF", "accesses to the last-level cache", "count", "cache_references",
     HARDWARE(PERF_COUNT_HW_CACHE_REFERENCES), .frequency_hz = 999},
    {"hCMISS", "misses of the last-level cache", "count", "cache_misses",
     HARDWARE(PERF_COUNT_HW_CACHE_MISSES), .frequency_hz = 999},
    {"hBRANCH", "branch instructions done", "count", "branch_instructions",
     HARDWARE(PERF_COUNT_HW_BRANCH_INSTRUCTIONS), .frequency_hz = 999},
    {"hBMISS", "branches foretold wrongly", "count", "branch_misses", HARDWARE(PERF_COUNT_HW_BRANCH_MISSES),
     .frequency_hz = 999},
    {"hBUS", "bus cycles", "count", "bus_cycles", HARDWARE(PERF_COUNT_HW_BUS_CYCLES), .frequency_hz = 999},
    {"hBSTF", "cycles in which no instruction was issued", "count", "stalled_cycles_frontend",
     HARDWARE(PERF_COUNT_HW_STALLED_CYCLES_FRONTEND), .frequency_hz = 999},
    {"hBSTB", "cycles in which no instruction was retired", "count", "stalled_cycles_backend",
     HARDWARE(PERF_COUNT_HW_STALLED_CYCLES_BACKEND), .frequency_hz = 999},
    {"sALLOC", "memory allocated", "bytes", "alloc_space", SOFTWARE(0), .period = 524288,
     .refused = "allocations are not in this build"},
    {"tALLOCSYS1", "memory mapped with mmap", "bytes", "mapped_space", SOFTWARE(0), .period = 1,
     .refused = "allocations by system call are not in this build"},
    {"tALLOCSYS2", "memory mapped by any system call", "bytes", "mapped_space_all", SOFTWARE(0), .period = 1,
     .refused = "allocations by system call are not in this build"},
};
const size_t event_table_rows = ARRAY_LEN(event_table);

const struct event_preset event_presets[] = {
    {"default", "sCPU", "CPU time", "0.1 to 0.2 % of a busy CPU in a virtual machine", NULL},
    {"cpu_only", "sCPU", "CPU time", "as default", NULL},
    {"faults", "sPF;sPFMAJ", "page faults, and those that waited for a device beside them",
     "a sample, 2 to 3 us, for 101 faults: 2 to 5 % of the faults' own time; nothing where memory is in "
     "place",
     NULL},
    {"sched", "sCPU;sCS;sMig", "CPU time, and where tasks gave up the CPU or were moved to another",
     "that of default, a sample for 29 switches (5 to 7 % of the switches' own time) and one at each move; "
     "switches and moves need kernel.perf_event_paranoid 1 or lower, or CAP_PERFMON",
     NULL},
    {"io", "sPFMAJ;sched:sched_switch",
     "where tasks went to sleep (mostly for input and output), and faults "
     "that waited for a device",
     "a sample at every switch, 2 to 3 us each; needs CAP_PERFMON and readable tracefs", NULL},
    {"alloc_only", "sALLOC", "memory allocated", "", "allocations are not in this build"},
    {"cpu_live_heap", "sCPU;sALLOC mode=sl", "CPU time, memory allocated and memory still in use", "",
     "allocations are not in this build"},
};
const size_t event_preset_rows = ARRAY_LEN(event_presets);

const struct event_key event_keys[] = {
    {"event", "eventname ev e", "name of the event; the same as a bare word"},
    {"group", "groupname gr g", "group of a tracepoint whose event is given without"},
    {"id", "i", "number of a tracepoint, where its name cannot be looked up"},
    {"label", "l", "name of the sample type in the profile"},
    {"unit", "u", "unit of the sample type: count, bytes, nanoseconds, or any word"},
    {"mode", "m", "what to add up: s all there was, l what is still in use, a both"},
    {"period", "per p", "a sample each so many events (nanoseconds for sCPU)"},
    {"frequency", "freq f", "samples a second"},
    {"stack_sample_size", "stcksz st", "bytes of the stack copied with a sample"},
    {"parameter", "arg_num argno arg n", "weigh by an argument of the function or system call, from 1"},
    {"register", "regno reg r", "weigh by a register: its name, or perf's number"},
    {"raw_offset", "rawoff argoff o", "weigh by a field of the tracepoint's record at so many bytes"},
    {"raw_size", "rawsz argsz z", "size of that field: 1, 2, 4 or 8 bytes; 8 unless given"},
    {"raw_field", "field", "weigh by a field of the tracepoint's record: its name, or NAME[INDEX]"},
    {"scale", "value_scale s", "factor for the weight"},
};
const size_t event_key_rows = ARRAY_LEN(event_keys);
