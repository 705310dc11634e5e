/* Put before the system's library: the clock that counts since the boot, ahead by the seconds in the file $LD_BOOTTIME. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile int64_t const *ahead;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("LD_BOOTTIME"), O_RDONLY | O_CLOEXEC);
  ahead = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
  if (file < 0 || ahead == MAP_FAILED) abort();
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, time);
  if (!failed && clock == CLOCK_BOOTTIME && ahead) time->tv_sec += *ahead;
  return failed;
}
