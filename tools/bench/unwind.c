/*
 * unwind.c - bench-unwind: what a walk costs, ours and libdwfl's, on the same recorded samples
 *
 *     bench-unwind [-n PASSES] [-v] RECORDING
 *
 * Ours walks all samples, then, like libdwfl, those of the process that has most of them. "cold" is the first
 * pass, with reading files and compiling rows; "warm" the mean of PASSES more; "hot" walks each sample ten
 * times in a row, without the trail of the walk before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ringside/base.h"
#include "ringside/image.h"
#include "ringside/process.h"

#include "bench.h"

#define DEFAULT_PASSES    5
#define HOT_TIMES         10
#define SHOWN_DIFFERENCES 5

static int usage(void)
{
    fputs("usage: bench-unwind [-n PASSES] [-v] RECORDING\n", stderr);
    return 2;
}

static double per(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void print_head(void)
{
    printf("%-22s %9s %10s %9s %8s %10s\n", "", "samples", "us/sample", "ns/frame", "frames", "complete");
}

static void print_pass(const char *name, const struct pass *p)
{
    printf("%-22s %9" PRIu64 " %10.3f %9.1f %8.1f %9.2f%%\n", name, p->samples,
           per(p->cpu_ns, p->samples) / 1e3, per(p->cpu_ns, p->frames), per(p->frames, p->samples),
           100 * per(p->complete, p->samples));
}

static void add_pass(struct pass *sum, const struct pass *p)
{
    sum->cpu_ns += p->cpu_ns;
    sum->samples += p->samples;
    sum->frames += p->frames;
    sum->complete += p->complete;
}

/* ---- the unwinders ---- */

static void bench_ours(struct ours *o, uint32_t pid, uint32_t passes, struct walks *walks)
{
    struct pass pass, warm = {0};

    ours_pass(o, 0, 1, &pass, NULL);
    print_pass("ringside all, cold", &pass);
    for (uint32_t i = 0; i < passes; i++) {
        ours_pass(o, 0, 1, &pass, NULL);
        add_pass(&warm, &pass);
    }
    print_pass("ringside all, warm", &warm);
    ours_pass(o, 0, HOT_TIMES, &pass, NULL);
    print_pass("ringside all, hot", &pass);
    warm = (struct pass){0};
    for (uint32_t i = 0; i < passes; i++) {
        ours_pass(o, pid, 1, &pass, NULL);
        add_pass(&warm, &pass);
    }
    print_pass("ringside, warm", &warm);
    ours_pass(o, pid, 1, &pass, walks);
}

static void bench_libdwfl(struct libdwfl *d, uint32_t passes, struct walks *walks)
{
    struct pass pass, warm = {0};

    libdwfl_pass(d, &pass, walks);
    print_pass("libdwfl, cold", &pass);
    for (uint32_t i = 0; i < passes; i++) {
        libdwfl_pass(d, &pass, NULL);
        add_pass(&warm, &pass);
    }
    print_pass("libdwfl, warm", &warm);
}

/* ---- agreement ---- */

static void show_stack(struct ours *o, struct process *p, const char *whose, const uint64_t *pc, uint32_t n)
{
    printf("  %s\n", whose);
    for (uint32_t i = 0; i < n; i++) {
        struct mapping *m = process_find_mapping(p, pc[i]);

        printf("    %16" PRIx64 " %s+0x%" PRIx64 "\n", pc[i], m ? m->image->path : "?",
               m ? mapping_to_elf(ours_images(o), m, pc[i]) : 0);
    }
}

struct agreement {
    uint64_t samples, same, ours_longer, ours_shorter, contradicting;
    uint64_t frames, same_frames; /* of libdwfl's */
};

static uint32_t common_frames(const uint64_t *a, uint32_t a_n, const uint64_t *b, uint32_t b_n)
{
    uint32_t n = 0;

    while (n < a_n && n < b_n && a[n] == b[n])
        n++;
    return n;
}

static void compare(struct agreement *sum, uint32_t ours, uint32_t theirs, uint32_t common)
{
    sum->samples++;
    sum->frames += theirs;
    sum->same_frames += common;
    if (common == ours && common == theirs)
        sum->same++;
    else if (common == theirs)
        sum->ours_longer++;
    else if (common == ours)
        sum->ours_shorter++;
    else
        sum->contradicting++;
}

static void print_agreement(const struct agreement *a)
{
    printf("same stack %.2f %% of %" PRIu64 " samples, same frame %.2f %% of libdwfl's\n",
           100 * per(a->same, a->samples), a->samples, 100 * per(a->same_frames, a->frames));
    printf("else: ringside goes on where libdwfl stops %" PRIu64 ", stops where libdwfl goes on %" PRIu64
           ", they contradict each other %" PRIu64 "\n",
           a->ours_longer, a->ours_shorter, a->contradicting);
}

static void compare_all(struct ours *o, uint32_t pid, const struct walks *ours, const struct walks *theirs,
                        bool verbose)
{
    struct process *p = ours_process(o, pid);
    struct agreement sum = {0};
    uint64_t a = 0, b = 0;
    uint32_t shown = 0;

    for (uint32_t i = 0; i < ours->count && i < theirs->count; i++) {
        uint32_t a_n = (uint32_t)(ours->end[i] - a), b_n = (uint32_t)(theirs->end[i] - b);
        uint32_t common = common_frames(ours->pc + a, a_n, theirs->pc + b, b_n);

        compare(&sum, a_n, b_n, common);
        if (verbose && (common < a_n || common < b_n) && shown++ < SHOWN_DIFFERENCES) {
            printf("sample %u differs after %u frames\n", i, common);
            show_stack(o, p, "ringside", ours->pc + a, a_n);
            show_stack(o, p, "libdwfl", theirs->pc + b, b_n);
        }
        a = ours->end[i];
        b = theirs->end[i];
    }
    print_agreement(&sum);
}

/* ---- */

static int run(const struct recording *r, uint32_t passes, bool verbose, struct err *e)
{
    struct ours *ours = ours_new(r);
    uint32_t pid = recording_busiest(r);
    struct walks our_walks = {0}, their_walks = {0};
    struct libdwfl *libdwfl;

    printf("%u records, %u samples, stack copy %u bytes; libdwfl: process %u only\n", r->count, r->samples,
           r->info.event[0].stack_bytes, pid);
    print_head();
    bench_ours(ours, pid, passes, &our_walks);
    libdwfl = libdwfl_new(r, ours, pid, e);
    if (libdwfl) {
        bench_libdwfl(libdwfl, passes, &their_walks);
        compare_all(ours, pid, &our_walks, &their_walks, verbose);
        printf("process records: %.3f us each, warm\n",
               per(ours_apply_ns(ours), r->count - MIN_OF(r->count, r->samples)) / 1e3);
    }
    libdwfl_free(libdwfl);
    walks_release(&our_walks);
    walks_release(&their_walks);
    ours_free(ours);
    return libdwfl ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct recording recording = {0};
    struct err e = {0};
    long passes = DEFAULT_PASSES;
    bool verbose = false;
    int option, result;

    while ((option = getopt(argc, argv, "n:v")) >= 0) {
        if (option == 'n')
            passes = atol(optarg);
        else if (option == 'v')
            verbose = true;
        else
            return usage();
    }
    if (argc - optind != 1 || passes < 1 || passes > 1000000)
        return usage();
    result = recording_load(&recording, argv[optind], &e);
    if (result == 0)
        result = run(&recording, (uint32_t)passes, verbose, &e);
    if (result < 0)
        fprintf(stderr, "bench-unwind: %s\n", e.text);
    recording_release(&recording);
    return result < 0;
}
