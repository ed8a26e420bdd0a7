/*
 * plt.h - names for the stubs through which a program calls into other libraries
 */
#ifndef RINGSIDE_SYMBOL_PLT_H
#define RINGSIDE_SYMBOL_PLT_H

struct batch;
struct elf_file;

/* Names those slots without a name that lie in a stub whose target the file's relocations tell. */
void plt_resolve(const struct elf_file *f, struct batch *b);

#endif
