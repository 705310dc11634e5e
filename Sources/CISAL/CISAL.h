#pragma once

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stddef.h>

// Clears the upper halves of the vector registers, which ISA-L 2.30 leaves in use where it takes AVX-512 or AVX2: as long as
// they are, the SSE instructions of whatever comes next are slow, those of SHA-256 by a third.
#if defined(__x86_64__)
__attribute__((target("avx"))) static inline void cisal_zero_upper_avx(void) { __builtin_ia32_vzeroupper(); }

static inline void cisal_zero_upper(void) {
  if (__builtin_cpu_supports("avx")) cisal_zero_upper_avx();
}
#else
static inline void cisal_zero_upper(void) {}
#endif

static inline uint32_t cisal_crc32(const uint8_t *input, uint64_t input_count) {
  uint32_t crc = crc32_gzip_refl(0, input, input_count);
  cisal_zero_upper();
  return crc;
}

// The memory that a level works in; the macros are too much for Swift.
static inline uint32_t cisal_level_buffer_size(uint32_t level) {
  return level == 1 ? ISAL_DEF_LVL1_DEFAULT : level == 2 ? ISAL_DEF_LVL2_DEFAULT : ISAL_DEF_LVL3_DEFAULT;
}

// struct isal_zstream holds arrays that Swift cannot import, so its memory is a pointer to Swift, and the call is made here.
static inline size_t cisal_stream_size(void) { return sizeof(struct isal_zstream); }
static inline size_t cisal_stream_alignment(void) { return _Alignof(struct isal_zstream); }

// Returns COMP_OK, or STATELESS_OVERFLOW if the output had no room.
static inline int cisal_deflate(
  void *memory, uint32_t level, uint8_t *level_buffer, uint32_t level_buffer_size, const uint8_t *input, uint32_t input_count,
  int is_last, uint8_t *output, uint32_t output_capacity, uint32_t *output_count
) {
  struct isal_zstream *stream = memory;
  isal_deflate_stateless_init(stream);
  // The window: 0 is the default. ISA-L 2.30 leaves what was in the memory, and the same data becomes other bytes.
  stream->hist_bits = 0;
  stream->level = level;
  stream->level_buf = level_buffer;
  stream->level_buf_size = level_buffer_size;
  stream->flush = is_last ? NO_FLUSH : FULL_FLUSH;
  stream->end_of_stream = is_last ? 1 : 0;
  stream->next_in = (uint8_t *)input;
  stream->avail_in = input_count;
  stream->next_out = output;
  stream->avail_out = output_capacity;
  int code = isal_deflate_stateless(stream);
  cisal_zero_upper();
  *output_count = stream->total_out;
  return code;
}
