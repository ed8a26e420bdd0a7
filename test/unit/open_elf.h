/*
 * open_elf.h - a real ELF file for a test, which fails when it cannot be opened
 */
#ifndef RINGSIDE_TEST_OPEN_ELF_H
#define RINGSIDE_TEST_OPEN_ELF_H

#include "unit.h"

#include <fcntl.h>

#include "ringside/base.h"
#include "ringside/elfio.h"

/* The caller releases *f. */
static inline void open_elf(const char *path, struct elf_file *f)
{
    CLOSE_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err e = {0};

    assert_true(fd >= 0);
    if (elf_open(f, fd, &e) < 0)
        fail_msg("%s: %s", path, e.text);
}

#endif
