#!/bin/sh
# ISA-L compresses the same data to other bytes when its stream structure stands at another address, so each thread may make its own.
#
# ISA-L 2.30.0 (Debian's libisal2 2.30.0-5) and 2.32.1 (in isal 1.9.1 of PyPI), x86-64. For the third position of a deflate block, levels 1
# and 2 hash bits 16 to 47 of the address of `struct isal_zstream` in the place of the data. If that falls on the hash of the first or the
# second position, their match is lost. The library's issue 140 asks whether the same data always becomes the same bytes, and got a yes.
# Guess: it does, since nothing in the structure, the tables or the memory around the data differs. Seen:
#
#   2.30.0, the structure at 2,048 addresses 64 KiB apart, 48 bytes that repeat one word: other bytes at 31 of them at levels 1 and 2, none at 3
#   2.32.1, 200 such texts on 40 threads of one Python process, igzip_lib.compress(text, 1): 54 and 60 of them have two results; with zlib none
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(dirname "$0") exec /usr/bin/python3 - "$@" <<'END'
from common import *

debs("libisal2=2.30.0-5", "libisal-dev=2.30.0-5")
programs = venv("isal==1.9.1")
source = write("probe.c", r"""
#define _GNU_SOURCE
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PLACES = 2048, STEP = 1 << 16 };
static unsigned char deflated[4096], first[4096], work[ISAL_DEF_LVL3_DEFAULT];

int main(void) {
  const char *data = "5feceb66ffc8" "5feceb66ffc8" "5feceb66ffc8" "5feceb66ffc8";
  unsigned char *room = mmap(NULL, (PLACES + 4L) * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return 2;
  for (int level = 1; level <= 3; level++) {
    unsigned size = 0, others = 0;
    for (long place = 0; place < PLACES; place++) {
      struct isal_zstream *stream = (void *)(room + place * STEP);
      isal_deflate_stateless_init(stream);
      stream->hist_bits = 0;
      stream->level = level;
      stream->level_buf = work;
      stream->level_buf_size = level == 1 ? ISAL_DEF_LVL1_DEFAULT : level == 2 ? ISAL_DEF_LVL2_DEFAULT : ISAL_DEF_LVL3_DEFAULT;
      stream->end_of_stream = 1;
      stream->next_in = (unsigned char *)data;
      stream->avail_in = strlen(data);
      stream->next_out = deflated;
      stream->avail_out = sizeof deflated;
      if (isal_deflate_stateless(stream) != COMP_OK) return 3;
      if (!place) memcpy(first, deflated, size = stream->total_out);
      if (stream->total_out != size || memcmp(first, deflated, size)) others++;
    }
    printf("level %d: at %u of %d addresses other bytes\n", level, others, PLACES);
  }
}
""")
include, library = ROOT + "/usr/include", ROOT + "/usr/lib/x86_64-linux-gnu"
if not shutil.which("cc") or subprocess.run(["cc", "-O1", f"-I{include}", source, "-o", DIR + "/probe", f"-L{library}", "-lisal"]).returncode:
    cannot_run("there is no C compiler")
probed = subprocess.run([DIR + "/probe"], env=ENV, stdout=subprocess.PIPE, text=True)
print("ISA-L 2.30.0\n" + probed.stdout, end="")
others = [int(line.split()[3]) for line in probed.stdout.splitlines()]

threads = write("threads.py", r"""
import hashlib, isal, threading, zlib
from isal import igzip_lib

texts = [hashlib.sha256(b"%d" % number).hexdigest()[:12].encode() * 4 for number in range(200)]
print("ISA-L", isal.ISAL_VERSION)
for name, compress in ("igzip_lib", igzip_lib.compress), ("zlib", zlib.compress):
    made = {}
    ready = threading.Barrier(40)

    def run():
        ready.wait()
        for text in texts:
            made.setdefault(text, set()).add(compress(text, 1))
        ready.wait()

    started = [threading.Thread(target=run) for _ in range(40)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    print(name, sum(len(results) > 1 for results in made.values()), "of", len(texts), "texts have more than one result")
""")
said = subprocess.run([programs + "python", threads], stdout=subprocess.PIPE, text=True).stdout
print(said, end="")
version, igzip, zlib = said.splitlines()
as_described = (
    len(others) == 3 and others[0] > 0 and others[1] > 0 and others[2] == 0
    and version == "ISA-L 2.32.1" and int(igzip.split()[1]) > 0 and zlib.startswith("zlib 0 ")
)
sys.exit(probed.returncode or not as_described)
END
