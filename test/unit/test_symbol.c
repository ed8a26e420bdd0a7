/*
 * test_symbol.c - which symbol of a table names an address, and what its name reads like
 */
#include "unit.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/symbol/batch.h"
#include "../../src/symbol/plt.h"
#include "../../src/symbol/readable.h"
#include "../../src/symbol/table.h"
#include "../fixtures/forge_symbols.h"
#include "ringside/base.h"
#include "ringside/elfio.h"

/* ---- forged tables ---- */

#define SYMBOLS_MAX 3000

struct world {
    struct forge_symbols forged;
    struct forge_parts parts;
    Elf64_Sym symbol[SYMBOLS_MAX];
    char strings[SYMBOLS_MAX * 16];
    uint32_t symbols, string_bytes;
    struct elf_file elf;
    struct batch batch;
};

static struct world *world_new(void)
{
    struct world *w = base_calloc(1, sizeof(*w));

    w->symbols = 1;
    w->string_bytes = 1;
    w->parts.table_type = SHT_SYMTAB;
    return w;
}

static void world_free(struct world *w)
{
    batch_release(&w->batch);
    elf_release(&w->elf);
    free(w);
}

static void add_at(struct world *w, const char *name, uint64_t start, uint64_t size, uint8_t info,
                   uint16_t section)
{
    Elf64_Sym *s = &w->symbol[w->symbols++];
    size_t n = strlen(name) + 1;

    assert_true(w->symbols <= SYMBOLS_MAX && w->string_bytes + n <= sizeof(w->strings));
    *s = (Elf64_Sym){w->string_bytes, info, 0, section, start, size};
    memcpy(w->strings + w->string_bytes, name, n);
    w->string_bytes += (uint32_t)n;
}

#define FUNC(binding) ELF64_ST_INFO(binding, STT_FUNC)

static void add(struct world *w, const char *name, uint64_t start, uint64_t size)
{
    add_at(w, name, start, size, FUNC(STB_GLOBAL), FORGE_IN_TEXT);
}

/* Resolves sorted addresses against what was added. */
static void resolve(struct world *w, const uint64_t *addrs, uint32_t n)
{
    w->parts.symbols = w->symbol;
    w->parts.symbols_bytes = w->symbols * sizeof(*w->symbol);
    w->parts.strings = w->strings;
    w->parts.strings_bytes = w->string_bytes;
    forge_symbols(&w->forged, &w->parts);
    assert_int_equal(elf_from_memory(&w->elf, w->forged.file, w->forged.used, NULL), 0);
    batch_release(&w->batch);
    batch_init(&w->batch, addrs, n);
    assert_int_equal(table_offer(&w->elf, w->parts.table_type, &w->batch), w->symbols - 1);
    batch_settle(&w->batch);
    plt_resolve(&w->elf, &w->batch);
}

static void names_are(struct world *w, const uint64_t *addrs, const char *const *names, uint32_t n)
{
    resolve(w, addrs, n);
    for (uint32_t i = 0; i < n; i++) {
        if (!names[i])
            assert_null(w->batch.slot[i].name);
        else
            assert_non_null(w->batch.slot[i].name);
        if (names[i])
            assert_string_equal(w->batch.slot[i].name, names[i]);
    }
}

static void name_is(struct world *w, uint64_t addr, const char *name)
{
    names_are(w, &addr, &name, 1);
}

TEST(symbol__covers_exactly_its_size)
{
    static const uint64_t addrs[] = {0x10ff, 0x1100, 0x117f, 0x1180, 0x1200};
    static const char *const names[] = {NULL, "first", "first", NULL, "second"};
    struct world *w = world_new();

    add(w, "second", 0x1200, 1);
    add(w, "first", 0x1100, 0x80);
    names_are(w, addrs, names, ARRAY_LEN(addrs));
    world_free(w);
}

TEST(symbol__without_a_size_reaches_to_the_next_or_its_sections_end)
{
    static const uint64_t addrs[] = {0x1100, 0x11ff, 0x1200, 0x1280, 0x1300, 0x1fff, 0x2000};
    static const char *const names[] = {"open", "open", "sized", NULL, "last", "last", NULL};
    struct world *w = world_new();

    add(w, "open", 0x1100, 0);
    add(w, "sized", 0x1200, 0x80);
    add(w, "last", 0x1300, 0);
    names_are(w, addrs, names, ARRAY_LEN(addrs));
    world_free(w);
}

