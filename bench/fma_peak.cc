#include "fma_peak.h"

#include <benchmark/benchmark.h>
#include <immintrin.h>

namespace forebay::bench {
namespace {

/// Enough for two units with a latency of five cycles.
constexpr int kChains = 12;

__attribute__((target("fma"))) void Run256(std::int64_t rounds) {
  __m256 sums[kChains];
  for (auto& sum : sums) {
    sum = _mm256_setzero_ps();
  }
  const __m256 factor = _mm256_set1_ps(0.5F);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = _mm256_fmadd_ps(sum, factor, factor);
    }
  }
  for (auto& sum : sums) {
    benchmark::DoNotOptimize(sum);
  }
}

__attribute__((target("avx512f"))) void Run512(std::int64_t rounds) {
  __m512 sums[kChains];
  for (auto& sum : sums) {
    sum = _mm512_setzero_ps();
  }
  const __m512 factor = _mm512_set1_ps(0.5F);
  for (std::int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) {
      sum = _mm512_fmadd_ps(sum, factor, factor);
    }
  }
  for (auto& sum : sums) {
    benchmark::DoNotOptimize(sum);
  }
}

}  // namespace

std::int64_t RunMultiplyAdds(bool wide, std::int64_t rounds) {
  if (wide) {
    Run512(rounds);
  } else {
    Run256(rounds);
  }
  return rounds * kChains * (wide ? 16 : 8) * 2;
}

}  // namespace forebay::bench
