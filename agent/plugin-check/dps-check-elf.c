/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "plugin-check/dps-check-elf.h"
#include "common/dps-error.h"

#include <elf.h>
#include <gio/gio.h>
#include <link.h>
#include <string.h>

#define NATIVE_CLASS (__ELF_NATIVE_CLASS == 64 ? ELFCLASS64 : ELFCLASS32)
/* The same in both classes. */
#define SYMBOL_BIND(info) ((info) >> 4)
#define SYMBOL_VISIBILITY(other) ((other) &0x3)

typedef struct
{
  const guint8 *data;
  gsize size;
} File;

void
dps_check_elf_free (DpsCheckElf *self)
{
  g_ptr_array_unref (self->exports);
  g_ptr_array_unref (self->needs);
  g_free (self);
}

/* Copies the index-th record of size bytes of a table of length bytes at offset; nothing
 * in a file is aligned for sure. */
static gboolean
get_record (const File *file,
            guint64 offset,
            guint64 length,
            guint64 index,
            gpointer record,
            gsize size)
{
  if (offset > file->size || length > file->size - offset || index >= length / size)
    return FALSE;
  memcpy (record, file->data + offset + index * size, size);
  return TRUE;
}

static gboolean
get_section (const File *file,
             const ElfW (Ehdr) * header,
             guint index,
             ElfW (Shdr) * section)
{
  return header->e_shentsize == sizeof *section &&
         get_record (file,
                     header->e_shoff,
                     (guint64) header->e_shnum * sizeof *section,
                     index,
                     section,
                     sizeof *section);
}

/* A name from a table of strings; NULL where it is not within. */
static const char *
get_string (const File *file, const ElfW (Shdr) * strings, guint64 index)
{
  const char *table;

  if (strings->sh_offset > file->size ||
      strings->sh_size > file->size - strings->sh_offset || index >= strings->sh_size)
    return NULL;
  table = (const char *) file->data + strings->sh_offset;
  return memchr (table + index, '\0', strings->sh_size - index) ? table + index : NULL;
}

/* What the linker or a sanitizer's compiler adds of its own accord. */
static gboolean
is_toolchains (const char *name)
{
  static const char *const names[] = { "_init", "_fini",       "_edata",
                                       "_end",  "__bss_start", NULL };
  static const char *const prefixes[] = { "__asan_", "__odr_asan", "__lsan_",
                                          "__tsan_", "__ubsan_",   "__sanitizer_" };

  for (gsize i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (name, prefixes[i]))
      return TRUE;
  return g_strv_contains (names, name);
}

static gboolean
take_symbols (DpsCheckElf *self,
              const File *file,
              const ElfW (Shdr) * section,
              const ElfW (Shdr) * strings)
{
  ElfW (Sym) symbol;

  for (guint64 i = 0;
       get_record (file, section->sh_offset, section->sh_size, i, &symbol, sizeof symbol);
       i++)
    {
      const char *name = get_string (file, strings, symbol.st_name);
      guint visibility = SYMBOL_VISIBILITY (symbol.st_other);

      if (name == NULL)
        return FALSE;
      if (symbol.st_shndx != SHN_UNDEF && SYMBOL_BIND (symbol.st_info) != STB_LOCAL &&
          (visibility == STV_DEFAULT || visibility == STV_PROTECTED) && *name != '\0' &&
          !is_toolchains (name))
        g_ptr_array_add (self->exports, g_strdup (name));
    }
  return TRUE;
}

static gboolean
take_needs (DpsCheckElf *self,
            const File *file,
            const ElfW (Shdr) * section,
            const ElfW (Shdr) * strings)
{
  ElfW (Dyn) entry;

  for (guint64 i = 0;
       get_record (file, section->sh_offset, section->sh_size, i, &entry, sizeof entry) &&
       entry.d_tag != DT_NULL;
       i++)
    {
      const char *name;

      if (entry.d_tag != DT_NEEDED)
        continue;
      name = get_string (file, strings, entry.d_un.d_val);
      if (name == NULL)
        return FALSE;
      g_ptr_array_add (self->needs, g_strdup (name));
    }
  return TRUE;
}

static gboolean
take_section (DpsCheckElf *self,
              const File *file,
              const ElfW (Ehdr) * header,
              guint index)
{
  ElfW (Shdr) section, strings;

  if (!get_section (file, header, index, &section))
    return FALSE;
  if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_DYNAMIC)
    return TRUE;
  if (!get_section (file, header, section.sh_link, &strings))
    return FALSE;
  return section.sh_type == SHT_DYNSYM ? take_symbols (self, file, &section, &strings)
                                       : take_needs (self, file, &section, &strings);
}

static DpsCheckElf *
reject (GError **error, const char *text)
{
  g_set_error_literal (error, DPS_ERROR, DPS_ERROR_REJECTED, text);
  return NULL;
}

DpsCheckElf *
dps_check_elf_parse (const guint8 *data, gsize size, GError **error)
{
  g_autoptr (DpsCheckElf) self = g_new0 (DpsCheckElf, 1);
  File file = { data, size };
  ElfW (Ehdr) header;

  self->exports = g_ptr_array_new_with_free_func (g_free);
  self->needs = g_ptr_array_new_with_free_func (g_free);
  if (!get_record (&file, 0, size, 0, &header, sizeof header) ||
      memcmp (header.e_ident, ELFMAG, SELFMAG) != 0)
    return reject (error, "it is no ELF file");
  if (header.e_ident[EI_CLASS] != NATIVE_CLASS || header.e_type != ET_DYN)
    return reject (error, "it is no shared object of this machine's kind");
  for (guint i = 0; i < header.e_shnum; i++)
    if (!take_section (self, &file, &header, i))
      return reject (error, "its tables lead out of the file");
  return g_steal_pointer (&self);
}