TEST(symbol__innermost_function_wins)
{
    static const uint64_t addrs[] = {0x1100, 0x1180, 0x11c0};
    static const char *const names[] = {"outer", "inner", "outer"};
    struct world *w = world_new();

    add(w, "inner", 0x1180, 0x40);
    add(w, "outer", 0x1100, 0x100);
    names_are(w, addrs, names, ARRAY_LEN(addrs));
    world_free(w);
}

TEST(symbol__alias_is_chosen_for_people_whatever_the_order)
{
    static const struct {
        const char *name;
        uint8_t binding;
    } aliases[] = {
        {"write", STB_WEAK}, {"__write", STB_GLOBAL}, {"__GI_write", STB_LOCAL}, {"writer", STB_WEAK}};

    for (uint32_t turn = 0; turn < ARRAY_LEN(aliases); turn++) {
        struct world *w = world_new();

        for (uint32_t i = 0; i < ARRAY_LEN(aliases); i++) {
            uint32_t k = (i + turn) % ARRAY_LEN(aliases);

            add_at(w, aliases[k].name, 0x1100, 0x20, FUNC(aliases[k].binding), FORGE_IN_TEXT);
        }
        name_is(w, 0x1110, "write");
        world_free(w);
    }
}

TEST(symbol__mangled_names_have_no_leading_underscores)
{
    struct world *w = world_new();

    add(w, "_Z3fooi", 0x1100, 0x20);
    add(w, "_foo", 0x1100, 0x20);
    name_is(w, 0x1100, "_Z3fooi");
    world_free(w);
}

TEST(symbol__label_names_code_only_where_no_function_does)
{
    static const uint64_t addrs[] = {0x1000, 0x1120, 0x1300};
    static const char *const names[] = {"_start", "func", NULL};
    struct world *w = world_new();

    add_at(w, "_start", 0x1000, 0, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), FORGE_IN_TEXT);
    add(w, "func", 0x1100, 0x100);
    add_at(w, "entry", 0x1110, 0x20, ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), FORGE_IN_TEXT);
    add_at(w, "local_label", 0x1118, 0, ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE), FORGE_IN_TEXT);
    names_are(w, addrs, names, ARRAY_LEN(addrs));
    world_free(w);
}

TEST(symbol__data_and_undefined_symbols_name_no_code)
{
    struct world *w = world_new();

    add_at(w, "object", 0x1100, 0x20, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), FORGE_IN_TEXT);
    add_at(w, "undefined", 0x1100, 0x20, FUNC(STB_GLOBAL), SHN_UNDEF);
    add_at(w, "in_data", 0x4000, 0x20, FUNC(STB_GLOBAL), FORGE_IN_DATA);
    add_at(w, "outside", 0x1100, 0x20, FUNC(STB_GLOBAL), FORGE_IN_COLD);
    name_is(w, 0x1110, NULL);
    name_is(w, 0x4010, NULL);
    world_free(w);
}

TEST(symbol__answers_hold_for_the_interval_they_tell)
{
    static const uint64_t addrs[] = {0x1110, 0x1190, 0x11d0, 0x1220};
    struct world *w = world_new();

    add(w, "outer", 0x1100, 0x100);
    add(w, "inner", 0x1180, 0x40);
    add(w, "next", 0x1300, 0x10);
    resolve(w, addrs, ARRAY_LEN(addrs));
    for (uint32_t i = 0; i < ARRAY_LEN(addrs); i++) {
        const struct batch_slot *slot = &w->batch.slot[i];
        static const uint64_t bounds[][2] = {
            {0x1100, 0x1180}, {0x1180, 0x11c0}, {0x11c0, 0x1200}, {0x1200, 0x1300}};

        assert_int_equal(slot->from, bounds[i][0]);
        assert_int_equal(slot->to, bounds[i][1]);
    }
    world_free(w);
}

