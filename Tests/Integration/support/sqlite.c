/* Put before SQLite: of one of its functions, or of one method of the system's VFS, calls fail as the file FAILURES says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the file holds: the how manieth call, or 0 for none; whether all after it fail, too; with what; how many there were. */
static struct { atomic_uint number, lasts, code, made; } *failures;
/* Its name. */
static const char *function;

__attribute__((constructor)) static void map(void) {
  int fd = open(getenv("FAILURES"), O_RDWR | O_CLOEXEC);
  failures = mmap(NULL, sizeof *failures, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (failures == MAP_FAILED) abort();
  close(fd);
  function = getenv("FUNCTION");
}

/* The code that this call is to fail with, or SQLITE_OK. */
static int drawn(const char *called) {
  unsigned number = failures->number;
  if (!number || strcmp(called, function)) return SQLITE_OK;
  unsigned made = atomic_fetch_add(&failures->made, 1) + 1;
  return made == number || (made > number && failures->lasts) ? (int)failures->code : SQLITE_OK;
}
/* SQLite calls its functions itself, and has other ways to be told that they failed. */
static int is_sqlite(void *caller) {
  Dl_info library;
  return dladdr(caller, &library) && strstr(library.dli_fname, "libsqlite3");
}
#define DRAWN(call) (is_sqlite(__builtin_return_address(0)) ? SQLITE_OK : drawn(#call))
#define REAL(call) ({ static typeof(call) *real; if (!real) real = (typeof(call) *)dlsym(RTLD_NEXT, #call); real; })
#define FAILING(call, parameters, arguments)      \
  int call parameters {                           \
    int code = DRAWN(call);                       \
    return code ? code : REAL(call) arguments;    \
  }

/* Those that fail otherwise than by their codes have no place here: memory for text and numbers is the affair of nomem.c. */
FAILING(sqlite3_exec, (sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *context, char **message),
        (db, sql, row, context, message))
FAILING(sqlite3_prepare_v2, (sqlite3 *db, const char *sql, int size, sqlite3_stmt **statement, const char **tail),
        (db, sql, size, statement, tail))
FAILING(sqlite3_step, (sqlite3_stmt *statement), (statement))
FAILING(sqlite3_file_control, (sqlite3 *db, const char *name, int operation, void *argument), (db, name, operation, argument))

int sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs) {
  int code = DRAWN(sqlite3_open_v2);
  *db = NULL;
  /* Unless there was no memory for it, there is a connection all the same, which is to be closed. */
  int opened = code == SQLITE_NOMEM ? code : REAL(sqlite3_open_v2)(name, db, flags, vfs);
  return code ? code : opened;
}
int sqlite3_db_config(sqlite3 *db, int what, ...) {
  va_list rest;
  va_start(rest, what);
  int value = va_arg(rest, int), *before = va_arg(rest, int *);
  va_end(rest);
  int code = DRAWN(sqlite3_db_config);
  return code ? code : REAL(sqlite3_db_config)(db, what, value, before);
}

/* A file's methods, before the system's, of which they are a copy otherwise. */
struct methods { sqlite3_io_methods ours; const sqlite3_io_methods *real; };
#define REAL_METHODS(file) ((struct methods *)(file)->pMethods)->real
#define METHOD(call, parameters, arguments, applies)                              \
  static int call parameters {                                                    \
    int code = (applies) ? drawn(#call) : SQLITE_OK;                              \
    return code ? code : REAL_METHODS(file)->call arguments;                      \
  }
METHOD(xRead, (sqlite3_file *file, void *to, int count, sqlite3_int64 at), (file, to, count, at), 1)
METHOD(xFileSize, (sqlite3_file *file, sqlite3_int64 *size), (file, size), 1)
METHOD(xLock, (sqlite3_file *file, int lock), (file, lock), 1)
METHOD(xShmMap, (sqlite3_file *file, int region, int size, int extend, void volatile **at), (file, region, size, extend, at), 1)
/* SQLite does not check whether a lock was released. */
METHOD(xShmLock, (sqlite3_file *file, int lock, int count, int flags), (file, lock, count, flags), flags & SQLITE_SHM_LOCK)
static int xClose(sqlite3_file *file) {
  struct methods *methods = (struct methods *)file->pMethods;
  int code = methods->real->xClose(file);
  free(methods);
  return code;
}

static int (*open_really)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
static int xOpen(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *opened) {
  int code = drawn("xOpen");
  if (code) {
    file->pMethods = NULL;
    errno = code == SQLITE_NOMEM ? ENOMEM : EIO;
    return code;
  }
  code = open_really(vfs, name, file, flags, opened);
  if (code) return code;
  struct methods *methods = malloc(sizeof *methods);
  *methods = (struct methods){*file->pMethods, file->pMethods};
#define OURS(call) methods->ours.call = call
  OURS(xRead), OURS(xFileSize), OURS(xLock), OURS(xShmMap), OURS(xShmLock), OURS(xClose);
  file->pMethods = &methods->ours;
  return SQLITE_OK;
}
/* Asked for first, and by SQLite itself: that of the system. */
sqlite3_vfs *sqlite3_vfs_find(const char *name) {
  sqlite3_vfs *vfs = REAL(sqlite3_vfs_find)(name);
  if (vfs && !open_really) {
    open_really = vfs->xOpen;
    vfs->xOpen = xOpen;
  }
  return vfs;
}
