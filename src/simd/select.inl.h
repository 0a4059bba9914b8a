// Selecting keys and lanes, without a branch that depends on one of them. Included by the files of
// the levels that have no instructions for it.
#pragma once

#include "simd/kernels.h"

namespace forebay::simd {
namespace {

inline std::size_t KeepLeast(const std::uint64_t* keys, std::size_t n, std::uint64_t last,
                             std::uint64_t* out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t key = keys[i];
    out[count] = key;
    count += key <= last ? 1U : 0U;
  }
  return count;
}

inline std::uint64_t TestBits(const BitSet& bits, const std::uint32_t* numbers, std::size_t n) {
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t at = numbers[i] + bits.offset;
    if (at < bits.size) {
      found |= (bits.words[at / 64] >> (at % 64) & 1U) << i;
    }
  }
  return found;
}

}  // namespace
}  // namespace forebay::simd
