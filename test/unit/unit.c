/*
 * unit.c - collects the TEST()s of one program and runs them; an argument runs only the tests whose name
 * contains it
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TESTS_MAX 200

static struct CMUnitTest tests[TESTS_MAX];
static size_t count;

void unit_register(const char *name, CMUnitTestFunction run)
{
    if (count == TESTS_MAX)
        abort();
    tests[count++] = (struct CMUnitTest){.name = name, .test_func = run};
}

const char *unit_tmp(void)
{
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

int main(int argc, char **argv)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (argc < 2 || strstr(tests[i].name, argv[1]))
            tests[kept++] = tests[i];
    return _cmocka_run_group_tests("unit", tests, kept, NULL, NULL);
}
