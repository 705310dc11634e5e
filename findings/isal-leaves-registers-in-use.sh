#!/bin/sh
# ISA-L returns with the upper halves of the vector registers in use, and the SHA-256 that comes next is slow.
#
# ISA-L 2.30.0 (Debian's libisal2 2.30.0-5) on a processor with AVX-512. A compiler ends each function that uses wide registers with
# vzeroupper; ISA-L's assembly does not everywhere. Seen in XINUSE (xgetbv 1; Intel SDM volume 1, §13.6), bit 2 for YMM and bit 6 for ZMM:
#
#   isal_deflate_stateless  level 0: YMM; levels 1 to 3: YMM and ZMM
#   crc32_gzip_refl, crc64_ecma_refl: YMM and ZMM
#   isal_inflate: none
#   SHA-256 of OpenSSL 3.0, by the SHA instructions, which are SSE: 1.34 times the time on an AMD EPYC until vzeroupper (printed, not judged)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("libisal2=2.30.0-5", "libisal-dev=2.30.0-5", "libssl3=3.0.*", "libssl-dev=3.0.*")
source = write("probe.c", r"""
#include <isa-l/crc.h>
#include <isa-l/crc64.h>
#include <isa-l/igzip_lib.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned char data[1 << 18], deflated[1 << 19], inflated[1 << 18], work[ISAL_DEF_LVL3_DEFAULT], digest[32];
static unsigned deflated_count;

static unsigned in_use(void) {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
  return low & 0x44;
}

static void clear(void) { __asm__ volatile("vzeroupper" ::: "memory"); }

static void deflate(int level) {
  struct isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.level = level;
  stream.level_buf = level ? work : NULL;
  stream.level_buf_size = level ? sizeof work : 0;
  stream.end_of_stream = 1;
  stream.next_in = data;
  stream.avail_in = sizeof data;
  stream.next_out = deflated;
  stream.avail_out = sizeof deflated;
  if (isal_deflate_stateless(&stream) != COMP_OK) exit(3);
  deflated_count = stream.total_out;
}

static void inflate(void) {
  struct inflate_state state;
  isal_inflate_init(&state);
  state.next_in = deflated;
  state.avail_in = deflated_count;
  state.next_out = inflated;
  state.avail_out = sizeof inflated;
  if (isal_inflate(&state) != ISAL_DECOMP_OK) exit(3);
}

static double seconds_of_sha256(void) {
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < 40; i++) SHA256(data, sizeof data, digest);
  clock_gettime(CLOCK_MONOTONIC, &end);
  return end.tv_sec - begin.tv_sec + (end.tv_nsec - begin.tv_nsec) / 1e9;
}

int main(void) {
  if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("vpclmulqdq")) return 2;
  for (unsigned i = 0; i < sizeof data; i++) data[i] = "SQLite format 3"[rand() % 15];
  clear();
  printf("cleared %02x\n", in_use());
  for (int level = 0; level < 4; level++) {
    clear();
    deflate(level);
    printf("deflate-%d %02x\n", level, in_use());
  }
  clear();
  inflate();
  printf("inflate %02x\n", in_use());
  clear();
  crc32_gzip_refl(0, data, sizeof data);
  printf("crc32 %02x\n", in_use());
  clear();
  crc64_ecma_refl(0, data, sizeof data);
  printf("crc64 %02x\n", in_use());
  double after_deflate = 1e9, cleared = 1e9;
  for (int i = 0; i < 15; i++) {
    deflate(2);
    double time = seconds_of_sha256();
    if (time < after_deflate) after_deflate = time;
    clear();
    time = seconds_of_sha256();
    if (time < cleared) cleared = time;
  }
  fprintf(stderr, "SHA-256 after a deflate, in times of that after vzeroupper: %.2f\n", after_deflate / cleared);
}
""")
include, library = ROOT + "/usr/include", ROOT + "/usr/lib/x86_64-linux-gnu"
build = ["cc", "-O1", "-Wno-deprecated-declarations", f"-I{include}", f"-I{include}/x86_64-linux-gnu", source, "-o", DIR + "/probe", f"-L{library}", "-lisal", "-lcrypto"]
if not shutil.which("cc") or subprocess.run(build).returncode:
    cannot_run("there is no C compiler")
ended = subprocess.run([DIR + "/probe"], env=ENV, stdout=subprocess.PIPE, text=True)
if ended.returncode == 2:
    cannot_run("the processor has no AVX-512")
print(ended.stdout, end="")
seen = dict(line.split() for line in ended.stdout.splitlines())
expected = {"cleared": "00", "deflate-0": "04", "deflate-1": "44", "deflate-2": "44", "deflate-3": "44", "inflate": "00", "crc32": "44", "crc64": "44"}
sys.exit(ended.returncode or seen != expected)
END