TEST(symbol__every_address_agrees_with_a_search_of_its_own)
{
    struct world *w = world_new();
    uint64_t addrs[1024], seed = 7;

    for (int i = 0; i < 400; i++) {
        char name[16];

        seed = hash_u64(seed + 1);
        snprintf(name, sizeof(name), "f%d", i);
        add(w, name, FORGE_TEXT + seed % FORGE_TEXT_BYTES, (seed >> 20) % 40);
    }
    for (uint32_t i = 0; i < ARRAY_LEN(addrs); i++)
        addrs[i] = FORGE_TEXT + i * 4;
    resolve(w, addrs, ARRAY_LEN(addrs));
    for (uint32_t i = 0; i < ARRAY_LEN(addrs); i++) {
        struct batch alone;

        batch_init(&alone, &addrs[i], 1);
        table_offer(&w->elf, SHT_SYMTAB, &alone);
        batch_settle(&alone);
        assert_ptr_equal(w->batch.slot[i].name, alone.slot[0].name);
        assert_int_equal(w->batch.slot[i].from, alone.slot[0].from);
        assert_int_equal(w->batch.slot[i].to, alone.slot[0].to);
        batch_release(&alone);
    }
    world_free(w);
}

TEST(symbol__a_pass_ends_when_all_symbols_overlap)
{
    struct world *w = world_new();
    uint64_t addrs[BATCH_MAX];

    for (uint32_t i = 1; i < SYMBOLS_MAX; i++)
        add(w, "f", 0x1000, 0x1000);
    for (uint32_t i = 0; i < BATCH_MAX; i++)
        addrs[i] = FORGE_TEXT + i;
    resolve(w, addrs, BATCH_MAX);
    w->batch.work = 10 * BATCH_MAX;
    for (uint32_t i = 0; i < 10; i++)
        table_offer(&w->elf, SHT_SYMTAB, &w->batch);
    assert_int_equal(w->batch.work, 0);
    world_free(w);
}

TEST(symbol__names_outside_the_string_table_are_ignored)
{
    struct world *w = world_new();

    add(w, "good", 0x1100, 0x20);
    add(w, "bad", 0x1200, 0x20);
    w->symbol[2].st_name = 0x10000000;
    name_is(w, 0x1110, "good");
    name_is(w, 0x1210, NULL);
    w->symbol[2].st_name = w->string_bytes - 2;
    w->string_bytes--; /* the last string does not end */
    name_is(w, 0x1210, NULL);
    world_free(w);
}

TEST(symbol__plt_stubs_are_named_by_the_relocation_of_their_slot)
{
    /* PLT0; jmp *0x2fea(%rip); endbr64, bnd jmp *0x2fdd(%rip); a jump through a slot nobody fills */
    static const uint8_t plt[64] = {
        [16] = 0xff, 0x25, 0xea, 0x2f, 0x00, 0x00, 0x68,        [32] = 0xf3, 0x0f, 0x1e, 0xfa, 0xf2,
        0xff,        0x25, 0xdd, 0x2f, 0x00, 0x00, [48] = 0xff, 0x25,        0x00, 0x50, 0x00, 0x00,
    };
    static const uint64_t addrs[] = {0x3004, 0x3010, 0x3016, 0x3024, 0x3030};
    static const char *const names[] = {NULL, "puts", "puts", "exit", NULL};
    const Elf64_Rela relocations[] = {{0x6008, ELF64_R_INFO(2, R_X86_64_JUMP_SLOT), 0},
                                      {0x6000, ELF64_R_INFO(1, R_X86_64_JUMP_SLOT), 0}};
    struct world *w = world_new();

    w->parts.table_type = SHT_DYNSYM;
    w->parts.plt = plt;
    w->parts.plt_bytes = sizeof(plt);
    w->parts.relocations = relocations;
    w->parts.relocations_bytes = sizeof(relocations);
    add_at(w, "puts", 0, 0, FUNC(STB_GLOBAL), SHN_UNDEF);
    add_at(w, "exit", 0, 0, FUNC(STB_GLOBAL), SHN_UNDEF);
    names_are(w, addrs, names, ARRAY_LEN(addrs));
    assert_true(w->batch.slot[1].plt);
    assert_int_equal(w->batch.slot[1].from, 0x3010);
    assert_int_equal(w->batch.slot[1].to, 0x3020);
    assert_int_equal(w->batch.slot[0].to, 0x3010);
    world_free(w);
}

