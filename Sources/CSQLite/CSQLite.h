#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sqlite3.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

// sqlite3_db_config() is variadic, which Swift cannot call.
static inline int csqlite_no_checkpoint_on_close(sqlite3 *db) {
  return sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

static inline int csqlite_distrust(sqlite3 *db) {
  int code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
  if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
  return code;
}

// An entry of the schema that cannot be understood does not keep the others from being read.
static inline int csqlite_tolerate_schema(sqlite3 *db) {
  return sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, (int *)0);
}

// What this thread has opened last through SQLite's VFS, which does not show its descriptors; -1 for nothing.
static _Thread_local int csqlite_last_descriptor = -1;

static inline int csqlite_last_opened(void) { return csqlite_last_descriptor; }

// In place of open() in SQLite's VFS: a FIFO that has taken a database's place is not waited at for a writer.
static inline int csqlite_open(const char *path, int flags, int mode) {
  int fd = open(path, flags | O_NONBLOCK, mode);
  struct stat status;
  csqlite_last_descriptor = fd;
  // To close anything else could drop this process's locks on it.
  if (fd < 0 || fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode)) return fd;
  close(fd);
  errno = EINVAL;
  return -1;
}

// What a thread calls before it reads a part of a file through SQLite's VFS; it returns 0 if that part will never be there.
static _Thread_local int (*csqlite_await)(void *context, uint64_t end) = 0;
static _Thread_local void *csqlite_await_context = 0;

static inline void csqlite_set_await(int (*await)(void *, uint64_t), void *context) {
  csqlite_await = await;
  csqlite_await_context = context;
}

// What SQLite's check of a table would wait for, page by page, on a file that is not in memory: it goes from the last page to the
// first, and the kernel reads ahead of a walk that goes forward. A page that is far from the one before it begins another walk.
static inline void csqlite_read_ahead(int fd, off_t at) {
  const off_t nearness = 1 << 18, ahead = 1 << 20;
  const int steps_of_walk = 8;
  static _Thread_local int walked = -1, steps = 0;
  // `begun` is where what the kernel was asked for begins.
  static _Thread_local off_t before = 0, begun = 0;
  if (fd != walked || at < before - nearness || at > before + nearness) {
    walked = fd;
    steps = 0;
    begun = INT64_MAX;
  } else if (at < before && steps < steps_of_walk) {
    steps++;
  }
  before = at;
  if (steps < steps_of_walk || begun == 0) return;
  const off_t end = begun < at ? begun : at;
  // Half of it is read while the other half is used.
  if (at - end >= ahead / 2) return;
  begun = end > ahead ? end - ahead : 0;
  posix_fadvise(fd, begun, end - begun, POSIX_FADV_WILLNEED);
}

// In place of pread() there: SQLite takes what it cannot read for zeros, and would copy them. A file over a network or in user
// space may seem to end where its size says that it does not. It is read again first: another process may have just made it longer.
static inline ssize_t csqlite_read(int fd, void *to, size_t count, off_t at) {
  if (csqlite_await && !csqlite_await(csqlite_await_context, (uint64_t)at + count)) {
    errno = EIO;
    return -1;
  }
  csqlite_read_ahead(fd, at);
  for (int attempt = 0; attempt < 3; attempt++) {
    ssize_t read = pread64(fd, to, count, at);
    struct stat status;
    if (read != 0 || fstat(fd, &status) != 0 || status.st_size <= at) return read;
  }
  errno = EIO;
  return -1;
}

// lstat(), asked of the file system itself: FUSE and NFS answer out of a cache for a second or longer, in which a write on the
// other side of the mount is not seen. When the answer differs from the cache, the kernel drops the cached pages, too.
static inline int csqlite_lstat(const char *path, struct stat *status) {
  const int force_sync = 0x2000;  // AT_STATX_FORCE_SYNC, which glibc declares beside much that Swift cannot import.
  struct statx answer;
  if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | force_sync, STATX_BASIC_STATS, &answer) != 0) {
    // A container's filter may not know the call.
    return errno == ENOSYS || errno == EPERM ? lstat(path, status) : -1;
  }
  *status = (struct stat){
      .st_dev = makedev(answer.stx_dev_major, answer.stx_dev_minor),
      .st_ino = answer.stx_ino,
      .st_mode = answer.stx_mode,
      .st_nlink = answer.stx_nlink,
      .st_size = (off_t)answer.stx_size,
      .st_mtim = {.tv_sec = answer.stx_mtime.tv_sec, .tv_nsec = answer.stx_mtime.tv_nsec},
      .st_ctim = {.tv_sec = answer.stx_ctime.tv_sec, .tv_nsec = answer.stx_ctime.tv_nsec},
  };
  return 0;
}

// Whether another process has a lock on the bytes that SQLite's locks of a database file are on: os_unix.c, PENDING_BYTE,
// RESERVED_BYTE and the 510 from SHARED_FIRST on. -1 if the kernel does not say.
static inline int csqlite_is_locked_elsewhere(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000000, .l_len = 512};
  return fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type != F_UNLCK : -1;
}

// Whether a path leads into a file system in user space: FUSE_SUPER_MAGIC, linux/magic.h.
static inline int csqlite_is_fuse(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 && status.f_type == 0x65735546;
}

// A file without a name, in a folder. glibc declares O_TMPFILE and sync_file_range() for GNU sources only.
static inline int csqlite_unnamed_file(const char *folder) {
  const int tmpfile = 020000000 | O_DIRECTORY;
  return open(folder, tmpfile | O_RDWR | O_CLOEXEC, 0600);
}

extern int sync_file_range(int fd, off_t offset, off_t count, unsigned int flags);

// Makes a file share all blocks of another: FICLONE, linux/fs.h, which defines much that Swift cannot import. What is not on the
// disk yet is written there before: the file system would keep the file locked for as long as that takes.
static inline int csqlite_clone(int to, int from) {
  const unsigned int wait_before = 1, write = 2, wait_after = 4;
  sync_file_range(from, 0, 0, wait_before | write | wait_after);
  return ioctl(to, _IOW(0x94, 9, int), from);
}

// The number of the mount that a path leads over; ENOSYS before Linux 5.8.
static inline int csqlite_mount(const char *path, uint64_t *mount) {
  struct statx answer;
  if (syscall(SYS_statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &answer) != 0) return -1;
  *mount = answer.stx_mnt_id;
  errno = ENOSYS;
  return answer.stx_mask & STATX_MNT_ID ? 0 : -1;
}

// Nor sqlite3_config(). A connection sets 200 KB aside, for many pages and statements, before it has any.
//
// Returns whether SQLite's VFS reads by pread(), so that several threads may read one file at once: os_unix.c, seekAndRead(), which
// moves the file's own offset where the library was built without it. What it was built without has no entry among its system calls.
static inline int csqlite_configure(void) {
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, (void *)0, 0, 0);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  sqlite3_vfs *vfs = sqlite3_vfs_find((char *)0);
  if (!vfs) return 0;
  int reads_by_offset = vfs->xGetSystemCall(vfs, "pread") || vfs->xGetSystemCall(vfs, "pread64");
  vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)csqlite_open);
  // One of them, as SQLite was built.
  vfs->xSetSystemCall(vfs, "pread", (sqlite3_syscall_ptr)csqlite_read);
  vfs->xSetSystemCall(vfs, "pread64", (sqlite3_syscall_ptr)csqlite_read);
  return reads_by_offset;
}
