/* Put before the system's library: the clock of a machine, which a test moves, and the times that its kernel gives to files.

   $LD_CLOCK is a file of 64-bit numbers: a count, then as many pairs: since when, by the real clock, the machine's clock is ahead
   of it by how much, in nanoseconds. support/clock.py writes it. Timers and the monotonic clock are the real ones. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define SECOND 1000000000LL
static struct { volatile int64_t count; int64_t moves[1023][2]; } const *table;
static int (*real_time)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  *(void **)&real_time = dlsym(RTLD_NEXT, "clock_gettime");
  int file = open(getenv("LD_CLOCK"), O_RDONLY | O_CLOEXEC);
  table = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED, file, 0);
  if (file < 0 || table == MAP_FAILED) abort();
}

/* What the machine's clock showed at a moment of the test; of any other time, that time: it was set by a program. */
static void move(struct timespec *time) {
  if (!table) return;
  struct timespec now;
  real_time(CLOCK_REALTIME, &now);
  int64_t at = time->tv_sec * SECOND + time->tv_nsec, ahead = 0;
  if (time->tv_sec > now.tv_sec) return;
  for (int64_t i = 0; i < table->count && table->moves[i][0] <= at; i++) ahead = table->moves[i][1];
  at += ahead;
  time->tv_sec = at / SECOND;
  time->tv_nsec = at % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (!real_time) *(void **)&real_time = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real_time(clock, time);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(time);
  return failed;
}
int gettimeofday(struct timeval *restrict to, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *to = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
time_t time(time_t *to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return to ? *to = now.tv_sec : now.tv_sec;
}

#define STAT(call, parameters, arguments)                        \
  int call parameters {                                                \
    static int(*real) parameters;                                      \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #call);              \
    int failed = real arguments;                                       \
    if (!failed) move(&to->st_mtim), move(&to->st_ctim);               \
    return failed;                                                     \
  }
STAT(stat, (const char *restrict path, struct stat *restrict to), (path, to))
STAT(lstat, (const char *restrict path, struct stat *restrict to), (path, to))
STAT(fstat, (int file, struct stat *to), (file, to))
STAT(fstatat, (int at, const char *restrict path, struct stat *restrict to, int flags), (at, path, to, flags))
STAT(stat64, (const char *restrict path, struct stat64 *restrict to), (path, to))
STAT(lstat64, (const char *restrict path, struct stat64 *restrict to), (path, to))
STAT(fstat64, (int file, struct stat64 *to), (file, to))
STAT(fstatat64, (int at, const char *restrict path, struct stat64 *restrict to, int flags), (at, path, to, flags))