/* ---- names for people ---- */

static void reads(const char *linked, const char *want)
{
    char out[READABLE_MAX];

    if (!want) {
        assert_false(readable_name(linked, out));
        return;
    }
    assert_true(readable_name(linked, out));
    assert_string_equal(out, want);
}

TEST(symbol__demangles_cxx_with_parameters_and_without_return_type)
{
    reads("_ZN5clang4Sema9ActOnExprEPNS_4ExprEi", "clang::Sema::ActOnExpr(clang::Expr*, int)");
    reads("_ZNKSt6vectorIiSaIiEE4sizeEv", "std::vector<int, std::allocator<int> >::size() const");
    reads("_Z3addIiET_S0_S0_", "add<int>(int, int)");
    reads("_ZN1AC2Ev", "A::A()");
    reads("_ZN1A1fEv.cold", "A::f() [clone .cold]");
}

TEST(symbol__demangles_rust_without_the_hash)
{
    reads("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad");
    reads("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar");
}

TEST(symbol__leaves_other_names_alone)
{
    reads("main", NULL);
    reads("", NULL);
    reads("_", NULL);
    reads("_Z", NULL);
    reads("_R", NULL);
    reads("_ZN", NULL);
    reads("_Zebra", NULL);
    reads("_RNqCs4fqI2P2rA04_0ackfecea1cbdathfdh9fdh9hqC6y",
          NULL); /* found by fuzzing: prints an empty piece */
}

TEST(symbol__demangles_cxx_names_of_any_length_up_to_the_limit)
{
    char linked[READABLE_MAX], want[READABLE_MAX], *from = linked, *to = want;

    from += sprintf(from, "_ZN");
    for (int i = 0; i < 300; i++) {
        from += sprintf(from, "10a_template");
        to += sprintf(to, "a_template::");
    }
    strcpy(from, "1fEv");
    strcpy(to, "f()");
    reads(linked, want);
}

/* Each of these recurses once for a byte or two. */
TEST(symbol__survives_names_that_nest_as_deep_as_they_are_long)
{
    static const char *const nested[][2] = {{"_Z1f", "P"},   {"_Z1f", "F"},    {"_Z", "Z"},
                                            {"_Z1f", "1aI"}, {"_Z1fIX", "ng"}, {"_RMC1a", "S"}};

    for (size_t i = 0; i < ARRAY_LEN(nested); i++) {
        char linked[READABLE_MAX], out[READABLE_MAX];
        size_t n = strlen(strcpy(linked, nested[i][0])), part = strlen(nested[i][1]);

        for (; n + part < sizeof(linked) - 1; n += part)
            strcpy(linked + n, nested[i][1]);
        strcpy(linked + n, "i");
        if (readable_name(linked, out))
            assert_in_range(strlen(out), 1, READABLE_MAX - 1);
    }
}

TEST(symbol__cuts_names_that_expand_without_end)
{
    char linked[READABLE_MAX], out[READABLE_MAX], *at = linked;

    /* f(a, p<a, a>, p<p<a, a>, p<a, a>>, ...): each parameter has twice as many leaves as the one before. S_
     * is a, S0_ is the template p, S1_ the first pair. */
    at += sprintf(at, "_Z1f1a1pIS_S_E");
    for (int i = 1; i < 30; i++) {
        char digit = (char)(i < 10 ? '0' + i : 'A' + i - 10);

        at += sprintf(at, "S0_IS%c_S%c_E", digit, digit);
    }
    assert_true(readable_name(linked, out));
    assert_int_equal(strlen(out), READABLE_MAX - 1);
    assert_string_equal(out + READABLE_MAX - 4, "...");
}

TEST(symbol__leaves_names_alone_that_are_too_long)
{
    char linked[READABLE_MAX * 2], out[READABLE_MAX];

    memset(linked, 'a', sizeof(linked));
    memcpy(linked, "_Z5000", 6);
    memcpy(linked + 6 + 5000, "v", 2);
    assert_false(readable_name(linked, out));
}
