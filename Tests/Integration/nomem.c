/* Put before the system's library: the FAIL_ATth piece of memory that SQLite asks for is not there; with FAIL_ON, none after it either. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_realloc(void *piece, size_t size);

static uintptr_t begin, end;
static long fail_at, fail_on;
static atomic_long asked;

static int find(struct dl_phdr_info *library, size_t size, void *unused) {
  if (!strstr(library->dlpi_name, "libsqlite3")) return 0;
  for (int index = 0; index < library->dlpi_phnum; index++)
    if (library->dlpi_phdr[index].p_type == PT_LOAD && library->dlpi_phdr[index].p_flags & PF_X) {
      begin = library->dlpi_addr + library->dlpi_phdr[index].p_vaddr;
      end = begin + library->dlpi_phdr[index].p_memsz;
    }
  return 1;
}

__attribute__((constructor)) static void begin_to_count(void) {
  fail_at = atol(getenv("FAIL_AT"));
  fail_on = getenv("FAIL_ON") != NULL;
  dl_iterate_phdr(find, NULL);
}

static int fails(void *caller) {
  if ((uintptr_t)caller < begin || (uintptr_t)caller >= end) return 0;
  long number = atomic_fetch_add(&asked, 1) + 1;
  if (number == fail_at) close(creat(getenv("TOLD"), 0600));
  errno = ENOMEM;
  return number == fail_at || (fail_on && number > fail_at);
}
void *malloc(size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size); }
void *realloc(void *piece, size_t size) { return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(piece, size); }
