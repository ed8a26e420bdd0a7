/*
 * test_cfi_rules.c - the set of a file's rules: each once, and no more than the caps allow
 */
#include "unit.h"

#include <dwarf.h>
#include <string.h>

#include "../../src/cfi/rules.h"
#include "ringside/base.h"

static uint16_t add_compact(struct rules *r, int32_t cfa_offset)
{
    static struct rules_draft d;

    d.rule = (struct cfi_rule){.cfa = CFI_REG_OFFSET, .cfa_reg = ARCH_REG_SP, .cfa_offset = cfa_offset};
    return rules_add(r, &d);
}

/* CFA by an expression of as many operations as there may be, told apart by the last one's number. */
static uint16_t add_full(struct rules *r, uint64_t number)
{
    static struct rules_draft d;

    d.rule = (struct cfi_rule){.cfa = CFI_FULL};
    d.ops = RULES_OPS_MAX;
    for (uint32_t i = 0; i < RULES_OPS_MAX; i++)
        d.op[i] = (struct cfi_op){.atom = DW_OP_plus_uconst, .number = i};
    d.op[RULES_OPS_MAX - 1].number = number;
    d.full.cfa = (struct cfi_place){.how = CFI_HOW_EXPR, .ops = RULES_OPS_MAX, .op = d.op};
    return rules_add(r, &d);
}

TEST(cfi_rules__keeps_each_rule_once_and_forgets_none)
{
    enum { RULES = 3000 };
    struct rules r;

    rules_init(&r, 65535);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < RULES; i++)
            assert_int_equal(add_compact(&r, i), i + 1);
    assert_int_equal(r.count, RULES + 1);
    for (uint32_t i = 0; i < RULES; i++)
        assert_int_equal(rules_get(&r, i + 1)->cfa_offset, i);
    rules_release(&r);
}

TEST(cfi_rules__keeps_a_copy_of_expressions)
{
    struct rules r;
    const struct cfi_full *full;
    uint16_t first;

    rules_init(&r, 100);
    first = add_full(&r, 1);
    full = rules_get(&r, first)->full;
    assert_int_not_equal(add_full(&r, 2), first);
    assert_int_equal(add_full(&r, 1), first);
    assert_int_equal(full->cfa.ops, RULES_OPS_MAX);
    assert_int_equal(full->cfa.op[RULES_OPS_MAX - 1].number, 1);
    rules_release(&r);
}

TEST(cfi_rules__finds_known_rules_when_there_is_no_room_for_more)
{
    struct rules r;

    rules_init(&r, 3);
    assert_int_equal(add_compact(&r, 8), 1);
    assert_int_equal(add_compact(&r, 16), 2);
    assert_int_equal(add_compact(&r, 24), RULES_NONE);
    assert_int_equal(add_compact(&r, 16), 2);
    rules_release(&r);
}

TEST(cfi_rules__caps_the_memory_of_expressions)
{
    struct rules r;
    uint32_t kept = 0;

    rules_init(&r, 65535);
    for (uint64_t i = 0; i < 1000; i++)
        kept += add_full(&r, 1000 + i) != RULES_NONE;
    assert_true(kept > 100);
    assert_true(kept * sizeof(struct cfi_full) + kept * RULES_OPS_MAX * sizeof(struct cfi_op) <=
                RULES_FULL_BYTES_MAX);
    assert_int_equal(add_full(&r, 1000), 1);
    assert_int_not_equal(add_compact(&r, 8), RULES_NONE);
    rules_release(&r);
}
