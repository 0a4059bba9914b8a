// Keeping the least of integer keys, without a branch that depends on one. Included by the files of
// the levels that have no compressing instruction.
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

}  // namespace
}  // namespace forebay::simd
