#!/bin/sh
# ISA-L's stateless deflate takes the size of its window from memory that its own init function did not set.
#
# ISA-L 2.30.0 (Debian's libisal2 2.30.0-5). The header describes `hist_bits` as the "log base 2 of maximum lookback distance, 0 is use
# default". isal_deflate_init sets it to 0, isal_deflate_stateless_init does not: a structure on the stack keeps what was there. Guess:
# the same data makes the same stream, whatever was in the structure before. Seen, for 256 KiB whose words return after 52 bytes:
#
#   hist_bits after isal_deflate_init 0; after isal_deflate_stateless_init what it was before
#   level 1: 89491 bytes for 0 and for 15 or more; 158050 for 1 to 5, and ever fewer from 6 to 14: 11 different streams of 17
#   level 2: 88757 bytes, and also 158050 for 1 to 5: with so small a window the two levels make the same
#   each stream inflates to the data, so no check of the stream notices
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("libisal2=2.30.0-5", "libisal-dev=2.30.0-5")
source = write("probe.c", r"""
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char data[1 << 18], deflated[1 << 19], inflated[1 << 18], work[ISAL_DEF_LVL2_DEFAULT];

int main(void) {
  const char *words = "{\"zone\":\"kitchen\",\"confidence\":0.97,\"person\":\"alice\"}";
  unsigned long long state = 42;
  for (size_t i = 0; i < sizeof data; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    data[i] = state >> 56 < 32 ? state >> 56 : words[i % strlen(words)];
  }
  struct isal_zstream stream;
  stream.hist_bits = 3;
  isal_deflate_init(&stream);
  printf("init %d\n", stream.hist_bits);
  for (int level = 1; level <= 2; level++) {
    for (int before = 0; before <= 16; before++) {
      stream.hist_bits = before;
      isal_deflate_stateless_init(&stream);
      int after = stream.hist_bits;
      stream.level = level;
      stream.level_buf = work;
      stream.level_buf_size = level == 1 ? ISAL_DEF_LVL1_DEFAULT : ISAL_DEF_LVL2_DEFAULT;
      stream.end_of_stream = 1;
      stream.next_in = data;
      stream.avail_in = sizeof data;
      stream.next_out = deflated;
      stream.avail_out = sizeof deflated;
      if (isal_deflate_stateless(&stream) != COMP_OK) return 3;
      struct inflate_state state;
      isal_inflate_init(&state);
      state.next_in = deflated;
      state.avail_in = stream.total_out;
      state.next_out = inflated;
      state.avail_out = sizeof inflated;
      int is_sound = isal_inflate(&state) == ISAL_DECOMP_OK && !memcmp(data, inflated, sizeof data);
      printf("level %d, before %d, after %d: %u bytes, %s\n", level, before, after, stream.total_out, is_sound ? "sound" : "damaged");
    }
  }
}
""")
include, library = ROOT + "/usr/include", ROOT + "/usr/lib/x86_64-linux-gnu"
if not shutil.which("cc") or subprocess.run(["cc", "-O1", f"-I{include}", source, "-o", DIR + "/probe", f"-L{library}", "-lisal"]).returncode:
    cannot_run("there is no C compiler")
ended = subprocess.run([DIR + "/probe"], env=ENV, stdout=subprocess.PIPE, text=True)
print(ended.stdout, end="")
init, *lines = ended.stdout.splitlines()
sizes = {(level, before): int(lines[17 * (level - 1) + before].split()[6]) for level in (1, 2) for before in range(17)}
kept = all(f"before {before}, after {before}:" in line for before, line in zip([*range(17)] * 2, lines))
as_described = (
    init == "init 0" and kept and all(line.endswith("sound") for line in lines)
    and all(sizes[level, 0] == sizes[level, 15] == sizes[level, 16] for level in (1, 2)) and sizes[1, 0] > sizes[2, 0]
    and all(sizes[1, few] == sizes[2, few] > 1.5 * sizes[1, 0] for few in range(1, 6))
    and all(sizes[level, bits] > sizes[level, bits + 1] for level in (1, 2) for bits in range(5, 15))
)
sys.exit(ended.returncode or not as_described)
END
