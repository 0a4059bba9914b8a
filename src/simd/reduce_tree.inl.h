// The lower half of the reduction tree, for levels whose registers are at least 256 bits wide.
// Included by the files of the levels, each of which compiles its own copy.
#pragma once

#include <immintrin.h>

namespace forebay::simd {
namespace {

/// Lane i with i + 4, then + 2, + 1.
inline float ReduceTree8(__m256 eight) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace
}  // namespace forebay::simd
