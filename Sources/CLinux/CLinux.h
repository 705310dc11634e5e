// What the Glibc module leaves out of Linux.
#pragma once

#include <asm/ioctls.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

// Declared by the headers above under _GNU_SOURCE, with which the Glibc module was not made: to define it here
// would give the types that both modules share two definitions.
int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int pthread_setname_np(pthread_t thread, const char *name);
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int pipe2(int ends[2], int flags);
int memfd_create(const char *name, unsigned int flags);
int renameat2(int folder, const char *name, int other, const char *new_name, unsigned int flags);
ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t count, unsigned int flags);

// ioctl() is variadic, which Swift cannot call. SIOCOUTQ: tcp(7), unix(7).
int ioctl(int fd, unsigned long request, ...);
static inline int clinux_unacknowledged(int fd) {
  int count = 0;
  return ioctl(fd, TIOCOUTQ, &count) == 0 ? count : 0;
}

// memfd_create(2), and fcntl(2) for seals: their names are macros that need _GNU_SOURCE.
static const unsigned int clinux_sealable = 1U | 2U;  // MFD_CLOEXEC | MFD_ALLOW_SEALING
static const int clinux_add_seals = 1033;             // F_ADD_SEALS
static const int clinux_seal_grow = 4;                // F_SEAL_GROW

// sched(7), likewise.
static const int clinux_sched_batch = 3;  // SCHED_BATCH

// rename(2), likewise.
static const unsigned int clinux_rename_noreplace = 1;  // RENAME_NOREPLACE
