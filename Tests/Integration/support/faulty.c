/* Put before the system's library: of the calls on the way of a backup, one in so many fails, as the file FAULTS says. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the file holds: one in how many, or 0 for none; how many there were meanwhile, and how many of them failed. */
static struct { atomic_uint rate, made, failed; } *faults;

__attribute__((constructor)) static void map(void) {
  int fd = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);
  faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (faults == MAP_FAILED) abort();
  close(fd);
}

/* The error that this call is to fail with, or 0. */
static int drawn(const int *errors, unsigned count) {
  unsigned rate = faults ? faults->rate : 0;
  if (!rate || atomic_fetch_add(&faults->made, 1) % rate) return 0;
  return errors[atomic_fetch_add(&faults->failed, 1) % count];
}
#define DRAWN(...) drawn((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))
#define REAL(call) ({ static typeof(call) *real; if (!real) real = (typeof(call) *)dlsym(RTLD_NEXT, #call); real; })
#define FAULTY(result, call, parameters, arguments, applies, ...)         \
  result call parameters {                                                \
    if ((applies) && (errno = DRAWN(__VA_ARGS__))) return (result)-1;     \
    return REAL(call) arguments;                                          \
  }

FAULTY(ssize_t, pread64, (int fd, void *to, size_t count, off64_t at), (fd, to, count, at), 1, EIO)
FAULTY(ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), (fd, from, count, at), 1, ENOSPC, EIO)
FAULTY(int, ftruncate64, (int fd, off64_t size), (fd, size), 1, ENOSPC)
FAULTY(int, fstat64, (int fd, struct stat64 *status), (fd, status), 1, EIO)
FAULTY(int, stat64, (const char *path, struct stat64 *status), (path, status), 1, EIO, EACCES)
FAULTY(int, fstatat, (int fd, const char *path, struct stat *status, int flags), (fd, path, status, flags), 1, EIO, ENOMEM)
FAULTY(int, mkdir, (const char *path, mode_t mode), (path, mode), 1, ENOSPC)
/* Memory is Swift's and the C library's own affair. */
FAULTY(void *, mmap64, (void *at, size_t size, int protection, int flags, int fd, off64_t offset),
       (at, size, protection, flags, fd, offset), fd >= 0, ENOMEM, ENFILE)
FAULTY(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), 1, ECONNRESET, ENOBUFS, EPIPE)
FAULTY(ssize_t, recv, (int fd, void *to, size_t count, int flags), (fd, to, count, flags), 1, ECONNRESET, ENOMEM)
/* SO_LINGER cannot fail, and without it HTTP/1.0 over TCP could not be told that an answer was broken off. */
FAULTY(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t size), (fd, level, option, value, size),
       level != SOL_SOCKET || option != SO_LINGER, ENOBUFS)
FAULTY(int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event), 1, ENOMEM, ENOSPC)
FAULTY(int, eventfd, (unsigned count, int flags), (count, flags), 1, EMFILE)

#define FAULTY_OPEN(call)                                                                \
  int call(const char *path, int flags, ...) {                                           \
    va_list rest;                                                                        \
    va_start(rest, flags);                                                               \
    mode_t mode = va_arg(rest, mode_t);                                                  \
    va_end(rest);                                                                        \
    return (errno = DRAWN(EMFILE, EIO, EACCES)) ? -1 : REAL(call)(path, flags, mode);    \
  }
FAULTY_OPEN(open)
FAULTY_OPEN(open64)
int openat(int fd, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return (errno = DRAWN(EMFILE, EIO, EACCES)) ? -1 : REAL(openat)(fd, path, flags, mode);
}
int fcntl64(int fd, int what, ...) {
  va_list rest;
  va_start(rest, what);
  void *argument = va_arg(rest, void *);
  va_end(rest);
  int locks = what == F_SETLK && ((struct flock *)argument)->l_type != F_UNLCK;
  return locks && (errno = DRAWN(EAGAIN, ENOLCK)) ? -1 : REAL(fcntl64)(fd, what, argument);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  int error = DRAWN(EAGAIN);
  return error ? error : REAL(pthread_create)(thread, attributes, run, argument);
}
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
  return (errno = DRAWN(ECONNABORTED, EMFILE)) ? -1 : REAL(accept4)(fd, address, size, flags);
}
