/*
 * helper_use_up_rings - runs a command while all memory that its user may lock for rings is in use
 *
 *     helper_use_up_rings COMMAND [ARGUMENTS...]
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS_MAX 512

/* A ring of so many data pages, 0: only its first page. */
static int map_ring(unsigned pages)
{
    struct perf_event_attr attr = {.size = sizeof(attr),
                                   .type = PERF_TYPE_SOFTWARE,
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .disabled = 1,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    void *p;

    if (fd < 0) {
        perror("helper_use_up_rings: perf_event_open");
        return -1;
    }
    p = mmap(NULL, (1 + pages) * (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
    unsigned pages = 1024, events = 0;
    int status;
    pid_t pid;

    while (pages > 0 && events < EVENTS_MAX)
        if (map_ring(pages) == 0)
            events++;
        else
            pages /= 2;
    if (argc < 2 || events == 0 || events == EVENTS_MAX) {
        fprintf(stderr, "helper_use_up_rings: no command, no ring or no limit\n");
        return 125;
    }
    pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        perror("helper_use_up_rings: exec");
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        perror("helper_use_up_rings");
        return 125;
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
