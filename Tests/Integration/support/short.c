/* Put before the system's library: calls that are interrupted, and that move a part of what they are asked for. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every third call of a thread is interrupted; the others move a third. */
static __thread unsigned turn;
static int interrupted(const char *call, int *told) {
  if (!*told) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("TOLD"), call);
    close(creat(path, 0600));
    *told = 1;
  }
  errno = EINTR;
  return turn++ % 3 == 0;
}
static size_t less(size_t count) { return (count + 2) / 3; }
static int is_file(int fd) { struct stat status; return !fstat(fd, &status) && S_ISREG(status.st_mode); }
#define SHORT(result, call, parameters, applies, arguments)                           \
  result call parameters {                                                            \
    static int told;                                                                  \
    static result(*real) parameters;                                                  \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #call);                             \
    if (applies) { if (interrupted(#call, &told)) return -1; count = less(count); }   \
    return real arguments;                                                            \
  }
SHORT(ssize_t, pread64, (int fd, void *to, size_t count, off64_t at), 1, (fd, to, count, at))
SHORT(ssize_t, pwrite64, (int fd, const void *from, size_t count, off64_t at), 1, (fd, from, count, at))
SHORT(ssize_t, write, (int fd, const void *from, size_t count), is_file(fd), (fd, from, count))
SHORT(ssize_t, recv, (int fd, void *to, size_t count, int flags), 1, (fd, to, count, flags))
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  static int told;
  static ssize_t (*real)(int, const struct msghdr *, int);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
  if (interrupted("sendmsg", &told)) return -1;
  struct iovec first = {message->msg_iov->iov_base, less(message->msg_iov->iov_len)};
  struct msghdr part = {.msg_iov = &first, .msg_iovlen = 1};
  return real(fd, &part, flags);
}
