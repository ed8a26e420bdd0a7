/*
 * unit.h - a unit test is a sentence: TEST(module__behaviour) { ... }, registered by itself, run by cmocka
 */
#ifndef RINGSIDE_TEST_UNIT_H
#define RINGSIDE_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void unit_register(const char *name, CMUnitTestFunction run);
/* The folder for what tests write: where there is memory to write to, no disk has to be waited for. */
const char *unit_tmp(void);

#define TEST(name)                                                                                           \
    static void name(void **state);                                                                          \
    __attribute__((constructor)) static void register_##name(void)                                           \
    {                                                                                                        \
        unit_register(#name, name);                                                                          \
    }                                                                                                        \
    static void name(__attribute__((unused)) void **state)

#endif
