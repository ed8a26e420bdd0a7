/*
 * helper_take_memory - takes memory until its control group has killed somebody, who then is another process
 *
 *     helper_take_memory FILE      memory.oom_control or memory.events of the group, which counts "oom_kill
 * N"
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK 65536

static int kills(const char *path)
{
    char text[1024];
    const char *line;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    line = strstr(text, "oom_kill ");
    return line ? atoi(line + strlen("oom_kill ")) : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: helper_take_memory FILE\n");
        return 2;
    }
    while (kills(argv[1]) == 0) {
        char *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (block == MAP_FAILED)
            return 1;
        memset(block, 1, BLOCK);
    }
    return write(STDOUT_FILENO, "done\n", 5) == 5 ? 3 : 1;
}
