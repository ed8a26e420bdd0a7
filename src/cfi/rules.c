/*
 * rules.c - rules, each kept once
 */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

#include "ringside/base.h"

#define PLACES (1 + ARCH_REG_COUNT)

static void append(struct rules *r, const struct cfi_rule *rule)
{
    if (r->count % RULES_PER_CHUNK == 0) {
        uint32_t chunks = r->count / RULES_PER_CHUNK;

        r->chunk = base_realloc(r->chunk, (chunks + 1) * sizeof(struct cfi_rule *));
        r->chunk[chunks] = base_alloc(RULES_PER_CHUNK * sizeof(struct cfi_rule));
    }
    r->chunk[r->count / RULES_PER_CHUNK][r->count % RULES_PER_CHUNK] = *rule;
    r->count++;
}

void rules_init(struct rules *r, uint32_t max)
{
    static const struct cfi_rule none = {.cfa = CFI_NONE};

    *r = (struct rules){.max = MIN_OF(max, UINT16_MAX)};
    append(r, &none);
}

void rules_release(struct rules *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        free((void *)rules_get(r, i)->full);
    for (uint32_t i = 0; i * RULES_PER_CHUNK < r->count; i++)
        free(r->chunk[i]);
    free(r->chunk);
    free(r->index);
    *r = (struct rules){0};
}

static const struct cfi_place *place_at(const struct cfi_full *f, uint32_t i)
{
    return i ? &f->reg[i - 1] : &f->cfa;
}

static uint64_t mix(uint64_t h, uint64_t value)
{
    return hash_u64(h ^ value);
}

static uint64_t hash_place(uint64_t h, const struct cfi_place *p)
{
    h = mix(h, p->how | (uint64_t)p->reg << 8 | (uint64_t)p->ops << 16);
    h = mix(h, (uint64_t)p->offset);
    for (uint32_t i = 0; i < p->ops; i++)
        h = mix(mix(h, p->op[i].number ^ (uint64_t)p->op[i].atom << 56), p->op[i].number2 + p->op[i].offset);
    return h;
}

/* full is given beside the rule: a draft's rule does not point at it yet. */
static uint64_t hash_rule(const struct cfi_rule *rule, const struct cfi_full *full)
{
    uint64_t h = hash_bytes(rule->saved, sizeof(rule->saved));

    h = mix(h, rule->cfa | (uint64_t)rule->cfa_reg << 8 | (uint64_t)rule->signal_frame << 16 |
                   (uint64_t)(uint32_t)rule->cfa_offset << 32);
    for (uint32_t i = 0; full && i < PLACES; i++)
        h = hash_place(h, place_at(full, i));
    return h;
}

static bool same_place(const struct cfi_place *a, const struct cfi_place *b)
{
    if (a->how != b->how || a->reg != b->reg || a->ops != b->ops || a->offset != b->offset)
        return false;
    for (uint32_t i = 0; i < a->ops; i++)
        if (a->op[i].atom != b->op[i].atom || a->op[i].number != b->op[i].number ||
            a->op[i].number2 != b->op[i].number2 || a->op[i].offset != b->op[i].offset)
            return false;
    return true;
}

static bool same_rule(const struct cfi_rule *a, const struct cfi_rule *b, const struct cfi_full *b_full)
{
    if (a->cfa != b->cfa || a->cfa_reg != b->cfa_reg || a->signal_frame != b->signal_frame ||
        a->cfa_offset != b->cfa_offset || memcmp(a->saved, b->saved, sizeof(a->saved)) != 0)
        return false;
    for (uint32_t i = 0; b_full && i < PLACES; i++)
        if (!same_place(place_at(a->full, i), place_at(b_full, i)))
            return false;
    return true;
}

static uint32_t slot_of(const struct rules *r, const struct cfi_rule *rule, const struct cfi_full *full)
{
    uint32_t slot = (uint32_t)hash_rule(rule, full) & (r->index_slots - 1);

    while (r->index[slot] && !same_rule(rules_get(r, r->index[slot]), rule, full))
        slot = (slot + 1) & (r->index_slots - 1);
    return slot;
}

static void grow_index(struct rules *r)
{
    r->index_slots = r->index_slots ? r->index_slots * 2 : 64;
    free(r->index);
    r->index = base_calloc(r->index_slots, sizeof(*r->index));
    for (uint32_t i = 1; i < r->count; i++) {
        const struct cfi_rule *rule = rules_get(r, i);

        r->index[slot_of(r, rule, rule->full)] = (uint16_t)i;
    }
}

static size_t full_bytes(const struct rules_draft *d)
{
    return sizeof(struct cfi_full) + d->ops * sizeof(struct cfi_op);
}

/* One block: the places, then their operations. */
static const struct cfi_full *copy_full(const struct rules_draft *d)
{
    struct cfi_full *full = base_alloc(full_bytes(d));
    struct cfi_op *op = (struct cfi_op *)(full + 1);

    *full = d->full;
    if (d->ops)
        memcpy(op, d->op, d->ops * sizeof(*op));
    for (uint32_t i = 0; i < PLACES; i++) {
        struct cfi_place *p = i ? &full->reg[i - 1] : &full->cfa;

        p->op = p->ops ? op + (p->op - d->op) : NULL;
    }
    return full;
}

uint16_t rules_add(struct rules *r, const struct rules_draft *draft)
{
    const struct cfi_full *full = draft->rule.cfa == CFI_FULL ? &draft->full : NULL;
    struct cfi_rule rule = draft->rule;
    uint32_t slot;

    if (rule.cfa == CFI_NONE)
        return RULES_NONE;
    if (r->count * 2 > r->index_slots || !r->index_slots)
        grow_index(r);
    slot = slot_of(r, &rule, full);
    if (r->index[slot])
        return r->index[slot];
    if (r->count >= r->max || (full && full_bytes(draft) > RULES_FULL_BYTES_MAX - r->full_bytes))
        return RULES_NONE;
    if (full) {
        rule.full = copy_full(draft);
        r->full_bytes += full_bytes(draft);
    }
    r->index[slot] = (uint16_t)r->count;
    append(r, &rule);
    return (uint16_t)(r->count - 1);
}
