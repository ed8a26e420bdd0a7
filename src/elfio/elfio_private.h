/*
 * elfio_private.h - what the files of this module share
 */
#ifndef RINGSIDE_ELFIO_PRIVATE_H
#define RINGSIDE_ELFIO_PRIVATE_H

#include "ringside/elfio.h"

/* Copies n bytes out; false when any of them lies outside the file. */
bool elf_read(const struct elf_file *f, uint64_t offset, void *out, size_t n);

/* Fills f->sections and what goes with it; a file whose section headers make no sense has none. */
void elf_take_sections(struct elf_file *f, const Elf64_Ehdr *h);

/* Fills f->build_id from a range of notes, if there is one in it. */
void elf_take_build_id(struct elf_file *f, uint64_t offset, uint64_t bytes, uint64_t align);
/* The same from the sections: in separate debug files the program headers point at bytes that are not there.
 */
void elf_take_build_id_section(struct elf_file *f);

#endif
